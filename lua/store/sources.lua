-- store/sources.lua: where people have an account already. A row is { id, name, key, pool, application_id (of the application that made
-- it), data (config/sources), sealed, active, declared (0, 1, 2: see the migration), created_at }.
local rows = require "store/rows"
local secrets = require "kit/secrets"

local sources = {}

local LABEL = "source secret"

local function from(row)
	if row then
		row.data, row.active = json.decode(row.data), row.active == 1
	end
	return row
end

local function each(list)
	for _, row in ipairs(list) do from(row) end
	return list
end

function sources.by_name(name)
	return from(rows.one("select * from sources where name = $1", name))
end

function sources.by_id(id)
	return from(rows.one("select * from sources where id = $1", id))
end

function sources.list()
	return each(rows.all("select * from sources where declared <> 2 order by name"))
end

-- Those that an application made by the API.
function sources.of_application(application_id)
	return each(rows.all("select * from sources where application_id = $1 order by key", application_id))
end

-- Row and column are part of what is sealed.
local function place(id) return "sources " .. id .. " sealed" end

local function seal(id, text)
	return text and base64.url_encode(crypto.seal(secrets.key(LABEL), text, place(id))) or nil
end

-- The client's secret, or nil when there is none or it cannot be opened.
function sources.secret(row)
	return row.sealed and crypto.unseal(secrets.key(LABEL), base64.url_decode(row.sealed), place(row.id)) or nil
end

-- source: name, key, pool, application_id, data, secret (text or nil), declared.
function sources.insert_statement(source)
	local id = source.id or crypto.id()
	return rows.statement({ rows = 1 }, [[insert into sources (id, name, key, pool, application_id, data, sealed, declared, created_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9)]], id, source.name, source.key or source.name, source.pool, source.application_id,
		rows.object(source.data), seal(id, source.secret), source.declared or 0, time.now()), id
end

-- All of it: a secret of nil takes the one away.
function sources.update_statement(id, source)
	return rows.statement({ rows = 1 }, [[update sources set pool = $2, data = $3, sealed = $4, active = $5, declared = $6 where id = $1]],
		id, source.pool, rows.object(source.data), seal(id, source.secret), source.active == false and 0 or 1, source.declared or 0)
end

-- Fails the batch that it begins unless an application has as many as were read: with the statements for each of these, that nobody has
-- put others there meanwhile.
function sources.unchanged_statement(application_id, count)
	return { "update applications set id = id where id = $1 and (select count(*) from sources where application_id = $1) = $2",
		application_id, count, rows = 1 }
end

-- The identities that came by this source move into another pool; where somebody is known there already, that stays.
function sources.move_statements(name, pool)
	return {
		{ [[update identities set pool = $2 where source = $1 and pool <> $2
			and not exists (select 1 from identities o where o.pool = $2 and o.subject = identities.subject)]], name, pool },
		{ [[update identity_names set pool = $2 where source = $1 and pool <> $2
			and not exists (select 1 from identity_names o where o.pool = $2 and o.username = identity_names.username)]], name, pool },
	}
end

-- A source goes, and with it who is in a group by it alone. Who its people are stays: it may return.
function sources.leave_statements(name)
	return {
		{ [[delete from memberships where declared = 3 and exists (select 1 from source_memberships s where s.user_id = memberships.user_id
			and s.group_id = memberships.group_id and s.source = $1) and not exists (select 1 from source_memberships s
			where s.user_id = memberships.user_id and s.group_id = memberships.group_id and s.source <> $1)]], name },
		{ "delete from source_memberships where source = $1", name },
		{ "update sequences set next = next + 1 where name = 'directory'" },
	}
end

-- Nobody of this pool any more: what somebody had through its sources goes, after the identity, unless another one of the pool's is left.
function sources.unlinked_statements(pool, user_id)
	local nobody = "not exists (select 1 from identities i where i.user_id = $1 and i.pool = $2)"
	local through = "s.source in (select name from sources where pool = $2)"
	return {
		{ ([[delete from memberships where user_id = $1 and declared = 3 and %s
			and exists (select 1 from source_memberships s where s.user_id = $1 and s.group_id = memberships.group_id and %s)
			and not exists (select 1 from source_memberships s where s.user_id = $1 and s.group_id = memberships.group_id and not %s)]])
			:format(nobody, through, through), user_id, pool },
		{ ("delete from source_memberships as s where s.user_id = $1 and %s and %s"):format(nobody, through), user_id, pool },
		{ ("delete from kept_tokens as s where s.user_id = $1 and %s and %s"):format(nobody, through), user_id, pool },
		{ "update sequences set next = next + 1 where name = 'directory'" },
	}
end

function sources.delete_statements(row)
	local list = sources.leave_statements(row.name)
	list[#list + 1] = { "delete from sources where id = $1", row.id, rows = 1 }
	return list
end

return sources
