-- auth/guesses.lua: guesses at a client's secret from one address (S30), whatever the method and the endpoint. The count here
-- stands before anything waits, so that parallel guesses count; the rows behind it survive a restart and speak at the next
-- failure. A right secret from elsewhere never waits.
local address = require "kit/address"
local err = require "kit/err"
local throttle = require "auth/throttle"

local guesses = {}

local FREE, CAP, MOST_PLACES = 20, 60, 2000
local counted, places = {}, 0

local function key_of(client_id, req)
	return throttle.key("client", client_id, address.place(req.peer or ""))
end

local function entry_of(key)
	if not counted[key] then
		if places >= MOST_PLACES then
			counted, places = {}, 0
		end
		counted[key], places = { failures = 0, until_ = 0, last = 0 }, places + 1
	end
	return counted[key]
end

-- How long this address has to wait, in seconds; nil when it has not.
function guesses.wait(client_id, req)
	if places == 0 then
		return nil
	end
	local entry = counted[key_of(client_id, req)]
	local rest = entry and entry.until_ - time.mono() or 0
	return rest > 0 and rest or nil
end

-- Raises while it has.
function guesses.refuse(client_id, req)
	local rest = guesses.wait(client_id, req)
	if rest then
		err.raise("slow_down", "Too many failed attempts.", { status = 429, retry_after = math.ceil(rest) })
	end
end

function guesses.count(client_id, req)
	local key, now = key_of(client_id, req), time.mono()
	local entry = entry_of(key)
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

return guesses
