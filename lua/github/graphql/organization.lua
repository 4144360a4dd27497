-- github/graphql/organization.lua: GitHub's type Organization, its members and what lists of them are.
local connection = require "github/graphql/connection"
local objects    = require "github/objects"
local sight      = require "github/sight"

local function role_of(organization, login, context)
	local membership = sight.membership(context.view, organization, login)
	return membership and membership.role
end

local function members(organization, given, context)
	local made, bad = connection.of(given, function(offset, limit)
		return sight.members(context.view, organization, { offset = offset, limit = limit })
	end)
	if made then made.organization = organization end
	return made, bad
end

local function teams(organization, given, context)
	local order = given.orderBy
	return connection.of(given, function(offset, limit)
		return sight.teams(context.view, organization, { offset = offset, limit = limit, query = given.query,
			root = given.rootTeamsOnly, user_logins = given.userLogins })
	end, order and order.direction == "DESC")
end

local function team(organization, given, context) return sight.team(context.view, organization, given.slug) end
local function created(organization) return time.iso(organization.created_at) end
local function path(organization) return "/" .. organization.login end
local function teams_path(organization) return "/orgs/" .. organization.login .. "/teams" end
local function new_team_path(organization) return "/orgs/" .. organization.login .. "/new-team" end
local function web(make) return function(thing, _, context) return context.links.web .. make(thing) end end
local function never() return false end
local function nothing() end

local ORGANIZATION = { kind = "OBJECT", name = "Organization", interfaces = { "Actor", "Node", "UniformResourceLocatable" }, fields = {
	{ "archivedAt", "DateTime", nothing },
	{ "avatarUrl", "URI!", function(organization, given, context)
		return objects.avatar(context.links, organization.number, given.size)
	end, args = { { "size", "Int" } } },
	{ "createdAt", "DateTime!", created }, { "databaseId", "Int", function(organization) return organization.number end },
	{ "description", "String" }, { "email", "String", nothing },
	{ "id", "ID!", function(organization) return objects.node_id("Organization", organization.number) end },
	{ "isVerified", "Boolean!", never }, { "location", "String", nothing }, { "login", "String!" },
	{ "membersWithRole", "OrganizationMemberConnection!", members, args = connection.arguments(), connection = true,
		cost = connection.COST },
	{ "name", "String" }, { "newTeamResourcePath", "URI!", new_team_path }, { "newTeamUrl", "URI!", web(new_team_path) },
	{ "resourcePath", "URI!", path }, { "team", "Team", team, args = { { "slug", "String!" } }, cost = connection.COST },
	{ "teams", "TeamConnection!", teams, connection = true, cost = connection.COST, args = connection.arguments {
		{ "orderBy", "TeamOrder" }, { "query", "String" }, { "rootTeamsOnly", "Boolean", default = false }, { "userLogins", "[String!]" } } },
	{ "teamsResourcePath", "URI!", teams_path }, { "teamsUrl", "URI!", web(teams_path) }, { "twitterUsername", "String", nothing },
	{ "updatedAt", "DateTime!", created }, { "url", "URI!", web(path) },
	{ "viewerCanAdminister", "Boolean!", function(organization, _, context)
		return role_of(organization, context.view.me.login, context) == "admin"
	end },
	{ "viewerCanCreateTeams", "Boolean!", never },
	{ "viewerIsAMember", "Boolean!", function(organization, _, context)
		return role_of(organization, context.view.me.login, context) ~= nil
	end },
	{ "websiteUrl", "URI", nothing },
} }

local function member_role(edge, _, context)
	local role = edge.node.role or role_of(edge.connection.organization, edge.node.login, context)
	return role and role:upper()
end

local member_edge, member_connection = connection.definitions("OrganizationMember", "User", {
	{ "hasTwoFactorEnabled", "Boolean", nothing }, { "role", "OrganizationMemberRole", member_role, cost = 2 },
})
local edge, organization_connection = connection.definitions("Organization", "Organization")

return {
	ORGANIZATION, member_edge, member_connection, edge, organization_connection,
	{ kind = "ENUM", name = "OrganizationMemberRole", values = { "ADMIN", "MEMBER" } },
	{ kind = "ENUM", name = "OrganizationOrderField", values = { "CREATED_AT", "LOGIN" } },
	{ kind = "INPUT_OBJECT", name = "OrganizationOrder",
		fields = { { "direction", "OrderDirection!" }, { "field", "OrganizationOrderField!" } } },
}
