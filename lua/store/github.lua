-- store/github.lua: numbers and names of people, organisations and teams, as GitHub's clients know them. A row is { kind, key, number,
-- created_at, names = { what was wished = the name that was made of it } }: mappings may wish different names for the same person.
local rows = require "store/rows"

local github = {}

local COLUMNS = "n.kind, n.key, n.number, n.created_at, l.shown, l.wanted"
local JOINED = " from github_numbers n join github_logins l on l.kind = n.kind and l.key = n.key "
local AT_ONCE = 100

local function add(out, row)
	local made = out[row.key] or { kind = row.kind, key = row.key, number = row.number, created_at = row.created_at, names = {} }
	made.names[row.wanted] = row.shown
	out[row.key] = made
end

-- Those of `keys` (a list) that have a row: { key = row }.
function github.known(kind, keys)
	local out = {}
	for first = 1, #keys, AT_ONCE do
		local part = table.move(keys, first, math.min(first + AT_ONCE - 1, #keys), 1, {})
		local places = "$" .. table.concat(rows.numbers(2, #part + 1), ", $")
		local sql = "select " .. COLUMNS .. JOINED .. "where n.kind = $1 and n.key in (" .. places .. ")"
		for _, row in ipairs(rows.all(sql, kind, table.unpack(part))) do add(out, row) end
	end
	return out
end

-- Whose name this is or was: { kind, key, current } or nil.
function github.holder(login)
	return rows.one("select kind, key, current from github_logins where login = $1", login)
end

-- Whose names these are or were: { login = { kind, key } or false }.
function github.holders(logins)
	local out = {}
	for _, login in ipairs(logins) do out[login] = false end
	for first = 1, #logins, AT_ONCE do
		local part = table.move(logins, first, math.min(first + AT_ONCE - 1, #logins), 1, {})
		local places = "$" .. table.concat(rows.numbers(1, #part), ", $")
		for _, row in ipairs(rows.all("select login, kind, key from github_logins where login in (" .. places .. ")", table.unpack(part))) do
			out[row.login] = row
		end
	end
	return out
end

-- Whose number this is, or was meant to be: { kind, key } or nil.
function github.of_number(space, number)
	return rows.one("select kind, key from github_numbers where space = $1 and number = $2", space, number)
end

-- The next number that nobody has; a conflict when somebody got one for this key meanwhile, or when they are used up.
function github.number_statements(space, kind, key)
	local name = "github_" .. space
	return {
		{ [[update sequences set next = 1 + (with recursive taken (n) as (
				select s.next from sequences s where s.name = $1
				union all select n + 1 from taken where exists (
					select 1 from github_numbers g where g.space = $2 and g.number = n)
			) select max(n) from taken) where name = $1 and next < 2147480000]], name, space, rows = 1 },
		{ [[insert into github_numbers (space, number, kind, key, created_at)
			select $2, s.next - 1, $3, $4, $5 from sequences s where s.name = $1]], name, space, kind, key, time.now(), rows = 1 },
	}
end

-- A number that was pinned.
function github.pinned_statement(space, number, kind, key)
	return { "insert into github_numbers (space, number, kind, key, created_at) values ($1, $2, $3, $4, $5)",
		space, number, kind, key, time.now(), rows = 1 }
end

-- The name of a wish; those of other wishes stay, and only their owner can have them again.
function github.name_statements(name)
	return {
		{ "update github_logins set current = 0 where kind = $1 and key = $2 and current = 1", name.kind, name.key },
		{ [[insert into github_logins (login, shown, wanted, kind, key, current, at) values ($1, $2, $3, $4, $5, 1, $6)
			on conflict (login) do update set shown = excluded.shown, wanted = excluded.wanted, current = 1, at = excluded.at
			where github_logins.kind = excluded.kind and github_logins.key = excluded.key]],
			name.login, name.shown, name.wanted, name.kind, name.key, time.now(), rows = 1 },
	}
end

return github
