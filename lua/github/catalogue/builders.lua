-- github/catalogue/builders.lua: build servers, and where code and packages lie.
local calls = require "github/catalogue/calls"

return {
	jenkins = {
		title = "Jenkins", callback = "/securityRealm/finishLogin", scope = "read:org,user:email,repo", no_redirect = true, token = "query",
			bare = true,
		reads_form = true, preset = "jenkins",
		calls = {
			calls.user(), calls.organizations("next", { "/user/orgs" }),
			calls.teams("next", "{organization.login}*{name}", { "/user/teams", reads = "name! organization.login!" }), calls.emails("primary"),
			{ "/users/{login}", reads = "login!" }, { "/orgs/{org}", each = "organization", reads = "login!" },
			{ "/orgs/{org}/teams/{team}", each = "team", reads = "name! slug!" },
		},
		wants = { email = "it has no address for their mail" },
	},
	sonarqube = {
		title = "SonarQube", callback = "/oauth2/callback/github", scope = "user:email,read:org", token = "body", reads_form = true,
			api = "Bearer",
		calls = { calls.user("id! login! name email"), calls.organizations("next"), calls.emails_if_none("verified"), calls.teams("next") },
		needs = { organizations = "it refuses whoever is in none of its organizations" },
		hints = { "fill in Organizations: without it SonarQube asks for a GitHub App, which is not here", "the API URL ends in a slash" },
	},
	woodpecker = {
		title = "Woodpecker", callback = "/authorize", scope = "repo user:email read:org", token = "go", api = "Bearer", renews = true,
		calls = {
			calls.user("id! login! avatar_url!"), calls.emails("verified"), calls.organizations("next", { "/user/orgs?page=1" }),
			{ "/orgs/{org}/memberships/{login}", each = "organization", expects = { 200, 404 }, reads = "state! role!" },
		},
		needs = { email = "it refuses whoever has no address" },
		hints = { "repositories are not here: it signs people in, and builds what another forge has" },
	},
	drone = {
		title = "Drone", callback = "/login", scope = "repo repo:status user:email read:org", token = "body", accept = "json", api = "Bearer",
			renews = true,
		calls = { calls.user("id! login! name email avatar_url! created_at! updated_at!"), calls.emails("primary") },
	},
	buildbot = {
		title = "Buildbot (API v4)", callback = "/auth/login", scope = "user:email read:org", token = "body",
		calls = {
			{ graphql = "query { viewer { email login name organizations(first: 100) { edges { node { login } } } } }",
				reads = "data.viewer.login! data.viewer.name data.viewer.email" },
			{ graphql = 'query { <alias>: organization(login: "<org>") { teams(first: 100 userLogins: ["<login>"]) '
				.. "{ edges { node { name, slug } } } } }", each = "organization", reads = "data" },
		},
	},
	["buildbot-v3"] = {
		title = "Buildbot (API v3)", callback = "/auth/login", scope = "user:email read:org", token = "body",
		calls = { calls.user("login! name email"), calls.emails("primary"), calls.organizations(nil, { "/user/orgs" }) },
	},
	gocd = {
		title = "GoCD", flow = "personal", scope = "read:org",
		calls = { calls.user("login! name email"), calls.organizations("next", { "/user/orgs" }),
			calls.teams("next", "{organization.login}:{name}", { "/user/teams", reads = "name! organization.login!" }) },
	},
	nexus = {
		title = "Nexus 3 (github-oauth)", flow = "personal", scope = "read:org",
		calls = { calls.user("login!"), calls.organizations(), calls.teams(nil, "{organization.login}/{name}",
			{ reads = "name! organization.login!" }) },
		hints = { "people type their login as it is written here, and a personal token" },
	},
	verdaccio = {
		title = "Verdaccio (github-oauth-ui)", callback = "/-/oauth/callback", scope = "", token = "json", accept = "json", bare = true,
		calls = { calls.user("login!") },
		hints = {
			"its groups come from a token of a service account that may read everybody (token: in its configuration), and only with "
				.. "security.api.jwt",
		},
	},
	gitea = {
		title = "Gitea, Forgejo", callback = "/user/oauth2/*/callback", scope = "user:email", token = "go", api = "Bearer",
		calls = { calls.user("id! login! name email bio avatar_url! location"), calls.emails_if_none("verified") },
		needs = { email = "it refuses whoever has no address" },
		hints = { "releases before 1.14 send the token in the query: github = { query_token = true }" },
	},
	gogs = {
		title = "Gogs", flow = "personal", scope = "user:email", api = "basic", calls = { calls.user("login! name email") },
		needs = { email = "it refuses whoever has no address in the profile" }, hints = { "people type their login and a personal token" },
	},
	gitlab = {
		title = "GitLab", callback = "/users/auth/github/callback", scope = "user:email", token = "body", api = "Bearer",
		calls = { calls.user(), calls.emails("verified") }, needs = { email = "it refuses whoever has no address" },
		hints = { "registered is https://GITLAB/users/auth, as its documentation has it: it comes back below that" },
	},
}
