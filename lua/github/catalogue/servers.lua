-- github/catalogue/servers.lua: applications that people use, and the libraries that others are made with.
local calls = require "github/catalogue/calls"

local BOTH = { calls.user(), calls.emails_if_none("primary") }

return {
	sentry = {
		title = "Sentry", callback = "/auth/sso/", scope = "user:email,read:org,repo", token = "body",
		calls = { calls.organizations(nil, { "/user/orgs", reads = "id! login!" }), calls.user("id! email name"), calls.emails("verified") },
		needs = { email = "it refuses whoever has no verified primary address",
			organizations = "it refuses whoever is not in its organisation" },
	},
	superset = {
		title = "Superset, Airflow (Flask-AppBuilder)", callback = "/oauth-authorized/github", scope = "read:user, user:email",
			token = "basic", accept = "json",
		api = "Bearer", calls = { calls.user("login! name email") }, hints = { "the user is called github_LOGIN there" },
	},
	["airflow-1"] = {
		title = "Airflow 1.10 (github_enterprise_auth)", callback = "/ghe_oauth/callback", scope = "user:email,read:org", token = "body",
			api = "Bearer",
		calls = { calls.user("login! email"), calls.teams(nil, "{id}", { "/user/teams", reads = "id!" }) },
		hints = { "allowed_teams are numbers: try shows them" },
	},
	discourse = {
		title = "Discourse", callback = "/auth/github/callback", scope = "user:email", token = "body", api = "Bearer",
		calls = { calls.user(), calls.emails("verified") }, needs = { email = "it asks them for an address, and then verifies it" },
	},
	nextcloud = {
		title = "Nextcloud Social Login", callback = "/apps/sociallogin/custom_oauth2/*", scope = "user:email", token = "body",
			api = "Bearer",
		calls = { calls.user("id! login! name email"), calls.emails_if_none("primary"), calls.member },
		hints = { "its GitHub button knows github.com alone: use Custom OAuth2" },
	},
	codimd = {
		title = "CodiMD", callback = "/auth/github/callback", scope = "", token = "body", api = "Bearer", calls = { calls.user("id! login!") },
	},
	rocketchat = {
		title = "Rocket.Chat", callback = "/_oauth/github_enterprise", scope = "user:email", token = "body", accept = "json", api = "Bearer",
		calls = { calls.user("id! login! name email") }, wants = { email = "it has no address of them: it reads only the profile" },
	},
	tooljet = {
		title = "ToolJet", callback = "/sso/git", scope = "user:email", token = "json", accept = "json",
		calls = { calls.user("name email"), calls.emails("verified") },
			needs = { email = "it refuses whoever has no verified primary address" },
	},
	backstage = {
		title = "Backstage", callback = "/api/auth/github/handler/frame", scope = "read:user", token = "body", api = "Bearer",
		calls = { calls.user("id! login! name email avatar_url! node_id!") },
		hints = { "its catalogue asks GraphQL for everybody, with a service account's token" },
	},
	spring = {
		title = "Spring Security", callback = "/login/oauth2/code/*", scope = "read:user", token = "basic", accept = "json",
			api = "Bearer",
		calls = { calls.user("id!") }, hints = { "it takes scopes that commas separate for one" },
	},
	aspnet = {
		title = "ASP.NET Core (AspNet.Security.OAuth.GitHub)", callback = "/signin-github", scope = "user:email", token = "body",
			accept = "json", api = "Bearer",
		pkce = true, calls = { calls.user("id! login! name email url!"), calls.emails_if_none("primary") }, port = false,
	},
	["passport-github2"] = {
		title = "passport-github2", callback = "/auth/github/callback", scope = "user:email", token = "body", api = "Bearer",
			calls = { calls.user(), calls.emails("primary") },
		needs = { email = "with user:email asked for, it ends with an error when there is none" },
	},
	["passport-github"] = {
		title = "passport-github 1.1", callback = "/auth/github/callback", scope = "user:email", token = "body", api = "query",
			preset = "passport",
		calls = { calls.user(), calls.emails("primary") },
	},
	omniauth = {
		title = "omniauth-github", callback = "/auth/github/callback", scope = "user:email", token = "body", api = "Bearer",
			calls = { calls.user(), calls.emails("verified") },
	},
	["social-auth"] = {
		title = "python-social-auth", callback = "/complete/*/", scope = "user:email,read:org", token = "body", accept = "json",
		calls = { calls.user(), calls.emails_if_none("primary"), calls.member,
			{ "/teams/{team_number}/members/{login}", each = "team", expects = { 204, 404 } } },
	},
	allauth = { title = "django-allauth", callback = "/accounts/github/login/callback/", scope = "user:email", token = "body",
		calls = { calls.user(), calls.emails("verified") } },
	authlib = { title = "Authlib", callback = "", scope = "user:email", token = "basic", accept = "json", api = "Bearer", calls = BOTH },
	oauthlib = {
		title = "requests-oauthlib, Flask-Dance", callback = "", scope = "user:email", token = "basic", accept = "json", api = "Bearer",
			scopes = "literal", preset = "oauthlib",
		calls = BOTH, hints = { "with more than one scope set OAUTHLIB_RELAX_TOKEN_SCOPE: GitHub's answers have commas" },
	},
	authjs = {
		title = "Auth.js", callback = "/api/auth/callback/*", scope = "read:user user:email", token = "basic", accept = "json",
			api = "Bearer", pkce = true,
		calls = BOTH, hints = { "enterprise: { baseUrl }; next-auth 4 bears no send_iss" },
	},
}
