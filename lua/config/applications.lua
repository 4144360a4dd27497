-- config/applications.lua: application "grafana" { … }. Commands make applications by the same rules: `complete` is all
-- they need.
local address = require "config/address"
local nearest = require "config/nearest"
local presets = require "config/presets"
local types = require "config/types"

local applications = { list = "applications" }

local DAY = 86400
local word = types.text { max = 200 }
local words = types.list(word)
local scope_name = types.text { max = 100, pattern = "[^%c%s\"\\\x7f-\xff]+", why = "has characters that scopes cannot have" }

local function redirect(value)
	if type(value) == "table" then
		for key in pairs(value) do
			if key ~= "regex" then
				return nil, ("knows no \"%s\", only regex"):format(tostring(key))
			end
		end
		local kept, why = address.redirect_pattern(value.regex)
		if not kept then
			return nil, why
		end
		return { regex = kept }
	end
	return address.redirect(value)
end

local function web_url(value)
	local url, why = address.url(value)
	if not url then
		return nil, why
	end
	if url.scheme ~= "https" and url.scheme ~= "http" or (url.host or "") == "" or url.fragment then
		return nil, "must be an http or https URL without fragment"
	end
	-- We send to it, and never with a name and password that stand in a URL.
	if url.userinfo or url.host:find("*", 1, true) then
		return nil, "must name one host, without a user"
	end
	return value
end

local function origin(value)
	local url, why = address.url(value)
	if not url then
		return nil, why
	end
	if not value:find("^https?://[^/?#]+$") then
		return nil, "must be an origin like \"https://app.example.org\""
	end
	return value:lower()
end

applications.schema = {
	name = types.text(),
	client_type = types.one_of("confidential", "public"),
	client_id = types.text { max = 200, pattern = "[\x21-\x7e]+", why = "has characters that a client_id cannot have" },
	client_secret = types.text { max = 1000, pattern = "[\x20-\x7e]+", why = "has characters that a client_secret cannot have" },
	redirect_uris = types.list(redirect),
	post_logout_redirect_uris = types.list(redirect),
	origins = types.list(origin),
	scopes = types.list(scope_name),
	policies = words,
	policy_mode = types.one_of("all", "any"),
	consent = types.one_of("remembered", "always", "expiring", "implicit"),
	-- What the token endpoint does. What the front channel does is response_types' affair alone: implicit and hybrid, which other
	-- products list here, say nothing.
	grant_types = types.list(types.one_of("authorization_code", "refresh_token", "implicit", "hybrid", "client_credentials", "password",
		"urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange",
		"urn:ietf:params:oauth:grant-type:jwt-bearer")),
	response_types = types.list(types.one_of("code", "id_token", "id_token token", "code token", "code id_token",
		"code id_token token")),
	pkce = types.one_of("required", "optional"),
	pkce_methods = types.list(types.one_of("S256", "plain")),
	consent_lifetime = types.duration(60, 3650 * DAY),
	conversion_rules = word,
	script_claims = types.list(types.one_of("sub", "acr", "amr", "auth_time")),
	token_endpoint_auth_method = types.one_of("client_secret_basic", "client_secret_post", "client_secret_jwt",
		"private_key_jwt", "none"),
	jwks = types.any_of("a table or a JSON text", types.data, types.text { max = 65536, lines = true }),
	jwks_uri = web_url,
	issuer_mode = types.one_of("per_application", "global"),
	issuer_slash = types.boolean,
	sub_mode = types.one_of("hashed_user_id", "user_id", "user_uuid", "user_username", "user_email", "user_upn",
		"pairwise"),
	sector_identifier = types.text { max = 200, pattern = "[%l%d.%-]+", why = "is the name of a host, in lower case" },
	include_claims_in_id_token = types.boolean,
	id_token_claims = words,
	access_token = types.one_of("jwt", "opaque"),
	access_token_typ = types.one_of("at+jwt", "JWT"),
	audiences = words,
	signing_alg = types.one_of("RS256", "ES256", "ES384", "ES512"),
	signing_key = types.one_of("shared", "own"),
	code_lifetime = types.duration(10, 600),
	access_token_lifetime = types.duration(30, 30 * DAY),
	refresh_token_lifetime = types.duration(60, 3650 * DAY),
	logout_uri = web_url,
	logout_method = types.one_of("backchannel", "frontchannel"),
	federated = words,
	sources = words,
	authentik_errors = types.boolean,
	authorization_response_iss = types.boolean,
	preset = types.one_of(table.unpack(presets.NAMES)),
	github = types.record {
		mapping = word, host = word, callback_match = types.one_of("exact", "subpath", "github"), device_flow = types.boolean,
		expiring = types.boolean, query_secret = types.boolean, query_token = types.boolean, send_iss = types.boolean,
		scope_echo = types.boolean, implied_scopes = types.list(scope_name),
	},
}

-- The first path segments below /application/o/ that are ours: an application of that name would hide an endpoint.
local ROUTES = {}
for each in ([[authorize token userinfo revoke introspect device jwks end-session check-session register par
	.well-known application source login signin signout consent setup healthz readyz metrics api user users admin static lab
	logout new null undefined]]):gmatch("%S+") do
	ROUTES[each] = true
end

function applications.label(text)
	if #text > 100 or not text:find("^[%l%d][%l%d_%-]*$") then
		return "an application's name is part of its address: lower-case letters, digits, - and _"
	end
	if ROUTES[text] then
		return ("\"%s\" is a word of the broker's own addresses"):format(text)
	end
end

-- Of S19: a public client that anyone on the machine could pose as is asked each time.
local function default_consent(a)
	for _, uri in ipairs(a.client_type == "public" and a.redirect_uris or {}) do
		if address.is_native(uri) then
			return "always"
		end
	end
	return "remembered"
end

local function with_default(a, name, value)
	if a[name] == nil then
		a[name] = value
	end
end

local function contains(list, value)
	for _, each in ipairs(list) do
		if each == value then
			return true
		end
	end
	return false
end

local function fill(a)
	a.slug = a.label
	with_default(a, "name", a.label)
	with_default(a, "client_id", a.label)
	with_default(a, "client_type", "confidential")
	for _, name in ipairs { "redirect_uris", "post_logout_redirect_uris", "policies", "script_claims", "audiences", "federated",
		"sources" } do
		with_default(a, name, {})
	end
	with_default(a, "scopes", { "openid", "profile", "email" })
	with_default(a, "origins", address.origins(a.redirect_uris))
	with_default(a, "policy_mode", "all")
	with_default(a, "consent", default_consent(a))
	with_default(a, "consent_lifetime", 28 * DAY)
	with_default(a, "grant_types", { "authorization_code", "refresh_token" })
	with_default(a, "response_types", { "code" })
	with_default(a, "pkce", a.client_type == "public" and "required" or "optional")
	with_default(a, "pkce_methods", { "S256" })
	with_default(a, "issuer_mode", "per_application")
	with_default(a, "issuer_slash", true)
	with_default(a, "sub_mode", "hashed_user_id")
	with_default(a, "sector_identifier", a.sub_mode == "pairwise" and address.one_host(a.redirect_uris) or nil)
	with_default(a, "include_claims_in_id_token", true)
	with_default(a, "access_token", "jwt")
	with_default(a, "access_token_typ", "at+jwt")
	with_default(a, "signing_alg", "RS256")
	with_default(a, "signing_key", "shared")
	with_default(a, "code_lifetime", 60)
	with_default(a, "access_token_lifetime", 600)
	with_default(a, "refresh_token_lifetime", 30 * DAY)
	with_default(a, "logout_method", "backchannel")
	with_default(a, "authentik_errors", false)
	with_default(a, "authorization_response_iss", true)
	if a.github then
		with_default(a.github, "callback_match", a.client_type == "public" and "exact" or "subpath")
	end
end

-- Front-Channel Logout 2: the frame is loaded from where one of the redirect URIs is. The policy of the page that loads it can
-- name no IPv6 address.
local function frame_fits(a, report)
	local place = address.origins({ a.logout_uri })[1] or ""
	if place:find("[", 1, true) then
		report("logout_uri", "a front-channel logout_uri is at a name or an IPv4 address")
	elseif not contains(address.origins(a.redirect_uris), place) then
		report("logout_uri", "a front-channel logout_uri has scheme, host and port of one of the redirect_uris")
	end
end

-- What fits not together. report(field, message).
local function agree(a, report)
	local keyed = a.token_endpoint_auth_method == "private_key_jwt"
	if a.client_type == "public" and a.client_secret then
		report("client_secret", "a public client has no secret")
	end
	if a.client_type == "public" and a.token_endpoint_auth_method and a.token_endpoint_auth_method ~= "none" then
		report("token_endpoint_auth_method", "a public client does not authenticate")
	end
	if a.client_type == "confidential" and a.token_endpoint_auth_method == "none" then
		report("token_endpoint_auth_method", "a confidential client authenticates; or it is client_type = \"public\"")
	end
	if a.client_secret and #a.client_secret < 8 then
		report("client_secret", "client_secret is shorter than 8 characters")
	end
	-- RFC 7518 3.2: an HMAC's secret is no shorter than its hash.
	if a.token_endpoint_auth_method == "client_secret_jwt" and a.client_secret and #a.client_secret < 32 then
		report("client_secret", "client_secret_jwt needs a client_secret of 32 characters or more")
	end
	if a.jwks and a.jwks_uri then
		report("jwks_uri", "jwks and jwks_uri are not given together")
	end
	if keyed and not a.jwks and not a.jwks_uri then
		report("token_endpoint_auth_method", "private_key_jwt needs jwks or jwks_uri")
	end
	if a.sub_mode == "pairwise" and not a.sector_identifier then
		report("sub_mode", "pairwise needs a sector_identifier where the redirect_uris have not one host")
	end
	local code = false
	for _, kind in ipairs(a.response_types) do code = code or kind:find("code", 1, true) ~= nil end
	if a.client_type == "public" and a.pkce == "optional" and code then
		report("pkce", "a public client needs PKCE wherever a code is issued")
	end
	if contains(a.scopes, "offline_access") and not contains(a.grant_types, "refresh_token") then
		report("scopes", "offline_access needs the grant type refresh_token")
	end
	if a.client_type == "public" and a.github and a.github.callback_match ~= "exact" then
		report("github", "a public client is answered at its redirect_uris exactly: callback_match")
	end
	if a.logout_uri and a.logout_method == "frontchannel" then
		frame_fits(a, report)
	end
	if a.client_type == "public" and contains(a.grant_types, "client_credentials") then
		report("grant_types", "client_credentials needs a confidential client")
	end
	if a.client_type == "public" and contains(a.grant_types, "urn:ietf:params:oauth:grant-type:token-exchange") then
		report("grant_types", "token exchange needs a confidential client")
	end
end

applications.finish = function(a, report)
	presets.apply(a, report)
	fill(a)
	agree(a, report)
	return a
end

-- For objects that commands and pages make: `given` has `label` and settings. The completed table, or nil and what is
-- wrong, with `where` in front.
function applications.complete(given, where)
	local problems = {}
	local function report(_, message)
		problems[#problems + 1] = where and ("%s: %s"):format(where, message) or message
	end
	local why = type(given.label) ~= "string" and "the name is missing" or applications.label(given.label)
	if why then
		report("label", why)
	end
	local settings = {}
	for name, value in pairs(given) do
		if name ~= "label" and name ~= "slug" and name ~= "_at" then
			settings[name] = value
		end
	end
	local out = types.check(applications.schema, settings, report, nearest)
	out.label, out._at = given.label, given._at
	if #problems == 0 then
		applications.finish(out, report)
	end
	if #problems > 0 then
		return nil, table.concat(problems, "\n")
	end
	return out
end

return applications
