-- store/github_places.lua: what is read of the index of GitHub's side (store/github_index): organisations, teams, people of a lens, in
-- pages. A place is a row of github_places, with its organization and parent in o_… and p_…; a person one of github_people, with
-- created_at, and role where it is of a place.
local rows = require "store/rows"

local places = {}

local PLACE = [[select t.number, t.kind, t.shown, t.name, t.description, t.created_at, t.members, o.number as o_number, o.shown as o_shown,
	o.name as o_name, o.description as o_description, o.created_at as o_created_at, p.number as p_number, p.shown as p_shown,
	p.name as p_name, p.description as p_description from github_places t
	left join github_places o on t.kind = 'team' and o.lens = t.lens and o.kind = 'organization' and o.number = t.organization
	left join github_places p on t.kind = 'team' and p.lens = t.lens and p.kind = 'team' and p.number = t.parent ]]

-- organization: the number of a team's, 0 of an organisation. login in lower case.
function places.named(lens, kind, organization, login)
	return rows.one(PLACE .. "where t.lens = $1 and t.kind = $2 and t.organization = $3 and t.login = $4 and t.members > 0", lens, kind,
		organization, login)
end

function places.numbered(lens, kind, number)
	return rows.one(PLACE .. "where t.lens = $1 and t.kind = $2 and t.number = $3 and t.members > 0", lens, kind, number)
end

-- ---- conditions of a list, each with its values ----

-- A text as a part of like's pattern, in lower case as SQLite's lower() has it.
local function part(text) return "%" .. text:lower():gsub("[%%_!]", "!%0") .. "%" end

local function conditions(first, ...)
	local self = { texts = { first }, values = table.pack(...) }
	function self.add(text, ...)
		local given = table.pack(...)
		self.texts[#self.texts + 1] = text:gsub("%$(%d)", function(number) return "$" .. self.values.n + tonumber(number) end)
		table.move(given, 1, given.n, self.values.n + 1, self.values)
		self.values.n = self.values.n + given.n
	end
	function self.where() return " where " .. table.concat(self.texts, " and ") end
	return self
end

-- One page of what fits, and how many fit in all.
local function page(select, from, fits, order, options)
	local count = rows.one("select count(*) as n from " .. from .. fits.where(), table.unpack(fits.values, 1, fits.values.n)).n
	if options.offset >= count then return {}, count end
	local values = { table.unpack(fits.values, 1, fits.values.n) }
	values[#values + 1], values[#values + 2] = options.limit, options.offset
	local sql = ("%s %s order by %s limit $%d offset $%d"):format(select, fits.where(), order, #values - 1, #values)
	return rows.all(sql, table.unpack(values)), count
end

-- ---- teams ----

local BELOW = [[t.number in (with recursive below (number) as (
	select number from github_places where lens = $1 and kind = 'team' and parent = $2
	union select i.number from github_places i join below b on i.parent = b.number where i.lens = $1 and i.kind = 'team')
	select number from below)]]

-- options: offset, limit, parent = number of the one that they are directly inside of, below = of one that they are inside of, root = in
-- none, query = part of a name or slug, people = numbers of which one is in it.
function places.teams(lens, organization, options)
	local fits = conditions("t.lens = $1 and t.kind = 'team' and t.organization = $2 and t.members > 0", lens, organization)
	if options.parent then fits.add("t.parent = $1", options.parent) end
	if options.below then fits.add(BELOW, lens, options.below) end
	if options.root then fits.add("t.parent is null") end
	if options.query then fits.add("(t.login like $1 escape '!' or lower(t.name) like $1 escape '!')", part(options.query)) end
	if options.people then
		fits.add("exists (select 1 from github_members m where m.lens = t.lens and m.kind = 'team' and m.place = t.number and m.person in ("
			.. table.concat(options.people, ", ") .. "))")
	end
	return page(PLACE, "github_places t", fits, "t.login", options)
end

-- { number = how many are in it } of teams.
function places.counts(lens, numbers)
	local out = {}
	for _, row in ipairs(rows.all([[select number, members from github_places where lens = $1 and kind = 'team' and number in (]]
		.. table.concat(numbers, ", ") .. ")", lens)) do
		out[row.number] = row.members
	end
	return out
end

-- ---- people ----

local PERSON = "select g.user_id, g.number, g.shown, g.name, g.profile, u.created_at"
local MEMBER = PERSON .. [[, m.role, m.direct from (select * from github_members m %s) m
	join github_people g on g.lens = m.lens and g.user_id = m.user_id join users u on u.id = g.user_id order by m.person]]

-- members: how many are in the place. options: offset, limit, role, direct = true or false for those alone who are in it themselves, or
-- only by a team inside.
function places.members(lens, kind, place, members, options)
	local fits, count = conditions("m.lens = $1 and m.kind = $2 and m.place = $3", lens, kind, place), members
	if options.role then fits.add("m.role = $1", options.role) end
	if options.direct ~= nil then fits.add("m.direct = $1", options.direct and 1 or 0) end
	if options.role or options.direct ~= nil then
		count = rows.one("select count(*) as n from github_members m" .. fits.where(), table.unpack(fits.values, 1, fits.values.n)).n
	end
	if options.offset >= count then return {}, count end
	-- The page is found in the index alone, and only its people are looked at.
	local values = { table.unpack(fits.values, 1, fits.values.n) }
	values[#values + 1], values[#values + 2] = options.limit, options.offset
	local inner = ("%s order by m.person limit $%d offset $%d"):format(fits.where(), #values - 1, #values)
	return rows.all(MEMBER:format(inner), table.unpack(values)), count
end

-- Was somebody in one of these organisations when the mapping last said so? nil when it never did.
function places.in_one_of(lens, user_id, organizations)
	local row = rows.one("select number from github_people where lens = $1 and user_id = $2", lens, user_id)
	if not row or not row.number then return nil end
	for _, each in ipairs(organizations) do
		if rows.one("select role from github_members where lens = $1 and kind = 'organization' and place = $2 and person = $3", lens,
			each.number, row.number) then
			return true
		end
	end
	return false
end

-- ---- search ----

local function numbers(list) return "(" .. table.concat(list, ", ") .. ")" end

-- options: text; login_only; organizations = numbers of those that may be seen, nil for all; of = the number of one that people are to
-- be in; me = the number of somebody who may be seen anyway; offset, limit.
function places.people_with(lens, options)
	local fits = conditions("g.lens = $1 and g.number is not null", lens)
	local inside = [[exists (select 1 from github_members m where m.lens = g.lens and m.kind = 'organization' and m.person = g.number
		and m.place in ]]
	if options.login_only then
		fits.add("g.login like $1 escape '!'", part(options.text))
	else
		fits.add("(g.login like $1 escape '!' or lower(g.name) like $1 escape '!')", part(options.text))
	end
	if options.of then fits.add(inside .. numbers { options.of } .. ")") end
	if options.organizations then
		fits.add("(g.number = $1 or " .. inside .. numbers(options.organizations) .. "))", options.me or 0)
	end
	return page(PERSON .. " from github_people g join users u on u.id = g.user_id", "github_people g", fits, "g.login", options)
end

function places.organizations_with(lens, options)
	local fits = conditions("t.lens = $1 and t.kind = 'organization' and t.members > 0", lens)
	if options.login_only then
		fits.add("t.login like $1 escape '!'", part(options.text))
	else
		fits.add("(t.login like $1 escape '!' or lower(t.name) like $1 escape '!')", part(options.text))
	end
	if options.organizations then fits.add("t.number in " .. numbers(options.organizations)) end
	return page(PLACE, "github_places t", fits, "t.login", options)
end

return places
