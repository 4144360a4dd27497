-- github/links.lua: what GitHub's side calls itself: a link names what the client called, and only names that are declared (S17).
local conf = require "kit/conf"

local links = {}

local function prefixed(web)
	return { web = web, api = web .. "/api/v3", graphql = web .. "/api/graphql", called = web }
end

-- { web = "https://host" of pages, api = what REST paths are below, graphql = its address, called = the origin that was called }, none
-- with a final slash.
function links.of(req)
	local name = conf.github_name(req.host)
	if name and name.api then
		return { web = name.web, api = name.origin, graphql = name.origin .. "/graphql", called = name.origin }
	end
	return prefixed(name and name.web or conf.public_url())
end

-- The same where nobody called, of a github_host; nil, or one that is no more declared, stands for public_url.
function links.at(host)
	local name = conf.github_name(host or "")
	return prefixed(name and name.web or conf.public_url())
end

return links
