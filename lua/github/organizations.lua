-- github/organizations.lua: GitHub's REST interface about organisations and who is in them.
local answer   = require "github/answer"
local endpoint = require "github/endpoint"
local objects  = require "github/objects"
local sight    = require "github/sight"

local organizations = {}

local function organization_named(view, login) return sight.organization(view, login) or endpoint.not_found() end

organizations.organization = endpoint.of(function(req, at, view)
	local organization = sight.organization(view, at[1]) or sight.open_organization(view, at[1]) or endpoint.not_found()
	return answer.json(req, objects.organization(req.github.links, organization))
end, { scopes = sight.ORGANIZATIONS, open = sight.open })

organizations.numbered = endpoint.of_organizations(function(req, at, view)
	local organization = sight.organization_numbered(view, math.tointeger(tonumber(at[1])) or 0)
	return answer.json(req, objects.organization(req.github.links, organization or endpoint.not_found()))
end)

local ROLES = { admin = "admin", member = "member" }

organizations.members = endpoint.of_organizations(function(req, at, view)
	local organization, role = organization_named(view, at[1]), ROLES[answer.query(req).role]
	return answer.page(req, at, function(options)
		return sight.members(view, organization, { offset = options.offset, limit = options.limit, role = role })
	end, objects.simple_user)
end)

-- Nobody's membership is public.
organizations.public_members = endpoint.of_organizations(function(req, at, view)
	organization_named(view, at[1])
	return answer.page(req, at, {})
end)

-- Repositories are not kept here.
organizations.nothing = organizations.public_members

-- Clients let people in by the status alone: it is 204 (or 200) or 404 and nothing else.
organizations.member = endpoint.of_organizations(function(req, at, view)
	if not sight.membership(view, organization_named(view, at[1]), at[2]) then endpoint.not_found() end
	return answer.empty(req)
end)

organizations.membership = endpoint.of_organizations(function(req, at, view)
	local organization = organization_named(view, at[1])
	local membership = sight.membership(view, organization, at[2]) or endpoint.not_found()
	return answer.json(req, objects.membership(req.github.links, organization, membership.identity, membership.role))
end)

organizations.teams = endpoint.of_organizations(function(req, at, view)
	local organization = organization_named(view, at[1])
	return answer.page(req, at, function(options) return sight.teams(view, organization, options) end, objects.team)
end)

return organizations
