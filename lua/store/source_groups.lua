-- store/source_groups.lua: which group here a source's group is, and who is in which by a source.
local groups = require "store/groups"
local rows = require "store/rows"

local source_groups = {}

local CHUNK = 100

-- identifier → group id, of those that are linked.
function source_groups.linked(source, identifiers)
	local out = {}
	for first = 1, #identifiers, CHUNK do
		local places, values = {}, { source }
		for index = first, math.min(first + CHUNK - 1, #identifiers) do
			values[#values + 1] = identifiers[index]
			places[#places + 1] = "$" .. #values
		end
		local sql = ("select identifier, group_id from source_groups where source = $1 and identifier in (%s)"):format(table.concat(places, ", "))
		for _, row in ipairs(rows.all(sql, table.unpack(values))) do out[row.identifier] = row.group_id end
	end
	return out
end

-- The ids of the groups that give permissions, by themselves or by a group around them: a set (S25).
function source_groups.protected()
	local out = {}
	for _, row in ipairs(rows.all [[with recursive giving (id) as (
			select id from groups where permissions <> '[]'
			union select p.group_id from group_parents p join giving g on g.id = p.parent_id
		) select id from giving]]) do
		out[row.id] = true
	end
	return out
end

-- "free", "taken" (also by a group that left the file or was deleted), and the group's id when it is there to be seen.
function source_groups.name(name)
	local row = rows.one("select id, declared from groups where name = $1", name)
	if row then return "taken", row.declared ~= 2 and row.id or nil end
	return groups.is_tombstone(name) and "taken" or "free"
end

-- The ids of the groups that a user is in by this source: a set.
function source_groups.of_user(source, user_id)
	local out = {}
	for _, row in ipairs(rows.all([[select s.group_id as id from source_memberships s
			join memberships m on m.user_id = s.user_id and m.group_id = s.group_id where s.user_id = $1 and s.source = $2]], user_id, source)) do
		out[row.id] = true
	end
	return out
end

-- The same with the names, for showing.
function source_groups.names_of_user(source, user_id)
	return rows.all([[select g.name as name from source_memberships s join groups g on g.id = s.group_id
		where s.user_id = $1 and s.source = $2 order by g.name]], user_id, source)
end

function source_groups.link_statement(source, identifier, group_id)
	return { [[insert into source_groups (source, identifier, group_id, created_at) values ($1, $2, $3, $4)
		on conflict (source, identifier) do update set group_id = excluded.group_id]], source, identifier, group_id, time.now() }
end

function source_groups.join_statements(source, user_id, group_id)
	return {
		{ [[insert into memberships (user_id, group_id, declared) values ($1, $2, 3) on conflict (user_id, group_id) do nothing]],
			user_id, group_id },
		{ [[insert into source_memberships (user_id, group_id, source) values ($1, $2, $3) on conflict do nothing]], user_id, group_id, source },
	}
end

-- Who is in it by the file, by a command or by another source stays.
function source_groups.leave_statements(source, user_id, group_id)
	return {
		{ "delete from source_memberships where user_id = $1 and group_id = $2 and source = $3", user_id, group_id, source },
		{ [[delete from memberships where user_id = $1 and group_id = $2 and declared = 3 and not exists (
			select 1 from source_memberships s where s.user_id = $1 and s.group_id = $2)]], user_id, group_id },
	}
end

return source_groups
