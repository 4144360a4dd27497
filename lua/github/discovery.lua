-- github/discovery.lua: what GitHub's side says of itself (RFC 8414 2), at its own two addresses. An issuer apart from those of OpenID
-- Connect: there are no ID tokens here, and no keys.
local conf          = require "kit/conf"
local devices       = require "auth/devices"
local github_scopes = require "auth/github_scopes"
local reply         = require "kit/reply"

local discovery = { kind = "plain" }

-- What is typed into a client's form, for `app show`: { { name, URL }, … }.
function discovery.addresses()
	return {
		{ "github", conf.public_url() },
		{ "github_authorization", conf.link("/login/oauth/authorize") },
		{ "github_access_token", conf.link("/login/oauth/access_token") },
		{ "github_api", conf.link("/api/v3") },
	}
end

function discovery.GET()
	return reply.json({
		issuer = conf.link("/login/oauth"),
		authorization_endpoint = conf.link("/login/oauth/authorize"),
		token_endpoint = conf.link("/login/oauth/access_token"),
		device_authorization_endpoint = conf.link("/login/device/code"),
		response_types_supported = { "code" },
		response_modes_supported = { "query" },
		grant_types_supported = { "authorization_code", "refresh_token", devices.GRANT },
		code_challenge_methods_supported = { "S256" },
		scopes_supported = github_scopes.ALL,
		token_endpoint_auth_methods_supported = { "client_secret_post", "client_secret_basic", "none" },
		-- Some applications' answers carry it (send_iss), most clients cannot bear it.
		authorization_response_iss_parameter_supported = false,
	}, 200, { ["cache-control"] = "public, max-age=300" })
end

return discovery
