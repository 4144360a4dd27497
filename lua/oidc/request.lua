-- oidc/request.lua: reads an authorization request (RFC 6749 4.1.1, RFC 7636 4.3, OpenID Connect Core 3.1.2.1). Who is
-- answered, and where, is settled first and on an error page; everything after that is answered at the redirect URI.
local answer           = require "oidc/answer"
local claims           = require "auth/claims"
local claims_parameter = require "oidc/claims_parameter"
local clients          = require "auth/clients"
local err              = require "kit/err"
local resources        = require "oidc/resources"
local response_type    = require "oidc/response_type"
local scope            = require "kit/scope"
local scopes           = require "oidc/scopes"
local tokens           = require "auth/tokens"
local urls             = require "kit/urls"

local request = {}

local limits = {
	response_type = 100, response_mode = 100, scope = 2000, state = 2000, nonce = 1000, prompt = 100, max_age = 20,
	code_challenge = 1000, code_challenge_method = 20, id_token_hint = 8192, login_hint = 320, claims = 3000, acr_values = 1000,
}

local known_prompts = { none = true, login = true, consent = true, select_account = true }

-- The application and redirect URI of the parameters. Errors here are a page with 400, never a redirect (RFC 6749 3.1.2.4).
local function addressed(map, duplicated)
	local function refuse(title, text)
		err.raise("invalid_request", text, { status = 400, title = title })
	end
	if duplicated.client_id or duplicated.redirect_uri then
		refuse("This request is not right", "The application's request names itself or its address twice.")
	end
	local client_id = map.client_id
	if not client_id or client_id == "" or #client_id > 200 then
		refuse("Unknown application", "The request does not say which application it comes from (client_id).")
	end
	local application = clients.find(client_id)
	if not application then
		refuse("Unknown application", "No application with this client_id is known here.")
	end
	local redirect_uri = map.redirect_uri
	if not redirect_uri or redirect_uri == "" then
		refuse("No return address", "The request has no redirect_uri.")
	end
	if #redirect_uri > 2000 or not urls.redirect_allowed(application, redirect_uri) then
		refuse("Unknown return address",
			"The redirect_uri of this request is not one that the application has registered. It must match exactly.")
	end
	return application, redirect_uri
end

local function single(context, map, duplicated)
	for name, max in pairs(limits) do
		if duplicated[name] then
			answer.fail(context, "invalid_request", "The parameter " .. name .. " came more than once.")
		end
		if map[name] and #map[name] > max then
			answer.fail(context, "invalid_request", "The parameter " .. name .. " is too long.")
		end
	end
end

-- An empty value counts as absent (RFC 6749 3.1).
local function given(map, name)
	local value = map[name]
	if value ~= "" then return value end
end

-- What is handed out (oidc/response_type): the application's list of response types decides; a code needs its grant type too.
local function kind_of(context, map, problem)
	local text = given(map, "response_type")
	if not text then answer.fail(context, "invalid_request", "The parameter response_type is missing.") end
	local kind = response_type.read(text)
	if not kind or not scope.has(context.application.response_types, kind.name) then
		answer.fail(context, "unsupported_response_type", "The application does not use this response type.")
	end
	if kind.code and not scope.has(context.application.grant_types, "authorization_code") then
		answer.fail(context, "unauthorized_client", "The application may not use authorization codes.")
	end
	if problem then answer.fail(context, "invalid_request", problem) end
	return kind
end

-- OpenID Connect Core 3.1.2.6: never ignored, since they may carry what the client relies on.
local function objects(context, map)
	if map.request then answer.fail(context, "request_not_supported", "Request objects are not supported.") end
	if map.request_uri then answer.fail(context, "request_uri_not_supported", "Request objects are not supported.") end
	if map.registration then answer.fail(context, "registration_not_supported", "The parameter registration is not supported.") end
end

-- RFC 7636. Without a method the challenge is plain (4.3). Where no code is issued there is nothing to prove.
local function pkce(context, map, kind)
	if not kind.code then return nil end
	local application = context.application
	local challenge, method = given(map, "code_challenge"), given(map, "code_challenge_method")
	if not challenge then
		if method then answer.fail(context, "invalid_request", "There is a code_challenge_method without a code_challenge.") end
		if application.pkce == "required" or application.client_type == "public" then
			answer.fail(context, "invalid_request", "PKCE is required: the parameter code_challenge is missing.")
		end
		return nil
	end
	method = method or "plain"
	if not scope.has(application.pkce_methods, method) then
		answer.fail(context, "invalid_request", "The code_challenge_method is not allowed; use S256.")
	end
	if #challenge < 43 or #challenge > 128 or challenge:find("[^%w%-%._~]") or (method == "S256" and #challenge ~= 43) then
		answer.fail(context, "invalid_request", "The code_challenge is malformed.")
	end
	return challenge, method
end

-- What is granted (S20). An ID token is of OpenID Connect, and without a code nothing could be refreshed.
local function granted(context, map, kind)
	local list, why = scopes.asked(given(map, "scope"), context.application)
	if not list then answer.fail(context, "invalid_scope", why) end
	if kind.id_token and not scope.has(list, "openid") then
		answer.fail(context, "invalid_scope", "An ID token needs the scope openid.")
	end
	return kind.code and list or scope.without(list, "offline_access")
end

-- Core 3.2.2.1, 3.3.2.11: it ties an ID token that passes through the browser to the request.
local function nonce(context, map, kind)
	local text = given(map, "nonce")
	if kind.id_token and not text then
		answer.fail(context, "invalid_request", "The parameter nonce is missing; this response type needs it.")
	end
	return text
end

-- RFC 8707 2.1: the one parameter that may come more than once.
local function resources_asked(context, fields)
	local values = {}
	for _, field in ipairs(fields) do
		if field[1] == "resource" and field[2] ~= "" then values[#values + 1] = field[2] end
	end
	local list, why = resources.asked(values, context.application)
	if list == false then answer.fail(context, "invalid_target", why) end
	return list
end

-- The values of a prompt text; those that nobody knows are ignored, as Core 3.1.2.1 allows.
local function prompts(context, map)
	local list = {}
	for word in (map.prompt or ""):gmatch("%S+") do
		if known_prompts[word] and not scope.has(list, word) then list[#list + 1] = word end
	end
	if #list > 1 and scope.has(list, "none") then answer.fail(context, "invalid_request", "prompt=none stands alone.") end
	return list
end

local function max_age(context, map)
	local text = given(map, "max_age")
	if not text then return nil end
	if not text:find("^%d%d?%d?%d?%d?%d?%d?%d?%d?%d?$") then
		answer.fail(context, "invalid_request", "max_age is not a number of seconds.")
	end
	return math.tointeger(tonumber(text))
end

-- The subject of an ID token that we gave this client, expired or not.
local function hinted(context, map)
	local text = given(map, "id_token_hint")
	if not text then return nil end
	local token = tokens.id_token_hint(text, context.application)
	if not token then answer.fail(context, "invalid_request", "The id_token_hint is not an ID token of ours for this client.") end
	return token.sub
end

local function claims_asked(context, map)
	local text = given(map, "claims")
	if not text then return nil end
	local selected, why = claims_parameter.read(text, context.application, "goauthentik.io/providers/oauth2/default")
	if not selected then answer.fail(context, "invalid_request", why) end
	if selected.unmet_acr then
		answer.fail(context, "unmet_authentication_requirements", "The essential acr cannot be reached.")
	end
	return selected
end

-- Reads the parsed parameters (`fields`: all of them, in order). Returns the context for oidc/answer and what transaction.new takes:
-- { client_id, prompt = list, max_age, hint_subject, login_hint, params = { response_type, redirect_uri, response_mode, state, scopes,
-- nonce, challenge, method, resources, claims = see oidc/claims_parameter, consent_scopes = what the person is asked to agree to } }.
function request.read(map, duplicated, fields)
	local application, redirect_uri = addressed(map, duplicated)
	local mode, problem = response_type.mode(given(map, "response_mode"), given(map, "response_type"), redirect_uri)
	local context = {
		application = application, redirect_uri = redirect_uri, response_mode = mode, state = not duplicated.state and map.state or nil,
	}
	single(context, map, duplicated)
	local kind = kind_of(context, map, problem)
	objects(context, map)
	local list = granted(context, map, kind)
	local challenge, method = pkce(context, map, kind)
	local asked = claims_asked(context, map)
	return context, {
		client_id = application.client_id, prompt = prompts(context, map), max_age = max_age(context, map),
		hint_subject = hinted(context, map), login_hint = given(map, "login_hint"),
		params = {
			response_type = kind.name, redirect_uri = redirect_uri, response_mode = mode, state = context.state, scopes = list,
			nonce = nonce(context, map, kind), challenge = challenge, method = method, claims = asked,
			resources = resources_asked(context, fields),
			consent_scopes = scope.union(scope.union(list, asked and asked.scopes or {}), claims.always(application)),
		},
	}
end

return request
