-- store/logouts.lua: which applications took part in a session, and which are still to be told that it has ended (OpenID Connect
-- Back-Channel Logout 1.0).
local rows = require "store/rows"

local logouts = {}

-- When somebody is to be told next, as far as this process knows: nobody has to ask the database to learn that nobody is. What
-- it does not know, of before a restart or of another node, boot's tick finds.
logouts.next_at = nil

-- Belongs into the batch that makes a grant of a session. What a session ends leaves nothing behind.
function logouts.took_part_statement(session_id, application_id)
	return { [[insert into participants (sid, application_id) select s.sid, $2 from sessions s
		where s.id = $1 and s.ended_at is null on conflict do nothing]], session_id, application_id }
end

-- Applications without logout_uri need no row; which of the others want one is judged when it is sent.
local TELL = [[insert into logouts (sid, application_id, user_id, attempts, next_at, created_at)
	select p.sid, p.application_id, s.user_id, 0, $2, $2 from sessions s join participants p on p.sid = s.sid
	join applications a on a.id = p.application_id
	where a.active = 1 and a.data like '%"logout_uri"%' and s.ended_at is null and ]]
local FORGET = "delete from participants where sid in (select s.sid from sessions s where s.ended_at is null and "

local function noticed(result)
	if result.changes > 0 then
		logouts.next_at = time.now()
	end
end

-- Belong before the statement that ends this session.
function logouts.of_session_statements(session_id)
	return {
		{ TELL .. "s.id = $1 on conflict do nothing", session_id, time.now(), after = noticed },
		{ FORGET .. "s.id = $1)", session_id },
	}
end

-- Of all sessions of a person but one ("" = none spared).
function logouts.of_user_statements(user_id, except)
	return {
		{ TELL .. "s.user_id = $1 and s.id <> $3 on conflict do nothing", user_id, time.now(), except, after = noticed },
		{ FORGET .. "s.user_id = $1 and s.id <> $2)", user_id, except },
	}
end

-- The ids of the applications that took part in the session that has this sid.
function logouts.participants(sid)
	local out = {}
	for index, row in ipairs(rows.all("select application_id from participants where sid = $1", sid)) do
		out[index] = row.application_id
	end
	return out
end

-- Of a person who is about to be deleted: the applications that know them by a subject, and what keeps it.
function logouts.applications_of(user_id)
	return rows.all([[select distinct p.application_id from participants p join sessions s on s.sid = p.sid
		where s.user_id = $1 and s.ended_at is null
		union select application_id from logouts where user_id = $1]], user_id)
end

function logouts.subject_statement(user_id, application_id, subject)
	return rows.statement(nil, "update logouts set subject = $3 where user_id = $1 and application_id = $2", user_id,
		application_id, subject)
end

-- ---- telling ----

-- { { application_id, waiting }, … } that somebody is due at.
function logouts.due()
	return rows.all("select application_id, count(*) as waiting from logouts where next_at <= $1 group by application_id",
		time.now())
end

-- One due row of an application, its attempt counted and until `until_` nobody else's; nil when none is.
function logouts.claim(application_id, until_)
	local results = rows.batch { { [[update logouts set attempts = attempts + 1, next_at = $3 where application_id = $1
		and sid = (select sid from logouts where application_id = $1 and next_at <= $2 order by next_at limit 1)
		and next_at <= $2 returning sid, application_id, user_id, subject, attempts]], application_id, time.now(), until_ } }
	return results and rows.one_of(results[1])
end

function logouts.done_statement(row)
	return { "delete from logouts where sid = $1 and application_id = $2", row.sid, row.application_id }
end

function logouts.again_statement(row, at)
	return { "update logouts set next_at = $3 where sid = $1 and application_id = $2", row.sid, row.application_id, at }
end

function logouts.earliest()
	return rows.one("select min(next_at) as at from logouts").at
end

return logouts
