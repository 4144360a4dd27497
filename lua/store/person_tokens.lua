-- store/person_tokens.lua: API keys, app passwords and personal tokens. A row is { id, intent, identifier, description,
-- scopes (text), created_at, expires_at, used_at, user }; the key itself is only kept as its keyed hash (S2).
local rows = require "store/rows"
local users = require "store/users"

local person_tokens = {}

-- What ends a personal token that nobody uses, as it does with GitHub's.
person_tokens.UNUSED = 365 * 86400

local SELECT = [[select t.id, t.user_id, t.intent, t.identifier, t.description, t.scopes, t.created_at, t.expires_at, t.used_at, ]]
	.. users.COLUMNS .. " from person_tokens t join users u on u.id = t.user_id "

local function from(row)
	return row and {
		id = row.id, intent = row.intent, identifier = row.identifier, description = row.description, scopes = row.scopes,
		created_at = row.created_at, expires_at = row.expires_at, used_at = row.used_at, user = users.from(row),
	}
end

local BY_KEY = SELECT .. "where t.keyed = $1 and t.intent = $2"

function person_tokens.by_key(keyed, intent)
	return from(rows.one(BY_KEY, keyed, intent))
end

function person_tokens.by_identifier(identifier)
	return from(rows.one(SELECT .. "where t.identifier = $1", identifier))
end

-- Of one person or (nil) of all, of one intent or of all; the newest first.
function person_tokens.list(user_id, intent)
	local out = {}
	local list = rows.all(SELECT .. [[where (cast($1 as text) is null or t.user_id = $1)
		and (cast($2 as text) is null or t.intent = $2) order by t.created_at desc, t.id desc]],
		user_id or db.null, intent or db.null)
	for index, row in ipairs(list) do
		out[index] = from(row)
	end
	return out
end

function person_tokens.count(user_id, intent)
	return rows.one("select count(*) as n from person_tokens where user_id = $1 and intent = $2", user_id, intent).n
end

-- session_id: of the browser that asks, which must not have ended meanwhile; nil for commands.
function person_tokens.insert_statement(token)
	return rows.statement({ rows = 1 }, [[insert into person_tokens (id, user_id, intent, identifier, description, keyed,
		scopes, created_at, expires_at) select $1, u.id, $3, $4, $5, $6, $7, $8, $9 from users u
		where u.id = $2 and u.active = 1 and (cast($10 as text) is null
		or exists (select 1 from sessions s where s.id = $10 and s.ended_at is null))]],
		token.id, token.user_id, token.intent, token.identifier, token.description, token.keyed, token.scopes,
		time.now(), token.expires_at, token.session_id)
end

function person_tokens.delete_statement(id)
	return { "delete from person_tokens where id = $1", id }
end

-- Nothing waits for this to be written.
function person_tokens.used(id)
	local statement = { "update person_tokens set used_at = $2 where id = $1", id, time.now() }
	task.spawn(function() db.batch { statement } end)
end

return person_tokens
