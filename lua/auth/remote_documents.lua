-- auth/remote_documents.lua: JSON that others publish (key sets, discovery documents): fetched when it is first needed, kept for a
-- while, and fetched again when it turns out to be too old. One flight an address at a time, and a bound on how often, whoever asks.
local fetch = require "kit/fetch"

local remote_documents = {}

local function load(address, how, shelf)
	local answer, code, detail = fetch.get(address, {
		timeout = shelf.timeout, max = shelf.max, ca = how.ca, allow = how.allow, headers = { accept = "application/json" },
	})
	if not answer then
		return nil, ("could not be fetched: %s %s"):format(code, detail or "")
	end
	if answer.status ~= 200 then
		return nil, "answered with status " .. answer.status
	end
	local value, why = shelf.read(json.decode(answer.body))
	return value, why, answer.body
end

-- What was read before a restart is better than nothing, and soon asked for again.
local function recall(shelf, entry, address, how)
	local text = shelf.kept.find(how.owner, address)
	local value = text and shelf.read(json.decode(text))
	if value then
		entry.value, entry.at = value, time.mono() - shelf.fresh
	end
end

local Shelf = {}
Shelf.__index = Shelf

-- { value, at = when it came, tried = when it was last asked for and again = because what was kept seemed too old, flying = until when
-- an answer is awaited, why }.
local function entry_of(shelf, key)
	if not shelf.entries[key] then
		if shelf.count >= shelf.most then
			shelf.entries, shelf.count = {}, 0
		end
		shelf.entries[key], shelf.count = {}, shelf.count + 1
	end
	return shelf.entries[key]
end

-- Asks in a task of its own, so that a client who leaves takes nobody's answer along.
local function ask(shelf, entry, address, how)
	entry.flying = time.mono() + shelf.timeout + 1
	task.spawn(function()
		local value, why, body = load(address, how, shelf)
		if value then
			entry.value, entry.at = value, time.mono()
		elseif shelf.kept and not entry.value then
			recall(shelf, entry, address, how)
		end
		entry.flying, entry.why = nil, why
		if value and shelf.kept then
			shelf.kept.keep(how.owner, address, body)
		end
	end)
end

-- Asks when that may be done again for this reason, and waits for an answer that is on its way.
local function renew(shelf, entry, address, how, reason)
	if not entry.flying and (not entry[reason] or time.mono() - entry[reason] >= shelf.pause) then
		entry[reason] = time.mono()
		ask(shelf, entry, address, how)
	end
	while entry.flying and entry.flying > time.mono() do
		task.sleep(0.01)
	end
end

local function current(shelf, entry)
	if entry.value and time.mono() - entry.at <= shelf.stale then
		return entry.value
	end
	return nil, entry.why or "did not answer in time"
end

-- What stands at an address, or nil and why there is nothing. how: { ca, allow as kit/fetch takes them, key = under what it is kept
-- (the address), owner = whose it is, for `kept` }. Waits.
function Shelf:get(address, how)
	local entry = entry_of(self, how and how.key or address)
	if not entry.value or time.mono() - entry.at > self.fresh then
		renew(self, entry, address, how or {}, "tried")
	end
	return current(self, entry)
end

-- The same after another look, because what was kept seems too old.
function Shelf:again(address, how)
	local entry = entry_of(self, how and how.key or address)
	renew(self, entry, address, how or {}, "again")
	return current(self, entry)
end

-- A shelf for documents of one kind. options: read = function(document; nil when it is no JSON) → what is kept, or nil and what is wrong
-- with it; fresh = kept so long without asking again; stale = good so long when asking fails (none: for ever); pause = asked no more
-- often than that (seconds); timeout (seconds); max (bytes); most = so many documents are kept; kept = of those that are to outlive this
-- process { find = function(owner, address) → text, keep = function(owner, address, text) }.
function remote_documents.new(options)
	local shelf = { entries = {}, count = 0, stale = math.huge }
	for name, value in pairs(options) do
		shelf[name] = value
	end
	return setmetatable(shelf, Shelf)
end

return remote_documents
