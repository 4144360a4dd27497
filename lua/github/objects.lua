-- github/objects.lua: people, organisations and teams as GitHub's schema has them, every key present: clients index what they read.
-- links: the names that the client called by (github/links).
local objects = {}

local null = json.null

-- The name that GraphQL has for a thing too; and what it is the name of: "User" and the number, or nil.
function objects.node_id(kind, number) return base64.encode(("0%d:%s%d"):format(#kind, kind, number)) end
function objects.node_of(id)
	local length, kind, digits = (#id <= 100 and base64.decode(id) or ""):match("^0(%d+):(%a+)([1-9]%d*)$")
	if kind and tonumber(length) == #kind and #digits <= 10 then return kind, math.tointeger(tonumber(digits)) end
end
local node_id = objects.node_id

-- Pictures (github/avatar); with a query, since clients append &s=80 to it. size: in pixels, or nil.
local function picture(links, path, number, size)
	return ("%s/avatars/%s/%d?%sv=4"):format(links.web, path, number, math.type(size) == "integer" and "s=" .. size .. "&" or "")
end
function objects.avatar(links, number, size) return picture(links, "u", number, size) end
function objects.team_avatar(links, number, size) return picture(links, "t", number, size) end
local avatar = objects.avatar

-- ---- people ----

local function account(links, login, number, kind)
	local url = links.api .. "/users/" .. login
	return {
		login = login, id = number, node_id = node_id(kind, number), avatar_url = avatar(links, number),
		gravatar_id = "", url = url, html_url = links.web .. "/" .. login, followers_url = url .. "/followers",
		following_url = url .. "/following{/other_user}", gists_url = url .. "/gists{/gist_id}",
		starred_url = url .. "/starred{/owner}{/repo}", subscriptions_url = url .. "/subscriptions", organizations_url = url .. "/orgs",
		repos_url = url .. "/repos", events_url = url .. "/events{/privacy}", received_events_url = url .. "/received_events",
		type = kind, user_view_type = "public", site_admin = false,
	}
end

function objects.simple_user(links, identity) return account(links, identity.login, identity.number, "User") end

-- As a search finds it: with the keys of a person.
function objects.organization_account(links, organization)
	return account(links, organization.login, organization.number, "Organization")
end

-- email: shown or nil.
function objects.user(links, identity, email)
	local out = objects.simple_user(links, identity)
	out.name, out.company, out.blog = identity.name or null, identity.company or null, ""
	out.location, out.email, out.notification_email = identity.location or null, email or null, null
	out.hireable, out.bio, out.twitter_username = null, identity.bio or null, null
	out.public_repos, out.public_gists, out.followers, out.following = 0, 0, 0, 0
	out.created_at = time.iso(identity.created_at)
	out.updated_at = out.created_at
	out.suspended_at = identity.suspended_at and time.iso(identity.suspended_at)
	return out
end

-- What only the person and the scope `user` see.
function objects.private_user(links, identity, email)
	local out = objects.user(links, identity, email)
	out.private_gists, out.total_private_repos, out.owned_private_repos, out.disk_usage, out.collaborators = 0, 0, 0, 0, 0
	out.two_factor_authentication, out.suspended_at = false, null
	out.plan = { name = "enterprise", space = 0, private_repos = 0, collaborators = 0 }
	return out
end

function objects.email(_, email)
	return { email = email.email, primary = email.primary, verified = email.verified, visibility = email.visibility or null }
end

-- ---- organisations ----

function objects.simple_organization(links, organization)
	local url = links.api .. "/orgs/" .. organization.login
	return {
		login = organization.login, id = organization.number, node_id = node_id("Organization", organization.number), url = url,
		repos_url = url .. "/repos", events_url = url .. "/events", hooks_url = url .. "/hooks", issues_url = url .. "/issues",
		members_url = url .. "/members{/member}", public_members_url = url .. "/public_members{/member}",
		avatar_url = avatar(links, organization.number), description = organization.description or null,
	}
end

function objects.organization(links, organization)
	local out = objects.simple_organization(links, organization)
	out.name, out.company, out.blog = organization.name, null, null
	out.location, out.email, out.twitter_username, out.is_verified = null, null, null, false
	out.has_organization_projects, out.has_repository_projects = false, false
	out.public_repos, out.public_gists, out.followers, out.following = 0, 0, 0, 0
	out.html_url, out.type = links.web .. "/" .. organization.login, "Organization"
	out.created_at = time.iso(organization.created_at)
	out.updated_at, out.archived_at = out.created_at, null
	return out
end

-- role: the person's; nil for the one that comes with an organisation of his own.
function objects.membership(links, organization, identity, role)
	local url = links.api .. "/orgs/" .. organization.login
	return {
		url = url .. "/memberships/" .. identity.login, state = "active", role = role or organization.role, direct_membership = true,
		organization_url = url, organization = objects.simple_organization(links, organization), user = objects.simple_user(links, identity),
		permissions = { can_create_repository = false },
	}
end

-- ---- teams ----

local function team_url(links, team) return ("%s/organizations/%d/team/%d"):format(links.api, team.organization.number, team.number) end

function objects.simple_team(links, team)
	local url = team_url(links, team)
	return {
		id = team.number, node_id = node_id("Team", team.number), url = url, name = team.name, slug = team.slug,
		html_url = ("%s/orgs/%s/teams/%s"):format(links.web, team.organization.login, team.slug), description = team.description or null,
		privacy = "closed", notification_setting = "notifications_enabled", permission = "pull", members_url = url .. "/members{/member}",
		repositories_url = url .. "/repos", type = "organization", organization_id = team.organization.number,
	}
end

-- members_count: where the team does not come with it.
function objects.team(links, team, members_count)
	local out = objects.simple_team(links, team)
	out.members_count, out.repos_count = team.members_count or members_count or 1, 0
	out.created_at = time.iso(team.created_at)
	out.updated_at = out.created_at
	out.organization = objects.organization(links, team.organization)
	out.parent = team.parent and objects.simple_team(links, team.parent) or null
	return out
end

function objects.team_membership(links, team, identity, role)
	return { url = team_url(links, team) .. "/memberships/" .. identity.login, role = role, state = "active" }
end

return objects
