-- github/rest.lua: GitHub's REST interface for the person whose token asks: who he is, and the organisations and teams that the mapping
-- of the token's application gives him. Everybody and everything else is not found.
local answer   = require "github/answer"
local caller   = require "github/caller"
local err      = require "kit/err"
local identity = require "github/identity"
local links    = require "github/links"
local objects  = require "github/objects"
local scope    = require "kit/scope"

local rest = {}

local EMAILS = { "user", "user:email" }
local PROFILE = { "user", "user:email", "read:user" }
local KEYS = { "admin:public_key", "read:public_key", "user", "write:public_key", "admin:gpg_key", "read:gpg_key", "write:gpg_key" }
local ORGANIZATIONS = { "admin:org", "read:org", "repo", "user", "write:org" }

local function not_found() err.raise("not_found", nil, { status = 404 }) end

local function one_of(granted, wanted)
	for _, name in ipairs(wanted) do
		if scope.has(granted, name) then return true end
	end
	return #wanted == 0
end

-- An endpoint: handler(req, at, identity, live). at = { path = as it was asked for, and what the path names, in lower case }. needs:
-- anonymous = true; scopes = of which one must be granted, else 404, or 403 with `forbidden`. A bad token comes before all of this.
-- The handler finds in req.github.links what the answer calls things (github/links).
local function endpoint(handler, needs)
	local function run(req, at)
		local live = caller.of(req)
		req.github = { live = live, accepted = needs.scopes, links = links.of(req) }
		if not live and not needs.anonymous then err.raise("unauthorized", nil, { status = 401 }) end
		if live and not one_of(live.scopes, needs.scopes or {}) then
			if not needs.forbidden then not_found() end
			err.raise("forbidden", nil, { status = 403, message = "You need at least read:org scope or user scope to " .. needs.forbidden })
		end
		return handler(req, at, not needs.anonymous and identity.of(live.user, live.application, req), live)
	end
	return { GET = run, OPTIONS = answer.preflight, kind = "github" }
end

-- ---- the person ----

rest.user = endpoint(function(req, _, me, live)
	local primary = one_of(live.scopes, PROFILE) and me.emails[1] and me.emails[1].email or nil
	local out = (scope.has(live.scopes, "user") and objects.private_user or objects.user)(req.github.links, me, primary)
	out.user_view_type = "private"
	return answer.json(req, out)
end, {})

rest.emails = endpoint(function(req, at, me) return answer.page(req, at, me.emails, objects.email) end, { scopes = EMAILS })

rest.organizations = endpoint(function(req, at, me)
	return answer.page(req, at, me.organizations, objects.simple_organization)
end, { scopes = ORGANIZATIONS, forbidden = "list your organizations." })

rest.teams = endpoint(function(req, at, me)
	return answer.page(req, at, me.teams, objects.team)
end, { scopes = ORGANIZATIONS, forbidden = "list your teams." })

-- Nobody is invited here: all memberships are active.
rest.memberships = endpoint(function(req, at, me)
	local pending = (req.query or ""):find("state=pending", 1, true)
	return answer.page(req, at, pending and {} or me.organizations, function(names, each)
		return objects.membership(names, each, me)
	end)
end, { scopes = ORGANIZATIONS, forbidden = "list your memberships." })

-- Nobody keeps keys here.
rest.keys = endpoint(function(req, at) return answer.page(req, at, {}) end, { scopes = KEYS })

rest.somebody = endpoint(function(req, at, me)
	if at[1] ~= me.login:lower() then not_found() end
	return answer.json(req, objects.user(req.github.links, me))
end, {})

-- ---- organisations and teams ----

local function organization_named(me, login)
	for _, each in ipairs(me.organizations) do
		if each.login:lower() == login then return each end
	end
	not_found()
end

local function team_named(me, login, slug)
	for _, each in ipairs(me.teams) do
		if each.slug:lower() == slug and each.organization.login:lower() == login then return each end
	end
	not_found()
end

local function organization_numbered(me, number)
	for _, each in ipairs(me.organizations) do
		if tostring(each.number) == number then return each end
	end
end

-- A team by its number, with or without its organisation's, and the person who is asked for after it.
local function team_numbered(me, at)
	local inside = at.path:find("/organizations/", 1, true)
	local organization, number, login = inside and at[1], inside and at[2] or at[1], inside and at[3] or at[2]
	for _, each in ipairs(me.teams) do
		if tostring(each.number) == number and tostring(each.organization.number) == (organization or tostring(each.organization.number)) then
			return each, login
		end
	end
	not_found()
end

-- Membership is asked of oneself; clients let people in by the status alone, so that it is 204 (or 200) or 404 and nothing else.
local function self(me, login)
	if login ~= me.login:lower() then not_found() end
end

local function organization_endpoint(handler) return endpoint(handler, { scopes = ORGANIZATIONS }) end

rest.organization = organization_endpoint(function(req, at, me)
	return answer.json(req, objects.organization(req.github.links, organization_named(me, at[1])))
end)

rest.member = organization_endpoint(function(req, at, me)
	organization_named(me, at[1])
	self(me, at[2])
	return answer.empty(req)
end)

rest.membership = organization_endpoint(function(req, at, me)
	if at[2] then self(me, at[2]) end
	return answer.json(req, objects.membership(req.github.links, organization_named(me, at[1]), me))
end)

rest.team = organization_endpoint(function(req, at, me)
	return answer.json(req, objects.team(req.github.links, team_named(me, at[1], at[2])))
end)

rest.team_member = organization_endpoint(function(req, at, me)
	team_named(me, at[1], at[2])
	self(me, at[3])
	return answer.empty(req)
end)

rest.team_membership = organization_endpoint(function(req, at, me)
	self(me, at[3])
	return answer.json(req, objects.team_membership(req.github.links, team_named(me, at[1], at[2]), me))
end)

rest.organization_teams = organization_endpoint(function(req, at, me)
	local organization, teams = organization_named(me, at[1]), {}
	for _, each in ipairs(me.teams) do
		if each.organization == organization then teams[#teams + 1] = each end
	end
	return answer.page(req, at, teams, objects.team)
end)

-- ---- by number ----

-- People and organisations have their numbers from one sequence, and some clients ask for either at the same address.
rest.numbered_account = endpoint(function(req, at, me, live)
	if at[1] == tostring(me.number) then return answer.json(req, objects.user(req.github.links, me)) end
	local organization = one_of(live.scopes, ORGANIZATIONS) and organization_numbered(me, at[1]) or not_found()
	return answer.json(req, objects.organization(req.github.links, organization))
end, {})

rest.numbered_organization = organization_endpoint(function(req, at, me)
	return answer.json(req, objects.organization(req.github.links, organization_numbered(me, at[1]) or not_found()))
end)

rest.numbered_team = organization_endpoint(function(req, at, me)
	return answer.json(req, objects.team(req.github.links, team_numbered(me, at)))
end)

rest.numbered_team_member = organization_endpoint(function(req, at, me)
	local _, login = team_numbered(me, at)
	self(me, login)
	return answer.empty(req)
end)

rest.numbered_team_membership = organization_endpoint(function(req, at, me)
	local team, login = team_numbered(me, at)
	self(me, login)
	return answer.json(req, objects.team_membership(req.github.links, team, me))
end)

-- ---- of the installation ----

-- Where things are: GitHub's names, as far as its schema wants them.
local ROOT = {
	current_user_url = "/user", current_user_authorizations_html_url = false, authorizations_url = "/authorizations",
	code_search_url = "/search/code?q={query}{&page,per_page,sort,order}",
	commit_search_url = "/search/commits?q={query}{&page,per_page,sort,order}", emails_url = "/user/emails", emojis_url = "/emojis",
	events_url = "/events", feeds_url = "/feeds", followers_url = "/user/followers", following_url = "/user/following{/target}",
	gists_url = "/gists{/gist_id}", hub_url = "/hub", issue_search_url = "/search/issues?q={query}{&page,per_page,sort,order}",
	issues_url = "/issues", keys_url = "/user/keys",
	label_search_url = "/search/labels?q={query}&repository_id={repository_id}{&page,per_page}",
	notifications_url = "/notifications", organization_url = "/orgs/{org}",
	organization_repositories_url = "/orgs/{org}/repos{?type,page,per_page,sort}", organization_teams_url = "/orgs/{org}/teams",
	public_gists_url = "/gists/public", rate_limit_url = "/rate_limit", repository_url = "/repos/{owner}/{repo}",
	repository_search_url = "/search/repositories?q={query}{&page,per_page,sort,order}",
	current_user_repositories_url = "/user/repos{?type,page,per_page,sort}", starred_url = "/user/starred{/owner}{/repo}",
	starred_gists_url = "/gists/starred", topic_search_url = "/search/topics?q={query}{&page,per_page}", user_url = "/users/{user}",
	user_organizations_url = "/user/orgs", user_repositories_url = "/users/{user}/repos{?type,page,per_page,sort}",
	user_search_url = "/search/users?q={query}{&page,per_page,sort,order}",
}

rest.root = endpoint(function(req)
	local names, out = req.github.links, {}
	for name, path in pairs(ROOT) do
		out[name] = path and names.api .. path or names.web .. "/settings/connections/applications{/client_id}"
	end
	return answer.json(req, out)
end, { anonymous = true })

rest.meta = endpoint(function(req)
	return answer.json(req, {
		verifiable_password_authentication = false, installed_version = answer.VERSION, packages = json.array {}, domains = json.object {},
	})
end, { anonymous = true })

rest.rate_limit = endpoint(function(req)
	local resources = {}
	for name in ([[core graphql search code_search source_import integration_manifest actions_runner_registration scim dependency_sbom
		code_scanning_autofix]]):gmatch("%S+") do
		resources[name] = answer.limit()
	end
	return answer.json(req, { resources = resources, rate = answer.limit() })
end, { anonymous = true })

-- What there is not: but a bad token is told first.
rest.nothing = endpoint(not_found, { anonymous = true })

return rest
