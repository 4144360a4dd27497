-- github/people.lua: GitHub's REST interface about people by login or number.
local answer   = require "github/answer"
local endpoint = require "github/endpoint"
local objects  = require "github/objects"
local sight    = require "github/sight"

local people = {}

people.user = endpoint.of(function(req, at, view)
	return answer.json(req, objects.user(req.github.links, sight.user(view, at[1]) or endpoint.not_found()))
end, {})

-- People and organisations have their numbers from one sequence, and some clients ask for either at the same address.
people.account = endpoint.of(function(req, at, view)
	local kind, thing = sight.account(view, math.tointeger(tonumber(at[1])) or 0)
	if not kind then endpoint.not_found() end
	return answer.json(req, objects[kind](req.github.links, thing))
end, {})

return people
