-- config/source_kinds.lua: what is known of each kind of source beforehand: how it speaks, where it is, which scopes and claims it has.
-- Data alone: what its owner says comes before it (config/sources), and reading it needs no network. Fields are those of a source
-- record (auth/sources); `public` marks services where anybody may have an account; `needs` what the owner has to say.
local kinds = {}

local PROFILE = { "openid", "email", "profile" }

kinds.oidc = { adapter = "oidc", needs = { "client_id", "issuer" }, scopes = PROFILE }

kinds.oauth2 = { adapter = "oauth2", needs = { "client_id", "authorization_url", "token_url", "profile_url" }, scopes = {} }

-- Entra's URLs name a tenant, and its issuer for several of them is a template: config/sources makes both of `tenants`.
kinds.entra = {
	adapter = "oidc", needs = { "client_id", "tenants" }, scopes = { "openid", "email", "profile", "https://graph.microsoft.com/User.Read" },
	group_scope = "https://graph.microsoft.com/GroupMember.Read.All",
	-- E3: sub is another for each application; who somebody is says oid with tid.
	subject_attribute = "oid",
	username_attributes = { "userPrincipalName", "upn", "preferred_username" }, name_attributes = { "displayName", "name" },
	email_attributes = { "mail", "otherMails.1", "email" },
	extra = {
		authority = "https://login.microsoftonline.com", graph = "https://graph.microsoft.com", token_auth = "post", discovery = false,
		verified_email = "xms_edov",
	},
}

-- GitHub signs people in by OAuth 2.0 alone. `issuer` is an Enterprise server's address.
kinds.github = {
	adapter = "oauth2", needs = { "client_id" }, scopes = { "read:user", "user:email" }, group_scope = "read:org", public = true,
	subject_attribute = "id", username_attributes = { "login" }, name_attributes = { "name" }, email_attributes = { "email" },
	extra = { web = "https://github.com", api = "https://api.github.com", token_auth = "post" },
}

kinds.google = {
	adapter = "oidc", needs = { "client_id" }, scopes = PROFILE, public = true, issuer = "https://accounts.google.com",
	username_attributes = { "email" },
	-- F: tokens of long ago have the issuer without its scheme.
	extra = { issuers = { "accounts.google.com" }, token_auth = "post" },
}

kinds.gitlab = {
	adapter = "oidc", needs = { "client_id" }, scopes = PROFILE, public = true, issuer = "https://gitlab.com",
	username_attributes = { "preferred_username", "nickname" },
}

-- F: Okta takes no Basic everywhere, and its groups claim ends at a hundred without a word.
kinds.okta = {
	adapter = "oidc", needs = { "client_id", "issuer" }, scopes = PROFILE, group_scope = "groups",
	extra = { token_auth = "post", groups_cut_at = 100 },
}

kinds.keycloak = { adapter = "oidc", needs = { "client_id", "issuer" }, scopes = PROFILE }

-- Akkess's identity provider for testing: whoever says a name is who they say (allow_test_sources, S26).
kinds.basic = { adapter = "basic", needs = {}, scopes = {} }

-- Where a kind says nothing of its own.
kinds.CLAIMS = {
	username_attributes = { "preferred_username", "nickname", "username" }, name_attributes = { "name" }, email_attributes = { "email" },
}

-- A subject as the pool knows it: Entra's is the object's id with its tenant (two tenants may have the same), which need not be said where
-- there is one tenant only. settings: of the source. nil and what is wrong.
function kinds.subject(settings, subject)
	if settings.kind ~= "entra" then
		return subject
	end
	if subject:find(".", 1, true) then
		return subject:lower()
	end
	if #(settings.tenants or {}) ~= 1 then
		return nil, "a subject of a source of several tenants is like \"object-id.tenant-id\""
	end
	return ("%s.%s"):format(subject:lower(), settings.tenants[1])
end

return kinds
