-- oidc/jwks.lua: RFC 7517 key set: the keys that are shared and the application's own; also those that will sign next, so that
-- clients know them before the first signature.
local clients = require "auth/clients"
local cors    = require "oidc/cors"
local err     = require "kit/err"
local keys    = require "auth/keys"

local jwks = { kind = "oauth" }

-- Without a slug: the global issuer's.
function jwks.GET(_, slug)
	local list = clients.of_global_issuer()
	if slug then list = { err.need(clients.by_slug(slug), "page_not_found", "There is no application of this name.") } end
	return {
		status = 200, body = keys.jwks(list),
		headers = {
			["content-type"] = "application/json", ["cache-control"] = "public, max-age=300",
			["access-control-allow-origin"] = "*",
		},
	}
end

function jwks.OPTIONS(req) return cors.preflight(req, "GET, OPTIONS") end

return jwks
