-- github/index.lua: what the mappings say of everybody, kept in the database and made right before it is read: whom a change touched is
-- asked about again, in portions, and nobody else. An answer out of it is never of before a change.
local clients  = require "auth/clients"
local err      = require "kit/err"
local mapping  = require "mapping/github"
local portion  = require "github/index_portion"
local store    = require "store/github_index"

local index = {}

-- How long a request waits for it to become right, in seconds.
local PATIENCE, HASTE = 20, 2
-- How stale `used_at` may be, and how often the failed are tried again.
local USED_EVERY, AGAIN_EVERY = 86400, 10
-- How often in a row somebody else may have come before.
local MOST_CONFLICTS = 5
-- How long after its last use an index is kept right, in seconds.
local WANTED = 3 * 86400

local function unavailable(cause) err.raise("temporarily_unavailable", nil, { cause = cause }) end

-- ---- making it right ----

-- By fingerprint: { number, mapping, application = the last that asked, sweeping = true while a task is at it, failure = what went wrong
-- there, again = when the failed were touched }.
local lenses = {}

local function state_of(lens)
	local state = lens.number and store.state(lens.number, lens.fingerprint)
	if not state then
		local row = store.lens(lens.fingerprint)
		if not row then
			store.make_lens(lens.fingerprint, lens.mapping)
			row = store.lens(lens.fingerprint) or unavailable("the index of GitHub's side could not be made")
		end
		lens.number = row.number
		state = store.state(lens.number, lens.fingerprint) or unavailable("the index of GitHub's side was lost")
	end
	return state
end

local function sweep(lens)
	local state, conflicts = state_of(lens), 0
	while state.groups > 0 or state.swept < state.next do
		if state.groups > 0 then store.spread() end
		conflicts = portion(lens, state) and 0 or conflicts + 1
		if conflicts > MOST_CONFLICTS then unavailable("the index of GitHub's side cannot be written") end
		state = state_of(lens)
	end
end

-- A task of its own: who asked may go away, and others wait for the same.
local function start(lens)
	lens.sweeping, lens.failure = true, nil
	local began = task.spawn(function()
		-- However it ends, nobody waits for it after that.
		local ok, why = pcall(sweep, lens)
		lens.sweeping, lens.failure = false, not ok and why or nil
		if not ok and not err.is(why) then error(why, 0) end
	end)
	if not began then
		lens.sweeping = false
		unavailable("too many tasks")
	end
end

local function again(lens, state)
	if state.failed == 0 or (lens.again and time.mono() - lens.again < AGAIN_EVERY) then return state end
	lens.again = time.mono()
	store.touch_failed(lens.number)
	return state_of(lens)
end

-- Waits until everything that was touched before now is in it; nil and why when that is not so within `patience` seconds.
local function settle(lens, patience)
	local state, deadline = again(lens, state_of(lens)), time.mono() + patience
	if state.groups > 0 then
		store.spread()
		state = state_of(lens)
	end
	local target, pause = state.next, 0.001
	while state.swept < target do
		if not lens.sweeping then start(lens) end
		while lens.sweeping and time.mono() < deadline do
			task.sleep(pause)
			pause = math.min(pause * 2, 0.02)
		end
		if lens.sweeping or lens.failure then return nil, lens.failure end
		state = state_of(lens)
	end
	return state
end

local function lens_of(application)
	local print = mapping.print(application) or unavailable("the GitHub mapping is not declared")
	local lens = lenses[print.fingerprint] or { fingerprint = print.fingerprint, mapping = print.mapping }
	lenses[print.fingerprint], lens.application = lens, application
	return lens
end

-- The index of an application's mapping (nil: of keys that are no application's), right as of now. Returns { number = the lens, failed =
-- of how many people the mapping could say nothing, nameless = of how many it never did: theirs can be any name }. Raises
-- temporarily_unavailable when it cannot be made right.
function index.of(application)
	local lens = lens_of(application)
	local state, why = settle(lens, PATIENCE)
	if not state and why then error(why, 0) end
	if not state then unavailable("the index of GitHub's side is being made") end
	if time.now() - state.used_at > USED_EVERY then store.used(lens.number) end
	return { number = lens.number, failed = state.failed, nameless = state.nameless }
end

-- The number of its lens, for what is worth no waiting: it is right as of now but after a change of many.
function index.soon(application)
	local lens = lens_of(application)
	settle(lens, HASTE)
	return lens.number
end

-- For answers that leave nobody out: where the mapping fails for some, nobody knows what they are in.
function index.whole(application)
	local found = index.of(application)
	if found.failed > 0 then unavailable(("the GitHub mapping failed for %d people"):format(found.failed)) end
	return found.number
end

-- Each minute: what somebody asked for lately is made right before he asks again, also after the mapping changed.
function index.keep()
	local since = time.now() - WANTED
	local function look(application)
		local print = mapping.print(application)
		if not print or not store.wanted(print.mapping, since) then return end
		local lens = lens_of(application)
		local state = state_of(lens)
		if (state.groups > 0 or state.swept < state.next) and not lens.sweeping then start(lens) end
	end
	look(nil)
	for _, application in ipairs(clients.all()) do
		if application.github then look(application) end
	end
end

return index
