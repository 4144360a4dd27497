-- github/access_token.lua: a code, or a device's, becomes a token. Many clients send the secret another way than the first when that
-- fails; what fails leaves the code for their next try, four times (S6).
local codes         = require "auth/codes"
local devices       = require "auth/devices"
local err           = require "kit/err"
local events        = require "auth/events"
local github_refresh = require "auth/github_refresh"
local github_tokens = require "auth/github_tokens"
local oauth_answer  = require "github/oauth_answer"
local parameters    = require "github/parameters"
local redirects     = require "github/redirects"

local access_token = { kind = "github_oauth" }

-- The order is GitHub's; scopes are separated by commas alone. issued: see github_tokens.issue.
local function answer(req, issued, scopes)
	return oauth_answer.send(req, { { "access_token", issued.access_token }, { "scope", table.concat(scopes, ",") },
		{ "token_type", "bearer" }, { "expires_in", issued.expires_in }, { "refresh_token", issued.refresh_token },
		{ "refresh_token_expires_in", issued.refresh_token_expires_in } })
end

-- RFC 7636 4.6. Neither may come without the other (security-cases 5).
local function verified(row, verifier)
	if not row.challenge or not verifier then return row.challenge == verifier end
	if #verifier < 43 or #verifier > 128 or verifier:find("[^%w%-%._~]") then return false end
	return crypto.equal(base64.url_encode(crypto.sha256(verifier)), row.challenge)
end

-- S18: a code that went to no registered address byte for byte needs the same redirect_uri, or its verifier.
local function returned(row, form, application)
	if form.redirect_uri then return form.redirect_uri == row.redirect_uri end
	return row.challenge ~= nil or redirects.registered(application, row.redirect_uri)
		or redirects.of_program(application, row.redirect_uri)
end

-- What must hold before the code is touched: GitHub's error, or nil.
local function mismatch(row, form, application)
	if row.application_id ~= application.id or not verified(row, form.code_verifier) then return "bad_verification_code" end
	return not returned(row, form, application) and "redirect_uri_mismatch" or nil
end

-- Strangers can have the event as often as they like: its repetitions are counted.
local function refuse(req, application, code, why)
	events.tally { kind = "github_grant_refused", application = application, req = req, reason = why and code .. ": " .. why or code }
	err.raise(code)
end

local function by_code(req, form, application, secrets)
	local row = codes.look(form.code, "github")
	local wrong = not parameters.proven(req, application, secrets) and "incorrect_client_credentials"
		or row and mismatch(row, form, application)
	if wrong and row then codes.fail(row, wrong, req) end
	if not row or wrong then refuse(req, application, wrong or "bad_verification_code", not row and "there is no such code" or nil) end
	task.detach()
	local issued, statements = github_tokens.issue { application = application, user = row.user, scopes = row.scopes, login = row.login,
		grant_id = row.grant_id, req = req }
	-- Of a used code this ends what it opened.
	err.need(codes.redeem(row, statements, req), "bad_verification_code")
	return answer(req, issued, row.scopes)
end

-- The client needs no secret: who holds the device_code is the device (RFC 8628 3.4).
local function by_device(req, form, application)
	err.need(application.github.device_flow, "device_flow_disabled")
	local row, state, _, interval = devices.poll(form.device_code or "", application, "github")
	if not row then
		err.raise(state == "invalid_grant" and "incorrect_device_code" or state, nil, { status = 200, interval = interval })
	end
	task.detach()
	local issued, statements = github_tokens.issue { application = application, user = row.user, scopes = row.scopes, login = row.login,
		grant_id = row.grant_id, req = req }
	err.need(devices.redeem(row, statements), "incorrect_device_code")
	return answer(req, issued, row.scopes)
end

-- Only of applications whose tokens expire (github.expiring). Nothing is looked at before the client has proven itself: what comes
-- again ends the grant (S7).
local function by_refresh(req, form, application, secrets)
	if not parameters.proven(req, application, secrets) then err.raise("incorrect_client_credentials") end
	local issued, found = github_refresh.refresh(form.refresh_token or "", application, req)
	if not issued then refuse(req, application, "bad_refresh_token", found) end
	return answer(req, issued, found)
end

-- The same for `tidelock try github` (command/rehearsal_token), of a code and a secret that nobody has: row = { code, application_id,
-- redirect_uri, challenge, scopes }, issued as of github_tokens.issue.
function access_token.rehearse(req, row, secret, issued)
	local application, form, secrets = parameters.read(req)
	local proven = application.client_type == "public"
	for index = 1, 3 do proven = proven or secrets[index] == secret end
	err.need(proven, "incorrect_client_credentials")
	local wrong = form.code ~= row.code and "bad_verification_code" or mismatch(row, form, application)
	if wrong then err.raise(wrong) end
	return answer(req, issued, row.scopes)
end

local grants = { authorization_code = by_code, refresh_token = by_refresh, [devices.GRANT] = by_device }

function access_token.POST(req)
	local application, form, secrets = parameters.read(req)
	local run = err.need(grants[form.grant_type or "authorization_code"], "unsupported_grant_type")
	return run(req, form, application, secrets)
end

-- Some versions of ScribeJava (SonarQube) send it so. Without a body there is something only where the URL may say it (query_secret).
access_token.GET = access_token.POST

return access_token
