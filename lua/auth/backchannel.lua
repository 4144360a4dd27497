-- auth/backchannel.lua: tells applications that a session has ended (OpenID Connect Back-Channel Logout 1.0). Whom is left in rows
-- by the batch that ends the session (store/logouts), so that a restart forgets nobody; each row is one POST, tried again a few
-- times. Every application has lanes of its own: one that is slow keeps nobody waiting but itself.
local clients = require "auth/clients"
local events = require "auth/events"
local fetch = require "kit/fetch"
local keys = require "auth/keys"
local logouts = require "store/logouts"
local rows = require "store/rows"
local scope = require "kit/scope"
local users = require "store/users"

local backchannel = {}

-- At one application, and at all, at the same time.
local LANES, ALL_LANES = 2, 64
-- An attempt ends after TIMEOUT; one that nothing was heard of (a restart) is made again after LEASE.
local TIMEOUT, LEASE = 10, 60
-- How long after each failed attempt the next one is made; after the last it is given up.
local PAUSES = { 60, 300, 1800, 7200, 6 * 3600 }
-- 2.4 recommends two minutes at most.
local LIFETIME = 120
local EVENT = "http://schemas.openid.net/event/backchannel-logout"

-- The subject that the ID token named. Where a script may have chosen another one, sid alone says who.
local function subject(application, row)
	if scope.has(application.script_claims or {}, "sub") then
		return nil
	end
	local user = not row.subject and row.user_id and users.by_id(row.user_id)
	return row.subject or user and users.subject(user, application) or nil
end

-- Section 2.4. Nothing takes it for another token: its type is its own.
local function logout_token(application, row)
	local alg, now = application.signing_alg or "RS256", time.now()
	local handle, kid = keys.signing(alg, application)
	return assert(jws.sign(handle, { typ = "logout+jwt", kid = kid }, json.encode {
		iss = clients.issuer(application), aud = application.client_id, iat = now, exp = now + LIFETIME,
		jti = hex.encode(crypto.random(16)), sub = subject(application, row), sid = row.sid,
		events = { [EVENT] = json.object {} },
	}, alg))
end

-- nil when the application was told (2.8), else why not.
local function failure(application, row)
	local answer, code = fetch.post_form(application.logout_uri, { logout_token = logout_token(application, row) },
		{ timeout = TIMEOUT, max = 65536 })
	if not answer then
		return tostring(code)
	end
	return answer.status ~= 200 and answer.status ~= 204 and "status " .. answer.status or nil
end

local function outcome(kind, application, row, reason)
	return events.statement {
		kind = kind, application = application, user = row.user_id and users.by_id(row.user_id), reason = reason,
		merge = kind == "logout_failed",
	}
end

local function tell(application, row)
	local pause, why = PAUSES[row.attempts], "none had an outcome"
	if row.attempts <= #PAUSES + 1 then
		why = failure(application, row)
	end
	if not why then
		rows.batch { logouts.done_statement(row), outcome("logout_told", application, row, "attempt " .. row.attempts) }
	elseif pause then
		rows.batch { logouts.again_statement(row, time.now() + pause), outcome("logout_failed", application, row, why) }
	else
		rows.batch { logouts.done_statement(row),
			outcome("logout_given_up", application, row, ("after %d attempts: %s"):format(row.attempts, why)) }
	end
end

local lanes, all_lanes = {}, 0

local function take_lane(application_id)
	lanes[application_id], all_lanes = (lanes[application_id] or 0) + 1, all_lanes + 1
	return setmetatable({}, { __close = function()
		local left = lanes[application_id] - 1
		lanes[application_id], all_lanes = left > 0 and left or nil, all_lanes - 1
	end })
end

local function wanted(application)
	return application and application.logout_uri and application.logout_method ~= "frontchannel"
end

-- Works on one row. True when there was one.
local function step(lane, application_id)
	local _ <close> = lane
	local row = logouts.claim(application_id, time.now() + LEASE)
	if not row then
		return false
	end
	local application = clients.by_id(application_id)
	if wanted(application) then
		tell(application, row)
	else
		rows.batch { logouts.done_statement(row) }
	end
	return true
end

-- A task a row, since background tasks have a deadline; the next row is the next task's.
local function open_lane(application_id)
	local lane = take_lane(application_id)
	task.spawn(function()
		if step(lane, application_id) then
			return open_lane(application_id)
		end
		local at = logouts.earliest()
		logouts.next_at = at and math.min(at, logouts.next_at or at)
	end)
end

-- Starts what is due; the work is done by tasks of their own.
function backchannel.run()
	for _, due in ipairs(logouts.due()) do
		local free = math.min(LANES - (lanes[due.application_id] or 0), ALL_LANES - all_lanes, due.waiting)
		for _ = 1, free do
			open_lane(due.application_id)
		end
	end
end

-- Asked at the end of each request and command: is it time?
function backchannel.look()
	local at = logouts.next_at
	if at and time.now() >= at then
		logouts.next_at = nil
		task.spawn(backchannel.run)
	end
end

-- The statements that belong before those that delete a person: their sessions end, and what they were called is kept until all
-- have been told.
function backchannel.deletion_statements(user)
	local statements = logouts.of_user_statements(user.id, "")
	for _, row in ipairs(logouts.applications_of(user.id)) do
		local application = clients.by_id(row.application_id)
		if application then
			statements[#statements + 1] = logouts.subject_statement(user.id, row.application_id,
				users.subject(user, application))
		end
	end
	return statements
end

return backchannel
