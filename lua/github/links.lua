-- github/links.lua: what GitHub's side calls itself: a link names what the client called, and only names that are declared (S17).
local conf = require "kit/conf"

local links = {}

-- { web = "https://host" of pages, api = what REST paths are below, graphql = its address, called = the origin that was called }, none
-- with a final slash. req: nil where nobody called.
function links.of(_)
	local web = conf.public_url()
	return { web = web, api = web .. "/api/v3", graphql = web .. "/api/graphql", called = web }
end

return links
