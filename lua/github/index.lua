-- github/index.lua: what the mappings say of everybody, kept in the database and made right before it is read: whom a change touched is
-- asked about again, in portions, and nobody else. An answer out of it is never of before a change.
local err      = require "kit/err"
local identity = require "github/identity"
local mapping  = require "mapping/github"
local report_failures = require "auth/failures"
local rows     = require "store/rows"
local store    = require "store/github_index"
local users    = require "store/users"

local index = {}

-- What one transaction takes in: people, and organisations and teams of theirs.
local MOST_PEOPLE, MOST_PLACES = 100, 1000
-- How long a request waits for it to become right, in seconds.
local PATIENCE, HASTE = 20, 2
-- How stale `used_at` may be, how often the failed are tried again, and of how many failures of one portion an event is left.
local USED_EVERY, AGAIN_EVERY, TOLD = 86400, 10, 5

local function unavailable(cause) err.raise("temporarily_unavailable", nil, { cause = cause }) end

-- ---- one person's entry ----

-- Only what somebody shows to everybody is others' to see.
local function public_emails(person)
	local out = {}
	for _, each in ipairs(person.emails) do
		if each.visibility == "public" then out[#out + 1] = each end
	end
	return json.array(out)
end

local function place_of_organization(each)
	return { kind = "organization", number = each.number, organization = 0, login = each.login:lower(), shown = each.login, name = each.name,
		description = each.description, created_at = each.created_at, role = each.role, direct = 1 }
end

local function place_of_team(each)
	return { kind = "team", number = each.number, organization = each.organization.number, login = each.slug:lower(), shown = each.slug,
		name = each.name, description = each.description, parent = each.parent and each.parent.number, created_at = each.created_at,
		role = each.role, direct = each.direct and 1 or 0 }
end

local function places_of(person)
	local out = {}
	for position, each in ipairs(person.organizations) do out[position] = place_of_organization(each) end
	for _, each in ipairs(person.teams) do out[#out + 1] = place_of_team(each) end
	return out
end

-- What is to stand in the index, and its digest: nothing of it has a line break.
local function entry_of(person)
	local profile = json.encode(json.array { person.company or json.null, person.location or json.null, person.bio or json.null,
		public_emails(person) })
	local entry = { number = person.number, login = person.login:lower(), shown = person.login, name = person.name, profile = profile,
		places = places_of(person) }
	local lines = { person.number, person.login, person.name or "", profile }
	for _, place in ipairs(entry.places) do
		lines[#lines + 1] = table.concat({ place.kind, place.number, place.shown, place.name, place.description or "", place.parent or "",
			place.role, place.direct }, "\t")
	end
	return entry, hex.encode(crypto.sha256(table.concat(lines, "\n")))
end

-- ---- a portion: people who were touched, one after the other ----

local function seen_by_others(user) return user and user.active and user.type ~= "internal_service_account" end

-- The mapping's word about a touched one: { touched, profile } or { touched, failed = true } or { touched, gone = true }.
local function asked(lens, touched, told)
	if not seen_by_others(touched.user) then return { touched = touched, user = touched.user, gone = true } end
	local profile, failure = mapping.profile(users.view(touched.user), lens.application)
	if profile then return { touched = touched, user = touched.user, profile = profile } end
	if told < TOLD then report_failures({ user = touched.user, application = lens.application }, { failure }) end
	return { touched = touched, user = touched.user, failed = true }
end

local function size_of(profile)
	local size = #profile.organisations
	for _, each in ipairs(profile.organisations) do size = size + #each.teams end
	return size
end

local function gather(list)
	local people = {}
	for _, touched in ipairs(list) do
		if seen_by_others(touched.user) then people[#people + 1] = touched.user end
	end
	if #people > 1 then users.gather(people) end
end

-- A list of what asked() says, of the first that were touched since, as many as one transaction takes in; and whether that was all.
-- While the mapping works on one the next is made ready.
local function ask_all(lens, since)
	local list = store.touched(since, MOST_PEOPLE)
	gather(list)
	local out, taken, places, failures = {}, 0, 0, 0
	local function work()
		while taken < #list and places < MOST_PLACES do
			taken = taken + 1
			local position = taken
			local each = asked(lens, list[position], failures)
			out[position] = each
			failures = failures + (each.failed and 1 or 0)
			places = places + (each.profile and size_of(each.profile) or 0)
		end
	end
	task.all { work, work }
	return out, #out == #list and #list < MOST_PEOPLE
end

-- Gives each its identity, or failed: where numbers cannot be allotted to all at once, each is tried alone.
local function identify(list)
	local with = {}
	for _, each in ipairs(list) do
		if each.profile then with[#with + 1] = each end
	end
	if #with == 0 then return end
	-- What is pinned to somebody else is that person's failure, and no one else's.
	local ok, made = pcall(identity.all_of, with)
	if ok then
		for position, each in ipairs(with) do each.person = made[position] end
		return
	end
	if not err.is(made) or made.oauth ~= "temporarily_unavailable" then error(made, 0) end
	for _, each in ipairs(with) do
		local fine, alone = pcall(identity.all_of, { each })
		if not fine and not (err.is(alone) and alone.oauth == "temporarily_unavailable") then error(alone, 0) end
		each.person, each.failed = fine and alone[1] or nil, not fine
	end
end

-- ---- what is written ----

local function extend(list, more) table.move(more, 1, #more, #list + 1, list) end

-- The places of a portion that stand in the index, by kind and number.
local function known_places(lens, changed)
	local numbers, listed = { organization = {}, team = {} }, {}
	for _, each in ipairs(changed) do
		for _, place in ipairs(each.entry.places) do
			local key = place.kind .. " " .. place.number
			if not listed[key] then table.insert(numbers[place.kind], place.number) end
			listed[key] = true
		end
	end
	local out = {}
	for kind, list in pairs(numbers) do out[kind] = store.places(lens.number, kind, list) end
	return out
end

local function same_place(row, place)
	return row and row.shown == place.shown and row.name == place.name and row.description == place.description
		and row.parent == place.parent
end

local function person_statements(out, lens, each, known, before)
	local entry, id = each.entry, each.user.id
	for _, place in ipairs(entry.places) do
		if not same_place(known[place.kind][place.number], place) then
			out[#out + 1] = store.place_statement(lens.number, place)
			known[place.kind][place.number] = place
		end
	end
	out[#out + 1] = store.person_statement(lens.number, id, entry, each.digest)
	for _, place in ipairs(entry.places) do
		local key = place.kind .. " " .. place.number
		local had = before[key]
		before[key] = nil
		if not had or had.role ~= place.role or had.direct ~= place.direct then
			out[#out + 1] = store.join_statement(lens.number, place, entry.number, id)
		end
	end
	for _, membership in pairs(before) do out[#out + 1] = store.leave_statement(lens.number, membership, id) end
end

-- Those of whom something else stands in the index.
local function changed_of(lens, list)
	local ids, out = {}, {}
	for _, each in ipairs(list) do
		if each.person then ids[#ids + 1] = each.user.id end
	end
	local before = store.people(lens.number, ids)
	for _, each in ipairs(list) do
		if each.person then
			each.entry, each.digest = entry_of(each.person)
			local row = before[each.user.id]
			if not row or row.failed == 1 or row.digest ~= each.digest then out[#out + 1] = each end
		end
	end
	return out
end

local function statements_of(lens, list)
	local out = {}
	local changed = changed_of(lens, list)
	local known, ids = known_places(lens, changed), {}
	for position, each in ipairs(changed) do ids[position] = each.user.id end
	local before = store.memberships(lens.number, ids)
	for _, each in ipairs(changed) do person_statements(out, lens, each, known, before[each.user.id]) end
	for _, each in ipairs(list) do
		if each.failed then out[#out + 1] = store.failed_statement(lens.number, each.user.id) end
		if each.gone then extend(out, store.gone_statements(lens.number, each.touched.id)) end
		if not each.user then out[#out + 1] = store.forget_statement(each.touched.id) end
	end
	return out
end

-- Takes in one portion. Who is touched while this goes on is in a later one. In a conflict another node did it, or somebody was
-- deleted: the next look tells.
local function portion(lens, state)
	local list, all = ask_all(lens, state.swept)
	identify(list)
	local statements = statements_of(lens, list)
	local upto = #list > 0 and list[#list].touched.at + 1 or 0
	if all then upto = math.max(upto, state.next) end
	statements[#statements + 1] = store.swept_statement(lens.number, state.swept, upto)
	rows.batch(statements)
end

-- ---- making it right ----

-- By fingerprint: { number, sweeping = true while a task is at it, failure = what went wrong there, again = when the failed were
-- touched }.
local lenses = {}

local function state_of(lens)
	local state = lens.number and store.state(lens.number, lens.fingerprint)
	if not state then
		local row = store.lens(lens.fingerprint)
		if not row then
			store.make_lens(lens.fingerprint)
			row = store.lens(lens.fingerprint) or unavailable("the index of GitHub's side could not be made")
		end
		lens.number = row.number
		state = store.state(lens.number, lens.fingerprint) or unavailable("the index of GitHub's side was lost")
	end
	if time.now() - state.used_at > USED_EVERY then store.used(lens.number) end
	return state
end

local function sweep(lens)
	local state = state_of(lens)
	while state.groups > 0 or state.swept < state.next do
		if state.groups > 0 then store.spread() end
		portion(lens, state)
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
	local fingerprint = mapping.fingerprint(application) or unavailable("the GitHub mapping is not declared")
	local lens = lenses[fingerprint] or { fingerprint = fingerprint }
	lenses[fingerprint], lens.application = lens, application
	return lens
end

-- The index of an application's mapping (nil: of keys that are no application's), right as of now. Returns { number = the lens, failed =
-- of how many people the mapping could say nothing }. Raises temporarily_unavailable when it cannot be made right.
function index.of(application)
	local lens = lens_of(application)
	local state, why = settle(lens, PATIENCE)
	if not state and why then error(why, 0) end
	if not state then unavailable("the index of GitHub's side is being made") end
	return { number = lens.number, failed = state.failed }
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

return index
