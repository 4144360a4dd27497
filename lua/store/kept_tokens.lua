-- store/kept_tokens.lua: tokens that an upstream gave for a person, sealed (S2): one row a person and source.
local rows = require "store/rows"
local secrets = require "kit/secrets"

local kept_tokens = {}

local LABEL = "kept token"

-- Row and column are part of what is sealed.
local function place(user_id, source) return ("kept_tokens %s %s sealed"):format(user_id, source) end

local function seal(user_id, source, token)
	return base64.url_encode(crypto.seal(secrets.key(LABEL), json.encode(token), place(user_id, source)))
end

-- { token = as it was kept, sealed, expires_at (seconds, or nil) }, or nil.
function kept_tokens.find(user_id, source)
	local row = rows.one("select sealed, expires_at from kept_tokens where user_id = $1 and source = $2", user_id, source)
	local plain = row and crypto.unseal(secrets.key(LABEL), base64.url_decode(row.sealed), place(user_id, source))
	return plain and { token = json.decode(plain), sealed = row.sealed, expires_at = row.expires_at } or nil
end

-- Of a sign-in: the newest counts.
function kept_tokens.keep_statement(user_id, source, token, expires_at)
	return rows.statement(nil, [[insert into kept_tokens (user_id, source, sealed, expires_at, kept_at) values ($1, $2, $3, $4, $5)
		on conflict (user_id, source) do update set sealed = excluded.sealed, expires_at = excluded.expires_at, kept_at = excluded.kept_at]],
		user_id, source, seal(user_id, source, token), expires_at, time.now())
end

-- Of a refresh: only while nobody has kept a newer one.
function kept_tokens.renew(user_id, source, before, token, expires_at)
	return rows.batch { rows.statement({ rows = 1 }, [[update kept_tokens set sealed = $4, expires_at = $5, kept_at = $6
		where user_id = $1 and source = $2 and sealed = $3]],
		user_id, source, before.sealed, seal(user_id, source, token), expires_at, time.now()) } ~= nil
end

function kept_tokens.forget(user_id, source, before)
	rows.batch { { "delete from kept_tokens where user_id = $1 and source = $2 and sealed = $3", user_id, source, before.sealed } }
end

return kept_tokens
