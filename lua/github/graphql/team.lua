-- github/graphql/team.lua: GitHub's type Team, its members and what lists of them are.
local connection = require "github/graphql/connection"
local objects    = require "github/objects"
local sight      = require "github/sight"

local MEMBERSHIPS = { ALL = "all", IMMEDIATE = "immediate", CHILD_TEAM = "child_team" }

local function members(team, given, context)
	local membership = MEMBERSHIPS[given.membership] or "all"
	local role = given.role and given.role:lower()
	local made, bad = connection.of(given, function(offset, limit)
		return sight.team_members(context.view, team, { offset = offset, limit = limit, membership = membership, role = role })
	end)
	if made then made.team = team end
	return made, bad
end

local function child_teams(team, given, context)
	local order, inside = given.orderBy, given.immediateOnly == false and "below" or "parent"
	return connection.of(given, function(offset, limit)
		return sight.teams(context.view, team.organization, { offset = offset, limit = limit, [inside] = team,
			user_logins = given.userLogins })
	end, order and order.direction == "DESC")
end

-- A team's parent may know nothing of its own.
local function parent(team, _, context) return team.parent and sight.team_numbered(context.view, team.parent.number) end

-- The nearest first.
local function ancestors(team, given, context)
	local list, at = {}, parent(team, nil, context)
	while at do list[#list + 1], at = at, parent(at, nil, context) end
	return connection.of_list(given, list)
end

local function is_maintainer(team, _, context)
	local membership = sight.membership(context.view, team, context.view.me.login)
	return membership ~= nil and membership.role == "maintainer"
end

-- Below the address of a team's page.
local function path(rest)
	return function(team) return ("/orgs/%s/teams/%s%s"):format(team.organization.login, team.slug, rest) end
end
local function web(rest)
	local make = path(rest)
	return function(team, _, context) return context.links.web .. make(team) end
end
local function created(team) return time.iso(team.created_at) end

local TEAM = { kind = "OBJECT", name = "Team", interfaces = { "Node" }, fields = {
	{ "ancestors", "TeamConnection!", ancestors, args = connection.arguments(), connection = true, cost = connection.COST },
	{ "avatarUrl", "URI", function(team, given, context) return objects.team_avatar(context.links, team.number, given.size) end,
		args = { { "size", "Int", default = 400 } } },
	{ "childTeams", "TeamConnection!", child_teams, connection = true, cost = connection.COST,
		args = connection.arguments { { "immediateOnly", "Boolean", default = true }, { "orderBy", "TeamOrder" },
			{ "userLogins", "[String!]" } } },
	{ "combinedSlug", "String!", function(team) return team.organization.login .. "/" .. team.slug end },
	{ "createdAt", "DateTime!", created }, { "databaseId", "Int", function(team) return team.number end }, { "description", "String" },
	{ "editTeamResourcePath", "URI!", path "/edit" }, { "editTeamUrl", "URI!", web "/edit" },
	{ "id", "ID!", function(team) return objects.node_id("Team", team.number) end },
	{ "members", "TeamMemberConnection!", members, connection = true, cost = connection.COST, args = connection.arguments {
		{ "membership", "TeamMembershipType", default = "ALL" }, { "role", "TeamMemberRole" } } },
	{ "membersResourcePath", "URI!", path "/members" }, { "membersUrl", "URI!", web "/members" }, { "name", "String!" },
	{ "notificationSetting", "TeamNotificationSetting!", function() return "NOTIFICATIONS_ENABLED" end },
	{ "organization", "Organization!" }, { "parentTeam", "Team", parent, cost = 2 },
	{ "privacy", "TeamPrivacy!", function() return "VISIBLE" end }, { "resourcePath", "URI!", path "" }, { "slug", "String!" },
	{ "teamsResourcePath", "URI!", path "/teams" }, { "teamsUrl", "URI!", web "/teams" }, { "updatedAt", "DateTime!", created },
	{ "url", "URI!", web "" }, { "viewerCanAdminister", "Boolean!", is_maintainer, cost = 2 },
} }

local function member_role(edge, _, context)
	local membership = edge.node.role and edge.node or sight.membership(context.view, edge.connection.team, edge.node.login)
	return membership and membership.role:upper() or "MEMBER"
end

local function access_path(edge) return path("/members/" .. edge.node.login)(edge.connection.team) end

local member_edge, member_connection = connection.definitions("TeamMember", "User", {
	node = "User!",
	{ "memberAccessResourcePath", "URI!", access_path },
	{ "memberAccessUrl", "URI!", function(edge, _, context) return context.links.web .. access_path(edge) end },
	{ "role", "TeamMemberRole!", member_role, cost = 2 },
})
local edge, team_connection = connection.definitions("Team", "Team")

return {
	TEAM, member_edge, member_connection, edge, team_connection,
	{ kind = "ENUM", name = "TeamMemberRole", values = { "MAINTAINER", "MEMBER" } },
	{ kind = "ENUM", name = "TeamMembershipType", values = { "ALL", "CHILD_TEAM", "IMMEDIATE" } },
	{ kind = "ENUM", name = "TeamNotificationSetting", values = { "NOTIFICATIONS_DISABLED", "NOTIFICATIONS_ENABLED" } },
	{ kind = "ENUM", name = "TeamOrderField", values = { "NAME" } },
	{ kind = "INPUT_OBJECT", name = "TeamOrder", fields = { { "direction", "OrderDirection!" }, { "field", "TeamOrderField!" } } },
	{ kind = "ENUM", name = "TeamPrivacy", values = { "SECRET", "VISIBLE" } },
}
