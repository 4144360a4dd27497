-- auth/clients.lua: applications as protocol clients: finding them, and believing them (RFC 6749 2.3).
local conf = require "kit/conf"
local err = require "kit/err"
local events = require "auth/events"
local secrets = require "kit/secrets"
local store = require "store/applications"
local throttle = require "auth/throttle"

local clients = {}

-- Applications change by command and reload only; both say so (clients.changed). The age bounds what another node
-- would see late; liveness of tokens and codes is asked of the rows themselves (S4).
local AGE = 5
local MOST = 1000
local cache, cached, changes = {}, 0, 0

-- The part of a form's schema that client authentication reads.
clients.FORM = {
	client_id = { max = 200, keep_empty = true },
	client_secret = { max = 1000, keep_empty = true },
	client_assertion = { max = 8000, keep_empty = true },
	client_assertion_type = { max = 200, keep_empty = true },
}

function clients.changed()
	cache, cached, changes = {}, 0, changes + 1
end

-- The application: its settings with id, slug, client_id, active. Borrowed by everybody: never changed.
local function application_of(row)
	local application = {}
	for name, value in pairs(row.data) do
		application[name] = value
	end
	application.id, application.slug, application.client_id = row.id, row.slug, row.client_id
	application.active, application.declared, application.valid_from = row.active, row.declared, row.valid_from
	application.name = application.name or row.slug
	if conf.settings().lab then
		local list = { table.unpack(application.redirect_uris or {}) }
		list[#list + 1] = conf.link("/lab/callback")
		application.redirect_uris = list
	end
	return application
end

-- What was read while something changed is used but not kept: it may be of before.
local function remember(key, row, before)
	if cached >= MOST then
		cache, cached = {}, 0
	end
	local entry = { until_ = time.mono() + AGE, application = row and row.active and application_of(row) or nil,
		secrets = row and row.secrets or {} }
	if before == changes then
		cache[key], cached = entry, cached + 1
	end
	return entry
end

local function entry_of(kind, value, read)
	if type(value) ~= "string" or value == "" or #value > 200 then
		return nil
	end
	local key = kind .. value
	local entry = cache[key]
	if not entry or entry.until_ < time.mono() then
		local before = changes
		entry = remember(key, read(value), before)
	end
	return entry
end

local function found(entry)
	return entry and entry.application
end

function clients.find(client_id)
	return found(entry_of("client_id:", client_id, store.by_client_id))
end

function clients.by_slug(slug)
	return found(entry_of("slug:", slug, store.by_slug))
end

function clients.by_id(id)
	return found(entry_of("id:", id, store.by_id))
end

function clients.all()
	local out = {}
	for _, row in ipairs(store.list()) do
		if row.active then
			out[#out + 1] = application_of(row)
		end
	end
	table.sort(out, function(a, b) return a.name:lower() < b.name:lower() end)
	return out
end

-- The issuer that this application's tokens name (facts: authentik's issuer modes).
function clients.issuer(application)
	local text = application.issuer_mode == "global" and conf.link("/")
		or conf.link("/application/o/" .. application.slug .. "/")
	return application.issuer_slash == false and (text:gsub("/$", "")) or text
end

-- ---- authentication ----

local function refuse(why, tried_basic)
	err.raise("invalid_client", "The client could not be authenticated: " .. why,
		{ status = 401, headers = tried_basic and { ["www-authenticate"] = 'Basic realm="tidelock", charset="UTF-8"' } or nil })
end

-- RFC 6749 2.3.1: both halves percent-encoded; a raw "+" is kept, since few clients encode. What cannot be decoded was
-- not encoded.
local function from_basic(req)
	local header = req.headers.authorization
	if not header then
		return nil
	end
	local scheme, rest = header:match("^(%S+)%s+(%S+)%s*$")
	if not scheme or scheme:lower() ~= "basic" then
		refuse("the Authorization header is not Basic.", true)
	end
	local pair = base64.decode(rest)
	local id, secret = (pair or ""):match("^([^:]*):(.*)$")
	if not id or #pair > 1300 then
		refuse("the Basic credentials are malformed.", true)
	end
	return { client_id = url.decode(id) or id, client_secret = url.decode(secret) or secret }
end

-- The credentials of the request and the one method that brought them.
local function credentials(req, form)
	if (req.headers_repeated or {}).authorization then
		err.raise("invalid_request", "The Authorization header came more than once.")
	end
	local basic = from_basic(req)
	if form.client_assertion or form.client_assertion_type then
		refuse("assertions are not supported.", basic ~= nil)
	end
	if basic then
		if form.client_secret then
			refuse("two methods were used at once.", true)
		end
		if form.client_id and form.client_id ~= basic.client_id then
			refuse("two different client_ids were sent.", true)
		end
		return basic, "client_secret_basic"
	end
	if not form.client_id or form.client_id == "" then
		refuse("the client_id is missing.")
	end
	return form, form.client_secret and "client_secret_post" or "none"
end

-- Compares with every live secret, always all of them. Unknown clients are compared too.
local function secret_matches(entry, secret)
	local keyed, match = secrets.keyed(secret), false
	local list = entry and #entry.secrets > 0 and entry.secrets or { secrets.keyed("") }
	for _, stored in ipairs(list) do
		match = crypto.equal(stored, keyed) or match
	end
	return match and entry ~= nil and #entry.secrets > 0 and secret ~= ""
end

-- Guesses at a client's secret from one address. The count here stands before anything waits, so that parallel guesses
-- count; the rows behind it survive a restart and speak at the next failure. A right secret from elsewhere never waits.
local FREE, CAP, MOST_PLACES = 20, 60, 2000
local guesses, places = {}, 0

local function guesses_of(key)
	if not guesses[key] then
		if places >= MOST_PLACES then
			guesses, places = {}, 0
		end
		guesses[key], places = { failures = 0, until_ = 0, last = 0 }, places + 1
	end
	return guesses[key]
end

local function refuse_blocked(client_id, req)
	if places == 0 then
		return
	end
	local entry = guesses[throttle.key("client", client_id, req.peer or "")]
	local rest = entry and entry.until_ - time.mono() or 0
	if rest > 0 then
		err.raise("slow_down", "Too many failed attempts.", { status = 429, retry_after = math.ceil(rest) })
	end
end

local function count_guess(client_id, req)
	local key, now = throttle.key("client", client_id, req.peer or ""), time.mono()
	local entry = guesses_of(key)
	entry.failures = now - entry.last > throttle.QUIET and 1 or entry.failures + 1
	entry.last = now
	if entry.failures > FREE then
		entry.until_ = now + math.min(CAP, 1 << math.min(entry.failures - FREE, 10))
	end
	local ok, seconds = throttle.reserve { { key = key, free = FREE, cap = CAP } }
	if not ok then
		entry.until_ = math.max(entry.until_, now + seconds)
	end
end

-- Of a client that is unknown there is nothing to guess.
local function failed(req, application, client_id, basic, why)
	if application then
		count_guess(client_id, req)
	end
	events.add { kind = "client_failed", application = application, req = req, reason = why, merge = true }
	refuse(why, basic)
end

local function allowed(application, method)
	local registered = application.token_endpoint_auth_method
	if application.client_type == "public" then
		return method == "none"
	end
	if registered then
		return method == registered
	end
	return method ~= "none"
end

function clients.authenticate(req, form)
	local given, method = credentials(req, form)
	local entry = entry_of("client_id:", given.client_id, store.by_client_id)
	local application, basic = found(entry), method == "client_secret_basic"
	local public = application and application.client_type == "public"
	-- Libraries that probe send public clients' ids with an empty secret: that is none.
	if public and (given.client_secret or "") == "" then
		return application, "none"
	end
	refuse_blocked(given.client_id, req)
	local matches = secret_matches(application and entry, given.client_secret or "")
	if not application then
		failed(req, nil, given.client_id, basic, "the client is unknown.")
	end
	if not allowed(application, method) then
		failed(req, application, given.client_id, basic, "this client uses another method.")
	end
	if not matches then
		failed(req, application, given.client_id, basic, "the secret is wrong.")
	end
	return application, method
end

return clients
