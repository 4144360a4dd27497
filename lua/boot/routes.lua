-- boot/routes.lua: which endpoint answers a path. An endpoint is { GET = fn, POST = fn, …, kind, cors }: kind says how its
-- errors look (boot/boundary), cors that browser applications may read it. Its functions get the request and, under an
-- application's own address, the application's slug.
local authorize     = require "oidc/authorize"
local conf          = require "kit/conf"
local check_session = require "oidc/check_session"
local device        = require "oidc/device"
local discovery     = require "oidc/discovery"
local end_session   = require "oidc/end_session"
local github_access_token = require "github/access_token"
local github_authorize = require "github/authorize"
local github_device = require "github/device"
local github        = require "github/routes"
local github_discovery = require "github/discovery"
local github_graphql = require "github/graphql"
local introspect    = require "oidc/introspect"
local jwks          = require "oidc/jwks"
local portal        = require "portal/routes"
local reply         = require "kit/reply"
local revoke        = require "oidc/revoke"
local sources       = require "sources/routes"
local token         = require "oidc/token"
local urls          = require "kit/urls"
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
	["/.well-known/webfinger"] = webfinger,
}

-- What a github_host answers itself, and public_url too; and what every name answers.
local of_github = {
	["/login/oauth/authorize"] = github_authorize,
	["/login/oauth/access_token"] = github_access_token,
	["/login/device/code"] = github_device,
	["/.well-known/oauth-authorization-server/login/oauth"] = github_discovery,
	["/login/oauth/.well-known/openid-configuration"] = github_discovery,
	["/api/graphql"] = github_graphql,
}
local everywhere = { ["/healthz"] = true, ["/readyz"] = true, ["/static/tidelock.css"] = true }

-- Under /application/o/<slug>/.
local of_application = {
	[".well-known/openid-configuration"] = discovery,
	["jwks/"] = jwks,
	[""] = { GET = discovery.root, kind = "page" },
	["end-session/"] = end_session,
	["check-session/"] = check_session,
}

for path, endpoint in pairs(portal) do exact[path] = endpoint end
for path, endpoint in pairs(of_github) do exact[path] = endpoint end

-- S17: people's pages are at public_url, where their browsers have the cookies.
local page_elsewhere = { kind = "page", GET = function(req) return reply.redirect(urls.same(conf.public_url(), req)) end }

-- For parts that exist in some configurations only (/lab/).
function routes.add(path, endpoint) exact[path] = endpoint end

local function at_public_url(path)
	local endpoint = exact[path]
	if endpoint then return endpoint end
	local slug, rest = path:match("^/application/o/([^/]+)/(.*)$")
	if slug then return of_application[rest], slug end
	-- RFC 8414 3.1: between host and path; a final slash of the issuer is taken away, but authentik keeps it.
	slug = path:match("^/%.well%-known/oauth%-authorization%-server/application/o/([^/]+)/?$")
	if slug then return discovery, slug end
	local client_id = path:match("^/settings/connections/applications/([^/]+)$")
	if client_id then return require("portal/connection"), client_id end
	if path:find("^/source/") then return sources.find(path) end
	-- Few installations have an asker for these.
	local akkess = path:match("^/authentication/v1/(.+)$")
	if akkess then return require("directory/akkess").find(akkess) end
	return github.find(path)
end

local function at_github_host(path)
	if of_github[path] then return of_github[path] end
	local endpoint, slug = github.find(path)
	if endpoint and endpoint.kind ~= "page" then return endpoint, slug end
	endpoint = endpoint or at_public_url(path)
	return endpoint and endpoint.kind == "page" and page_elsewhere or nil
end

-- The endpoint of a path, under the name that it was asked for by, and the slug (of GitHub's: what the path names), or nil.
function routes.find(path, host)
	local name = conf.github_name(host)
	if not name or everywhere[path] then return at_public_url(path) end
	if not name.api then return at_github_host(path) end
	if path == "/graphql" then return github_graphql end
	return github.find(path, true)
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
