-- github/graphql/answer.lua: the answer to a request of GraphQL: POST with JSON. What is wrong with a query is told with status 200; an
-- error object as REST has it is for the token, and for a body that is no JSON.
local answer   = require "github/answer"
local caller   = require "github/caller"
local endpoint = require "github/endpoint"
local err      = require "kit/err"
local links    = require "github/links"
local run      = require "github/graphql/run"
local schema   = require "github/graphql/schema"
local sight    = require "github/sight"

return function(req)
	local live = caller.of(req)
	req.github = { live = live, links = links.of(req), resource = "graphql" }
	if not live then
		err.raise("unauthorized", nil, { status = 401, message = "This endpoint requires you to be authenticated." })
	end
	local asked = json.decode(req.body or "")
	if type(asked) ~= "table" or json.is_array(asked) then
		err.raise("invalid_request", nil, { status = 400, message = "Problems parsing JSON" })
	end
	return answer.written(req, run.answer(schema, asked, {
		view = sight.of(live, req), links = req.github.links, scopes = live.scopes,
		allowed = function(scopes) return endpoint.one_of(live.scopes, scopes) end,
		settings_url = req.github.links.web .. "/settings/tokens",
	}))
end
