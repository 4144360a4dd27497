-- github/routes.lua: which part of GitHub's REST interface answers a path: below /api/v3, and the few paths that clients ask for
-- without it.
local applications = require "github/applications"
local avatar = require "github/avatar"
local rest = require "github/rest"

local routes = {}

local PREFIX = "/api/v3"
local unprefixed = { ["/user"] = true, ["/user/emails"] = true, ["/user/orgs"] = true, ["/user/teams"] = true }

local exact = {
	["/"] = rest.root, ["/user"] = rest.user, ["/user/emails"] = rest.emails, ["/user/orgs"] = rest.organizations,
	["/user/teams"] = rest.teams, ["/user/memberships/orgs"] = rest.memberships, ["/meta"] = rest.meta,
	["/rate_limit"] = rest.rate_limit, ["/user/keys"] = rest.keys, ["/user/gpg_keys"] = rest.keys,
}

-- A * is one segment.
local patterns = {}
for path, endpoint in pairs {
	["/users/*"] = rest.somebody, ["/user/memberships/orgs/*"] = rest.membership, ["/orgs/*"] = rest.organization,
	["/user/*"] = rest.numbered_account, ["/organizations/*"] = rest.numbered_organization, ["/orgs/*/teams"] = rest.organization_teams,
	["/orgs/*/members/*"] = rest.member, ["/orgs/*/memberships/*"] = rest.membership, ["/orgs/*/teams/*"] = rest.team,
	["/orgs/*/teams/*/members/*"] = rest.team_member, ["/orgs/*/teams/*/memberships/*"] = rest.team_membership,
	["/teams/*"] = rest.numbered_team, ["/teams/*/members/*"] = rest.numbered_team_member,
	["/teams/*/memberships/*"] = rest.numbered_team_membership,
	["/organizations/*/team/*"] = rest.numbered_team, ["/organizations/*/team/*/members/*"] = rest.numbered_team_member,
	["/organizations/*/team/*/memberships/*"] = rest.numbered_team_membership,
} do
	patterns["^" .. path:gsub("%*", "([^/]+)") .. "$"] = endpoint
end

-- The endpoint, and what it is to know of the path: { path, … }, an application's client_id or a picture's number; nil where GitHub's
-- interface is not. api: it was asked for by an `api.` name, which is nothing but the interface and has no prefix.
function routes.find(path, api)
	local of_application, client_id = applications.find(path)
	if of_application then return of_application, client_id end
	local number = path:match("^/avatars/u/(%d+)$")
	if number then return avatar, number end
	local prefixed = path:sub(1, #PREFIX) == PREFIX and path:sub(#PREFIX + 1)
	local rest_path = api and path or prefixed or unprefixed[path] and path
	if not rest_path or not (rest_path == "" or rest_path:find("^/")) then return nil end
	local endpoint = exact[rest_path == "" and "/" or rest_path]
	if endpoint then return endpoint, { path = path } end
	for pattern, each in pairs(patterns) do
		local first, second, third = rest_path:lower():match(pattern)
		if first then return each, { path = path, first, second, third } end
	end
	return rest.nothing, { path = path }
end

return routes
