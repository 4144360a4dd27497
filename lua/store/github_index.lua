-- store/github_index.lua: what the mappings say of everybody, kept (004_github.sql): lenses, whom a change touched, and the statements
-- that make the index right. What is read of it stands in store/github_places.
local rows  = require "store/rows"
local users = require "store/users"

local index = {}

-- ---- lenses ----

function index.lens(fingerprint)
	return rows.one("select number from github_lenses where fingerprint = $1", fingerprint)
end

-- Was a lens of this mapping used since then?
function index.wanted(mapping, since)
	return rows.one("select number from github_lenses where mapping = $1 and used_at >= $2 limit 1", mapping, since) ~= nil
end

-- Nothing of it is swept yet: whoever there is has been touched at some time.
function index.make_lens(fingerprint, mapping)
	rows.batch {
		{ "update sequences set next = next + 1 where name = 'github_lens'", rows = 1 },
		{ [[insert into github_lenses (number, fingerprint, mapping, swept, used_at) select next - 1, $1, $2, 0, $3 from sequences
			where name = 'github_lens' on conflict (fingerprint) do nothing]], fingerprint, mapping, time.now() },
	}
end

-- { swept, used_at, next = what the next touch is called, groups = how many groups are to be spread, failed = of how many people the
-- mapping could say nothing, nameless = those of them of whom it never said anything }, or nil when there is no such lens (any more).
function index.state(number, fingerprint)
	return rows.one([[select l.swept, l.used_at, s.next, (select count(*) from github_touched where kind = 'group') as groups,
		(select count(*) from github_people where lens = l.number and failed = 1) as failed,
		(select count(*) from github_people where lens = l.number and failed = 1 and number is null) as nameless
		from github_lenses l, sequences s where s.name = 'github_touched' and l.number = $1 and l.fingerprint = $2]], number, fingerprint)
end

-- Nothing waits for this to be written.
function index.used(number)
	local statement = { "update github_lenses set used_at = $2 where number = $1", number, time.now() }
	task.spawn(function() db.batch { statement } end)
end

function index.swept_statement(number, before, now)
	return { "update github_lenses set swept = $3 where number = $1 and swept = $2", number, before, now, rows = 1 }
end

-- ---- who was touched ----

-- Each person of a touched group, and of those inside it, counts as touched from now on. One batch: no group is forgotten between.
function index.spread()
	rows.batch {
		{ [[insert into github_touched (kind, id, at)
			with recursive below (id) as (
				select id from github_touched where kind = 'group'
				union select p.group_id from group_parents p join below b on b.id = p.parent_id
			)
			select 'user', user_id, (select next from sequences where name = 'github_touched') - 1 + row_number() over (order by user_id)
			from (select distinct user_id from memberships where group_id in (select id from below)) people where true
			on conflict (kind, id) do update set at = excluded.at]] },
		{ [[update sequences set next = max(next, 1 + (select coalesce(max(at), 0) from github_touched)) where name = 'github_touched']] },
		{ "delete from github_touched where kind = 'group'" },
	}
end

-- Those for whom the mapping failed are asked about again.
function index.touch_failed(number)
	rows.batch {
		{ [[insert into github_touched (kind, id, at)
			select 'user', user_id, (select next from sequences where name = 'github_touched') - 1 + row_number() over (order by user_id)
			from github_people where lens = $1 and failed = 1
			on conflict (kind, id) do update set at = excluded.at]], number },
		{ [[update sequences set next = max(next, 1 + (select coalesce(max(at), 0) from github_touched)) where name = 'github_touched']] },
	}
end

-- The first `limit` that were touched since: a list of { id, at, user = a row of store/users or nil when there is none any more }.
function index.touched(since, limit)
	local out = {}
	local sql = "select t.id as touched, t.at, " .. users.COLUMNS .. [[ from github_touched t left join users u on u.id = t.id
		where t.kind = 'user' and t.at >= $1 order by t.at limit $2]]
	for position, row in ipairs(rows.all(sql, since, limit)) do
		out[position] = { id = row.touched, at = row.at, user = row.u_id and users.from(row) or nil }
	end
	return out
end

function index.forget_statement(id)
	return { "delete from github_touched where kind = 'user' and id = $1", id }
end

-- ---- what stands in the index ----

local AT_ONCE = 100

-- "($2, $3, …)" for a list, and its values behind `first`.
local function places_for(list, first)
	local places = {}
	for position = 1, #list do places[position] = "$" .. first + position - 1 end
	return "(" .. table.concat(places, ", ") .. ")"
end

-- Calls each(row) for all rows of `sql`, in which %s stands for the list.
local function each_of(sql, list, first, each, ...)
	for from = 1, #list, AT_ONCE do
		local part = table.move(list, from, math.min(from + AT_ONCE - 1, #list), 1, {})
		local values = table.pack(...)
		table.move(part, 1, #part, values.n + 1, values)
		for _, row in ipairs(rows.all(sql:format(places_for(part, first)), table.unpack(values, 1, values.n + #part))) do each(row) end
	end
end

-- { user_id = { digest, failed } } of those that have a row.
function index.people(lens, user_ids)
	local out = {}
	each_of("select user_id, digest, failed from github_people where lens = $1 and user_id in %s", user_ids, 2,
		function(row) out[row.user_id] = row end, lens)
	return out
end

-- { number = row } of a lens's organisations or teams.
function index.places(lens, kind, numbers)
	local out = {}
	each_of([[select number, organization, login, shown, name, description, parent from github_places
		where lens = $1 and kind = $2 and number in %s]], numbers, 3, function(row) out[row.number] = row end, lens, kind)
	return out
end

-- { user_id = { "kind number" = { kind, place, role, direct } } } of all of them.
function index.memberships(lens, user_ids)
	local out = {}
	for _, id in ipairs(user_ids) do out[id] = {} end
	each_of("select user_id, kind, place, role, direct from github_members where lens = $1 and user_id in %s", user_ids, 2,
		function(row) out[row.user_id][row.kind .. " " .. row.place] = row end, lens)
	return out
end

-- ---- statements ----

-- person: { number, login, shown, name, profile (text) }.
function index.person_statement(lens, user_id, person, digest)
	return rows.statement({ rows = 1 }, [[insert into github_people (lens, user_id, number, login, shown, name, profile, digest, failed)
		values ($1, $2, $3, $4, $5, $6, $7, $8, 0)
		on conflict (lens, user_id) do update set number = excluded.number, login = excluded.login, shown = excluded.shown,
			name = excluded.name, profile = excluded.profile, digest = excluded.digest, failed = 0]],
		lens, user_id, person.number, person.login, person.shown, person.name, person.profile, digest)
end

-- What stands there of before stays.
function index.failed_statement(lens, user_id)
	return { [[insert into github_people (lens, user_id, digest, failed) values ($1, $2, '', 1)
		on conflict (lens, user_id) do update set digest = '', failed = 1]], lens, user_id, rows = 1 }
end

-- Somebody who is not to be seen.
function index.gone_statements(lens, user_id)
	return {
		{ "delete from github_members where user_id = $1 and lens = $2", user_id, lens },
		{ "delete from github_people where lens = $1 and user_id = $2", lens, user_id },
	}
end

function index.place_statement(lens, place)
	return rows.statement({ rows = 1 }, [[insert into github_places (lens, kind, number, organization, login, shown, name, description,
			parent, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		on conflict (lens, kind, number) do update set login = excluded.login, shown = excluded.shown, name = excluded.name,
			description = excluded.description, parent = excluded.parent]], lens, place.kind, place.number, place.organization, place.login,
		place.shown, place.name, place.description, place.parent, place.created_at)
end

function index.join_statement(lens, place, person, user_id)
	return { [[insert into github_members (lens, kind, place, person, user_id, role, direct) values ($1, $2, $3, $4, $5, $6, $7)
		on conflict (lens, kind, place, person) do update set role = excluded.role, direct = excluded.direct]], lens, place.kind,
		place.number, person, user_id, place.role, place.direct, rows = 1 }
end

function index.leave_statement(lens, membership, user_id)
	return { "delete from github_members where user_id = $1 and lens = $2 and kind = $3 and place = $4", user_id, lens, membership.kind,
		membership.place }
end

return index
