-- oidc/discovery.lua: OpenID Connect Discovery 1.0 section 3, per application, at authentik's address. Only what exists is
-- announced. The document is made once for an application as it is and kept as text.
local assertions = require "auth/assertions"
local clients    = require "auth/clients"
local conf       = require "kit/conf"
local cors       = require "oidc/cors"
local devices    = require "auth/devices"
local err        = require "kit/err"
local mapping    = require "mapping/scopes"
local scope      = require "kit/scope"

local discovery = { kind = "oauth", cors = true }

-- What the provider itself says, in every ID token that has a reason for it.
local own_claims = { "sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "sid", "at_hash", "azp" }

local function claims_supported(application)
	local out, seen = {}, {}
	local _, mapped = mapping.claim_names(application)
	for _, list in ipairs { own_claims, mapped } do
		for _, name in ipairs(list) do
			if not seen[name] then out[#out + 1] = name end
			seen[name] = true
		end
	end
	return out
end

local function scopes_supported(application)
	local out = {}
	if not scope.has(application.scopes, "openid") then out[1] = "openid" end
	for _, name in ipairs(application.scopes) do out[#out + 1] = name end
	return out
end

-- RS256 is always there, as Discovery asks; the application's own comes first.
local function signing_algs(application)
	local alg = application.signing_alg or "RS256"
	if alg == "RS256" then return { alg } end
	return { alg, "RS256" }
end

local function implemented(list, have)
	local out = {}
	for _, name in ipairs(list) do
		if scope.has(have, name) then out[#out + 1] = name end
	end
	return out
end

local client_algs = { "HS256", table.unpack(assertions.ALGORITHMS) }

local function methods_and(more)
	return { "client_secret_basic", "client_secret_post", "private_key_jwt", "client_secret_jwt", table.unpack(more) }
end

local function document(application)
	local base = conf.public_url()
	local shared = base .. "/application/o/"
	local own = shared .. url.encode(application.slug) .. "/"
	return json.encode({
		issuer = clients.issuer(application),
		authorization_endpoint = shared .. "authorize/",
		token_endpoint = shared .. "token/",
		userinfo_endpoint = shared .. "userinfo/",
		device_authorization_endpoint = scope.has(application.grant_types, devices.GRANT) and shared .. "device/" or nil,
		jwks_uri = own .. "jwks/",
		response_types_supported = application.response_types,
		response_modes_supported = { "query", "fragment", "form_post" },
		grant_types_supported = implemented({ "authorization_code", "refresh_token", devices.GRANT }, application.grant_types),
		subject_types_supported = { application.sub_mode == "pairwise" and "pairwise" or "public" },
		id_token_signing_alg_values_supported = signing_algs(application),
		introspection_endpoint = shared .. "introspect/",
		revocation_endpoint = shared .. "revoke/",
		token_endpoint_auth_methods_supported = methods_and { "none" },
		token_endpoint_auth_signing_alg_values_supported = client_algs,
		introspection_endpoint_auth_methods_supported = methods_and {},
		introspection_endpoint_auth_signing_alg_values_supported = client_algs,
		revocation_endpoint_auth_methods_supported = methods_and { "none" },
		revocation_endpoint_auth_signing_alg_values_supported = client_algs,
		code_challenge_methods_supported = application.pkce_methods,
		acr_values_supported = { "goauthentik.io/providers/oauth2/default" },
		scopes_supported = scopes_supported(application),
		claims_supported = claims_supported(application),
		claim_types_supported = { "normal" },
		claims_parameter_supported = true,
		request_parameter_supported = false,
		request_uri_parameter_supported = false,
		authorization_response_iss_parameter_supported = application.authorization_response_iss ~= false,
		prompt_values_supported = { "none", "login", "consent", "select_account" },
	}, { pretty = 2 })
end

-- Text by application; a changed application is another table, a reload another Lua state.
local kept = setmetatable({}, { __mode = "k" })

function discovery.GET(req, slug)
	local application = err.need(clients.by_slug(slug), "page_not_found", "There is no application of this name.")
	local text = kept[application]
	if not text then
		text = document(application)
		kept[application] = text
	end
	req.application = application
	return {
		status = 200, body = text,
		headers = { ["content-type"] = "application/json", ["cache-control"] = "public, max-age=300" },
	}
end

function discovery.OPTIONS(req) return cors.preflight(req, "GET, OPTIONS") end

-- The issuer itself, as a person may type it.
function discovery.root(_, slug)
	local application = err.need(clients.by_slug(slug), "page_not_found", "There is no application of this name.")
	local location = ("%s/application/o/%s/.well-known/openid-configuration"):format(conf.public_url(), url.encode(application.slug))
	return { status = 302, headers = { location = location }, body = "" }
end

return discovery
