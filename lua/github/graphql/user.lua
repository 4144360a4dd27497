-- github/graphql/user.lua: GitHub's type User, of identities (github/identity). Resolvers' context is the plan: view (github/sight) and
-- links (github/links).
local connection = require "github/graphql/connection"
local objects    = require "github/objects"
local scope      = require "kit/scope"
local sight      = require "github/sight"

local ORGANIZATIONS = sight.ORGANIZATIONS

local EMAILS = { "user:email", "read:user", "user" }

-- One's own, the primary first, to a token that may see them; of others an identity has what they show to everybody.
local function emails(identity, context)
	local me = context.view.me
	if identity.number ~= me.number then return identity.emails end
	return context.allowed(EMAILS) and me.emails or {}
end

local function email(identity, _, context)
	local primary = emails(identity, context)[1]
	return primary and primary.email or ""
end

-- The organisation when the person is in it.
local function organization_of(identity, login, context)
	local organization = sight.organization(context.view, login)
	return organization and sight.membership(context.view, organization, identity.login) and organization or nil
end

local function verified_emails(identity, given, context)
	local out = {}
	if organization_of(identity, given.login, context) then
		for index, each in ipairs(emails(identity, context)) do out[index] = each.email end
	end
	return out
end

local function organizations(identity, given, context)
	local list, order = { table.unpack(sight.organizations(context.view, identity)) }, given.orderBy
	if order and order.field == "LOGIN" then
		table.sort(list, function(a, b) return a.login:lower() < b.login:lower() end)
	elseif order then
		table.sort(list, function(a, b) return a.number < b.number end)
	end
	return connection.of_list(given, list, order and order.direction == "DESC")
end

local function created(identity) return time.iso(identity.created_at) end
local function never() return false end

return {
	{ kind = "OBJECT", name = "User", interfaces = { "Actor", "Node", "UniformResourceLocatable" }, fields = {
		{ "avatarUrl", "URI!", function(identity, given, context) return objects.avatar(context.links, identity.number, given.size) end,
			args = { { "size", "Int" } } },
		{ "bio", "String" }, { "company", "String" }, { "createdAt", "DateTime!", created },
		{ "databaseId", "Int", function(identity) return identity.number end },
		{ "email", "String!", email, scopes = EMAILS },
		{ "id", "ID!", function(identity) return objects.node_id("User", identity.number) end },
		{ "isBountyHunter", "Boolean!", never }, { "isCampusExpert", "Boolean!", never }, { "isDeveloperProgramMember", "Boolean!", never },
		{ "isEmployee", "Boolean!", never }, { "isHireable", "Boolean!", never },
		{ "isSiteAdmin", "Boolean!", function(identity, _, context)
			return identity.number == context.view.me.number and scope.has(context.view.scopes, "site_admin")
		end },
		{ "isViewer", "Boolean!", function(identity, _, context) return identity.number == context.view.me.number end },
		{ "location", "String" }, { "login", "String!" }, { "name", "String" },
		{ "organization", "Organization", function(identity, given, context) return organization_of(identity, given.login, context) end,
			args = { { "login", "String!" } }, scopes = ORGANIZATIONS, cost = connection.COST },
		{ "organizations", "OrganizationConnection!", organizations, connection = true, scopes = ORGANIZATIONS, cost = connection.COST,
			args = connection.arguments { { "orderBy", "OrganizationOrder", default = json.null } } },
		{ "organizationVerifiedDomainEmails", "[String!]!", verified_emails, args = { { "login", "String!" } }, scopes = ORGANIZATIONS },
		{ "resourcePath", "URI!", function(identity) return "/" .. identity.login end },
		-- GitHub Enterprise's own: github.com has none.
		{ "suspendedAt", "DateTime", function(identity) return identity.suspended_at and time.iso(identity.suspended_at) end },
		{ "twitterUsername", "String", function() end }, { "updatedAt", "DateTime!", created },
		{ "url", "URI!", function(identity, _, context) return context.links.web .. "/" .. identity.login end },
		{ "websiteUrl", "URI", function() end },
	} },
}
