-- github/catalogue/gateways.lua: what stands before applications, and brokers that have GitHub Enterprise as one of their sources.
local calls = require "github/catalogue/calls"

local function proxy()
	return {
		title = "oauth2-proxy", callback = "/oauth2/callback", scope = "user:email read:org", token = "body",
		authorize = { approval_prompt = "force" },
		calls = {
			calls.organizations("empty"), calls.teams("empty", "{organization.login}:{slug}"), calls.emails("verified"),
				calls.user("login! email"),
			{ "", reads = "" },
		},
		needs = { email = "it lets nobody in without an address that is primary and verified" },
		wants = { organizations = "with --github-org set it refuses them" },
	}
end

local function dex(title, callback, shows)
	return {
		title = title, callback = callback, scope = "user:email read:org", token = "go", api = "Bearer", renews = true,
		calls = {
			calls.user("id! login! name email"), calls.emails_if_none("primary", { pages = "next+last" }), calls.member,
			calls.teams("next+last", shows, { "/user/teams", reads = "name! slug! organization.login!" }),
			calls.organizations("next+last", { "/user/orgs" }),
		},
		needs = { email = "it refuses whoever has no primary address" },
		wants = { organizations = "with orgs in its configuration it refuses them" },
		hints = { "orgs names organisations as they are written here: it compares them letter by letter" },
	}
end

return {
	["oauth2-proxy"] = proxy(),
	dex = dex("dex", "/callback", "{organization.login}:{name}"),
	argocd = dex("Argo CD (dex)", "/api/dex/callback", "{organization.login}:{name}"),
	concourse = dex("Concourse", "/sky/issuer/callback", "{organization.login}:{slug}"),
	pomerium = {
		title = "Pomerium", callback = "/oauth2/callback", scope = "user:email read:org", token = "go", prefix = "",
		authorize = { access_type = "offline" }, calls = { calls.user("id! login! name avatar_url"), calls.emails("verified") },
		wants = { email = "policies that name addresses do not find them" },
	},
	vouch = {
		title = "Vouch", callback = "/auth", scope = "read:user read:org", token = "go", api = "query", preset = "vouch",
		calls = { calls.user("login! name email"), calls.member, calls.team_membership },
		wants = { organizations = "with teamWhitelist it refuses them" },
	},
	keycloak = {
		title = "Keycloak", callback = "/broker/*/endpoint", scope = "user:email", token = "body", api = "Bearer",
		calls = { calls.user(), calls.emails_if_none("primary") }, needs = { email = "it ends with an error when there is no primary address" },
		hints = { "Base URL and API URL are those of app show; GitHub JSON format may be on or off" },
	},
	zitadel = {
		title = "Zitadel", callback = "/idps/callback", scope = "user:email", token = "go", api = "Bearer",
		calls = { calls.user("id! login! name email created_at! updated_at!") },
		wants = { email = "it has no address of them: it reads only the profile" },
	},
	kratos = {
		title = "Ory Kratos", callback = "/self-service/methods/oidc/callback/*", scope = "user:email", token = "go", api = "Bearer",
		scopes = "literal", preset = "kratos", calls = { calls.user(), calls.emails("verified") },
		wants = { email = "a schema that requires an address asks them for one" },
	},
	supabase = {
		title = "Supabase Auth", callback = "/auth/v1/callback", scope = "user:email", token = "go", api = "Bearer",
		calls = { calls.user("id! login! name email avatar_url!"), calls.emails("verified") },
		needs = { email = "it refuses whoever has no address" },
	},
	lemonldap = {
		title = "LemonLDAP::NG", callback = "/", scope = "user:email", token = "body", accept = "json",
			calls = { calls.user("login! name email") },
	},
}
