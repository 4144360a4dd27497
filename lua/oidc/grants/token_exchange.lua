-- oidc/grants/token_exchange.lua: RFC 8693: an application gets, for a person whose access token it has, one for another
-- application that lists it in `federated`; or of an ID token of a source one for itself (oidc/grants/source_token). Off unless listed, for
-- confidential clients only, never a refresh token.
local clients = require "auth/clients"
local derived = require "oidc/grants/derived"
local err     = require "kit/err"
local policies = require "auth/policies"
local users   = require "store/users"

local exchange = {}

local ACCESS = "urn:ietf:params:oauth:token-type:access_token"
local JWT = "urn:ietf:params:oauth:token-type:jwt"
local ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
local TYPES = { [ACCESS] = true, [JWT] = true }

exchange.FORM = {
	subject_token = { max = 16384 }, subject_token_type = { max = 200 }, actor_token = { max = 16384 },
	actor_token_type = { max = 200 }, requested_token_type = { max = 200 }, audience = { max = 200 },
}

-- A token of the request with its type: live, or RFC 8693 2.2.2's invalid_request whatever is wrong with it.
local function token_of(form, name, application)
	local text, type = form[name .. "_token"], form[name .. "_token_type"]
	err.need(text, "invalid_request", ("The parameter %s_token is missing."):format(name))
	err.need(type, "invalid_request", ("The parameter %s_token_type is missing."):format(name))
	err.need(TYPES[type], "invalid_request", ("This %s_token_type is not supported."):format(name))
	local live = (type ~= JWT or not text:find("^tla_")) and derived.live(text, application)
	return err.need(live, "invalid_request", ("The %s_token is no live access token that this client may use."):format(name))
end

-- Whom the new token is for: the client itself, or one application that trusts it.
local function target_of(form, application)
	if form.resource then err.raise("invalid_target", "The parameter resource is not supported here; name an audience.") end
	if not form.audience then return application end
	local target = clients.find(form.audience)
	return err.need(target and derived.trusts(target, application) and target, "invalid_target",
		"The audience is no application that accepts tokens from this client.")
end

local function check_requested(form, target)
	local wanted = form.requested_token_type or ACCESS
	if not TYPES[wanted] or (wanted == JWT and target.access_token == "opaque") then
		err.raise("invalid_request", "This requested_token_type is not supported.")
	end
	return wanted
end

-- The one who acts: of an actor token, or the client itself. Whoever acts must be let in by the target's policy too.
local function actor_of(req, form, application, target)
	if not form.actor_token and not form.actor_token_type then
		return { sub = application.client_id, client_id = application.client_id }
	end
	local actor = token_of(form, "actor", application)
	local decision = policies.decide { user = actor.user, application = target, scopes = {}, grant_type = form.grant_type, req = req,
		login = actor.login, context = { oauth_jwt = actor.claims } }
	err.need(decision.allowed, "invalid_target", policies.description(decision))
	return { sub = users.subject(actor.user, target), client_id = actor.client_id }, actor.claims.exp - time.now()
end

function exchange.run(req, form, application)
	if application.client_type == "public" then
		err.raise("unauthorized_client", "Who exchanges tokens has to authenticate.")
	end
	if form.subject_token_type == ID_TOKEN and form.subject_token then
		local issued = check_requested(form, application)
		local answer = require("oidc/grants/source_token").answer(req, form, application)
		answer.issued_token_type = issued
		return answer
	end
	local live = token_of(form, "subject", application)
	local target = target_of(form, application)
	local issued = check_requested(form, target)
	local actor, lifetime = actor_of(req, form, application, target)
	local act = err.need(derived.act(actor, live), "invalid_request", "Too many actors stand between.")
	local answer = derived.answer(req, form, { application = target, live = live, act = act, lifetime = lifetime, id_token = false,
		refusal = "invalid_target" })
	answer.issued_token_type = issued
	return answer
end

return exchange
