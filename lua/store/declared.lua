-- store/declared.lua: keeps users, groups and applications that the configuration declares equal to it, in one batch
-- (product.md). Only what changed since the last time is touched, told by keyed digests: an account that was disabled by
-- command stays so until its declaration changes. Leaving the file disables, and who returns is the same as before (S11).
local applications = require "store/applications"
local declared_sources = require "store/declared_sources"
local events = require "store/events"
local grants = require "store/grants"
local groups = require "store/groups"
local identities = require "store/identities"
local pools_of = require("config/source_references").pools
local rows = require "store/rows"
local secrets = require "kit/secrets"
local sessions = require "store/sessions"
local users = require "store/users"

local declared = {}

local IN_FILE, LEFT = 1, 2

-- ---- what changed ----

local function digest(kind, name, object)
	local plain = {}
	for key, value in pairs(object) do
		if key ~= "_at" then
			plain[key] = value
		end
	end
	return secrets.mac("declared", kind, name, rows.object(plain))
end

-- Every declared thing as { kind, name, object, digest }, groups before users since users name them.
local function objects_of(config)
	local out = {}
	local function add(kind, name, object)
		out[#out + 1] = { kind = kind, name = name, object = object, digest = digest(kind, name, object) }
	end
	for name, value in pairs(config.settings or {}) do
		add("setting", name, { value = value })
	end
	table.sort(out, function(a, b) return a.name < b.name end)
	for _, list in ipairs { { "group", config.groups }, { "user", config.users }, { "application", config.applications },
		{ "scope_mapping", config.scope_mappings }, { "policy", config.policies },
		{ "github_mapping", config.github_mappings }, { "source_mapping", config.source_mappings },
		{ "subject_pool", config.subject_pools }, { "source", config.sources } } do
		for _, object in ipairs(list[2] or {}) do
			add(list[1], object.label or object.name, object)
		end
	end
	return out
end

local function known()
	local by_key = {}
	for _, row in ipairs(rows.all("select kind, name, digest from declared_objects order by kind, name")) do
		by_key[row.kind .. " " .. row.name] = row
	end
	return by_key
end

-- The list of { kind, name, change = "added"|"changed"|"returned"|"removed", object }.
function declared.diff(config)
	local before, out = known(), {}
	for _, each in ipairs(objects_of(config)) do
		local row = before[each.kind .. " " .. each.name]
		before[each.kind .. " " .. each.name] = nil
		if not row or row.digest ~= each.digest then
			each.change = not row and "added" or row.digest == "" and "returned" or "changed"
			out[#out + 1] = each
		end
	end
	local gone = {}
	for _, row in pairs(before) do
		if row.digest ~= "" then
			gone[#gone + 1] = { kind = row.kind, name = row.name, change = "removed", digest = "" }
		end
	end
	table.sort(gone, function(a, b) return a.kind .. a.name < b.kind .. b.name end)
	table.move(gone, 1, #gone, #out + 1, out)
	return out
end

-- ---- names that are taken ----

local function at(object)
	return (object._at or "the configuration") .. ": "
end

-- A declared name may not be that of something made by command, nor of something deleted (S11).
local function clash(kind, table_name, column, item)
	local row = rows.one(("select declared from %s where %s = $1"):format(table_name, column), item.name)
	if row and row.declared == 0 then
		return ("%s%s \"%s\" is declared here, but a %s of this name was made by command; "
			.. "delete that one or declare another name"):format(at(item.object), kind, item.name, kind)
	end
	if not row and rows.one("select at from tombstones where kind = $1 and name = $2", kind, item.name) then
		return ("%sthe name \"%s\" was that of a %s that has been deleted, and is never given again"):format(
			at(item.object), item.name, kind)
	end
end

local function client_id_clash(item)
	local row = rows.one("select slug from applications where client_id = $1 and slug <> $2", item.object.client_id, item.name)
	if row then
		return ("%sthe client_id \"%s\" of application \"%s\" is that of application \"%s\" already"):format(
			at(item.object), item.object.client_id, item.name, row.slug)
	end
end

-- ---- statements ----

local function extend(list, more)
	table.move(more, 1, #more, #list + 1, list)
end

local function group_statements(list, item)
	local row = rows.one("select id from groups where name = $1", item.name)
	local id = row and row.id
	if item.change == "removed" then
		extend(list, {
			{ "update groups set declared = $2, permissions = '[]' where id = $1", id, LEFT },
			{ "delete from group_parents where declared = 1 and (group_id = $1 or parent_id = $1)", id },
		})
		return
	end
	local object = item.object
	if id then
		extend(list, {
			groups.update_statement(id, { attributes = object.attributes or {}, permissions = object.permissions or {} }),
			{ "update groups set declared = $2 where id = $1", id, IN_FILE },
		})
	else
		local more
		more, id = groups.insert_statements { name = item.name, attributes = object.attributes,
			permissions = object.permissions, declared = IN_FILE }
		extend(list, more)
	end
	list[#list + 1] = { "delete from group_parents where group_id = $1 and declared = 1", id }
	item.id = id
end

-- After all groups are there.
local function parent_statements(list, item)
	for _, parent in ipairs(item.object.parents or {}) do
		list[#list + 1] = { [[insert into group_parents (group_id, parent_id, declared)
			select $1, g.id, 1 from groups g where g.name = $2
			on conflict (group_id, parent_id) do update set declared = 1]], item.id, parent, rows = 1 }
	end
end

-- Sessions and everything granted end.
local function end_statements(list, user_id, reason)
	extend(list, grants.end_for_statements(user_id, nil, reason))
	extend(list, sessions.end_all_statements(user_id, nil, reason))
end

-- The file's password and its mark; hashed only when the file's value changed.
local function password_of(object, cost)
	local value = object.password or object.password_hash
	if not value then
		return nil, nil
	end
	local mark = secrets.mac("declared password", object.password and "text" or "hash", value)
	return mark, function()
		return object.password_hash or assert(password.hash(object.password, cost))
	end
end

local function membership_statements(list, user_id, object)
	list[#list + 1] = { "delete from memberships where user_id = $1 and declared = 1", user_id }
	for _, name in ipairs(object.groups or {}) do
		list[#list + 1] = { [[insert into memberships (user_id, group_id, declared)
			select $1, g.id, 1 from groups g where g.name = $2
			on conflict (user_id, group_id) do update set declared = 1]], user_id, name, rows = 1 }
	end
end

local function new_user(list, item, mark, encode)
	local object = item.object
	local more, id = users.insert_statements {
		username = item.name, name = object.name, email = object.email, email_verified = object.email_verified,
		type = object.type, active = object.active, attributes = object.attributes, password = encode and encode(),
		password_file = mark, declared = IN_FILE, uid = object.uid,
	}
	item.id = id
	extend(list, more)
	membership_statements(list, id, object)
end

local function user_statements(list, item, cost, pools)
	local row = rows.one("select id, password_file, switched_off from users where username = $1", item.name)
	item.id = row and row.id
	if item.change == "removed" then
		if row then
			list[#list + 1] = users.update_statement(row.id, { active = false })
			list[#list + 1] = { "update users set declared = $2 where id = $1", row.id, LEFT }
			end_statements(list, row.id, "left the configuration")
		end
		return
	end
	local object = item.object
	local mark, encode = password_of(object, cost)
	if not row then
		new_user(list, item, mark, encode)
		return extend(list, identities.declared_statements(item.id, object.identities or {}, pools))
	end
	extend(list, identities.declared_statements(row.id, object.identities or {}, pools))
	list[#list + 1] = users.update_statement(row.id, {
		name = object.name or "", email = object.email or "", email_verified = object.email_verified or false,
		type = object.type or "internal", attributes = object.attributes or {},
		active = object.active ~= false and row.switched_off == 0,
	})
	list[#list + 1] = rows.statement(nil, "update users set declared = $2, password_file = $3 where id = $1",
		row.id, IN_FILE, mark)
	if mark and mark ~= row.password_file then
		list[#list + 1] = users.password_statement(row.id, encode())
		end_statements(list, row.id, "password")
	elseif object.active == false then
		end_statements(list, row.id, "disabled")
	end
	membership_statements(list, row.id, object)
end

local NOT_DATA = { label = true, slug = true, client_id = true, client_secret = true, _at = true }

local function application_data(object)
	local data = {}
	for name, value in pairs(object) do
		if not NOT_DATA[name] then
			data[name] = value
		end
	end
	return data
end

-- A secret of the file that a command has retired stays so while the file still names it, whatever else changes there: only
-- one that comes anew is good.
local function secret_statements(list, id, object)
	local keyed = object.client_secret and secrets.keyed(object.client_secret)
	list[#list + 1] = { [[update client_secrets set retired_at = coalesce(retired_at, $2), declared = 0, sealed = null
		where application_id = $1 and declared = 1 and keyed <> $3]], id, time.now(), keyed or "" }
	if keyed then
		list[#list + 1] = applications.declared_secret_statement(id, object.client_secret, object)
	end
end

local function application_statements(list, item)
	local row = rows.one("select id from applications where slug = $1", item.name)
	if item.change == "removed" then
		if row then
			list[#list + 1] = applications.update_statement(row.id, { active = false, declared = LEFT })
			list[#list + 1] = applications.account_statement(row.id, false)
			extend(list, grants.end_of_application_statements(row.id, "left the configuration"))
		end
		return
	end
	local object = item.object
	local fields = {
		slug = item.name, client_id = object.client_id or item.name, data = application_data(object),
		active = object.active ~= false, declared = IN_FILE,
	}
	local id = row and row.id
	if id then
		list[#list + 1] = applications.update_statement(id, fields)
		list[#list + 1] = applications.account_statement(id, fields.active)
	else
		list[#list + 1], id = applications.insert_statement(fields)
	end
	secret_statements(list, id, object)
	if object.token_endpoint_auth_method ~= "client_secret_jwt" then
		list[#list + 1] = applications.forget_copies_statement(id)
	end
end

local function note(list, item)
	if item.change == "removed" then
		list[#list + 1] = { "update declared_objects set digest = '', at = $3 where kind = $1 and name = $2",
			item.kind, item.name, time.now() }
	else
		list[#list + 1] = { [[insert into declared_objects (kind, name, digest, at) values ($1, $2, $3, $4)
			on conflict (kind, name) do update set digest = excluded.digest, at = excluded.at]],
			item.kind, item.name, item.digest, time.now() }
	end
	local person = item.kind == "user" and item.name or nil
	list[#list + 1] = events.insert_statement {
		kind = "configuration_changed", user_id = person and item.id, person = person,
		reason = person and "user " .. item.change or ("%s %s %s"):format(item.kind, item.name, item.change),
	}
end

local TABLE = {
	user = { "users", "username" }, group = { "groups", "name" }, application = { "applications", "slug" }, source = { "sources", "name" },
}

-- nil, or the text of the first clash.
function declared.clashes(changes)
	for _, item in ipairs(changes) do
		local where = TABLE[item.kind]
		if where and item.change ~= "removed" then
			local text = clash(item.kind, where[1], where[2], item)
				or item.kind == "application" and client_id_clash(item) or nil
			if text then
				return text
			end
		end
	end
end

local function statements_of(changes, config)
	local list = {}
	local cost = (config.settings or {}).password or {}
	local pools, pooled = pools_of(config), false
	for _, item in ipairs(changes) do
		if item.kind == "group" then
			group_statements(list, item)
		elseif item.kind == "source" then
			declared_sources.statements(list, item, config)
		end
		pooled = pooled or item.kind == "source" or item.kind == "subject_pool"
	end
	if pooled then
		declared_sources.pool_statements(list, config)
	end
	for _, item in ipairs(changes) do
		if item.kind == "group" and item.change ~= "removed" then
			parent_statements(list, item)
		elseif item.kind == "user" then
			user_statements(list, item, { memory_kib = cost.memory_kib or 7168, passes = cost.passes or 5 }, pools)
		elseif item.kind == "application" then
			application_statements(list, item)
		end
		note(list, item)
	end
	list[#list + 1] = users.directory_statement()
	return list
end

-- Has this generation made the database equal to its file?
declared.applied = false

-- Makes the database equal to the file. The changes, or nil and "file:line: text".
function declared.apply(config)
	local changes = declared.diff(config)
	if #changes == 0 then
		declared.applied = true
		return changes
	end
	local text = declared.clashes(changes)
	if text then
		return nil, text
	end
	local ok, _, index = rows.batch(statements_of(changes, config))
	if not ok then
		return nil, "the declared objects could not be stored (statement " .. tostring(index)
			.. "); were they changed at the same time?"
	end
	declared.applied = true
	return changes
end

return declared
