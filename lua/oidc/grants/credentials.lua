-- oidc/grants/credentials.lua: who speaks at client_credentials and password, in authentik's variants:
--
--   federated     an access token of an application that this one lists in `federated`, as client_assertion or client_secret
--   machine       a token that a program got from a source that the application names, as client_assertion (oidc/grants/machine)
--   app_password  username and password, or base64 of username:password in the place of the client's secret
--   service       the client's own secret (or signed assertion): its service account
--
-- authentik looks at no secret but the first that fits. Here a request may do without the client's own proof only where the
-- secret that it does bring is a token or an app password, and the application has not registered how it authenticates; a
-- client secret that comes along has to be right.
local clients  = require "auth/clients"
local err      = require "kit/err"
local keys     = require "auth/keys"
local policies = require "auth/policies"
local claims   = require "auth/claims"
local events   = require "auth/events"
local person_tokens = require "auth/person_tokens"
local resources = require "oidc/resources"
local scope    = require "kit/scope"
local tokens   = require "auth/tokens"

local credentials = {}

credentials.FORM = { username = { max = 300 }, password = { max = 1000, keep_empty = true } }

local JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

-- Is this a token of ours, good or not? A client's own assertion (RFC 7523) comes with the same type, but is signed by the client.
local function is_ours(text)
	if text:find("^tla_") then return true end
	local parsed = jws.parse(text)
	local header = parsed and parsed.header or {}
	return header.typ == "at+jwt" or type(header.kid) == "string" and keys.by_kid(header.kid) ~= nil
end

-- The token that stands for a client assertion, and the field it came in; or nil.
local function token_of(form)
	if form.client_assertion_type ~= JWT_BEARER then return nil end
	local field = (form.client_assertion or "") ~= "" and "client_assertion" or "client_secret"
	local text = form[field]
	if text and is_ours(text) then return text, field end
end

-- The token of a source, where the application takes programs from one: what the client makes itself (RFC 7523) is issued by its own name.
local function of_source(form)
	local text = form.client_assertion_type == JWT_BEARER and form.client_assertion
	local application = text and form.client_id and clients.find(form.client_id)
	if not application then return nil end
	local machine = require "sources/machine"
	local _, said = machine.peek(text)
	if said and said.iss ~= application.client_id and #machine.sources(application) > 0 then return text end
end

-- username and app password out of a client secret, or nil: what they begin with says that they are none.
local function pair_of(secret)
	local pair = secret and base64.decode(secret)
	if pair then return pair:match("^([^:]+):(tlp_[%w_%-]+)$") end
end

-- The form without what speaks for itself, so that the rest can be asked who the client is.
local function without(form, names)
	local out = {}
	for name, value in pairs(form) do
		if not names[name] then out[name] = value end
	end
	return out
end

-- May the request go on without the client's own proof? Then what it brought instead is judged by the grant.
local function stands_in(application, given)
	return application.client_type == "confidential" and not application.token_endpoint_auth_method and given.method == "none"
end

-- The application that asks, and who speaks: { kind, token } or { kind, username, password }. Raises as clients.authenticate.
local function authenticate(req, form)
	local token, field = token_of(form)
	local foreign = not token and of_source(form)
	local rest, speaker = form, { kind = "service" }
	if token then
		rest = without(form, { client_assertion_type = true, client_assertion = true, [field] = true })
		speaker = { kind = "federated", token = token }
	elseif foreign then
		rest = without(form, { client_assertion_type = true, client_assertion = true })
		speaker = { kind = "machine", token = foreign }
	elseif form.username then
		speaker = { kind = "app_password", username = form.username, password = form.password }
	end
	local application, given = clients.named(req, rest)
	local username, password = pair_of(given.client_secret)
	if speaker.kind == "service" and username then
		speaker = { kind = "app_password", username = username, password = password }
		given = stands_in(application, { method = "none" }) and { method = "none", client_id = given.client_id } or given
	end
	if speaker.kind == "service" or not stands_in(application, given) then clients.prove(req, application, given) end
	return application, speaker
end

-- For oidc/token: keeps the speaker for the grant.
function credentials.authenticate(req, form)
	local application
	application, form.speaker = authenticate(req, form)
	return application
end

-- Who brought an app password: the grant of client and password, its user, and when the password ends. One answer for everything
-- that is wrong: whether there is such a person is nobody's business.
function credentials.person(req, application, speaker)
	local token = speaker.password and person_tokens.app_password(req, speaker.username, speaker.password)
	local grant, user
	if token then grant, user = person_tokens.grant(token, application) end
	err.need(grant, "invalid_grant", "The username or the app password is wrong, or no longer good.")
	return grant, user, token.expires_at
end

-- S20: none asked = none, what the application does not have falls away (CVE-2024-52287). `most`: no more than these.
function credentials.scopes(form, application, most)
	local asked, why = scope.parse(form.scope)
	err.need(asked, "invalid_scope", why)
	local out = {}
	for _, name in ipairs(scope.intersect(asked, application.scopes)) do
		-- There is never a refresh token.
		if name ~= "offline_access" and (not most or scope.has(most, name)) then out[#out + 1] = name end
	end
	return out
end

-- For a context of auth/claims; without scopes no script is asked.
function credentials.claims(context)
	return #context.scopes > 0 and claims.for_id_token(context) or {}
end

-- Tokens of a grant that stands: nothing of it is written but the event, the first of a minute, before the answer.
function credentials.answer(req, form, application, speaking)
	local user, grant_type = speaking.user, form.grant_type
	local scopes, requested = policies.permitted { user = user, application = application, grant_type = grant_type, req = req,
		scopes = credentials.scopes(form, application), context = speaking.context }
	if not scopes then err.raise("invalid_grant", policies.description(requested)) end
	local lifetime = application.access_token_lifetime or 600
	if speaking.expires_at then lifetime = math.min(lifetime, speaking.expires_at - time.now()) end
	local answer = tokens.issue {
		application = application, user = user, grant = speaking.grant, scopes = scopes, req = req, lifetime = lifetime,
		quiet = true, resources = resources.at_token(form, nil, application),
		id_token_claims = credentials.claims { user = user, application = application, scopes = scopes, grant_type = grant_type,
			req = req, requested = requested },
	}
	events.tally { kind = "token_issued", user = user, application = application, req = req, reason = answer.scope }
	return answer
end

return credentials
