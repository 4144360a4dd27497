-- github/graphql/schema.lua: what can be asked: the part of GitHub's schema that people, organisations and teams are in, with GitHub's
-- names and types throughout, so that a query written for GitHub means the same here.
local answer        = require "github/answer"
local connection    = require "github/graphql/connection"
local introspection = require "github/graphql/introspection"
local objects       = require "github/objects"
local sight         = require "github/sight"
local types         = require "github/graphql/types"

-- Beside its fields: what it takes to look somebody up.
local LOOK = 10

local function not_found(message, ...) return nil, { type = "NOT_FOUND", message = message:format(...) } end

-- ---- by login, and by the id that REST calls node_id ----

local function user(_, given, context)
	local found = sight.user(context.view, given.login)
	if found then return found end
	return not_found("Could not resolve to a User with the login of '%s'.", given.login)
end

local function organization(_, given, context)
	local found = sight.organization(context.view, given.login)
	if found then return found end
	return not_found("Could not resolve to an Organization with the login of '%s'.", given.login)
end

local KINDS = { user = "User", organization = "Organization" }

local function thing_of(id, view)
	local kind, digits = objects.node_of(id)
	if kind == "Team" then return kind, sight.team_numbered(view, digits) end
	if not kind then return nil end
	local found, thing = sight.account(view, digits)
	if KINDS[found] == kind then return kind, thing end
end

local function node(_, given, context)
	local kind, thing = thing_of(given.id, context.view)
	if thing then return { type = kind, value = thing } end
	return not_found("Could not resolve to a node with the global id of '%s'.", given.id)
end

-- Those that there are not are null.
local function nodes(_, given, context)
	local out = {}
	for index, id in ipairs(given.ids) do
		local kind, thing = thing_of(id, context.view)
		out[index] = thing and { type = kind, value = thing } or json.null
	end
	return out
end

-- ---- of the installation ----

local RATE_LIMIT = { kind = "OBJECT", name = "RateLimit", fields = {
	-- As GitHub counts: a hundred connections are a point.
	{ "cost", "Int!", function(_, _, context) return math.max(1, (context.requests + 99) // 100) end }, { "limit", "Int!" },
	{ "nodeCount", "Int!", function(_, _, context) return context.nodes end }, { "remaining", "Int!" },
	{ "resetAt", "DateTime!", function(limit) return time.iso(limit.reset) end }, { "used", "Int!" },
} }

local META = { kind = "OBJECT", name = "GitHubMetadata", fields = {
	-- There are no such services here, and no commit of theirs.
	{ "gitHubServicesSha", "GitObjectID!", function() return ("0"):rep(40) end },
	{ "isPasswordAuthenticationVerifiable", "Boolean!", function() return false end },
} }

local QUERY = { kind = "OBJECT", name = "Query", fields = {
	{ "meta", "GitHubMetadata!", function() return {} end },
	{ "node", "Node", node, args = { { "id", "ID!" } }, cost = LOOK },
	{ "nodes", "[Node]!", nodes, args = { { "ids", "[ID!]!" } }, cost = LOOK },
	{ "organization", "Organization", organization, args = { { "login", "String!" } }, cost = LOOK, scopes = sight.ORGANIZATIONS },
	{ "rateLimit", "RateLimit", answer.limit, args = { { "dryRun", "Boolean", default = false } } },
	{ "user", "User", user, args = { { "login", "String!" } }, cost = LOOK },
	{ "viewer", "User!", function(_, _, context) return context.view.me end },
} }

-- ---- the whole ----

local function scalars(...)
	local out = {}
	for index, name in ipairs { ... } do out[index] = { kind = "SCALAR", name = name } end
	return out
end

local PATHS = { { "resourcePath", "URI!" }, { "url", "URI!" } }

local interfaces = {
	{ kind = "INTERFACE", name = "Node", fields = { { "id", "ID!" } } },
	{ kind = "INTERFACE", name = "Actor", fields = {
		{ "avatarUrl", "URI!", args = { { "size", "Int" } } }, { "login", "String!" }, table.unpack(PATHS) } },
	{ kind = "INTERFACE", name = "UniformResourceLocatable", fields = PATHS },
}

local definitions = {
	QUERY, RATE_LIMIT, META, connection.PAGE_INFO, { kind = "ENUM", name = "OrderDirection", values = { "ASC", "DESC" } },
}
for _, list in ipairs {
	interfaces, require "github/graphql/user", require "github/graphql/organization", require "github/graphql/team",
	scalars("DateTime", "GitObjectID", "URI"), introspection.definitions,
} do
	table.move(list, 1, #list, #definitions + 1, definitions)
end

return introspection.add(types.schema(definitions, introspection.directives()))
