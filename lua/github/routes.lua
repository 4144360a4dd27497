-- github/routes.lua: which part of GitHub's REST interface answers a path: below /api/v3, and the few paths that clients ask for
-- without it.
local applications = require "github/applications"
local avatar = require "github/avatar"
local credentials = require "github/credentials"
local installation = require "github/installation"
local organizations = require "github/organizations"
local people = require "github/people"
local person = require "github/person"
local teams = require "github/teams"

local routes = {}

local PREFIX = "/api/v3"
local unprefixed = { ["/user"] = true, ["/user/emails"] = true, ["/user/orgs"] = true, ["/user/teams"] = true }

-- Of a GitHub Enterprise, but not of its interface.
local outside = {
	["/status"] = installation.status, ["/api/uploads"] = installation.nothing, ["/api/uploads/"] = installation.nothing,
}

local exact = {
	["/"] = installation.root, ["/meta"] = installation.meta, ["/rate_limit"] = installation.rate_limit,
	["/zen"] = installation.zen, ["/octocat"] = installation.zen, ["/emojis"] = installation.emojis,
	["/user"] = person.user, ["/user/emails"] = person.emails, ["/user/orgs"] = person.organizations, ["/user/teams"] = person.teams,
	["/user/memberships/orgs"] = person.memberships, ["/user/public_emails"] = person.public_emails, ["/user/keys"] = person.keys,
	["/user/gpg_keys"] = person.keys, ["/user/ssh_signing_keys"] = person.keys, ["/user/installations"] = person.installations,
	["/search/users"] = people.search,
	["/credentials/revoke"] = credentials,
}

for path in ([[/user/repos /user/starred /user/subscriptions /user/followers /user/following /user/issues /notifications]]):gmatch "%S+" do
	exact[path] = person.nothing
end

-- A * is one segment.
local patterns = {}
local function add(path, endpoint) patterns["^" .. path:gsub("%*", "([^/]+)") .. "$"] = endpoint end

for path, endpoint in pairs {
	["/user/memberships/orgs/*"] = person.membership, ["/users/*"] = people.user, ["/user/*"] = people.account,
	["/users/*/orgs"] = people.organizations, ["/users/*/keys"] = people.nothing, ["/users/*/gpg_keys"] = people.nothing,
	["/users/*/repos"] = people.nothing, ["/users/*/followers"] = people.nothing, ["/users/*/following"] = people.nothing,
	["/organizations/*"] = organizations.numbered, ["/orgs/*"] = organizations.organization, ["/orgs/*/teams"] = organizations.teams,
	["/orgs/*/members"] = organizations.members, ["/orgs/*/public_members"] = organizations.public_members,
	["/orgs/*/repos"] = organizations.nothing, ["/orgs/*/members/*"] = organizations.member,
	["/orgs/*/memberships/*"] = organizations.membership,
} do
	add(path, endpoint)
end

-- A team is called by its names, by its number, and by its number below its organisation's.
for path, endpoints in pairs {
	["/orgs/*/teams/*"] = teams.named, ["/teams/*"] = teams.numbered, ["/organizations/*/team/*"] = teams.inside,
} do
	add(path, endpoints.team)
	add(path .. "/members", endpoints.members)
	add(path .. "/teams", endpoints.teams)
	add(path .. "/repos", endpoints.nothing)
	add(path .. "/members/*", endpoints.member)
	add(path .. "/memberships/*", endpoints.membership)
end

-- The endpoint, and what it is to know of the path: { path, … }, an application's client_id or a picture's number; nil where GitHub's
-- interface is not. api: it was asked for by an `api.` name, which is nothing but the interface and has no prefix.
function routes.find(path, api)
	local of_application, client_id = applications.find(path)
	if of_application then return of_application, client_id end
	local number = path:match("^/avatars/u/(%d+)$") or path:match("^/avatars/(t/%d+)$")
	if number then return avatar, number end
	local prefixed = path:sub(1, #PREFIX) == PREFIX and path:sub(#PREFIX + 1)
	if outside[path] then return outside[path], { path = path } end
	local rest_path = api and path or prefixed or unprefixed[path] and path
	-- Seldom asked for: loaded when it is.
	if not rest_path then return require("github/profile").find(path) end
	if not (rest_path == "" or rest_path:find("^/")) then return nil end
	local endpoint = exact[rest_path == "" and "/" or rest_path]
	if endpoint then return endpoint, { path = path } end
	for pattern, each in pairs(patterns) do
		local first, second, third = rest_path:lower():match(pattern)
		if first then return each, { path = path, first, second, third } end
	end
	return installation.nothing, { path = path }
end

return routes
