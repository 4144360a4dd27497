-- auth/keys.lua: signing keys. Of each algorithm one signs, the next one is published already, and retired ones stay
-- published until what they signed has ended. Private keys are sealed rows and handles, never text here (D6).
local certificates = require "auth/certificates"
local clients = require "auth/clients"
local err = require "kit/err"
local events = require "auth/events"
local rows = require "store/rows"
local store = require "store/keys"

local keys = {}

local ALGORITHMS = { "RS256", "ES256" }
local KNOWN = { RS256 = true, ES256 = true, ES384 = true, ES512 = true }
-- Relying parties keep the key set this long at most; a next key signs no earlier than that.
keys.PUBLISHED_FIRST = 600

-- Another node's rotation is seen at the latest after this long (D4); keys sign long after they were published.
local AGE = 30

local loaded, loaded_at, opened, jwks_text, jwks_until

local function forget()
	loaded, jwks_text, opened = nil, nil, {}
end
forget()

local function load()
	if not loaded or time.mono() - loaded_at > AGE then
		local by_kid, by_alg = {}, {}
		for _, row in ipairs(store.list()) do
			by_kid[row.kid] = row
			by_alg[row.alg] = by_alg[row.alg] or {}
			table.insert(by_alg[row.alg], row)
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

local function in_state(alg, state)
	for _, row in ipairs(load().by_alg[alg] or {}) do
		if row.state == state then
			return row
		end
	end
end

-- The statements for a new key.
local function made(alg, state)
	local handle = assert(key.generate(alg))
	local kid = key.thumbprint(handle)
	return {
		store.insert_statement { kid = kid, alg = alg, state = state, sealed = key.seal(handle, "signing_keys " .. kid) },
		events.statement { kind = "key_made", reason = alg .. " " .. kid .. " " .. state },
	}
end

-- Makes the keys that are missing, each on the pool.
local function complete(algorithms)
	local makers = {}
	for _, alg in ipairs(algorithms) do
		for _, state in ipairs { "active", "next" } do
			if not in_state(alg, state) then
				makers[#makers + 1] = function() return made(alg, state) end
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
	local function want(alg)
		if alg and KNOWN[alg] and not seen[alg] then
			seen[alg] = true
			wanted[#wanted + 1] = alg
		end
	end
	for _, alg in ipairs(ALGORITHMS) do
		want(alg)
	end
	for _, application in ipairs(clients.all()) do
		want(application.signing_alg)
	end
	complete(wanted)
end

-- The handle that signs, and its kid.
function keys.signing(alg)
	local row = in_state(alg, "active")
	if not row and KNOWN[alg] then
		complete { alg }
		row = in_state(alg, "active")
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

-- The key set as text (RFC 7517), made again now and then, and when a retired key's time is up.
function keys.jwks()
	if jwks_text and time.now() < jwks_until then
		return jwks_text
	end
	local list, earliest = json.array {}, time.now() + AGE
	for _, row in ipairs(store.list()) do
		if published(row) then
			local jwk = key.jwk(handle_of(row))
			jwk.kid, jwk.alg, jwk.use = row.kid, row.alg, "sig"
			list[#list + 1] = jwk
			earliest = math.min(earliest, row.published_until or math.huge)
		end
	end
	jwks_text, jwks_until = json.encode(json.object { keys = list }, { pretty = 2 }), earliest
	return jwks_text
end

-- The longest that anything signed now is good.
local function longest_lifetime()
	local longest = 3600
	for _, application in ipairs(clients.all()) do
		longest = math.max(longest, application.access_token_lifetime or 0)
	end
	return longest
end

-- The algorithms that have keys.
function keys.algorithms()
	local out = {}
	for alg in pairs(load().by_alg) do
		out[#out + 1] = alg
	end
	table.sort(out)
	return out
end

-- The next key signs from now on. nil and why when it has not been published long enough for everyone to know it.
function keys.rotate(alg, at_once)
	forget()
	local coming, active = in_state(alg, "next"), in_state(alg, "active")
	if not coming or not active then
		return nil, "there is no next key for " .. alg
	end
	-- One that was published together with the first signing key was in every key set ever fetched.
	local age = time.now() - coming.created_at
	if age < keys.PUBLISHED_FIRST and in_state(alg, "retired") and not at_once then
		return nil, ("the next %s key has been published for %d s only; wait %d s or say --now"):format(
			alg, age, keys.PUBLISHED_FIRST - age)
	end
	local statements = store.rotate_statements(alg, coming.kid, time.now() + longest_lifetime() + 60)
	local new = made(alg, "next")
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
			kid = row.kid, alg = row.alg, state = row.state, created_at = row.created_at, active_at = row.active_at,
			retired_at = row.retired_at, published_until = row.published_until, published = published(row),
		}
	end
	return out
end

-- The server's certificates, as boot.start hands them to the core.
function keys.tls(config)
	return certificates.ensure(config)
end

-- Another generation or command may have changed them.
keys.changed = forget

return keys
