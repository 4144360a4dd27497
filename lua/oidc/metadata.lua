-- oidc/metadata.lua: what an issuer says of itself (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2). Only what is true is
-- announced. An issuer is one application or, as the global one, all that share it: a list of them either way.
local assertions = require "auth/assertions"
local clients    = require "auth/clients"
local conf       = require "kit/conf"
local devices    = require "auth/devices"
local mapping    = require "mapping/scopes"
local scope      = require "kit/scope"
local token      = require "oidc/token"

local metadata = {}

-- What the provider itself says, in every ID token that has a reason for it.
local own_claims = { "sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "sid", "at_hash", "c_hash", "azp", "jti" }

-- All that `read` finds in the applications, without repetition.
local function united(list, read)
	local out = {}
	for _, application in ipairs(list) do out = scope.union(out, read(application)) end
	return out
end

local function setting(name)
	return function(application) return application[name] or {} end
end

local function claims_supported(list)
	return scope.union(own_claims, united(list, function(application)
		local _, names = mapping.claim_names(application)
		return names
	end))
end

local function scopes_supported(list)
	local names = united(list, setting "scopes")
	return scope.has(names, "openid") and names or { "openid", table.unpack(names) }
end

-- RS256 is always there, as Discovery asks; the application's own comes first.
local function signing_algs(list)
	return scope.union(united(list, function(application) return { application.signing_alg or "RS256" } end), { "RS256" })
end

-- The token endpoint's that some application may use. A code needs a response type that hands it out; `implicit` is how the other
-- ones are called here.
local function grant_types(list, response_types)
	local codes, front = false, false
	for _, kind in ipairs(response_types) do
		codes = codes or kind:find("code", 1, true) ~= nil
		front = front or kind ~= "code"
	end
	local out = scope.intersect(token.grant_types, united(list, setting "grant_types"))
	if not codes then out = scope.without(out, "authorization_code") end
	return front and scope.union(out, { "implicit" }) or out
end

local function all(list, holds)
	for _, application in ipairs(list) do
		if not holds(application) then return false end
	end
	return true
end

local client_algs = { "HS256", table.unpack(assertions.ALGORITHMS) }

local function methods_and(more)
	return { "client_secret_basic", "client_secret_post", "private_key_jwt", "client_secret_jwt", table.unpack(more) }
end

-- Every URL of an issuer, in the order to show them: { { name as metadata has it, URL }, … }; the first three are issuer, the
-- document and its RFC 8414 address, which are no members of the document.
function metadata.addresses(list)
	local first, base = list[1], conf.public_url()
	local shared = base .. "/application/o/"
	local path = first.issuer_mode == "global" and "" or "application/o/" .. url.encode(first.slug) .. "/"
	local own = path == "" and shared or base .. "/" .. path
	local device = not all(list, function(application) return not scope.has(application.grant_types, devices.GRANT) end)
	local out = {
		{ "issuer", clients.issuer(first) },
		{ "openid_configuration", base .. "/" .. path .. ".well-known/openid-configuration" },
		{ "oauth_authorization_server", base .. "/.well-known/oauth-authorization-server" .. (path == "" and "" or "/" .. path) },
		{ "authorization_endpoint", shared .. "authorize/" },
		{ "token_endpoint", shared .. "token/" },
		{ "userinfo_endpoint", shared .. "userinfo/" },
		{ "jwks_uri", own .. "jwks/" },
		{ "introspection_endpoint", shared .. "introspect/" },
		{ "revocation_endpoint", shared .. "revoke/" },
		{ "end_session_endpoint", own .. "end-session/" },
		{ "check_session_iframe", own .. "check-session/" },
	}
	if device then out[#out + 1] = { "device_authorization_endpoint", shared .. "device/" } end
	return out
end

local function sends_iss(application) return application.authorization_response_iss ~= false end

-- The document as a table.
function metadata.document(list)
	local response_types = united(list, setting "response_types")
	local out = {
		issuer = clients.issuer(list[1]),
		response_types_supported = response_types,
		response_modes_supported = { "query", "fragment", "form_post" },
		grant_types_supported = grant_types(list, response_types),
		subject_types_supported = united(list, function(application)
			return { application.sub_mode == "pairwise" and "pairwise" or "public" }
		end),
		id_token_signing_alg_values_supported = signing_algs(list),
		token_endpoint_auth_methods_supported = methods_and { "none" },
		token_endpoint_auth_signing_alg_values_supported = client_algs,
		introspection_endpoint_auth_methods_supported = methods_and {},
		introspection_endpoint_auth_signing_alg_values_supported = client_algs,
		revocation_endpoint_auth_methods_supported = methods_and { "none" },
		revocation_endpoint_auth_signing_alg_values_supported = client_algs,
		code_challenge_methods_supported = united(list, setting "pkce_methods"),
		acr_values_supported = { "goauthentik.io/providers/oauth2/default" },
		scopes_supported = scopes_supported(list),
		claims_supported = claims_supported(list),
		claim_types_supported = { "normal" },
		display_values_supported = { "page" },
		ui_locales_supported = { "en" },
		claims_parameter_supported = true,
		request_parameter_supported = false,
		request_uri_parameter_supported = false,
		authorization_response_iss_parameter_supported = all(list, sends_iss),
		prompt_values_supported = { "none", "login", "consent", "select_account" },
		frontchannel_logout_supported = true,
		frontchannel_logout_session_supported = true,
		backchannel_logout_supported = true,
		backchannel_logout_session_supported = true,
	}
	for index, address in ipairs(metadata.addresses(list)) do
		if index > 3 then out[address[1]] = address[2] end
	end
	return out
end

return metadata
