-- The lab: everything on this machine, with people and applications to try things with. `make run` starts it.
-- Never for anybody else's accounts: the passwords stand below in clear.

lab        = true
public_url = "https://localhost:8443"
listen     = { "https://localhost:8443", "http://localhost:8080" }
data       = env("TIDELOCK_LAB_DATA", "../build/lab")
password   = { memory_kib = 7168, passes = 5 }

group "admins" { permissions = { "everything" } }
group "staff" {}
group "github-users" { parents = { "staff" } }

user "alice" {
	name = "Alice Liddell", email = "alice@example.org", email_verified = true, password = "wonderland",
	groups = { "admins", "github-users" }, attributes = { phone = "+49 30 5550100", team = "gardening" },
}
user "bob" {
	name = "Bob Builder", email = "bob@example.org", email_verified = true, password = "can-we-fix-it",
	groups = { "github-users" },
}
user "carol" { name = "Carol Danvers", email = "carol@example.org", password = "higher-further", groups = { "staff" } }

scope_mapping "groups" { scope = "groups", description = "The groups you are in", script = "mappings/groups.lua" }
scope_mapping "contact" { scope = "contact", description = "How to reach you", script = "mappings/contact.lua" }

-- Who may use an application: try it with `tidelock try policy payroll --user bob --app payroll`.
policy "payroll" { script = "policies/payroll.lua" }

-- A web application with a server of its own.
application "notes" {
	name          = "Notes",
	client_secret = "notes-secret-for-the-lab",
	redirect_uris = { "https://localhost:9443/callback", "http://localhost:9080/callback" },
	post_logout_redirect_uris = { "http://localhost:9080/" },
	scopes        = { "openid", "profile", "email", "groups", "contact", "offline_access" },
}

-- A program on the user's own machine or a page that runs in the browser: no secret, but PKCE.
application "phone" {
	name          = "Phone book",
	client_type   = "public",
	redirect_uris = { "http://127.0.0.1/callback", "http://[::1]/callback", "org.example.phone:/callback" },
	scopes        = { "openid", "profile", "email", "groups", "offline_access" },
}

-- One that asks every time, and is not for everybody: sign in as bob.
application "payroll" {
	name          = "Payroll",
	client_secret = "payroll-secret-for-the-lab",
	redirect_uris = { "http://localhost:9081/callback" },
	scopes        = { "openid", "profile", "email", "groups" },
	consent       = "always",
	policies      = { "payroll" },
	signing_alg   = "ES256",
}

-- A screen without a keyboard: it shows a code that is typed in at /device.
application "television" {
	name        = "Television",
	client_type = "public",
	grant_types = { "urn:ietf:params:oauth:grant-type:device_code", "refresh_token" },
	scopes      = { "openid", "profile", "offline_access" },
}

-- A program that signs in for itself.
application "nightly" {
	name          = "Nightly backup",
	client_secret = "nightly-secret-for-the-lab",
	grant_types   = { "client_credentials" },
	scopes        = { "openid", "profile" },
	access_token  = "opaque",
}

-- A console in the cloud that takes the ID token from the browser, without a code (response_mode=form_post).
application "cloud" {
	name            = "Cloud console",
	client_type     = "public",
	redirect_uris   = { "https://localhost:9445/oidc" },
	response_types  = { "id_token" },
	scopes          = { "openid", "profile", "email" },
	id_token_claims = { "groups" },
}

-- Programs that sign in with "GitHub Enterprise", which this broker is to them. What they would ask and read:
-- `tidelock try github --user bob --as jenkins --app builds`.
github_mapping "default" { script = "mappings/github.lua" }
application "builds" {
	name          = "Jenkins",
	preset        = "jenkins",
	client_secret = "builds-secret-for-the-lab",
	redirect_uris = { "http://localhost:9082/securityRealm/finishLogin" },
}
application "gh" { preset = "gh" }

-- Accounts from elsewhere: stand-ins for other people's identity providers, which `make run` starts on this machine
-- (tests/upstream/lab.mjs). Their pages ask for no password: choose who you are.
source "entra" {
	kind = "entra", name = "Microsoft (stand-in)", client_id = "tidelock-lab", client_secret = "entra-secret-for-the-lab",
	tenants = { "8a7c0de0-1111-4222-8333-0123456789ab" }, groups = true,
	authorization_url = "http://localhost:9601/8a7c0de0-1111-4222-8333-0123456789ab/oauth2/v2.0/authorize",
	profile_url       = "http://localhost:9601/v1.0/me",
}
source "google" {
	kind = "google", name = "Google (stand-in)", client_id = "tidelock-lab", client_secret = "google-secret-for-the-lab",
	issuer = "http://localhost:9602",
}
source "github" {
	kind = "github", name = "GitHub Enterprise (stand-in)", client_id = "tidelock-lab", client_secret = "github-secret-for-the-lab",
	issuer = "http://localhost:9603", groups = true,
}
source "gitlab" {
	kind = "gitlab", name = "GitLab (stand-in)", client_id = "tidelock-lab", client_secret = "gitlab-secret-for-the-lab",
	issuer = "http://localhost:9604", groups = true,
}
source "keycloak" {
	kind = "keycloak", name = "Keycloak (stand-in)", client_id = "tidelock-lab", client_secret = "keycloak-secret-for-the-lab",
	issuer = "http://localhost:9605/realms/lab", scopes = { "groups" }, groups = true,
}
source "plain" {
	kind = "oauth2", name = "Plain OAuth 2.0 (stand-in)", client_id = "tidelock-lab", client_secret = "plain-secret-for-the-lab",
	authorization_url  = "http://localhost:9606/oauth/authorize",
	token_url          = "http://localhost:9606/oauth/token",
	profile_url        = "http://localhost:9606/profile",
	subject_attribute  = "data.user.id", username_attribute = "data.user.handle", name_attribute = "data.user.display",
	email_attribute    = "data.user.contact.mail", groups = "data.teams",
}
