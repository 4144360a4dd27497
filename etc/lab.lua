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
