-- store/grants.lua: authorizations (S3), refresh lines (S7), consents, and the one read that says whether a token is
-- alive (S4).
local rows = require "store/rows"
local users = require "store/users"
local sessions = require "store/sessions"

local grants = {}

-- A grant that was made from another's access token (RFC 8693) ends with that grant and that token, and so on upwards.
local DERIVED = [[(g.parent is null or not exists (
	with recursive line (parent, parent_jti) as (
		select g.parent, g.parent_jti
		union all select p.parent, p.parent_jti from line l join grants p on p.id = l.parent)
	select 1 from line l join grants p on p.id = l.parent
	where p.ended_at is not null or exists (select 1 from revoked_jti r where r.jti = l.parent_jti)))]]

-- What must hold for anything a grant carries to be good. $2 is now; $3 the time the token was issued. A missing row is
-- dead.
local ALIVE = [[g.ended_at is null and u.active = 1 and a.active = 1 and ]] .. DERIVED .. [[

	and (g.session_id is null or (s.id is not null and s.ended_at is null and s.expires_at > $2 and s.idle_until > $2))
	and u.valid_from <= $3 and a.valid_from <= $3
	and coalesce((select cast(value as bigint) from settings where key = 'valid_from'), 0) <= $3]]

local JOINED = [[from grants g join users u on u.id = g.user_id join applications a on a.id = g.application_id
	left join sessions s on s.id = g.session_id left join login_events l on l.id = g.login_event_id ]]

local COLUMNS = "g.id as g_id, g.scopes as g_scopes, g.session_id, g.sid, g.claims_parameter, g.resources, g.act, g.application_id, "
	.. "g.created_at as g_created_at, l.id as l_id, l.at_ms, l.method, l.amr, l.acr, l.source as l_source, " .. users.COLUMNS .. " "

local LIVE = "select " .. COLUMNS .. JOINED .. "where g.id = $1 and " .. ALIVE
	.. " and not exists (select 1 from revoked_jti r where r.jti = $4)"

local function from(row)
	return {
		id = row.g_id, scopes = row.g_scopes, session_id = row.session_id, sid = row.sid,
		claims_parameter = rows.json(row.claims_parameter), resources = rows.json(row.resources), act = rows.json(row.act),
		application_id = row.application_id,
		created_at = row.g_created_at, login = sessions.login_from(row),
	}
end

-- The grant and the user of a token issued at `issued`, when both and all they hang on are alive.
function grants.live(id, issued, jti)
	local row = rows.one(LIVE, id, time.now(), issued, jti)
	if row then
		return from(row), users.from(row)
	end
end

local function json_or_nil(value)
	return value and json.encode(value) or nil
end

-- What is bound to a session is made while that lives, so that nobody gets a token after all have been told of its end (S5).
function grants.insert_statement(grant)
	return rows.statement({ rows = 1 }, [[insert into grants (id, user_id, application_id, side, scopes, login_event_id,
		session_id, sid, claims_parameter, resources, act, lasting, created_at, expires_at, parent, parent_jti)
		select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16 where cast($7 as text) is null
		or exists (select 1 from sessions s where s.id = $7 and s.ended_at is null)]],
		grant.id, grant.user_id, grant.application_id, grant.side or "oidc", grant.scopes, grant.login_event_id,
		grant.session_id, grant.sid, json_or_nil(grant.claims_parameter), json_or_nil(grant.resources),
		json_or_nil(grant.act), grant.lasting, time.now(), grant.expires_at, grant.parent, grant.parent_jti)
end

-- What the claims parameter selects, and what is withheld, from here on.
function grants.claims_parameter_statement(id, claims_parameter)
	return { "update grants set claims_parameter = $2 where id = $1", id, json.encode(claims_parameter) }
end

-- ---- grants that are made once and used for every token: of a client and its service account, or an app password ----

-- Nobody waits for the end of these; housekeeping removes what is past it.
local LASTS = 3650 * 86400

local LASTING = "select " .. COLUMNS .. JOINED .. "where g.lasting = $1 and " .. ALIVE:gsub("%$3", "$2")

local function lasting_key(application, key_id)
	return application.id .. ":" .. (key_id or "service")
end

-- The one of this application and this app password (nil: its service account) with its user, when both live.
function grants.lasting(application, key_id)
	local row = rows.one(LASTING, lasting_key(application, key_id), time.now())
	if row then
		return from(row), users.from(row)
	end
end

-- The statements that make it, after grants.lasting found none; another request may have been first, and the app password may
-- have ended since it was looked at. expires_at: the app password's, or nil.
function grants.lasting_statements(user, application, key_id, expires_at)
	local key, now = lasting_key(application, key_id), time.now()
	return {
		{ "update grants set lasting = null where lasting = $1 and (ended_at is not null or user_id <> $2)", key, user.id },
		rows.statement(nil, [[insert into grants (id, user_id, application_id, scopes, lasting, created_at, expires_at)
			select $1, $2, $3, '', $4, $5, $6 where cast($7 as text) is null or exists (select 1 from person_tokens t
			join users u on u.id = t.user_id where t.id = $7 and (t.expires_at is null or t.expires_at > $5)
			and t.created_at >= u.valid_from)
			on conflict (lasting) where lasting is not null do nothing]], crypto.id(), user.id, application.id, key, now,
			expires_at or now + LASTS, key_id),
	}
end

-- The same of a program that came from a source (S29), found as `grants.lasting(application, "machine " .. user.id)`.
function grants.machine_statements(user, application)
	local key, now = lasting_key(application, "machine " .. user.id), time.now()
	return {
		{ "update grants set lasting = null where lasting = $1 and ended_at is not null", key },
		{ [[insert into grants (id, user_id, application_id, scopes, lasting, created_at, expires_at) values ($1, $2, $3, '', $4, $5, $6)
			on conflict (lasting) where lasting is not null do nothing]], crypto.id(), user.id, application.id, key, now, now + LASTS },
	}
end

-- What was granted for an app password.
function grants.end_of_key_statement(user_id, key_id, reason)
	return { [[update grants set ended_at = $3, end_reason = $4 where user_id = $1 and ended_at is null
		and lasting like '%:' || $2]], user_id, key_id, time.now(), reason }
end

function grants.end_statements(id, reason)
	local now = time.now()
	return {
		{ "update grants set ended_at = $2, end_reason = $3 where id = $1 and ended_at is null", id, now, reason },
		{ "update refresh_lines set ended_at = $2 where grant_id = $1 and ended_at is null", id, now },
	}
end

-- Everything a person gave, to one application or (nil) to all.
function grants.end_for_statements(user_id, application_id, reason)
	local now = time.now()
	return {
		rows.statement(nil, [[update refresh_lines set ended_at = $2 where ended_at is null and grant_id in
			(select id from grants where user_id = $1 and (cast($3 as text) is null or application_id = $3))]],
			user_id, now, application_id),
		rows.statement(nil, [[update grants set ended_at = $2, end_reason = $4 where user_id = $1
			and (cast($3 as text) is null or application_id = $3) and ended_at is null]],
			user_id, now, application_id, reason),
		rows.statement(nil, [[update codes set expires_at = $2 where user_id = $1
			and (cast($3 as text) is null or application_id = $3) and used_at is null and expires_at > $2]],
			user_id, now, application_id),
		rows.statement(nil, [[update device_codes set status = 'denied' where user_id = $1
			and (cast($2 as text) is null or application_id = $2) and status = 'approved']], user_id, application_id),
		-- Keys end as the owner's valid_from moves, but that cannot tell what of this very second came before.
		rows.statement(nil, [[update person_tokens set expires_at = $2 where user_id = $1 and cast($3 as text) is null
			and created_at >= $2]], user_id, now, application_id),
	}
end

-- Everything that was given to an application.
function grants.end_of_application_statements(application_id, reason)
	local now = time.now()
	return {
		{ [[update refresh_lines set ended_at = $2 where ended_at is null and grant_id in
			(select id from grants where application_id = $1)]], application_id, now },
		{ "update grants set ended_at = $2, end_reason = $3 where application_id = $1 and ended_at is null",
			application_id, now, reason },
		{ [[update codes set expires_at = $2 where application_id = $1 and used_at is null and expires_at > $2]],
			application_id, now },
		{ "update device_codes set status = 'denied' where application_id = $1 and status in ('pending', 'approved')",
			application_id },
	}
end

function grants.owner(id)
	return rows.one("select application_id, user_id, ended_at from grants where id = $1", id)
end

-- ---- refresh lines ----

local LINE = "select r.id, r.generation, r.rotated_at, r.scopes as r_scopes, r.ended_at as r_ended_at, r.expires_at, "
	.. COLUMNS .. ", case when " .. ALIVE .. " then 1 else 0 end as alive " .. JOINED
	.. "join refresh_lines r on r.grant_id = g.id where r.id = $1"
-- A line outlives movements of valid_from no more than a token does: it counts from its grant.
LINE = LINE:gsub("%$3", "g.created_at")

-- The line whatever its state: { id, generation, rotated_at, expires_at, scopes, alive, grant, user } or nil.
function grants.line(id)
	local row = rows.one(LINE, id, time.now())
	return row and {
		id = row.id, generation = row.generation, rotated_at = row.rotated_at, scopes = row.r_scopes, expires_at = row.expires_at,
		alive = row.alive == 1 and row.r_ended_at == nil and row.expires_at > time.now(),
		grant = from(row), user = users.from(row),
	}
end

function grants.line_statement(line)
	local now = time.now()
	return { [[insert into refresh_lines (id, grant_id, generation, rotated_at, scopes, created_at, expires_at)
		values ($1, $2, 0, $3, $4, $3, $5)]], line.id, line.grant_id, now, line.scopes, now + line.lifetime, rows = 1 }
end

-- The one consuming statement of S7: only the current generation rotates, and only while all it hangs on is alive.
local ROTATE = [[update refresh_lines set generation = generation + 1, rotated_at = $2, expires_at = $4
	where id = $1 and generation = $3 and ended_at is null and expires_at > $2 and exists (select 1 ]]
	.. JOINED .. "where g.id = refresh_lines.grant_id and "
	.. ALIVE:gsub("%$3", "g.created_at") .. ") returning generation"

function grants.rotate_statement(line, lifetime)
	local now = time.now()
	return { ROTATE, line.id, now, line.generation, now + lifetime, rows = 1 }
end

function grants.revoke_jti_statement(jti, expires_at)
	return { "insert into revoked_jti (jti, expires_at) values ($1, $2) on conflict do nothing", jti, expires_at }
end

-- ---- consents ----

function grants.consent(user_id, application_id)
	return rows.one([[select scopes, at, expires_at from consents where user_id = $1 and application_id = $2
		and (expires_at is null or expires_at > $3)]], user_id, application_id, time.now())
end

function grants.consent_statement(user_id, application_id, scopes, expires_at)
	return rows.statement({ rows = 1 }, [[insert into consents (user_id, application_id, scopes, at, expires_at)
		values ($1, $2, $3, $4, $5) on conflict (user_id, application_id)
		do update set scopes = excluded.scopes, at = excluded.at, expires_at = excluded.expires_at]],
		user_id, application_id, scopes, time.now(), expires_at)
end

function grants.forget_consent_statement(user_id, application_id)
	return { "delete from consents where user_id = $1 and application_id = $2", user_id, application_id }
end

function grants.consents_of(user_id)
	return rows.all([[select c.application_id, a.slug, c.scopes, c.at, c.expires_at from consents c
		join applications a on a.id = c.application_id
		where c.user_id = $1 and (c.expires_at is null or c.expires_at > $2) order by a.slug]], user_id, time.now())
end

return grants
