-- oidc/grants/authorization_code.lua: a code becomes tokens (RFC 6749 4.1.3, RFC 7636 4.6). Nothing is written before everything has
-- been checked, mapped and signed (S6).
local codes     = require "auth/codes"
local claims    = require "auth/claims"
local err       = require "kit/err"
local resources = require "oidc/resources"
local tokens    = require "auth/tokens"

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

return function(req, form, application)
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
	local named = resources.at_token(form, row.resources, application)
	task.detach()
	local answer, statements = tokens.issue {
		application = application, user = row.user, code = row, scopes = row.scopes, nonce = row.nonce, req = req, resources = named,
		id_token_claims = claims.for_id_token {
			user = row.user, application = application, scopes = row.scopes, grant_type = "authorization_code", login = row.login,
			session_id = row.session_id, req = req, requested = row.claims_parameter,
		},
	}
	local ok = codes.redeem(row, statements, req)
	err.need(ok, "invalid_grant", "The code can no longer be used.")
	return answer
end
