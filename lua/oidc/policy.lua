-- oidc/policy.lua: what the application's policies say to an authorization request: asked when the person is known and before
-- consent, and again each time the request goes on.
local answer   = require "oidc/answer"
local conversions = require "auth/conversions"
local events   = require "auth/events"
local policies = require "auth/policies"
local scope    = require "kit/scope"
local transaction = require "auth/transaction"

local policy = {}

local PATH = "/application/o/authorize/"

function policy.asked(application)
	return application.conversion_rules ~= nil or (application.policies ~= nil and #application.policies > 0)
end

-- What such a response type is called in authentik's policies.
local function grant_type(response_type)
	if response_type == "code" then return "authorization_code" end
	return response_type:find("%f[%w]code%f[%W]") and "hybrid" or "implicit"
end

-- The decision (auth/policies) over all that the person would be asked to agree to.
function policy.decide(req, context, t, current)
	local params = t.params
	local response_type = params.response_type or "code"
	local decision = policies.decide {
		user = current.user, application = context.application, scopes = params.consent_scopes, grant_type = grant_type(response_type),
		req = req, login = current.login, session_id = current.id,
		context = {
			oauth_code_challenge = params.challenge, oauth_code_challenge_method = params.method, oauth_max_age = t.max_age,
			oauth_redirect_uri = params.redirect_uri, oauth_response_type = response_type,
		},
	}
	-- Without openid there is no ID token, and the client asked for one here.
	if decision.allowed and response_type:find("id_token", 1, true) and not scope.has(decision.scopes, "openid") then
		decision.allowed = false
		events.add {
			kind = "access_refused", user = current.user, application = context.application, session = current.id, req = req,
			reason = "the policies take openid away, and the response type needs it", merge = true,
		}
	end
	return decision
end

-- Would the cloud behind the application take the person, with these scopes? { allowed, message }.
function policy.converts(req, context, t, current, scopes)
	local narrowed = policies.claims(t.params.claims, t.params.consent_scopes, scopes)
	return conversions.decide {
		user = current.user, application = context.application, scopes = scope.intersect(t.params.scopes, scopes),
		grant_type = grant_type(t.params.response_type or "code"), login = current.login, session_id = current.id, req = req,
		requested = narrowed, alone = t.params.response_type == "id_token",
	}
end

-- The request with what the policies left of it (S20).
function policy.narrow(t, left)
	local params = t.params
	params.scopes, params.claims = scope.intersect(params.scopes, left), policies.claims(params.claims, params.consent_scopes, left)
	return t
end

-- Who asked for no pages is told at once.
function policy.refuse(req, context, t, decision)
	if scope.has(t.prompt or {}, "none") then answer.fail(context, "access_denied", policies.description(decision)) end
	return transaction.refused(req, t, context.application, decision, PATH)
end

return policy
