-- oidc/authorization_response.lua: what a client is handed at its redirect URI: a code, and from the front channel an access token
-- and an ID token (OpenID Connect Core 3.1.2.5, 3.2.2.5, 3.3.2.5). All of it is made first and written in one batch.
local claims        = require "auth/claims"
local codes         = require "auth/codes"
local err           = require "kit/err"
local events        = require "auth/events"
local response_type = require "oidc/response_type"
local rows          = require "store/rows"
local tokens        = require "auth/tokens"

local authorization_response = {}

-- Clouds that take the ID token from the browser refuse it when it is longer than a header of theirs.
local LARGE = 2300

local function code_for(given)
	local params, current = given.params, given.session
	return codes.make {
		application = given.application, user = current.user, session = current, redirect_uri = params.redirect_uri,
		redirect_uri_sent = true, challenge = params.challenge, method = params.method, nonce = params.nonce,
		scopes = params.scopes, claims_parameter = params.claims, resources = params.resources,
	}
end

-- A grant of its own, bound to the session, also for an ID token alone: it is how a sign-out knows whom to tell.
local function front_channel(given, kind, code)
	local application, params, current = given.application, given.params, given.session
	return tokens.issue {
		application = application, user = current.user, scopes = params.scopes, nonce = params.nonce, req = given.req,
		new = { login = current.login, session_id = current.id, sid = current.sid, claims_parameter = params.claims,
			resources = params.resources },
		resources = params.resources, code_text = code, access_token = kind.token or false, id_token = kind.id_token or false,
		id_token_claims = claims.for_id_token {
			user = current.user, application = application, scopes = params.scopes, login = current.login,
			grant_type = kind.code and "hybrid" or "implicit", session_id = current.id, req = given.req,
			requested = params.claims, alone = not kind.code and not kind.token,
		},
	}
end

local function large(given, id_token)
	return events.statement {
		kind = "id_token_large", user = given.session.user, application = given.application, session = given.session.id,
		req = given.req, merge = true,
		reason = ("the ID token has %d characters; above %d some clouds refuse it"):format(#id_token, LARGE),
	}
end

-- given: application, session, params (oidc/request), req. Returns the list for answer.send; raises when the session has ended.
function authorization_response.make(given)
	local kind = response_type.read(given.params.response_type)
	local statements, list, code = {}, {}, nil
	if kind.code then code, statements[1] = code_for(given) end
	if kind.front then
		local made, further = front_channel(given, kind, code)
		table.move(further, 1, #further, #statements + 1, statements)
		list = {
			{ "access_token", made.access_token }, { "token_type", made.token_type }, { "expires_in", made.expires_in },
			{ "scope", made.access_token and made.scope }, { "id_token", made.id_token },
		}
		if made.id_token and #made.id_token > LARGE then statements[#statements + 1] = large(given, made.id_token) end
	end
	list[#list + 1] = { "code", code }
	err.need(rows.batch(statements), "expired_request", "Your session ended meanwhile.", { status = 400 })
	return list
end

return authorization_response
