-- auth/keys.lua: signing keys. Of each algorithm one signs, the next one is published already, and retired ones stay
-- published until what they signed has ended. Most applications share the installation's; one with signing_key = "own" has
-- its own beside them. Private keys are sealed rows and handles, never text here (D6).
local certificates = require "auth/certificates"
local clients = require "auth/clients"
local err = require "kit/err"
local events = require "auth/events"
local rows = require "store/rows"
local scope = require "kit/scope"
local store = require "store/keys"

local keys = {}

local ALGORITHMS = { "RS256", "ES256" }
local KNOWN = { RS256 = true, ES256 = true, ES384 = true, ES512 = true }
-- Relying parties keep the key set this long at most; a next key signs no earlier than that.
keys.PUBLISHED_FIRST = 600

-- Another node's rotation is seen at the latest after this long (D4); keys sign long after they were published.
local AGE = 30

local loaded, loaded_at, opened, jwks_texts

local function forget()
	loaded, jwks_texts, opened = nil, {}, {}
end
forget()

-- Whose keys sign for this application: its own id, or "" for those that are shared.
local function owner_of(application)
	return application and application.signing_key == "own" and application.id or ""
end

local function load()
	if not loaded or time.mono() - loaded_at > AGE then
		local by_kid, by_alg = {}, {}
		for _, row in ipairs(store.list()) do
			by_kid[row.kid] = row
			local place = row.alg .. row.application_id
			by_alg[place] = by_alg[place] or {}
			table.insert(by_alg[place], row)
		end
		loaded, loaded_at = { by_kid = by_kid, by_alg = by_alg }, time.mono()
	end
	return loaded
end

local function handle_of(row)
	if not opened[row.kid] then
		local handle, why = key.open(row.sealed, "signing_keys " .. row.kid)
		if not handle then
			err.raise("server_error", nil, { cause = "signing key " .. row.kid .. " cannot be opened: " .. tostring(why) })
		end
		opened[row.kid] = handle
	end
	return opened[row.kid]
end

local function in_state(alg, owner, state)
	for _, row in ipairs(load().by_alg[alg .. owner] or {}) do
		if row.state == state then
			return row
		end
	end
end

-- The statements for a new key.
local function made(alg, owner, state)
	local handle = assert(key.generate(alg))
	local kid = key.thumbprint(handle)
	return {
		store.insert_statement { kid = kid, alg = alg, application_id = owner, state = state,
			sealed = key.seal(handle, "signing_keys " .. kid) },
		events.statement { kind = "key_made", application = owner ~= "" and owner or nil, reason = alg .. " " .. kid .. " " .. state },
	}
end

-- Makes the keys that are missing, each on the pool. wanted: { { alg, owner }, … }.
local function complete(wanted)
	local makers = {}
	for _, each in ipairs(wanted) do
		for _, state in ipairs { "active", "next" } do
			if not in_state(each[1], each[2], state) then
				makers[#makers + 1] = function() return made(each[1], each[2], state) end
			end
		end
	end
	if #makers == 0 then
		return
	end
	local statements = {}
	for _, list in ipairs(table.pack(task.all(makers))) do
		table.move(list, 1, #list, #statements + 1, statements)
	end
	rows.batch(statements)
	forget()
end

-- What every installation has, and what its applications ask for.
function keys.ensure()
	local wanted, seen = {}, {}
	local function want(alg, owner)
		if KNOWN[alg] and not seen[alg .. owner] then
			seen[alg .. owner] = true
			wanted[#wanted + 1] = { alg, owner }
		end
	end
	for _, alg in ipairs(ALGORITHMS) do
		want(alg, "")
	end
	for _, application in ipairs(clients.all()) do
		want(application.signing_alg or "RS256", owner_of(application))
	end
	complete(wanted)
end

-- The handle that signs for the application, and its kid.
function keys.signing(alg, application)
	local owner = owner_of(application)
	local row = in_state(alg, owner, "active")
	if not row and KNOWN[alg] then
		complete { { alg, owner } }
		row = in_state(alg, owner, "active")
	end
	err.need(row, "server_error", nil, { cause = "no signing key for " .. tostring(alg) })
	return handle_of(row), row.kid
end

local function published(row)
	return row.state == "next" or row.state == "active" or row.state == "retired" and (row.published_until or 0) > time.now()
end

-- The handle and algorithm of a published key. An unknown kid makes us look once a second for another node's rotation.
function keys.by_kid(kid)
	local row = load().by_kid[kid]
	if not row and time.mono() - loaded_at > 1 then
		forget()
		row = load().by_kid[kid]
	end
	if row and published(row) then
		return handle_of(row), row.alg
	end
end

-- Those of keys that are published no longer too, but not of one that was taken out by hand: what a relying party shows back to us
-- may be old.
function keys.ours(kid)
	local handle, alg = keys.by_kid(kid)
	local row = not handle and load().by_kid[kid]
	if row and row.state == "retired" then
		return handle_of(row), row.alg
	end
	return handle, alg
end

-- The key set of applications as text (RFC 7517): what is shared, and their own. Made again now and then, and when a retired
-- key's time is up. No list: what is shared only.
function keys.jwks(applications)
	local owners = { "" }
	for _, application in ipairs(applications or {}) do
		if owner_of(application) ~= "" then owners[#owners + 1] = application.id end
	end
	local place = table.concat(owners, " ")
	local kept = jwks_texts[place]
	if kept and time.now() < kept.until_ then
		return kept.text
	end
	local list, earliest = json.array {}, time.now() + AGE
	for _, row in ipairs(store.list()) do
		if published(row) and scope.has(owners, row.application_id) then
			local jwk = key.jwk(handle_of(row))
			jwk.kid, jwk.alg, jwk.use = row.kid, row.alg, "sig"
			list[#list + 1] = jwk
			earliest = math.min(earliest, row.published_until or math.huge)
		end
	end
	kept = { text = json.encode(json.object { keys = list }, { pretty = 2 }), until_ = earliest }
	jwks_texts[place] = kept
	return kept.text
end

-- The longest that anything signed now is good.
local function longest_lifetime()
	local longest = 3600
	for _, application in ipairs(clients.all()) do
		longest = math.max(longest, application.access_token_lifetime or 0)
	end
	return longest
end

-- The algorithms that have keys: of the application's own, or (nil) of those that are shared.
function keys.algorithms(application)
	local out, owner = {}, owner_of(application)
	for _, alg in ipairs { "ES256", "ES384", "ES512", "RS256" } do
		if load().by_alg[alg .. owner] then out[#out + 1] = alg end
	end
	return out
end

-- The next key signs from now on. nil and why when it has not been published long enough for everyone to know it.
function keys.rotate(alg, at_once, application)
	forget()
	local owner = owner_of(application)
	local coming, active = in_state(alg, owner, "next"), in_state(alg, owner, "active")
	if not coming or not active then
		return nil, "there is no next key for " .. alg
	end
	-- One that was published together with the first signing key was in every key set ever fetched.
	local age = time.now() - coming.created_at
	if age < keys.PUBLISHED_FIRST and in_state(alg, owner, "retired") and not at_once then
		return nil, ("the next %s key has been published for %d s only; wait %d s or say --now"):format(
			alg, age, keys.PUBLISHED_FIRST - age)
	end
	local statements = store.rotate_statements(alg, owner, coming.kid, time.now() + longest_lifetime() + 60)
	local new = made(alg, owner, "next")
	table.move(new, 1, #new, #statements + 1, statements)
	statements[#statements + 1] = events.statement { kind = "key_rotated", reason = alg .. " " .. coming.kid }
	local ok = rows.batch(statements)
	forget()
	return ok and coming.kid, "somebody else rotated at the same time"
end

-- A retired key is published no longer: what it signed is refused from now on.
function keys.retire(kid)
	local ok = rows.batch {
		store.retire_statement(kid), events.statement { kind = "key_retired", reason = kid },
	}
	forget()
	return ok and true or nil, "only a retired key can be taken out of the key set"
end

function keys.list()
	local out = {}
	for index, row in ipairs(store.list()) do
		out[index] = {
			kid = row.kid, alg = row.alg, state = row.state,
			application_id = row.application_id ~= "" and row.application_id or nil, created_at = row.created_at, active_at = row.active_at,
			retired_at = row.retired_at, published_until = row.published_until, published = published(row),
		}
	end
	return out
end

-- The server's certificates, as boot.start hands them to the core.
function keys.tls()
	return certificates.ensure()
end

-- Another generation or command may have changed them.
keys.changed = forget

return keys
