-- auth/clients.lua: applications as protocol clients: finding them, and believing them (RFC 6749 2.3).
local assertions = require "auth/assertions"
local conf = require "kit/conf"
local err = require "kit/err"
local events = require "auth/events"
local guesses = require "auth/guesses"
local presets = require "config/presets"
local secrets = require "kit/secrets"
local store = require "store/applications"

local clients = {}

-- Applications change by command and reload only; both say so (clients.changed). The age bounds what another node
-- would see late; liveness of tokens and codes is asked of the rows themselves (S4).
local AGE = 5
local MOST = 1000
local cache, cached, changes = {}, 0, 0

-- The part of a form's schema that client authentication reads.
clients.FORM = {
	client_id = { max = 200, keep_empty = true },
	-- Long enough for the token that authentik takes here (oidc/grants/credentials).
	client_secret = { max = 8000, keep_empty = true },
	client_assertion = { max = 8000, keep_empty = true },
	client_assertion_type = { max = 200, keep_empty = true },
}

function clients.changed()
	cache, cached, changes = {}, 0, changes + 1
end

-- The laboratory stands in for every application.
local function with_laboratory(list, path)
	list = { table.unpack(list or {}) }
	list[#list + 1] = conf.link(path)
	return list
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
	application.loopback_localhost = presets.is_program(application.preset)
	if conf.settings().lab then
		application.redirect_uris = with_laboratory(application.redirect_uris, "/lab/callback")
		application.post_logout_redirect_uris = with_laboratory(application.post_logout_redirect_uris, "/lab/")
	end
	return application
end

-- What was read while something changed is used but not kept: it may be of before.
local function remember(key, row, before)
	if cached >= MOST then
		cache, cached = {}, 0
	end
	local entry = { until_ = time.mono() + AGE, application = row and row.active and application_of(row) or nil,
		secrets = row and row.secrets or {}, row = row }
	if before == changes then
		cache[key], cached = entry, cached + 1
	end
	return entry
end

local function entry_of(kind, value, read)
	-- Nothing is called by other bytes, and the database takes none that are no text.
	if type(value) ~= "string" or value == "" or #value > 200 or value:find("[^\x21-\x7e]") then
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

-- Those that share the global issuer (issuer_mode), for a while: { list = their tables, changes, until_ }.
local sharing = { changes = -1 }

function clients.of_global_issuer()
	if sharing.changes ~= changes or sharing.until_ < time.mono() then
		local list, before = {}, changes
		for _, application in ipairs(clients.all()) do
			if application.issuer_mode == "global" then
				list[#list + 1] = application
			end
		end
		sharing = { list = list, changes = before, until_ = time.mono() + AGE }
	end
	return sharing.list
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

-- RFC 6749 2.3.1: both halves as a form has them. Few clients encode: a "+" is itself, and where a space could have been meant
-- the other reading is tried too; what cannot be decoded was not encoded.
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
	local spaced = secret:find("+", 1, true) and url.decode((secret:gsub("%+", " "))) or nil
	return { client_id = url.decode(id) or id, client_secret = url.decode(secret) or secret, with_spaces = spaced }
end

-- RFC 7521 4.2: the client may leave its client_id to the assertion.
local function from_assertion(form, basic)
	if basic or form.client_secret then
		refuse("two methods were used at once.", basic ~= nil)
	end
	if form.client_assertion_type ~= assertions.TYPE then
		refuse("the client_assertion_type is not known.")
	end
	local claims = assertions.peek(form.client_assertion or "")
	if not claims then
		refuse("the client_assertion is missing or malformed.")
	end
	return { method = "assertion", client_id = form.client_id or claims.sub, assertion = form.client_assertion }
end

-- The credentials of the request and the one method that brought them.
local function credentials(req, form)
	if (req.headers_repeated or {}).authorization then
		err.raise("invalid_request", "The Authorization header came more than once.")
	end
	local basic = from_basic(req)
	if form.client_assertion or form.client_assertion_type then
		return from_assertion(form, basic)
	end
	if basic then
		if form.client_secret then
			refuse("two methods were used at once.", true)
		end
		if form.client_id and form.client_id ~= basic.client_id then
			refuse("two different client_ids were sent.", true)
		end
		basic.method = "client_secret_basic"
		return basic
	end
	return { method = form.client_secret and "client_secret_post" or "none", client_id = form.client_id,
		client_secret = form.client_secret }
end

-- Raises. Of a client that is unknown there is nothing to guess; `cause` is for the owner's event alone.
function clients.failed(req, application, given, why, cause)
	if application then
		guesses.count(given.client_id, req)
	end
	local reason = cause and ("%s %s"):format(why, cause) or why
	events.add { kind = "client_failed", application = application, req = req, reason = reason, merge = true }
	refuse(why, given.method == "client_secret_basic")
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

-- Is this the application's secret? For protocols with rules of their own; they count guesses (auth/guesses) themselves.
function clients.has_secret(application, secret)
	return secret_matches(entry_of("client_id:", application.client_id, store.by_client_id), secret)
end

-- Who asks, nothing proven: the application and what it gave: { method, client_id, client_secret, with_spaces = the secret's
-- other reading, assertion }. Raises for who is unknown, for two methods at once and for who guessed too often.
function clients.named(req, form)
	local given = credentials(req, form)
	if type(given.client_id) ~= "string" or given.client_id == "" then
		refuse("the client_id is missing.")
	end
	local application = clients.find(given.client_id)
	req.application = application
	if not application then
		secret_matches(nil, given.client_secret or "")
		clients.failed(req, nil, given, "the client is unknown.")
	end
	-- Libraries that probe send public clients' ids with an empty secret: that is none.
	if application.client_type == "public" and not given.assertion and (given.client_secret or "") == "" then
		given.method = "none"
	else
		guesses.refuse(given.client_id, req)
	end
	return application, given
end

local JWT = { private_key_jwt = true, client_secret_jwt = true }

-- The registered method alone; a secret may come both ways where nothing is registered.
local function allowed(application, method)
	local registered = application.token_endpoint_auth_method
	if application.client_type == "public" then
		return method == "none"
	elseif method == "assertion" then
		return JWT[registered] or false
	end
	return method == registered or (registered == nil and method ~= "none")
end

local function proven(application, given)
	if given.method == "none" then
		return true
	end
	local entry = entry_of("client_id:", given.client_id, store.by_client_id)
	if given.method ~= "assertion" then
		local spaced = given.with_spaces and secret_matches(entry, given.with_spaces)
		return secret_matches(entry, given.client_secret) or spaced, "the secret is wrong."
	end
	local audiences = { [clients.issuer(application)] = true, [conf.link("/application/o/token/")] = true }
	local ok, why, cause = assertions.prove(given.assertion, application, audiences, function()
		return store.readable_secrets(entry.row)
	end)
	return ok, "the assertion is not accepted: " .. (why or ""), cause
end

-- Raises unless what was given proves the application that clients.named found. Waits.
function clients.prove(req, application, given)
	local right = allowed(application, given.method)
	local ok, why, cause = proven(application, right and given or { method = "client_secret_post", client_id = given.client_id,
		client_secret = given.client_secret or "" })
	if not right then
		why = "this client uses another method."
	end
	if not (right and ok) then
		clients.failed(req, application, given, why, cause)
	end
	return given.method == "assertion" and application.token_endpoint_auth_method or given.method
end

-- The application that asks, and by which method it proved itself.
function clients.authenticate(req, form)
	local application, given = clients.named(req, form)
	return application, clients.prove(req, application, given)
end

return clients
