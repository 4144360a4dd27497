-- sources/routes.lua: /source/oauth/…: where people leave for an upstream and come back from it, and where it calls. Loaded when the
-- first of them is asked for: many brokers have no source.
local routes = {}

local ENDPOINTS = { login = "sources/login", callback = "sources/callback", ["backchannel-logout"] = "sources/backchannel_logout" }

-- The endpoint and the source's name; nil where nothing is.
function routes.find(path)
	local what, name = path:match("^/source/oauth/([%l-]+)/([^/]+)/$")
	local module = what and ENDPOINTS[what]
	if module then return require(module), name end
end

return routes
