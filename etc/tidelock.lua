-- Tidelock's configuration. Settings are assignments, objects are declarations. Check it with `tidelock check`, apply it
-- with SIGHUP: an error changes nothing and is told with file and line.

-- Every issuer and every link starts with this, never with what a request says. It must be the address that people use.
public_url = "https://sso.example.org"

-- "*" is every address. http answers health checks and redirects to https.
listen = { "https://*:443", "http://*:80" }

-- Database and keys; the only place that is written. Back up the whole folder: without data/master.key the database
-- cannot be read.
data = "/var/lib/tidelock"

-- Who the broker runs as when root starts it. Absent: the owner of the data folder.
-- run_as = "tidelock"

-- Absent: a certificate authority of our own is made on first start (data/lab-ca.pem is what clients must trust).
-- tls = { certificate = "/etc/ssl/sso.crt", key = "/etc/ssl/private/sso.key" }

-- Whose X-Forwarded-For and X-Forwarded-Proto are believed. Absent: nobody's.
-- trusted_proxies = { "127.0.0.1/32" }

-- The cost of one password check (argon2id).
-- password = { memory_kib = 7168, passes = 5 }

-- How many connections at once, in all and from one address.
-- connections = { total = 1000, per_address = 100 }

-- What the broker asks of others (a client's jwks_uri, back-channel logout) goes to the internet only. `allow` names what of your
-- own networks it may ask, `ca_file` whose certificates it believes beside the machine's list of authorities.
-- outgoing = { allow = { "wiki.corp.example", "10.20.0.0/16" }, ca_file = "corp-ca.pem", proxy = "http://proxy.corp.example:3128" }

-- Permissions: "everything", "manage_users", "read_directory".
group "admins" { permissions = { "everything" } }
group "staff" {}

-- A declared password is set again only when the value here changes. Without one: `tidelock user password alice`.
user "alice" {
	name = "Alice Liddell", email = "alice@example.org", email_verified = true, groups = { "admins", "staff" },
}

-- A script of your own decides what a claim says; try it before it goes live:
--   tidelock try scope groups --user alice --app grafana
-- scope_mapping "groups" { scope = "groups", description = "Your groups", script = "mappings/groups.lua" }

-- A script of your own decides who may use an application, and with which scopes (etc/policies/ has more). What it may ask of the
-- world is said here: may = { http = { "hr.example.org" }, users = true, tokens_for = { "grafana" }, sign = true, dns = true }.
-- policy "staff" { script = "policies/staff.lua" }

-- Who somebody is to applications that know "GitHub Enterprise": login, organisations, teams. Try it with `tidelock try github --user alice`.
-- github_mapping "default" { script = "mappings/github.lua" }
-- Anybody may ask whether an organisation is there, and for its number, as HashiCorp Vault does:
-- github_anonymous_organizations = true

-- Where people have an account already; `tidelock source show entra` prints the redirect URI to register there. Who somebody from
-- there would be: `tidelock try source entra --claims somebody.json`.
-- source "entra" {
-- 	kind = "entra", client_id = "…", client_secret = env "ENTRA_SECRET", groups = true,
-- 	tenants = { "8a7c0de0-1111-4222-8333-0123456789ab" }, mappings = { "entra" },
-- }
-- source_mapping "entra" { script = "mappings/entra.lua" }
-- source "corp" { kind = "oidc", issuer = "https://idp.corp.example", client_id = "sso", client_secret = file "secrets/corp" }

-- Paths belong to the file that names them. file() drops one final newline; env "NAME" reads the environment.
-- application "grafana" {
-- 	name          = "Grafana",
-- 	client_secret = file "secrets/grafana",
-- 	redirect_uris = { "https://grafana.example.org/login/generic_oauth" },
-- 	scopes        = { "openid", "profile", "email", "groups" },
-- 	policies      = { "staff" },
-- }

-- A program without a secret: PKCE is required.
-- application "cli" { client_type = "public", redirect_uris = { "http://127.0.0.1/callback" } }

-- Programs that every GitHub Enterprise knows by their own client_id ("gh", "gcm", "vscode"), and servers with habits of their own
-- ("jenkins", "openshift", "passport", "gitea", "vouch", "quay", "kratos", "oauthlib").
-- application "gh"      { preset = "gh", policies = { "staff" } }
-- application "jenkins" {
-- 	preset = "jenkins", client_secret = file "secrets/jenkins",
-- 	redirect_uris = { "https://ci.example.org/securityRealm/finishLogin" },
-- }

-- A program that signs instead of sending a secret, and the interface that it calls, which may ask about its tokens.
-- application "billing" {
-- 	token_endpoint_auth_method = "private_key_jwt",
-- 	jwks_uri  = "https://billing.example.org/jwks.json",
-- 	audiences = { "https://api.example.org/" },
-- }
-- application "api" { client_secret = file "secrets/api", federated = { "billing" } }

-- A cloud's console that takes the ID token from the browser and never asks for more: no secret, no PKCE, and its groups inside the
-- token although it cannot ask for them. `tidelock events` tells when a token grows above 2,300 characters, which such clouds refuse.
-- application "cloud" {
-- 	client_type = "public", response_types = { "id_token" }, id_token_claims = { "groups" },
-- 	redirect_uris = { "https://auth.example.org/authui/oidc/post" },
-- }

-- Applications that must not be able to tell that two of their people are one: sub_mode = "pairwise" in each. The salt is made here;
-- set it where people come from another installation and are to keep their subjects.
-- subject_salt = file "secrets/subject-salt"

-- include "conf.d/*.lua"
