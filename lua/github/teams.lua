-- github/teams.lua: GitHub's REST interface about teams and who is in them, by their names and by their numbers.
local answer   = require "github/answer"
local endpoint = require "github/endpoint"
local objects  = require "github/objects"
local sight    = require "github/sight"

local teams = {}

-- Each way of naming a team: find(view, at) → the team, and what the path has after it.
local function by_name(view, at)
	local organization = sight.organization(view, at[1]) or endpoint.not_found()
	return sight.team(view, organization, at[2]) or endpoint.not_found(), at[3]
end

local function numbered(view, text)
	return sight.team_numbered(view, math.tointeger(tonumber(text)) or 0) or endpoint.not_found()
end

local function by_number(view, at) return numbered(view, at[1]), at[2] end

local function by_numbers(view, at)
	local team = numbered(view, at[2])
	if tostring(team.organization.number) ~= at[1] then endpoint.not_found() end
	return team, at[3]
end

local ROLES = { maintainer = "maintainer", member = "member" }

local function endpoints(find)
	local function of(handler)
		return endpoint.of_organizations(function(req, at, view)
			local team, rest = find(view, at)
			return handler(req, at, view, team, rest)
		end)
	end
	return {
		team = of(function(req, _, view, team)
			return answer.json(req, objects.team(req.github.links, team, sight.counts(view, { team })[team.number]))
		end),
		-- Those of the teams inside too, as GitHub has it.
		members = of(function(req, at, view, team)
			local role = ROLES[answer.query(req).role]
			return answer.page(req, at, function(options)
				return sight.team_members(view, team, { offset = options.offset, limit = options.limit, role = role })
			end, objects.simple_user)
		end),
		teams = of(function(req, at, view, team)
			return answer.page(req, at, function(options)
				return sight.teams(view, team.organization, { offset = options.offset, limit = options.limit, parent = team })
			end, objects.team)
		end),
		-- Repositories are not kept here.
		nothing = of(function(req, at) return answer.page(req, at, {}) end),
		-- Clients let people in by the status alone: it is 204 (or 200) or 404 and nothing else.
		member = of(function(req, _, view, team, login)
			if not sight.membership(view, team, login) then endpoint.not_found() end
			return answer.empty(req)
		end),
		membership = of(function(req, _, view, team, login)
			local membership = sight.membership(view, team, login) or endpoint.not_found()
			return answer.json(req, objects.team_membership(req.github.links, team, membership.identity, membership.role))
		end),
	}
end

teams.named = endpoints(by_name)
teams.numbered = endpoints(by_number)
-- With its organisation's number before its own.
teams.inside = endpoints(by_numbers)

return teams
