-- store/groups.lua: groups and who is in them. A row is { id, pk, name, attributes, permissions, declared, created_at }.
local rows = require "store/rows"

local groups = {}

local function from(row)
	if row then
		row.attributes, row.permissions = json.decode(row.attributes), json.decode(row.permissions)
	end
	return row
end

function groups.by_name(name)
	return from(rows.one("select * from groups where name = $1 and declared <> 2", name))
end

function groups.list()
	local list = rows.all("select * from groups where declared <> 2 order by name")
	for _, row in ipairs(list) do
		from(row)
	end
	return list
end

function groups.members(group)
	return rows.all([[select u.id, u.username, u.name, m.declared from memberships m join users u on u.id = m.user_id
		where m.group_id = $1 order by u.username]], group.id)
end

function groups.parents(group)
	return rows.all([[select g.id, g.name, p.declared from group_parents p join groups g on g.id = p.parent_id
		where p.group_id = $1 order by g.name]], group.id)
end

-- The names of at most so many who are in it themselves.
function groups.member_names(group, most)
	local out = json.array {}
	for index, row in ipairs(rows.all([[select u.username from memberships m join users u on u.id = m.user_id
		where m.group_id = $1 order by u.username limit $2]], group.id, most)) do
		out[index] = row.username
	end
	return out
end

-- Whether its members may do everything here.
function groups.is_superuser(group)
	for _, name in ipairs(group.permissions) do
		if name == "everything" then return true end
	end
	return false
end

-- What the text of attributes is like (escape '!') that have { path = "a__b", value } somewhere among them.
function groups.like(each)
	local leaf = each.path:gsub("^.*__", "")
	local text = json.encode(leaf) .. ":" .. json.encode(each.value)
	return "%" .. text:gsub("[%%_!]", "!%0") .. "%"
end

-- Candidates for what a script asks, as users.matching has them: of columns name, uuid and pk. At most 100, by name.
local COLUMNS = { name = "name", uuid = "id", pk = "pk" }

function groups.matching(columns, paths)
	local conditions, values = { "declared <> 2" }, {}
	local function add(text, value)
		values[#values + 1] = value
		conditions[#conditions + 1] = text:format(#values)
	end
	for name, column in pairs(COLUMNS) do
		if columns[name] ~= nil then add(column .. " = $%d", columns[name]) end
	end
	for _, each in ipairs(paths) do add("attributes like $%d escape '!'", groups.like(each)) end
	local list = rows.all("select * from groups where " .. table.concat(conditions, " and ") .. " order by name limit 100",
		table.unpack(values))
	for _, row in ipairs(list) do from(row) end
	return list
end

function groups.is_tombstone(name)
	return rows.one("select at from tombstones where kind = 'group' and name = $1", name) ~= nil
end

function groups.insert_statements(group)
	local id = group.id or crypto.id()
	return {
		rows.statement({ rows = 1 }, "update sequences set next = next + 1 where name = 'group' returning next"),
		rows.statement({ rows = 1 }, [[insert into groups (id, pk, name, attributes, permissions, declared, created_at)
			values ($1, (select next - 1 from sequences where name = 'group'), $2, $3, $4, $5, $6)]],
			id, group.name, rows.object(group.attributes or {}),
			json.encode(group.permissions or {}), group.declared or 0, time.now()),
	}, id
end

function groups.update_statement(id, fields)
	return rows.statement({ rows = 1 }, [[update groups set attributes = coalesce($2, attributes),
		permissions = coalesce($3, permissions) where id = $1]], id,
		fields.attributes and rows.object(fields.attributes) or nil,
		fields.permissions and json.encode(fields.permissions) or nil)
end

-- A membership that the file declares stays declared; one that a source gave does not end with the source any more.
function groups.join_statement(user_id, group_id)
	return { [[insert into memberships (user_id, group_id, declared) values ($1, $2, 0)
		on conflict (user_id, group_id) do update set declared = 0 where memberships.declared = 3]], user_id, group_id }
end

function groups.leave_statement(user_id, group_id)
	return { "delete from memberships where user_id = $1 and group_id = $2", user_id, group_id, rows = 1 }
end

function groups.parent_statement(group_id, parent_id, declared)
	return { [[insert into group_parents (group_id, parent_id, declared) values ($1, $2, $3)
		on conflict (group_id, parent_id) do update set declared = excluded.declared]],
		group_id, parent_id, declared or 0 }
end

function groups.delete_statements(group)
	return {
		{ "delete from memberships where group_id = $1", group.id },
		{ "delete from group_parents where group_id = $1 or parent_id = $1", group.id },
		{ "delete from groups where id = $1", group.id, rows = 1 },
		{ "insert into tombstones (kind, name, at) values ('group', $1, $2) on conflict do nothing",
			group.name, time.now() },
	}
end

return groups
