-- store/housekeeping.lua: removes what has ended, in small portions so that no one waits behind it.
local rows = require "store/rows"
local events = require "store/events"
local throttle = require "store/throttle"

local housekeeping = {}

local PORTION = 500
local DAY = 86400

-- Each: a statement with $1 = a time before which a row may go, and how long ago that is. Grants stay a day after
-- their end, so that events and answers about them are right; login events while something names them.
local SWEEPS = {
	{ [[delete from codes where keyed in (select keyed from codes where expires_at < $1 limit $2)]], DAY },
	{ [[delete from device_codes where keyed in (select keyed from device_codes where expires_at < $1 limit $2)]], 3600 },
	{ [[delete from refresh_lines where id in (select id from refresh_lines where expires_at < $1 or ended_at < $1
		limit $2)]], DAY },
	{ [[delete from grants where id in (select id from grants where (expires_at < $1 or ended_at < $1)
		and not exists (select 1 from refresh_lines r where r.grant_id = grants.id) limit $2)]], DAY },
	{ [[delete from sessions where id in (select id from sessions where ended_at < $1
		and not exists (select 1 from codes c where c.session_id = sessions.id) limit $2)]], DAY },
	{ [[delete from login_events where id in (select l.id from login_events l where l.at_ms < $1 * 1000
		and not exists (select 1 from sessions s where s.login_event_id = l.id)
		and not exists (select 1 from grants g where g.login_event_id = l.id)
		and not exists (select 1 from codes c where c.login_event_id = l.id) limit $2)]], DAY },
	{ "delete from person_tokens where id in (select id from person_tokens where expires_at < $1 limit $2)", 90 * DAY },
	{ [[delete from person_tokens where id in (select id from person_tokens where intent = 'personal'
		and coalesce(used_at, created_at) < $1 limit $2)]], (365 + 90) * DAY },
	-- The grant takes its token along.
	{ [[delete from grants where id in (select grant_id from github_tokens where coalesce(used_at, created_at) < $1 limit $2)]],
		366 * DAY },
	-- What mappings of before said of everybody: nobody finds it any more, then it goes.
	{ [[update github_lenses set fingerprint = 'left ' || number where used_at < $1 and fingerprint not like 'left %' and $2 > 0]], 7 * DAY },
	{ [[delete from github_members where (lens, kind, place, person) in (select m.lens, m.kind, m.place, m.person from github_members m
		join github_lenses l on l.number = m.lens where l.fingerprint like 'left %' and $1 > 0 limit $2)]], 0 },
	{ [[delete from github_people where (lens, user_id) in (select p.lens, p.user_id from github_people p
		join github_lenses l on l.number = p.lens where l.fingerprint like 'left %' and $1 > 0 limit $2)]], 0 },
	{ [[delete from github_lenses where fingerprint like 'left %' and $1 > 0 and $2 > 0
		and not exists (select 1 from github_members m where m.lens = github_lenses.number)
		and not exists (select 1 from github_people p where p.lens = github_lenses.number)]], 0 },
	{ "delete from revoked_jti where jti in (select jti from revoked_jti where expires_at < $1 limit $2)", 60 },
	{ [[delete from assertions where (client, jti) in (select client, jti from assertions where expires_at < $1 limit $2)]], 60 },
	{ "delete from throttle where key in (select key from throttle where updated_at < $1 limit $2)", throttle.QUIET },
	{ "delete from known_browsers where at < $1 and $2 > 0", 180 * DAY },
	{ "delete from consents where expires_at < $1 and $2 > 0", DAY },
	{ [[delete from events where id in (select id from (select id, at from events order by id limit $2) oldest
		where at < $1)]], events.OLDEST },
}

function housekeeping.sweep()
	local now = time.now()
	for _, sweep in ipairs(SWEEPS) do
		rows.batch { { sweep[1], now - sweep[2], PORTION } }
	end
	local row = rows.one("select count(*) as n from events")
	if row.n > events.MOST then
		rows.batch { { "delete from events where id in (select id from events order by id limit $1)",
			math.min(row.n - events.MOST, 5 * PORTION) } }
	end
end

return housekeeping
