-- oidc/webfinger.lua: which issuer a person or an address belongs to (RFC 7033, OpenID Connect Discovery 1.0 section 2). It says nothing
-- of whether the person exists: for every name of our host it is the global issuer, for an application's address its own.
local check   = require "kit/check"
local clients = require "auth/clients"
local conf    = require "kit/conf"
local cors    = require "oidc/cors"
local err     = require "kit/err"
local reply   = require "kit/reply"
local scope   = require "kit/scope"

local webfinger = { kind = "oauth" }

local ISSUER = "http://openid.net/specs/connect/1.0/issuer"
local QUERY = { resource = { max = 1000, required = true }, rel = { max = 500, list = true } }

-- The host that a resource names: of acct:alice@host, mailto:, or a URL; nil and where it is malformed.
local function host_of(resource)
	local scheme, rest = resource:match("^(%a[%w+.%-]*):(.+)$")
	if not scheme then return nil end
	scheme = scheme:lower()
	if scheme == "acct" or scheme == "mailto" then
		return rest:match("^[^@]+@([^@/?#%s]+)$")
	end
	local parsed = url.parse(resource)
	return parsed and parsed.host ~= "" and parsed.host or nil
end

local function issuer_of(resource)
	local prefix = conf.public_url() .. "/application/o/"
	if resource:sub(1, #prefix) == prefix then
		local application = clients.by_slug(resource:sub(#prefix + 1):match("^([^/?#]+)/?$"))
		if application then return clients.issuer(application) end
	end
	local shared = clients.of_global_issuer()[1]
	return shared and clients.issuer(shared)
end

function webfinger.GET(req)
	local query = check.query(req, QUERY)
	local host = err.need(host_of(query.resource), "invalid_request", "The resource is not a URI with a host.", { status = 400 })
	local ours = host:lower():gsub(":%d+$", "") == conf.host()
	local issuer = err.need(ours and issuer_of(query.resource), "page_not_found", "Nothing is known of this resource.", { status = 404 })
	local links = json.array {}
	if not query.rel or scope.has(query.rel, ISSUER) then links[1] = { rel = ISSUER, href = issuer } end
	return reply.json({ subject = query.resource, links = links }, 200, {
		["content-type"] = "application/jrd+json", ["access-control-allow-origin"] = "*",
	})
end

function webfinger.OPTIONS(req) return cors.preflight(req, "GET, OPTIONS") end

return webfinger
