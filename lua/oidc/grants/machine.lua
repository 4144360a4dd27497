-- oidc/grants/machine.lua: client_credentials with the token that a program got elsewhere (S29; authentik's form: client_id and the token
-- as client_assertion): what comes out is a token of the program's own account here, no longer good than what it was made of.
local credentials = require "oidc/grants/credentials"
local err = require "kit/err"
local events = require "auth/events"
local grants = require "store/grants"
local machine = require "sources/machine"
local plain = require("mapping/sources").plain
local programs = require "auth/programs"
local rows = require "store/rows"

local function refused(req, application, why, advice)
	events.add { kind = "source_token_refused", application = application, req = req, reason = why, merge = true }
	err.raise("invalid_grant", advice or "The assertion is no token of a source that this application takes programs from.")
end

-- The grant of the application and this account, made at the first token.
local function speak(application, user)
	local grant, alive = grants.lasting(application, "machine " .. user.id)
	if grant then return grant, alive end
	rows.batch(grants.machine_statements(user, application))
	return grants.lasting(application, "machine " .. user.id)
end

return function(req, form, application, text)
	local claims, source, advice = machine.verify(machine.sources(application), text)
	if not claims then refused(req, application, source, advice) end
	-- Clocks may differ by minutes; what is made ends with it by ours.
	local expires_at = math.floor(claims.exp)
	if expires_at <= time.now() then refused(req, application, source.name .. ": it has expired") end
	task.detach()
	local account, why = programs.account(source, machine.came(source, claims), req)
	err.need(account, "invalid_grant", why == "disabled" and "The program's account is switched off." or "The program was not let in.")
	local grant, user = speak(application, account)
	err.need(grant, "invalid_grant", "The program's account is switched off.")
	return credentials.answer(req, form, application, { user = user, grant = grant, expires_at = expires_at,
		context = { oauth_jwt = plain(claims) } })
end
