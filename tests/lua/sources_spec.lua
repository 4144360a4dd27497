-- Sources: how they are declared, whose subjects are whose, and who somebody from one is here (S25 to S28).
local akkess = require "config/akkess"
local arrivals = require "auth/arrivals"
local database = require "store/database"
local declared = require "store/declared"
local identities = require "store/identities"
local rows = require "store/rows"
local sources = require "auth/sources"
local config_sources = require "config/sources"
local users = require "store/users"

-- Seed 001's two objects, as they stand there.
local OIDC = [[{
"adapter": "OIDC",
"name": "Google",
"description": "Used for sign in using Google account",
"subjectPoolKey": "google",
"visibility": "PUBLIC",
"description": "Used for sign in using Google account",
"adapterConfigOidc": {
"issuer": "accounts.google.com",
"audience": "xyz.apps.googleusercontent.com",
"usernameMapping": {
"attribute": "email"
},
"nameMapping": {
"attribute": "name",
"syncOption": "ONCE"
}
}
}]]
local OAUTH2 = [[{
"adapter": "OAUTH_2",
"name": "Google",
"description": "Used for sign in using Google account",
"subjectPoolKey": "google",
"visibility": "PUBLIC",
"description": "Used for sign in using Google account",
"adapterConfigOauth2": {
"clientId": "abc",
"clientSecret": "xxx",
"authorizeUrl": "https://accounts.google.com/o/oauth2/v2/auth",
"tokenUrl": "https://oauth2.googleapis.com/token",
"userInfoUrl": "https://openidconnect.googleapis.com/v1/userinfo",
"usernameMapping": {
"attribute": "email"
},
"nameMapping": {
"attribute": "name",
"syncOption": "ONCE"
}
}
}]]

local made = 0

-- A source of this installation by its settings, as the file would declare it.
local function declare(settings)
	made = made + 1
	settings.label = settings.label or "s" .. made
	settings.kind = settings.kind or "oidc"
	settings.client_id = settings.client_id or "client"
	settings.issuer = settings.issuer or "https://upstream.example"
	return config_sources.complete(settings, function(field, message) error(field .. ": " .. message) end)
end

local everything = { sources = {}, users = {}, groups = {}, subject_pools = {} }

local function apply(more)
	for kind, list in pairs(more) do
		for _, each in ipairs(list) do table.insert(everything[kind], each) end
	end
	local config = { settings = { password = { memory_kib = 64, passes = 1 } } }
	for kind, list in pairs(everything) do config[kind] = list end
	local ok, why = declared.apply(config)
	assert(ok, why)
	sources.changed()
end

local function source_of(settings)
	local one = declare(settings)
	apply { sources = { one } }
	return assert(sources.by_name(one.label))
end

local function land(source, came, current)
	local user, list = arrivals.land(source, came, nil, current)
	if not user then return nil, list.reason end
	assert(rows.batch(list), "the batch failed")
	return users.by_id(user.id)
end

return {
	["seed 001's two objects load unchanged"] = function()
		database.migrate()
		local oidc = assert(akkess.of_file(OIDC))
		assert(oidc.kind == "oidc" and oidc.issuer == "https://accounts.google.com" and oidc.more.issuers[1] == "accounts.google.com")
		assert(oidc.client_id == "xyz.apps.googleusercontent.com" and oidc.client_secret == nil and oidc.visibility == "public")
		assert(oidc.attributes.name == "once" and oidc.username_attribute == "email")
		local oauth = assert(akkess.of_file(OAUTH2))
		assert(oauth.kind == "oauth2" and oauth.client_secret == "xxx" and oauth.subject_attribute == nil)
		assert(oauth.more.pool_key == "google" and oauth.more.akkess.adapterConfigOauth2.clientSecret == nil)
	end,
	["somebody new is enrolled once and is the same person from then on"] = function()
		local source = source_of {}
		local came = { subject = "1", claims = { sub = "1" }, info = { preferred_username = "new-one", name = "New One", email = "n@x.example" } }
		local user = assert(land(source, came))
		assert(user.username == "new-one" and user.name == "New One" and user.email == "n@x.example" and not user.email_verified)
		came.info.name = "Newer One"
		local again = assert(land(source, came))
		assert(again.id == user.id and again.name == "Newer One" and #identities.of_user(user.id) == 1)
	end,
}
