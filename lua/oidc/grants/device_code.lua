-- oidc/grants/device_code.lua: a device polls for the person's answer (RFC 8628 3.4); the scope is the one that was agreed to,
-- whatever is sent now. The grant is not bound to the session of the browser that approved (S5).
local claims    = require "auth/claims"
local devices   = require "auth/devices"
local err       = require "kit/err"
local resources = require "oidc/resources"
local scope     = require "kit/scope"
local tokens    = require "auth/tokens"

return function(req, form, application)
	err.need(form.device_code, "invalid_request", "The parameter device_code is missing.")
	local row, code, why = devices.poll(form.device_code, application)
	-- RFC 8628 3.5: an error response of RFC 6749 5.2, so 400 for all of them.
	err.need(row, code, why, { status = 400 })
	-- What the application has lost since is not granted.
	local scopes = scope.intersect(row.scopes, application.scopes)
	local named = resources.at_token(form, row.resources, application)
	task.detach()
	local answer, statements = tokens.issue {
		application = application, user = row.user, scopes = scopes, req = req, resources = named,
		new = { id = row.grant_id, login = row.login, lasts = true, resources = row.resources,
			claims_parameter = row.claims_parameter },
		id_token_claims = claims.for_id_token {
			user = row.user, application = application, scopes = scopes, grant_type = devices.GRANT, login = row.login, req = req,
			requested = row.claims_parameter,
		},
	}
	err.need(devices.redeem(row, statements), "invalid_grant", "The device_code can no longer be used.")
	return answer
end
