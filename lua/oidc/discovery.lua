-- oidc/discovery.lua: where an issuer's metadata is read: at authentik's address for an application (OpenID Connect Discovery 1.0
-- section 4), at the root for the global issuer, and at RFC 8414's place for both. A document is made once for applications as they
-- are and kept as text.
local clients  = require "auth/clients"
local conf     = require "kit/conf"
local cors     = require "oidc/cors"
local err      = require "kit/err"
local metadata = require "oidc/metadata"
local scope    = require "kit/scope"

local discovery = { kind = "oauth", cors = true }

-- By application, or by list of those that share the global issuer: a changed one is another table, a reload another Lua state.
local kept = setmetatable({}, { __mode = "k" })

local function text_of(key, list)
	kept[key] = kept[key] or json.encode(metadata.document(list), { pretty = 2 })
	return kept[key]
end

local function answer(text)
	return {
		status = 200, body = text,
		headers = { ["content-type"] = "application/json", ["cache-control"] = "public, max-age=300" },
	}
end

function discovery.GET(req, slug)
	local application = err.need(clients.by_slug(slug), "page_not_found", "There is no application of this name.")
	req.application = application
	return answer(text_of(application, { application }))
end

function discovery.OPTIONS(req) return cors.preflight(req, "GET, OPTIONS") end

-- Any of the applications' origins may read what is of all.
local shared_origins = setmetatable({}, { __mode = "k" })

discovery.global = { kind = "oauth", cors = true, OPTIONS = discovery.OPTIONS }

function discovery.global.GET(req)
	local list = clients.of_global_issuer()
	if #list == 0 then err.raise("page_not_found", "No application uses the global issuer.") end
	if not shared_origins[list] then
		local origins = {}
		for _, application in ipairs(list) do origins = scope.union(origins, application.origins or {}) end
		shared_origins[list] = { origins = origins }
	end
	req.application = shared_origins[list]
	return answer(text_of(list, list))
end

-- Every URL that belongs to an application, in the order to show them: { { name, URL }, … }.
function discovery.addresses(application)
	return metadata.addresses { application }
end

-- The issuer itself, as a person may type it.
function discovery.root(_, slug)
	local application = err.need(clients.by_slug(slug), "page_not_found", "There is no application of this name.")
	local location = ("%s/application/o/%s/.well-known/openid-configuration"):format(conf.public_url(), url.encode(application.slug))
	return { status = 302, headers = { location = location }, body = "" }
end

return discovery
