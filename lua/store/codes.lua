-- store/codes.lua: authorization codes (S6). A used one stays a day, so that its second use is seen.
local rows = require "store/rows"
local users = require "store/users"
local sessions = require "store/sessions"

local codes = {}

codes.MOST_FAILURES = 5

-- Only while the session that asks is alive: what it hangs on is checked by the same statement.
function codes.insert_statement(code)
	return rows.statement({ rows = 1 }, [[insert into codes (keyed, application_id, side, user_id, session_id,
		login_event_id, redirect_uri, redirect_uri_sent, challenge, method, nonce, scopes, claims_parameter, created_at,
		expires_at, grant_id, resources)
		select $1, $2, $3, s.user_id, s.id, s.login_event_id, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
		from sessions s where s.id = $4 and s.ended_at is null and s.expires_at > $12 and s.idle_until > $12]],
		code.keyed, code.application_id, code.side or "oidc", code.session_id, code.redirect_uri,
		code.redirect_uri_sent and 1 or 0, code.challenge, code.method, code.nonce, code.scopes,
		code.claims_parameter and json.encode(code.claims_parameter) or nil, time.now(), code.expires_at, code.grant_id,
		code.resources and json.encode(code.resources) or nil)
end

local LOOK = "select c.*, s.sid as s_sid, l.id as l_id, l.at_ms, l.method as l_method, l.amr, l.acr, "
	.. users.COLUMNS .. [[ from codes c join users u on u.id = c.user_id
	join sessions s on s.id = c.session_id join login_events l on l.id = c.login_event_id
	where c.keyed = $1 and c.side = $2 and c.failures < ]] .. codes.MOST_FAILURES

-- The row, used ones included; nil when unknown, burnt, or expired without having been used.
function codes.look(keyed, side)
	local row = rows.one(LOOK, keyed, side or "oidc")
	if not row or (not row.used_at and row.expires_at <= time.now()) then
		return nil
	end
	local method = row.method
	row.method = row.l_method
	local login = sessions.login_from(row)
	return {
		keyed = row.keyed, side = row.side, application_id = row.application_id, user_id = row.user_id, session_id = row.session_id,
		sid = row.s_sid, login = login, redirect_uri = row.redirect_uri, redirect_uri_sent = row.redirect_uri_sent == 1,
		challenge = row.challenge, method = method, nonce = row.nonce, scopes = row.scopes,
		claims_parameter = rows.json(row.claims_parameter), resources = rows.json(row.resources),
		expires_at = row.expires_at, used_at = row.used_at,
		grant_id = row.grant_id, user = users.from(row),
	}
end

-- The number of failures so far.
function codes.fail(keyed)
	local results = rows.batch { { "update codes set failures = failures + 1 where keyed = $1 returning failures", keyed } }
	local row = results[1].rows[1]
	return row and row.failures or 0
end

-- Consumes the code: once, and only while session, user and application are alive (S6).
function codes.redeem_statement(keyed)
	return { [[update codes set used_at = $2 where keyed = $1 and used_at is null and expires_at > $2
		and failures < ]] .. codes.MOST_FAILURES .. [[ and exists (select 1 from sessions s join users u on u.id = s.user_id
		join login_events l on l.id = s.login_event_id
		where s.id = codes.session_id and s.ended_at is null and s.expires_at > $2 and s.idle_until > $2
		and u.active = 1
		and l.at_ms >= u.valid_from * 1000)
		and exists (select 1 from applications a where a.id = codes.application_id and a.active = 1
		and a.valid_from <= codes.created_at)
		returning keyed]], keyed, time.now(), rows = 1 }
end

return codes
