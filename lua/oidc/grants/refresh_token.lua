-- oidc/grants/refresh_token.lua: a refresh token becomes new tokens (RFC 6749 6, S7).
local claims    = require "auth/claims"
local err       = require "kit/err"
local grants    = require "store/grants"
local policies  = require "auth/policies"
local resources = require "oidc/resources"
local scope     = require "kit/scope"
local tokens    = require "auth/tokens"

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

-- S7: the person may have lost since what the policies ask for. The scopes that are left, and of the claims parameter what they
-- reach for.
local function permitted(line, scopes, application, req)
	local requested = line.grant.claims_parameter
	local asked = scope.union(scope.union(scopes, requested and requested.scopes or {}), claims.always(application))
	local left = policies.require {
		user = line.user, application = application, scopes = asked,
		grant_type = "refresh_token", login = line.grant.login, session_id = line.grant.session_id, req = req,
	}
	return scope.intersect(scopes, left), policies.claims(requested, asked, left)
end

return function(req, form, application)
	err.need(form.refresh_token, "invalid_request", "The parameter refresh_token is missing.")
	local line = form.refresh_token:find("^tlr_") and tokens.refresh(form.refresh_token, application, req)
	err.need(line, "invalid_grant", "The refresh token is unknown, expired or has been revoked.")
	local named = resources.at_token(form, line.grant.resources, application)
	local scopes, requested = permitted(line, narrowed(line, form.scope, application), application, req)
	task.detach()
	local answer, statements = tokens.issue {
		application = application, user = line.user, grant = line.grant, refresh = line, scopes = scopes, req = req, resources = named,
		id_token_claims = claims.for_id_token {
			user = line.user, application = application, scopes = scopes, grant_type = "refresh_token", login = line.grant.login,
			session_id = line.grant.session_id, req = req, requested = requested,
		},
	}
	-- Userinfo reads what the grant says.
	if requested ~= line.grant.claims_parameter then
		statements[#statements + 1] = grants.claims_parameter_statement(line.grant.id, requested)
	end
	local ok = tokens.rotate(line, statements, req)
	err.need(ok, "invalid_grant", "The refresh token can no longer be used.")
	return answer
end
