-- auth/remote_keys.lua: key sets that others publish (RFC 7517 5): fetched when they are first needed, kept for a while, and fetched
-- again when a token names a key that is not in them. One flight an address at a time, and a bound on how often, whoever asks.
local fetch = require "kit/fetch"

local remote_keys = {}

-- Kept so long without asking again; good so long when asking fails; asked no more often than that (seconds).
local FRESH, STALE, PAUSE = 300, 86400, 30
local TIMEOUT, MOST_BYTES, MOST_KEYS, MOST_SETS = 5, 65536, 50, 200

-- By address: { keys, at = when they came, tried = when they were last asked for, flying = until when an answer is awaited, why }.
local sets, count = {}, 0

-- The keys of a set as { kid, handle }; those of kinds that we do not know are left out. nil and what is wrong.
function remote_keys.import(set)
	local list = type(set) == "table" and set.keys
	if type(list) ~= "table" or #list > MOST_KEYS then
		return nil, list and ("has more than %d keys"):format(MOST_KEYS) or "is not a key set: { \"keys\": [ … ] }"
	end
	local out, why = {}, "it is empty"
	for _, jwk in ipairs(list) do
		if type(jwk) == "table" then
			local handle, reason = key.import_jwk(jwk)
			out[#out + 1] = handle and { kid = jwk.kid, handle = handle } or nil
			why = reason or why
		end
	end
	if #out == 0 then
		return nil, "has no key that can be used: " .. why
	end
	return out
end

local function load(address)
	local answer, code, detail = fetch.get(address, { timeout = TIMEOUT, max = MOST_BYTES, headers = { accept = "application/json" } })
	if not answer then
		return nil, ("could not be fetched: %s %s"):format(code, detail or "")
	end
	if answer.status ~= 200 then
		return nil, "answered with status " .. answer.status
	end
	return remote_keys.import(json.decode(answer.body))
end

local function set_of(address)
	if not sets[address] then
		if count >= MOST_SETS then
			sets, count = {}, 0
		end
		sets[address], count = {}, count + 1
	end
	return sets[address]
end

-- Asks in a task of its own, so that a client who leaves takes nobody's answer along.
local function ask(set, address)
	set.tried, set.flying = time.mono(), time.mono() + TIMEOUT + 1
	task.spawn(function()
		local keys, why = load(address)
		set.flying, set.why = nil, why
		if keys then
			set.keys, set.at = keys, time.mono()
		end
	end)
end

-- Asks when that may be done again, and waits for an answer that is on its way.
local function renew(set, address)
	if not set.flying and (not set.tried or time.mono() - set.tried >= PAUSE) then
		ask(set, address)
	end
	while set.flying and set.flying > time.mono() do
		task.sleep(0.01)
	end
end

local function current(set)
	if set.keys and time.mono() - set.at <= STALE then
		return set.keys
	end
	return nil, set.why or "did not answer in time"
end

-- The keys at an address, or nil and why there are none. Waits.
function remote_keys.get(address)
	local set = set_of(address)
	if not set.keys or time.mono() - set.at > FRESH then
		renew(set, address)
	end
	return current(set)
end

-- The same after another look, because a token named a key that was not among them.
function remote_keys.again(address)
	local set = set_of(address)
	renew(set, address)
	return current(set)
end

return remote_keys
