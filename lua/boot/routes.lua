-- boot/routes.lua: which endpoint answers a path. An endpoint is { GET = fn, POST = fn, …, kind, cors }: kind says how its
-- errors look (boot/boundary), cors that browser applications may read it. Its functions get the request and, under an
-- application's own address, the application's slug.
local authorize     = require "oidc/authorize"
local check_session = require "oidc/check_session"
local device        = require "oidc/device"
local discovery     = require "oidc/discovery"
local end_session   = require "oidc/end_session"
local github_access_token = require "github/access_token"
local github_authorize = require "github/authorize"
local github_device = require "github/device"
local github        = require "github/routes"
local github_discovery = require "github/discovery"
local introspect    = require "oidc/introspect"
local jwks          = require "oidc/jwks"
local portal        = require "portal/routes"
local revoke        = require "oidc/revoke"
local token         = require "oidc/token"
local userinfo      = require "oidc/userinfo"
local webfinger     = require "oidc/webfinger"

local routes = {}

-- Every path of the product that is one path. authentik's end in a slash and exist only with it.
local exact = {
	["/application/o/authorize/"] = authorize,
	["/application/o/token/"] = token,
	["/application/o/userinfo/"] = userinfo,
	["/application/o/introspect/"] = introspect,
	["/application/o/revoke/"] = revoke,
	["/application/o/device/"] = device,
	-- The global issuer's own.
	["/application/o/jwks/"] = jwks,
	["/application/o/end-session/"] = end_session,
	["/application/o/check-session/"] = check_session,
	["/.well-known/openid-configuration"] = discovery.global,
	["/.well-known/oauth-authorization-server"] = discovery.global,
	["/login/oauth/authorize"] = github_authorize,
	["/login/oauth/access_token"] = github_access_token,
	["/login/device/code"] = github_device,
	["/.well-known/oauth-authorization-server/login/oauth"] = github_discovery,
	["/login/oauth/.well-known/openid-configuration"] = github_discovery,
	["/.well-known/webfinger"] = webfinger,
}

-- Under /application/o/<slug>/.
local of_application = {
	[".well-known/openid-configuration"] = discovery,
	["jwks/"] = jwks,
	[""] = { GET = discovery.root, kind = "page" },
	["end-session/"] = end_session,
	["check-session/"] = check_session,
}

for path, endpoint in pairs(portal) do exact[path] = endpoint end

-- For parts that exist in some configurations only (/lab/).
function routes.add(path, endpoint) exact[path] = endpoint end

-- The endpoint of a path and the slug (of GitHub's: what the path names), or nil.
function routes.find(path)
	local endpoint = exact[path]
	if endpoint then return endpoint end
	local slug, rest = path:match("^/application/o/([^/]+)/(.*)$")
	if slug then return of_application[rest], slug end
	-- RFC 8414 3.1: between host and path; a final slash of the issuer is taken away, but authentik keeps it.
	slug = path:match("^/%.well%-known/oauth%-authorization%-server/application/o/([^/]+)/?$")
	if slug then return discovery, slug end
	return github.find(path)
end

-- The methods of an endpoint, as an Allow field has them (RFC 9110 10.2.1).
function routes.allow(endpoint)
	local out = {}
	for _, method in ipairs { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" } do
		if endpoint[method] or (method == "HEAD" and endpoint.GET) then out[#out + 1] = method end
	end
	return table.concat(out, ", ")
end

return routes
