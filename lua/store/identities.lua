-- store/identities.lua: who somebody from a source is here: a subject of a pool is one user, and a name by which a user was enrolled is
-- claimed once and pinned (S26).
local rows = require "store/rows"
local sources = require "store/sources"
local users = require "store/users"

local identities = {}

-- The user that a subject is, and whether it was ever used; nil when it is nobody.
function identities.find(pool, subject)
	local row = rows.one("select i.used_at as used_at, " .. users.COLUMNS
		.. " from identities i join users u on u.id = i.user_id where i.pool = $1 and i.subject = $2", pool, subject)
	return users.from(row), row and row.used_at
end

-- { subject (of who claimed it, or nil) } and the user that was enrolled by this name; nil when nobody was.
function identities.named(pool, username)
	local row = rows.one("select n.subject as subject, " .. users.COLUMNS
		.. " from identity_names n join users u on u.id = n.user_id where n.pool = $1 and n.username = $2", pool, username)
	return row and { subject = row.subject }, users.from(row)
end

-- What somebody is known by: a list of { source, pool, subject, label, declared, linked_at, last_at }, oldest first.
function identities.of_user(user_id)
	return rows.all([[select source, pool, subject, label, declared, linked_at, used_at as last_at from identities where user_id = $1
		order by linked_at, pool, subject]], user_id)
end

-- Names not yet claimed: { source, username }.
function identities.waiting(user_id)
	return rows.all([[select source, username, declared from identity_names where user_id = $1 and claimed_at is null
		order by source, username]], user_id)
end

-- identity: pool, subject, user_id, source (its name), label, claimed (the name, or nil), used = true, declared. Fails the batch when the
-- subject is somebody already.
function identities.insert_statement(identity)
	local now = time.now()
	return rows.statement({ rows = 1 }, [[insert into identities (pool, subject, user_id, source, label, claimed, declared, linked_at, used_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9)]], identity.pool, identity.subject, identity.user_id, identity.source,
		identity.label, identity.claimed, identity.declared or 0, now, identity.used and now or nil)
end

-- Only while it is still this user's, who is still on.
function identities.used_statement(pool, subject, user_id, label)
	return rows.statement({ rows = 1 }, [[update identities set used_at = $4, label = coalesce($5, label) where pool = $1 and subject = $2
		and user_id = $3 and exists (select 1 from users u where u.id = $3 and u.active = 1)]], pool, subject, user_id, time.now(), label)
end

function identities.claim_statement(pool, username, subject)
	return { [[update identity_names set subject = $3, claimed_at = $4 where pool = $1 and username = $2 and claimed_at is null]],
		pool, username, subject, time.now(), rows = 1 }
end

function identities.name_statement(name)
	return { [[insert into identity_names (pool, username, user_id, source, declared, created_at) values ($1, $2, $3, $4, $5, $6)]],
		name.pool, name.username, name.user_id, name.source, name.declared or 0, time.now(), rows = 1 }
end

local function extend(list, more) return table.move(more, 1, #more, #list + 1, list) end

-- With what came through the identity.
function identities.unlink_statements(pool, subject, user_id)
	return extend({
		{ "delete from identities where pool = $1 and subject = $2 and user_id = $3", pool, subject, user_id, rows = 1 },
	}, sources.unlinked_statements(pool, user_id))
end

-- Begins a batch that takes an identity away, and fails it where that is the last way in.
function identities.another_way_statement(user_id)
	return { [[update users set id = id where id = $1
		and (password_at is not null or (select count(*) from identities where user_id = $1) > 1)]], user_id, rows = 1 }
end

local function forget_name(pool, username, user_id)
	return {
		{ "delete from identities where pool = $1 and claimed = $2 and user_id = $3", pool, username, user_id },
		{ "delete from identity_names where pool = $1 and username = $2 and user_id = $3", pool, username, user_id, rows = 1 },
	}
end

-- A name goes with whoever claimed it.
function identities.forget_name_statements(pool, username, user_id)
	return extend(forget_name(pool, username, user_id), sources.unlinked_statements(pool, user_id))
end

-- ---- what the file says of a user ----

local function declared_subject(user_id, each, pool)
	return { [[insert into identities (pool, subject, user_id, source, declared, linked_at) values ($1, $2, $3, $4, 1, $5)
		on conflict (pool, subject) do update set user_id = excluded.user_id, declared = 1]],
		pool, each.subject, user_id, each.source, time.now() }
end

-- Whose name it becomes is nobody yet: what another user had claimed by it is not this one's.
local function declared_name(user_id, each, pool)
	return {
		{ "delete from identities where pool = $1 and claimed = $2 and user_id <> $3", pool, each.username, user_id },
		{ [[insert into identity_names (pool, username, user_id, source, declared, created_at) values ($1, $2, $3, $4, 1, $5)
			on conflict (pool, username) do update set declared = 1,
			subject = case when identity_names.user_id = excluded.user_id then identity_names.subject else null end,
			claimed_at = case when identity_names.user_id = excluded.user_id then identity_names.claimed_at else null end,
			user_id = excluded.user_id]], pool, each.username, user_id, each.source, time.now() },
	}
end

-- The user's own that the file says no more, and the pools that they were in.
local function gone(user_id, wanted)
	local out, pools = {}, {}
	for _, row in ipairs(rows.all("select pool, subject from identities where user_id = $1 and declared = 1", user_id)) do
		if not wanted["subject " .. row.pool .. " " .. row.subject] then
			out[#out + 1] = { "delete from identities where pool = $1 and subject = $2 and user_id = $3", row.pool, row.subject, user_id }
			pools[row.pool] = true
		end
	end
	for _, row in ipairs(rows.all("select pool, username from identity_names where user_id = $1 and declared = 1", user_id)) do
		if not wanted["username " .. row.pool .. " " .. row.username] then
			extend(out, forget_name(row.pool, row.username, user_id))
			pools[row.pool] = true
		end
	end
	return out, pools
end

-- Makes a user's declared identities equal to `list` ({ source, subject } or { source, username }); pools: by source name.
function identities.declared_statements(user_id, list, pools)
	local wanted = {}
	for _, each in ipairs(list) do
		local what = each.subject and "subject " or "username "
		wanted[what .. pools[each.source] .. " " .. (each.subject or each.username)] = true
	end
	local out, left = gone(user_id, wanted)
	for _, each in ipairs(list) do
		local pool = pools[each.source]
		if each.subject then
			out[#out + 1] = declared_subject(user_id, each, pool)
		else
			extend(out, declared_name(user_id, each, pool))
		end
	end
	for pool in pairs(left) do extend(out, sources.unlinked_statements(pool, user_id)) end
	return out
end

return identities
