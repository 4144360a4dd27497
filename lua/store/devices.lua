-- store/devices.lua: device authorizations (RFC 8628): asked for by a device, answered by a person, taken once.
local rows = require "store/rows"
local sessions = require "store/sessions"
local users = require "store/users"

local devices = {}

local HOUR = 3600
-- How many rows an application may have: what its devices ask for in an hour, and no more of the disk than that.
devices.MOST = 10000
-- How many codes one address may ask for in an hour without a client's secret (authentik's figure). What people approved is
-- not counted.
devices.ANONYMOUS = 20

local OF_ADDRESS = "from device_codes where address = $1 and anonymous = 1 and created_at > $2 and status in ('pending', 'denied')"

local INSERT = [[insert into device_codes (address, keyed, user_keyed, application_id, side, scopes, resources, grant_id,
	anonymous, created_at, expires_at)
	select $1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
	where (select count(*) from device_codes where application_id = $5) < $13 and ($10 = 0 or (select count(*) ]]
	.. OF_ADDRESS .. ") < $14) on conflict do nothing"

-- code: keyed, user_keyed, application_id, side, scopes (text), resources, grant_id, address (one place), anonymous,
-- expires_at. Nothing is written beyond the limits, nor when the user code is one that is in use.
function devices.insert(code)
	local now = time.now()
	return rows.batch { rows.statement({ rows = 1 }, INSERT, code.address, now - HOUR, code.keyed, code.user_keyed,
		code.application_id, code.side or "oidc", code.scopes, code.resources and json.encode(code.resources) or nil,
		code.grant_id, code.anonymous and 1 or 0, now, code.expires_at, devices.MOST, devices.ANONYMOUS) } and true or nil
end

-- What has been asked for: of an application in all, and from an address without secret in the last hour with the time of
-- the oldest.
function devices.usage(application_id, address)
	return rows.one("select count(*) as unanswered, min(created_at) as oldest, "
		.. "(select count(*) from device_codes where application_id = $3) as all_of_it " .. OF_ADDRESS,
		address, time.now() - HOUR, application_id)
end

local SELECT = "select d.*, l.id as l_id, l.at_ms, l.method, l.amr, l.acr, " .. users.COLUMNS .. [[ from device_codes d
	left join users u on u.id = d.user_id left join login_events l on l.id = d.login_event_id where d.side = $2 and d.]]
local BY_DEVICE, BY_PERSON = SELECT .. "keyed = $1", SELECT .. "user_keyed = $1"

-- The row whatever its state: the columns, with resources decoded, and once it is approved user and login.
local function look(sql, keyed, side)
	local row = rows.one(sql, keyed, side or "oidc")
	return row and {
		side = row.side, keyed = row.keyed, user_keyed = row.user_keyed, application_id = row.application_id, scopes = row.scopes,
		resources = rows.json(row.resources), claims_parameter = rows.json(row.claims_parameter), status = row.status,
		grant_id = row.grant_id, address = row.address,
		created_at = row.created_at, expires_at = row.expires_at, user = row.u_id and users.from(row),
		login = sessions.login_from(row),
	}
end

function devices.by_device_code(keyed, side)
	return look(BY_DEVICE, keyed, side)
end

function devices.by_user_code(user_keyed, side)
	return look(BY_PERSON, user_keyed, side)
end

-- Once, in time, and only while the session that answers is alive.
function devices.approve_statement(row, session_id, scopes, claims_parameter)
	local now = time.now()
	return rows.statement({ rows = 1 }, [[update device_codes set status = 'approved', scopes = $4, claims_parameter = $5,
		user_id = (select user_id from sessions where id = $3), login_event_id = (select login_event_id from sessions where id = $3)
		where keyed = $1 and status = 'pending' and expires_at > $2 and exists (select 1 from sessions s
		where s.id = $3 and s.ended_at is null and s.expires_at > $2 and s.idle_until > $2)]],
		row.keyed, now, session_id, scopes, claims_parameter and json.encode(claims_parameter) or nil)
end

function devices.deny_statement(row)
	return { "update device_codes set status = 'denied' where keyed = $1 and status = 'pending' and expires_at > $2",
		row.keyed, time.now(), rows = 1 }
end

-- The one consuming statement: only while what the approval hangs on is good (S4); the session is no part of it (S5).
function devices.redeem_statement(row)
	return { [[update device_codes set status = 'used' where keyed = $1 and status = 'approved' and expires_at > $2
		and created_at >= coalesce((select cast(value as bigint) from settings where key = 'valid_from'), 0)
		and exists (select 1 from users u join login_events l on l.id = device_codes.login_event_id
		where u.id = device_codes.user_id and u.active = 1 and l.at_ms >= u.valid_from * 1000)
		and exists (select 1 from applications a where a.id = device_codes.application_id and a.active = 1
		and a.valid_from <= device_codes.created_at) returning keyed]], row.keyed, time.now(), rows = 1 }
end

return devices
