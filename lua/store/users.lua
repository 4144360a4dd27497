-- store/users.lua: people. A user row is { id, pk, username, name, email, email_verified, type, active, attributes, uid,
-- uuid, valid_from, declared (0, 1, 2: see the migration), directory (the version of all groups when it was read), created_at,
-- last_login_at, password_at }; the password's hash is never in it.
local groups = require "store/groups"
local rows = require "store/rows"
local subjects = require "store/subjects"

local users = {}

-- The columns of a row, for joins: prefix "u." in SQL, "u_" in names.
users.COLUMNS = [[u.id as u_id, u.pk as u_pk, u.username as u_username, u.name as u_name, u.email as u_email,
	u.email_verified as u_email_verified, u.type as u_type, u.active as u_active, u.attributes as u_attributes,
	u.uid as u_uid, u.uuid as u_uuid, u.valid_from as u_valid_from, u.declared as u_declared, u.created_at as u_created_at,
	u.last_login_at as u_last_login_at, u.password_at as u_password_at,
	(select next from sequences where name = 'directory') as u_directory]]

function users.from(row)
	return row and {
		id = row.u_id, pk = row.u_pk, username = row.u_username, name = row.u_name, email = row.u_email,
		email_verified = row.u_email_verified == 1, type = row.u_type, active = row.u_active == 1,
		attributes = row.u_attributes == "{}" and json.object {} or json.decode(row.u_attributes),
		uid = row.u_uid, uuid = row.u_uuid, valid_from = row.u_valid_from, declared = row.u_declared,
		directory = row.u_directory, created_at = row.u_created_at, last_login_at = row.u_last_login_at, password_at = row.u_password_at,
	}
end

local SELECT = "select " .. users.COLUMNS .. " from users u "
local BY_ID = SELECT .. "where u.id = $1"
local BY_NAME = SELECT .. "where u.username = $1"

function users.by_id(id)
	return users.from(rows.one(BY_ID, id))
end

function users.by_name(username)
	return users.from(rows.one(BY_NAME, username))
end

function users.list()
	local out = {}
	for index, row in ipairs(rows.all(SELECT .. "order by u.username")) do
		out[index] = users.from(row)
	end
	return out
end

-- Candidates for what a script asks: columns = { name = value } are exact; of paths, { { path = "a__b", value }, … } into the
-- attributes, the last name and the value stand somewhere among them. At most 100, oldest first.
local COLUMNS = { "username", "email", "name", "uid", "uuid", "pk" }

function users.matching(columns, paths)
	local conditions, values = {}, {}
	local function add(text, value)
		values[#values + 1] = value
		conditions[#conditions + 1] = text:format(#values)
	end
	for _, name in ipairs(COLUMNS) do
		if columns[name] ~= nil then
			add("u." .. name .. " = $%d", columns[name])
		end
	end
	for _, each in ipairs(paths) do add("u.attributes like $%d escape '!'", groups.like(each)) end
	local out = {}
	local sql = SELECT .. "where " .. table.concat(conditions, " and ") .. " order by u.pk limit 100"
	for index, row in ipairs(rows.all(sql, table.unpack(values))) do
		out[index] = users.from(row)
	end
	return out
end

-- The account that an application is when it speaks for itself.
function users.of_application(application_id)
	return users.from(rows.one(SELECT .. "join service_accounts s on s.user_id = u.id where s.application_id = $1",
		application_id))
end

function users.of_application_statement(application_id, id)
	return { "insert into service_accounts (application_id, user_id) values ($1, $2)", application_id, id, rows = 1 }
end

-- The user and the encoded password (nil when there is none), for auth/password alone.
function users.with_password(username)
	local row = rows.one("select u.password as password, " .. users.COLUMNS .. " from users u where u.username = $1",
		username)
	return users.from(row), row and row.password
end

local function group_from(row)
	return {
		id = row.id, pk = row.pk, name = row.name, declared = row.declared,
		attributes = json.decode(row.attributes), permissions = json.decode(row.permissions),
	}
end

-- Direct groups and all ancestors, cycles included once, of people whose ids stand in the list.
local ALL = [[with recursive reach (user_id, id) as (
		select user_id, group_id from memberships where user_id in (%s)
		union select r.user_id, p.parent_id from group_parents p join reach r on r.id = p.group_id
	) select r.user_id, g.id, g.pk, g.name, g.attributes, g.permissions, g.declared,
		exists (select 1 from memberships m where m.user_id = r.user_id and m.group_id = g.id) as direct,
		exists (select 1 from group_parents p where p.group_id = g.id) as nested
	from reach r join groups g on g.id = r.id where g.declared <> 2 order by g.name]]
local OF_ONE = ALL:format("$1")

-- Of those groups, which are in which.
local PARENTS = [[with recursive reach (id) as (
		select group_id from memberships where user_id in (%s)
		union select p.parent_id from group_parents p join reach r on r.id = p.group_id
	) select p.group_id, g.name from group_parents p join reach r on r.id = p.group_id join groups g on g.id = p.parent_id
	where g.declared <> 2 order by g.name]]

-- Groups change seldom and are asked at every token: remembered under the version of the directory, which came with the
-- user's row and which every change of groups and memberships moves on. Borrowed by all who ask. By user: { version, groups,
-- direct = those that he is in himself }, so many groups of people in all.
local REMEMBERED = 20000
local known, known_count = {}, 0

local function remember(id, entry)
	if known_count + #entry.groups >= REMEMBERED then
		known, known_count = {}, 0
	end
	known_count = known_count + #entry.groups + 1
	known[id] = entry
end

local function add_parents(shared, ids)
	for _, row in ipairs(rows.all(PARENTS:format("$" .. table.concat(rows.numbers(1, #ids), ", $")), table.unpack(ids))) do
		local group = shared[row.group_id]
		if group then
			group.parent_names = group.parent_names or json.array {}
			table.insert(group.parent_names, row.name)
		end
	end
end

-- By user's id, what `sql` finds for people at a version of the directory. A group is one table for all that are in it.
local function entries_of(sql, version, ids)
	local out, shared, nested = {}, {}, false
	for _, id in ipairs(ids) do
		out[id] = { version = version, groups = {}, direct = {} }
	end
	for _, row in ipairs(rows.all(sql, table.unpack(ids))) do
		local entry = out[row.user_id]
		shared[row.id] = shared[row.id] or group_from(row)
		entry.groups[#entry.groups + 1] = shared[row.id]
		if row.direct == 1 or row.direct == true then
			entry.direct[#entry.direct + 1] = shared[row.id]
		end
		nested = nested or row.nested == 1 or row.nested == true
	end
	if nested then add_parents(shared, ids) end
	return out
end

local function entry_of(user)
	local entry = known[user.id]
	if not entry or entry.version ~= user.directory then
		entry = entries_of(OF_ONE, user.directory, { user.id })[user.id]
		remember(user.id, entry)
	end
	return entry
end

-- For what goes through many people: their groups are read together, 50 people at a time, and then known. Where they are in very many
-- each is left to be read alone: so long a list would keep everybody waiting.
local TOGETHER, MOST_TOGETHER = 50, 2000
local PLACES = "$" .. table.concat(rows.numbers(1, TOGETHER), ", $")
local OF_MANY = ALL:format(PLACES)
local COUNT = "select count(*) as n from memberships where user_id in (" .. PLACES .. ")"

function users.gather(list)
	for first = 1, #list, TOGETHER do
		local ids = {}
		for index = 1, TOGETHER do
			ids[index] = (list[first + index - 1] or list[first]).id
		end
		if rows.one(COUNT, table.unpack(ids)).n <= MOST_TOGETHER then
			for id, entry in pairs(entries_of(OF_MANY, list[first].directory, ids)) do
				remember(id, entry)
			end
		end
	end
end

function users.all_groups(user)
	return entry_of(user).groups
end

function users.groups(user)
	return entry_of(user).direct
end

-- Belongs into every batch that changes groups or who is in them.
function users.directory_statement()
	return { "update sequences set next = next + 1 where name = 'directory'" }
end

-- An account of a program: it has no password and no page.
function users.is_service(user)
	return user.type == "service_account" or user.type == "internal_service_account"
end

-- What scripts see of a person: names and fields as authentik's expressions know them.
function users.view(user)
	local direct, all, seen, superuser = json.array {}, json.array {}, {}, false
	for index, group in ipairs(users.all_groups(user)) do
		seen[group.id] = { name = group.name, pk = group.pk, uuid = group.id, attributes = group.attributes,
			is_superuser = groups.is_superuser(group), parent_names = group.parent_names }
		superuser = superuser or seen[group.id].is_superuser
		all[index] = seen[group.id]
	end
	for index, group in ipairs(users.groups(user)) do direct[index] = seen[group.id] end
	local path = user.attributes.path
	return {
		username = user.username, name = user.name, email = user.email, email_verified = user.email_verified,
		uid = user.uid, uuid = user.uuid, pk = user.pk, is_active = user.active, date_joined = user.created_at,
		last_login = user.last_login_at, password_change_date = user.password_at, type = user.type,
		path = type(path) == "string" and path or "users", is_superuser = superuser, attributes = user.attributes,
		groups = direct, all_groups = all,
	}
end

-- The subject this application knows the person by (facts: authentik's sub modes; OpenID Connect Core 8).
function users.subject(user, application)
	local mode = application.sub_mode
	if mode == "user_id" then
		return tostring(user.pk)
	elseif mode == "user_uuid" then
		return user.uuid
	elseif mode == "user_username" then
		return user.username
	elseif mode == "user_email" and user.email ~= "" then
		return user.email
	elseif mode == "user_upn" and type(user.attributes.upn) == "string" then
		return user.attributes.upn
	elseif mode == "pairwise" then
		return subjects.pairwise(user.uid, application.sector_identifier)
	end
	return user.uid
end

-- ---- changes ----

local function random_uuid()
	local text = hex.encode(crypto.random(16))
	local variant = ("89ab"):byte(1 + text:byte(17) % 4)
	return ("%s-%s-4%s-%c%s-%s"):format(text:sub(1, 8), text:sub(9, 12), text:sub(14, 16), variant, text:sub(18, 20), text:sub(21))
end

-- uid and uuid are stored and never computed again, so that a migrated subject survives (S11).
function users.insert_statements(user)
	local id = user.id or crypto.id()
	local uid = user.uid or hex.encode(crypto.sha256(id .. crypto.random(16)))
	return {
		rows.statement({ rows = 1 }, "update sequences set next = next + 1 where name = 'user' returning next"),
		rows.statement({ rows = 1 }, [[insert into users (id, pk, username, name, email, email_verified, type, active,
			attributes, password, password_at, password_file, uid, declared, created_at, uuid)
			values ($1, (select next - 1 from sequences where name = 'user'), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
			$12, $13, $14, $15)]],
			id, user.username, user.name or "", user.email or "", user.email_verified and 1 or 0,
			user.type or "internal", user.active == false and 0 or 1,
			rows.object(user.attributes or {}), user.password, user.password and time.now() or nil,
			user.password_file, uid, user.declared or 0, time.now(), user.uuid or random_uuid()),
	}, id
end

-- Remembers that a command switched the person off, or on again.
function users.switch_statement(id, active)
	return { "update users set switched_off = $2 where id = $1", id, active and 0 or 1 }
end

-- fields: name, email, email_verified, type, attributes, active.
function users.update_statement(id, fields)
	return rows.statement({ rows = 1 }, [[update users set name = coalesce($2, name), email = coalesce($3, email),
		email_verified = coalesce($4, email_verified), type = coalesce($5, type),
		attributes = coalesce($6, attributes), active = coalesce($7, active),
		valid_from = case when $7 = 0 and active = 1 then $8 else valid_from end where id = $1]],
		id, fields.name, fields.email, fields.email_verified ~= nil and (fields.email_verified and 1 or 0) or nil,
		fields.type, fields.attributes and rows.object(fields.attributes) or nil,
		fields.active ~= nil and (fields.active and 1 or 0) or nil, time.now())
end

-- A new password ends what the old one opened (S4).
function users.password_statement(id, encoded)
	return rows.statement({ rows = 1 },
		"update users set password = $2, password_at = $3, valid_from = $3 where id = $1", id, encoded, time.now())
end

-- Holds while the password is still the one that was looked at: a batch that signs somebody in wants it, since checking takes a while.
function users.same_password_statement(id, encoded)
	return { "update users set password = password where id = $1 and password = $2", id, encoded, rows = 1 }
end

-- What a person is called on pages.
function users.shown(user)
	return user.name ~= "" and user.name or user.username
end

-- The same password in a newer form: nothing ends. Only when nobody changed it meanwhile.
function users.rehash_statement(id, old, new)
	return { "update users set password = $3 where id = $1 and password = $2", id, old, new }
end

-- Who is called so by any spelling, and who has this address by any; at most a few, oldest first.
function users.like_name(username)
	return users.from(rows.one(SELECT .. "where lower(u.username) = lower($1) order by u.pk limit 1", username))
end

function users.with_email(email)
	local out = {}
	for index, row in ipairs(rows.all(SELECT .. "where u.email <> '' and lower(u.email) = lower($1) order by u.pk limit 5", email)) do
		out[index] = users.from(row)
	end
	return out
end

function users.is_tombstone(username)
	return rows.one("select at from tombstones where kind = 'user' and name = $1", username) ~= nil
end

-- The name is never given to somebody else (S11).
function users.delete_statements(user)
	return {
		{ "delete from codes where user_id = $1", user.id },
		{ "delete from grants where user_id = $1", user.id },
		{ "delete from sessions where user_id = $1", user.id },
		{ "delete from users where id = $1", user.id, rows = 1 },
		{ "insert into tombstones (kind, name, at) values ('user', $1, $2) on conflict do nothing",
			user.username, time.now() },
	}
end

return users
