-- What the OpenID Foundation's conformance suite needs to test this broker: one issuer for all clients, every response type, clients
-- with secrets of their own, and all the claims that the scopes stand for. openid_conformance.json beside this file is the suite's side:
-- paste it into the form of a plan (static client, discovery) and change its discovery address; what is to be clicked is in it.
-- SUITE is where the suite answers, with its alias; SUITE_CA what signed its certificate, a file; PUBLIC_URL where this broker does.
-- The session management plan is for a person's own browser, which keeps cookies from frames of other sites: there PUBLIC_URL has the
-- suite's host.

local suite = env("SUITE", "https://localhost.emobix.co.uk:8443/test/a/tidelock")

public_url = env("PUBLIC_URL", "https://localhost:9443")
listen     = { env("LISTEN", "https://localhost:9443") }
data       = env("TIDELOCK_DATA", "../../build/conformance")
-- The suite runs beside the broker, under a certificate of its own making: back-channel logout goes to a private address.
outgoing   = { allow = { suite:match("^https://([^:/]+)") }, ca_file = env("SUITE_CA", false) or nil }

user "foo" {
	name = "Demo T. User", email = "foo@example.com", email_verified = true, password = "bar-bar-bar",
	attributes = {
		given_name = "Demo", family_name = "User", middle_name = "Theresa", nickname = "Dee", profile = "https://example.com/foo",
		picture = "https://example.com/foo.png", website = "https://example.com/", gender = "female", birthdate = "2000-02-03",
		zoneinfo = "Europe/Berlin", locale = "en-US", phone = "+49 30 5550123", phone_verified = true,
		address = { street_address = "100 Universal City Plaza", locality = "Hollywood", region = "CA", postal_code = "91608", country = "USA",
			formatted = "100 Universal City Plaza\nHollywood, CA 91608\nUSA" },
	},
}

scope_mapping "profile" { scope = "profile", description = "Your profile", script = "../mappings/profile.lua" }
scope_mapping "address" { scope = "address", description = "Your address", script = "../mappings/address.lua" }
scope_mapping "phone"   { scope = "phone", description = "Your telephone number", script = "../mappings/phone.lua" }

local function client(settings)
	settings.issuer_mode    = "global"
	settings.scopes         = { "openid", "profile", "email", "address", "phone", "offline_access" }
	settings.consent        = "implicit"
	-- The suite wants the claims of scopes in one place: userinfo, and the ID token where there is no access token to ask with.
	settings.include_claims_in_id_token = false
	settings.grant_types    = { "authorization_code", "refresh_token", "implicit" }
	settings.response_types = { "code", "id_token", "id_token token", "code id_token", "code token", "code id_token token" }
	settings.redirect_uris  = settings.redirect_uris or { suite .. "/callback" }
	settings.post_logout_redirect_uris = { suite .. "/post_logout_redirect" }
	return settings
end

application "suite-one" (client { name = "Conformance suite, first client", client_secret = "the-first-secret-of-the-conformance-suite" })
application "suite-two" (client {
	name = "Conformance suite, second client", client_secret = "the-second-secret-of-the-conformance-suite",
	redirect_uris = { suite .. "/callback", suite .. "/callback?dummy1=lorem&dummy2=ipsum" },
})
-- Told of a logout in the two plans about that only: every other module fails when the suite is called without having asked.
application "suite-backchannel" (client {
	name = "Conformance suite, told behind the browser's back", client_secret = "the-third-secret-of-the-conformance-suite",
	logout_uri = suite .. "/backchannel_logout",
})
application "suite-frontchannel" (client {
	name = "Conformance suite, told by the browser", client_secret = "the-fourth-secret-of-the-conformance-suite",
	logout_uri = suite .. "/frontchannel_logout", logout_method = "frontchannel",
})
