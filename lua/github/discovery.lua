-- github/discovery.lua: what GitHub's side says of itself (RFC 8414 2), at its own two addresses. An issuer apart from those of OpenID
-- Connect: there are no ID tokens here, and no keys.
local devices       = require "auth/devices"
local github_scopes = require "auth/github_scopes"
local links         = require "github/links"
local reply         = require "kit/reply"

local discovery = { kind = "plain" }

-- What is typed into the form of an application whose settings of this side are `github`, for `app show`: { { name, URL }, … }.
function discovery.addresses(github)
	local at = links.at(github.host)
	return {
		{ "github", at.web },
		{ "github_authorization", at.web .. "/login/oauth/authorize" },
		{ "github_access_token", at.web .. "/login/oauth/access_token" },
		{ "github_api", at.api },
		{ "github_graphql", at.graphql },
	}
end

function discovery.GET(req)
	local web = links.of(req).web
	return reply.json({
		issuer = web .. "/login/oauth",
		authorization_endpoint = web .. "/login/oauth/authorize",
		token_endpoint = web .. "/login/oauth/access_token",
		device_authorization_endpoint = web .. "/login/device/code",
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
