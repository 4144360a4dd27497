-- github/index_portion.lua: takes what the mapping says of people who were touched into the index (github/index), as many in one
-- transaction as keep nobody waiting.
local err      = require "kit/err"
local identity = require "github/identity"
local mapping  = require "mapping/github"
local report_failures = require "auth/failures"
local rows     = require "store/rows"
local store    = require "store/github_index"
local users    = require "store/users"

-- People, and organisations and teams of theirs, and of how many failures of the mapping an event is left.
local MOST_PEOPLE, MOST_PLACES, TOLD = 100, 1000, 5

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

-- lens = { number, application }; state: of store/github_index. Takes in one portion; who is touched while this goes on is in a later
-- one. False in a conflict: another node did it, or somebody was deleted, and the next look at the state tells.
return function(lens, state)
	local list, all = ask_all(lens, state.swept)
	identify(list)
	local statements = statements_of(lens, list)
	local upto = #list > 0 and list[#list].touched.at + 1 or 0
	if all then upto = math.max(upto, state.next) end
	statements[#statements + 1] = store.swept_statement(lens.number, state.swept, upto)
	return rows.batch(statements) ~= nil
end
