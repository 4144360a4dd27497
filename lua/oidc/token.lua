-- oidc/token.lua: the token endpoint (RFC 6749 3.2). One function a grant type; what they share is that nothing is written
-- before everything has been checked, mapped and signed (S6, S7).
local check   = require "kit/check"
local claims  = require "auth/claims"
local clients = require "auth/clients"
local codes   = require "auth/codes"
local cors    = require "oidc/cors"
local err     = require "kit/err"
local reply   = require "kit/reply"
local scope   = require "kit/scope"
local tokens  = require "auth/tokens"

local token = { kind = "oauth", cors = true }

local schema = {
	grant_type = { max = 200, required = true },
	code = { max = 200 },
	redirect_uri = { max = 2000 },
	code_verifier = { max = 1000, keep_empty = true },
	refresh_token = { max = 1000 },
	scope = { max = 2000 },
}
for name, rule in pairs(clients.FORM) do schema[name] = rule end

local function claims_of(req, application, grant_type, of)
	return claims.for_id_token {
		user = of.user, application = application, scopes = of.scopes, grant_type = grant_type, login = of.login,
		session_id = of.session_id, req = req, requested = of.requested,
	}
end

-- Does the verifier belong to the challenge (RFC 7636 4.6)? Neither may come without the other, or a code stolen before
-- its challenge was stored could be used (security-cases 5). Returns true, or false and what is wrong.
local function verified(row, verifier)
	if not row.challenge then
		return verifier == nil, "There is a code_verifier, but the authorization had no code_challenge."
	end
	if not verifier then return false, "The parameter code_verifier is missing." end
	if #verifier < 43 or #verifier > 128 or verifier:find("[^%w%-%._~]") then
		return false, "The code_verifier is malformed."
	end
	local made = row.method == "S256" and base64.url_encode(crypto.sha256(verifier)) or verifier
	return crypto.equal(made, row.challenge), "The code_verifier does not belong to the code_challenge."
end

-- RFC 6749 4.1.3: what must hold before the code is touched.
local function mismatch(row, form, application)
	if row.application_id ~= application.id then return "The code was issued to another client." end
	if form.redirect_uri ~= row.redirect_uri then return "The redirect_uri is not the one of the authorization request." end
	local ok, why = verified(row, form.code_verifier)
	return not ok and why or nil
end

local function authorization_code(req, form, application)
	err.need(form.code, "invalid_request", "The parameter code is missing.")
	-- S1: another kind of secret is refused before any look-up.
	local row = form.code:find("^tlc_") and codes.look(form.code)
	err.need(row, "invalid_grant", "The code is unknown or has expired.")
	local why = mismatch(row, form, application)
	if why then
		codes.fail(row, why, req)
		err.raise("invalid_grant", why)
	end
	if row.used_at then
		codes.redeem(row, {}, req) -- a second valid redemption: ends the grant (S6)
		err.raise("invalid_grant", "The code has been used already.")
	end
	task.detach()
	local answer, statements = tokens.issue {
		application = application, user = row.user, code = row, scopes = row.scopes, nonce = row.nonce, req = req,
		id_token_claims = claims_of(req, application, "authorization_code", {
			user = row.user, scopes = row.scopes, login = row.login, session_id = row.session_id, requested = row.claims_parameter,
		}),
	}
	local ok = codes.redeem(row, statements, req)
	err.need(ok, "invalid_grant", "The code can no longer be used.")
	return answer
end

-- RFC 6749 6: the same or fewer. What the application has lost since is not granted again.
local function narrowed(line, text, application)
	local now = scope.intersect(line.scopes, application.scopes)
	if not text then return now end
	local asked, why = scope.parse(text)
	err.need(asked, "invalid_scope", why)
	if not scope.contains_all(now, asked) then
		err.raise("invalid_scope", "The scope is more than what was granted.")
	end
	return asked
end

local function refresh_token(req, form, application)
	err.need(form.refresh_token, "invalid_request", "The parameter refresh_token is missing.")
	local line = form.refresh_token:find("^tlr_") and tokens.refresh(form.refresh_token, application, req)
	err.need(line, "invalid_grant", "The refresh token is unknown, expired or has been revoked.")
	local scopes = narrowed(line, form.scope, application)
	task.detach()
	local answer, statements = tokens.issue {
		application = application, user = line.user, grant = line.grant, refresh = line, scopes = scopes, req = req,
		id_token_claims = claims_of(req, application, "refresh_token", {
			user = line.user, scopes = scopes, login = line.grant.login, session_id = line.grant.session_id,
			requested = line.grant.claims_parameter,
		}),
	}
	local ok = tokens.rotate(line, statements, req)
	err.need(ok, "invalid_grant", "The refresh token can no longer be used.")
	return answer
end

local grants = { authorization_code = authorization_code, refresh_token = refresh_token }

function token.POST(req)
	local form = check.form(req, schema)
	local run = err.need(grants[form.grant_type], "unsupported_grant_type", "This grant type is not supported.")
	local application = clients.authenticate(req, form)
	req.application = application
	if not scope.has(application.grant_types, form.grant_type) then
		err.raise("unauthorized_client", "The application may not use this grant type.")
	end
	return reply.json(run(req, form, application), 200, { pragma = "no-cache" })
end

function token.OPTIONS(req) return cors.preflight(req, "POST, OPTIONS") end

return token
