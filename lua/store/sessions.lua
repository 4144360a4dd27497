-- store/sessions.lua: login events, and the browser sessions that point to them (D11).
local logouts = require "store/logouts"
local rows = require "store/rows"
local users = require "store/users"

local sessions = {}

local CURRENT = "select s.id, s.sid, s.browser, s.created_at, s.seen_at, s.expires_at, s.user_id, "
	.. "l.id as l_id, l.at_ms, l.method, l.amr, l.acr, l.source as l_source, l.proven_at, " .. users.COLUMNS .. [[
	from sessions s join users u on u.id = s.user_id join login_events l on l.id = s.login_event_id
	where s.keyed_cookie = $1 and s.ended_at is null and s.expires_at > $2 and s.idle_until > $2
	and u.active = 1 and l.at_ms >= u.valid_from * 1000
	and s.created_at >= coalesce((select cast(value as bigint) from settings where key = 'valid_from'), 0)]]

function sessions.login_from(row)
	return row.l_id and {
		id = row.l_id, at = row.at_ms // 1000, at_ms = row.at_ms, method = row.method,
		amr = json.decode(row.amr), acr = row.acr, source = row.l_source, proven_at = row.proven_at,
	}
end

-- The live session of a cookie, with its user and login event.
function sessions.current(keyed_cookie)
	local row = rows.one(CURRENT, keyed_cookie, time.now())
	return row and {
		id = row.id, sid = row.sid, browser = row.browser, created_at = row.created_at, seen_at = row.seen_at,
		expires_at = row.expires_at, user_id = row.user_id, user = users.from(row), login = sessions.login_from(row),
	}
end

-- A page view does not fail because this could not be written.
function sessions.seen(id, idle_until)
	db.batch { { "update sessions set seen_at = $2, idle_until = $3 where id = $1", id, time.now(), idle_until } }
end

-- login: { id, user_id, at_ms, method, amr, acr, address, source, proven_at = when the person signed in there, as far as that is proven }
function sessions.login_statement(login)
	return rows.statement({ rows = 1 }, [[insert into login_events (id, user_id, at_ms, method, amr, acr, address, source, proven_at)
		select $1, u.id, $3, $4, $5, $6, $7, $8, $9 from users u where u.id = $2 and u.active = 1]],
		login.id, login.user_id, login.at_ms, login.method, json.encode(login.amr), login.acr, login.address,
		login.source, login.proven_at)
end

-- ---- sessions that came from an upstream's ----

-- from: { name = of the source, subject, sid } as its ID token had them, or nil.
function sessions.source_statement(id, from)
	return rows.statement(nil, "insert into source_sessions (session_id, source, subject, sid) values ($1, $2, $3, $4)", id,
		from.name, from.subject, from.sid)
end

-- The live sessions that came from this session of the source, or, without sid, from this person's there.
function sessions.of_source(name, subject, sid)
	return rows.all([[select s.id, s.user_id from source_sessions f join sessions s on s.id = f.session_id
		where f.source = $1 and s.ended_at is null and ($2 is null or f.subject = $2) and ($3 is null or f.sid = $3)]],
		name, subject or db.null, sid or db.null)
end

function sessions.insert_statement(session)
	return rows.statement({ rows = 1 }, [[insert into sessions (id, keyed_cookie, user_id, login_event_id, sid, browser,
		address, agent, created_at, seen_at, idle_until, expires_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11)]],
		session.id, session.keyed_cookie, session.user_id, session.login_event_id, session.sid, session.browser,
		session.address, session.agent, session.created_at, session.idle_until, session.expires_at)
end

function sessions.last_login_statement(user_id)
	return { "update users set last_login_at = $2 where id = $1", user_id, time.now() }
end

-- The same person goes on in a new session: codes and access tokens end as S5 says, but nobody is told of a sign-out.
function sessions.replace_statements(id, reason)
	local now = time.now()
	return {
		{ "update sessions set ended_at = $2 where id = $1 and ended_at is null", id, now },
		{ "update codes set expires_at = $2 where session_id = $1 and used_at is null and expires_at > $2", id, now },
		{ "update grants set ended_at = $2, end_reason = $3 where session_id = $1 and ended_at is null", id, now,
			reason or "session" },
	}
end

-- What ends with a session: its codes, and the grants bound to it with their access tokens (S5). The applications that took
-- part are told.
function sessions.end_statements(id, reason)
	local statements = logouts.of_session_statements(id)
	return table.move(sessions.replace_statements(id, reason), 1, 3, 3, statements)
end

-- Of all sessions of a person but one ("" = none spared).
function sessions.end_all_statements(user_id, except, reason)
	local now = time.now()
	except = except or ""
	local statements = logouts.of_user_statements(user_id, except)
	return table.move({
		{ [[update codes set expires_at = $2 where user_id = $1 and session_id <> $3 and used_at is null
			and expires_at > $2]], user_id, now, except },
		{ [[update grants set ended_at = $2, end_reason = $4 where user_id = $1 and session_id is not null
			and session_id <> $3 and ended_at is null]], user_id, now, except, reason or "session" },
		{ "update sessions set ended_at = $2 where user_id = $1 and id <> $3 and ended_at is null",
			user_id, now, except },
	}, 1, 3, 3, statements)
end

-- Some of those whose time is up and that nobody has ended yet.
function sessions.expired(most)
	return rows.all([[select id, user_id from sessions where ended_at is null and (expires_at <= $1 or idle_until <= $1)
		limit $2]], time.now(), most)
end

function sessions.of_user(user_id)
	return rows.all([[select id, created_at, seen_at, expires_at, address, agent from sessions
		where user_id = $1 and ended_at is null and expires_at > $2 and idle_until > $2 order by created_at desc]],
		user_id, time.now())
end

-- Belongs this session to this person?
function sessions.owner(id)
	local row = rows.one("select user_id from sessions where id = $1 and ended_at is null", id)
	return row and row.user_id
end

-- ---- browsers and addresses a person signed in from: guesses made elsewhere do not slow these down (S30) ----

function sessions.known_statement(user_id, browser, address)
	return rows.statement(nil, [[insert into known_browsers (browser, user_id, address, at) values ($1, $2, $3, $4)
		on conflict (user_id, browser) do update set at = excluded.at, address = excluded.address]],
		browser, user_id, address, time.now())
end

function sessions.is_known(username, browser, address, since)
	local row = rows.one([[select max(case when k.browser = $2 then 2 else 1 end) as level
		from known_browsers k join users u on u.id = k.user_id
		where u.username = $1 and (k.browser = $2 or k.address = $3) and k.at > $4]],
		username, browser or "", address or "", since)
	return row and row.level == 2 and "browser" or row and row.level == 1 and "address" or nil
end

return sessions
