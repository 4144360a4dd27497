-- github/catalogue/platforms.lua: platforms on which other things run, and what guards secrets.
local calls = require "github/catalogue/calls"

local function teams_for_numbers(pages)
	return calls.teams(pages, "{organization.login}/{slug} ({id})", { reads = "id! slug! name! organization.login! organization.id!" })
end

local function vault(title)
	return {
		title = title, flow = "personal", scope = "read:org", api = "Bearer",
		calls = {
			{ "/orgs/{org}", each = "organization", anonymous = true, reads = "id! login!", optional = "it asks for the number of the "
				.. "organisation without a token: set organization_id there, or github_anonymous_organizations = true here" },
			calls.user("login!"), calls.organizations("next", { reads = "id! login!", shows = "{login} ({id})" }),
			calls.teams("next", "{name}, {slug}", { reads = "name! slug! organization.id!" }),
		},
		needs = { organizations = "it refuses whoever is not in its organisation" },
	}
end

return {
	grafana = {
		title = "Grafana", callback = "/login/github", scope = "user:email read:org", token = "go", api = "Bearer", renews = true,
		calls = {
			calls.user(), calls.teams("next", "@{organization.login}/{slug}", { reads = "id! slug! html_url! organization.login!" }),
			calls.organizations("next"), calls.emails_if_none("primary"),
		},
		wants = { email = "it makes an account without an address", organizations = "with allowed_organizations it refuses them" },
	},
	rancher = {
		title = "Rancher", callback = "/verify-auth", scope = "read:org", token = "body", accept = "json", bare = true,
		calls = {
			calls.user("id! login! name avatar_url! html_url! type!"),
			calls.organizations("next", { "/user/orgs?per_page=1", reads = "id! login! avatar_url!", shows = "{login} ({id})" }),
			teams_for_numbers("next"), { "/user/{number}", reads = "id! login! type!" },
			{ "/user/{org_number}", each = "organization", reads = "id! login! type!" },
				{ "/teams/{team_number}", each = "team", reads = "id! slug! organization.login!" },
			calls.teams("next", nil, { "/orgs/{org}/teams?per_page=100", each = "organization", reads = "id! name! slug!", shows = "{slug}",
				lists = false }),
			{ "/search/users?q={login}", reads = "total_count!" },
		},
		hints = { "it keeps numbers: those of people, organisations and teams stay, whatever they are called later" },
	},
	openshift = {
		title = "OpenShift", callback = "/oauth2callback/*", scope = "user:email read:org", token = "query", reads_form = true,
		api = "Bearer", preset = "openshift",
		calls = {
			calls.user("id! login! name email"), calls.organizations("next", { "/user/orgs" }), calls.teams("next", nil, { "/user/teams" }),
			calls.emails_if_none("primary", { pages = "next" }),
		},
		wants = { organizations = "with organizations or teams it refuses them" },
	},
	vault = vault("HashiCorp Vault"),
	openbao = vault("OpenBao"),
	quay = {
		title = "Quay", callback = "/oauth2/github/callback", scope = "user:email read:org", token = "body", accept = "json", api = "query",
			preset = "quay",
		calls = {
			{ "/", header = "x-github-request-id", reads = "" }, calls.user("id! login!"),
				calls.emails("first", { reads = "email! primary! verified!" }),
			calls.organizations(nil, { "/user/orgs" }),
		},
		wants = { organizations = "with ALLOWED_ORGANIZATIONS it refuses them" },
		hints = { "its setup asks for /orgs/NAME without a token: github_anonymous_organizations = true" },
	},
	portainer = {
		title = "Portainer", callback = "", scope = "read:user", token = "go", api = "Bearer", calls = { calls.user("login!") },
		hints = { "custom OAuth: the user identifier is login" },
	},
	teleport = {
		title = "Teleport", callback = "/v1/webapi/github/callback", scope = "read:org", token = "body", accept = "json",
		calls = { calls.user("login!"), calls.teams("next", nil, { "/user/teams" }) }, needs = { teams = "it refuses whoever is in no team" },
	},
	coder = {
		title = "Coder", callback = "/api/v2/users/oauth2/github/callback", scope = "read:user read:org user:email", token = "go",
			api = "Bearer",
		renews = true,
		calls = {
			{ "/user/memberships/orgs?state=active&per_page=100", pages = "next", reads = "state! organization.login!",
				shows = "{organization.login}",
				lists = "organizations" },
			calls.user("id! login! name avatar_url!"), calls.team_membership, calls.emails("verified"),
		},
		needs = { email = "it refuses whoever has no verified primary address" },
		wants = { organizations = "it refuses them unless it allows everyone" },
	},
	jupyterhub = {
		title = "JupyterHub", callback = "/hub/oauth_callback", scope = "read:org user:email", token = "body", accept = "json", api = "Bearer",
		pkce = true,
		calls = {
			calls.user("login! email"), calls.emails_if_none("primary"), calls.teams("next"), calls.member,
			{ "/orgs/{org}/teams/{team}/members/{login}", each = "team", expects = { 204, 404 } },
		},
		wants = { organizations = "with allowed_organizations it refuses them" },
		hints = { "oauthenticator before 15 sends everything in the URL: github = { query_secret = true }" },
	},
}
