-- config/warnings.lua: what the configuration may say but its owner should know of: `tidelock check` tells it.
local address = require "config/address"
local sources = require "config/source_warnings"

local warnings = {}

local DAY = 86400

local function has(list, value)
	for _, each in ipairs(list or {}) do
		if each == value then return true end
	end
	return false
end

local function issues_codes(a)
	for _, kind in ipairs(has(a.grant_types, "authorization_code") and a.response_types or {}) do
		if (" " .. kind .. " "):find(" code ", 1, true) then return true end
	end
	return false
end

-- Each looks at one application (complete) and says what it finds: a field and a message.
local function redirects(a, say)
	for _, uri in ipairs(a.redirect_uris) do
		if type(uri) == "table" then
			say("redirect_uris", "a regular expression in redirect_uris accepts addresses that nobody has looked at; list them instead")
		elseif uri:find("^http:") and not address.is_native(uri) then
			say("redirect_uris", ("%s is plain http: whoever is on the way reads the answer"):format(uri))
		end
	end
	for _, uri in ipairs(a.post_logout_redirect_uris) do
		if type(uri) == "table" then
			say("post_logout_redirect_uris", "a regular expression in post_logout_redirect_uris makes an open redirect easy")
		end
	end
	if #a.redirect_uris == 0 and has(a.grant_types, "authorization_code") then
		say("redirect_uris", "there are no redirect_uris: nobody can sign in to it")
	end
end

local function flows(a, say)
	for _, kind in ipairs(a.response_types) do
		if (" " .. kind .. " "):find(" token ", 1, true) then
			say("response_types", ("the response type \"%s\" hands access tokens to the browser's address bar"):format(kind))
		end
	end
	if has(a.response_types, "id_token") then
		say("response_types", "the response type \"id_token\" is the implicit flow: the ID token passes the browser")
	end
	if issues_codes(a) and a.pkce ~= "required" then
		say("pkce", "PKCE is not required: a stolen code is good wherever the client's secret is known")
	end
	if has(a.pkce_methods, "plain") then
		say("pkce_methods", "the PKCE method \"plain\" protects nothing that can be read on the way")
	end
	if has(a.grant_types, "password") then
		say("grant_types", "the grant type password lets the application see people's app passwords")
	end
	if has(a.grant_types, "urn:ietf:params:oauth:grant-type:token-exchange") then
		say("grant_types", "token exchange lets the application act for whoever signs in to the applications it trusts")
	end
	if a.client_type == "public" and has(a.grant_types, "urn:ietf:params:oauth:grant-type:device_code") and #a.policies == 0 then
		say("grant_types", "anyone may start this public client's device flow and send the code to somebody; a policy limits who is worth it")
	end
end

local function trust(a, say)
	if a.consent == "implicit" and a.client_type == "public" then
		say("consent", "nobody is asked before a public client, which anyone can pose as, learns who they are")
	end
	if #a.federated > 0 then
		say("federated", ("tokens of %s are accepted as if they were its own"):format(table.concat(a.federated, ", ")))
	end
	if #a.script_claims > 0 then
		say("script_claims", ("scripts may set %s"):format(table.concat(a.script_claims, ", ")))
	end
	if a.access_token_typ == "JWT" then
		say("access_token_typ", "access tokens of the type JWT look like ID tokens to a careless resource server")
	end
	if a.authentik_errors then
		say("authentik_errors", "authentik's statuses are not the standard's: for clients that rely on them only")
	end
	if a.authorization_response_iss == false then
		say("authorization_response_iss", "without iss a client of several providers cannot tell who answered (RFC 9207)")
	end
end

local function github_side(a, say)
	local side, public = a.github or {}, a.client_type == "public"
	if side.query_secret and not public then
		say("github", "query_secret: the application's secret stands in URLs, which servers and proxies write down")
	end
	if side.query_token then
		say("github", "query_token: tokens stand in URLs, which servers and proxies write down")
	end
	if side.callback_match == "github" then
		say("github", "callback_match \"github\": whoever has a sub-domain of a redirect URI gets the application's codes")
	end
	if side.device_flow and public and #a.policies == 0 then
		say("github", "anyone may start this public client's device flow and send the code to somebody; a policy limits who is worth it")
	end
end

local RENAMED = { user_email = "e-mail address", user_username = "user name", user_upn = "UPN" }

local function subjects(a, say)
	if RENAMED[a.sub_mode] then
		say("sub_mode", ("the subject is the %s: whoever has it next is taken for the same person"):format(RENAMED[a.sub_mode]))
	end
end

local function lengths(a, say)
	if a.access_token_lifetime > DAY then
		say("access_token_lifetime", "an access token is good for more than a day wherever it is checked offline")
	end
	if a.client_secret and #a.client_secret < 16 then
		say("client_secret", "client_secret is shorter than 16 characters: it can be guessed")
	end
	for _, name in ipairs { "logout_uri", "jwks_uri" } do
		if a[name] and a[name]:find("^http:") then
			say(name, ("%s is plain http: it can be read and changed on the way"):format(name))
		end
	end
end

-- { { field, message }, … }
function warnings.of_application(a)
	local out = {}
	local function say(field, message) out[#out + 1] = { field = field, message = message } end
	redirects(a, say)
	flows(a, say)
	trust(a, say)
	github_side(a, say)
	subjects(a, say)
	lengths(a, say)
	return out
end

local function scripts(list, report)
	for _, each in ipairs(list or {}) do
		local may = each.may or {}
		if may.sign then report(each, "may", "the script may sign what it likes with the broker's keys (may.sign)") end
		if may.users then report(each, "may", "the script may read what is known of other people (may.users)") end
	end
end

-- report(object or nil, field, message) for everything in the file; an object of nil means a setting.
function warnings.find(data, report)
	for _, application in ipairs(data.applications) do
		for _, each in ipairs(warnings.of_application(application)) do
			report(application, each.field, each.message)
		end
	end
	scripts(data.policies, report)
	scripts(data.scope_mappings, report)
	scripts(data.source_mappings, report)
	sources(data, report)
	local settings = data.settings
	if settings.public_url:find(":%d+$") then
		for _, host in ipairs(data.github_hosts) do
			report(host, nil, "its port is public_url's, and gh and others know GitHub Enterprise at port 443 only")
		end
	end
	for _, network in ipairs(settings.trusted_proxies) do
		if network:find("/0$") then
			report(nil, "trusted_proxies", ("%s trusts everyone to say who they are"):format(network))
		end
	end
	if settings.password.memory_kib < 7168 then
		report(nil, "password", "passwords are hashed cheaper than the product's least (7168 KiB, 5 passes)")
	end
	if settings.lab then
		report(nil, "lab", "the laboratory shows passwords and tokens: for loopback and made-up people only")
	end
end

return warnings
