local address = require "config/address"
local applications = require "config/applications"
local nearest = require "config/nearest"
local settings = require "config/settings"
local types = require "config/types"

local function refused(given, pattern)
	local out, why = applications.complete(given)
	assert(not out and why:find(pattern), ("expected %s, got %s"):format(pattern, tostring(why)))
end

return {
	["an application made by a command gets every default"] = function()
		local a = assert(applications.complete { label = "grafana", redirect_uris = { "https://grafana.example.org/login" } })
		assert(a.client_id == "grafana" and a.slug == "grafana" and a.name == "grafana")
		assert(a.client_type == "confidential" and a.pkce == "optional" and a.consent == "remembered")
		assert(a.code_lifetime == 60 and a.access_token_lifetime == 600 and a.refresh_token_lifetime == 30 * 86400)
		assert(#a.origins == 1 and a.origins[1] == "https://grafana.example.org")
		assert(a.signing_alg == "RS256" and a.sub_mode == "hashed_user_id")
	end,
	["a public client needs PKCE and is asked again where anyone may listen (S19)"] = function()
		local a = assert(applications.complete { label = "cli", client_type = "public", redirect_uris = { "http://127.0.0.1/cb" } })
		assert(a.pkce == "required" and a.consent == "always")
		local b = assert(applications.complete { label = "spa", client_type = "public", redirect_uris = { "https://spa.example.org/" } })
		assert(b.consent == "remembered")
		refused({ label = "cli", client_type = "public", pkce = "optional" }, "PKCE")
		refused({ label = "cli", client_type = "public", client_secret = "12345678" }, "no secret")
	end,
	["what the schema does not know is refused with the nearest name"] = function()
		refused({ label = "a", redirect_uri = {} }, 'did you mean "redirect_uris"')
		refused({ label = "authorize" }, "word of the broker's own addresses")
		refused({ label = "Upper" }, "lower%-case")
		refused({}, "name is missing")
		assert(nearest("redirect_urls", applications.schema) == "redirect_uris")
		assert(nearest("entirely_different", applications.schema) == nil)
	end,
	["redirect URIs are absolute, without fragment, and nothing that runs (S18)"] = function()
		for _, good in ipairs { "https://a.example/cb?x=1", "http://127.0.0.1/cb", "http://[::1]:8000/", "org.example.app:/cb" } do
			assert(address.redirect(good), good)
		end
		for _, bad in ipairs { "javascript:alert(1)", "DATA:text/html,x", "vbscript:x", "https://a.example/#f", "/cb", "cb", "https://",
			"https:///cb", "https://u:p@a.example/", "https://a.example/ x", "https://a.example:70000/", "https://a\\b/", "https://a/%zz" } do
			assert(not address.redirect(bad), bad)
		end
	end,
	["a regex keeps scheme, host and port literal (S18)"] = function()
		assert(address.redirect_pattern "https://a\\.example\\.org:8443/cb/[0-9]+")
		assert(address.redirect_pattern "^https://a\\.example\\.org/.*$")
		for _, bad in ipairs { "https://.*/cb", "https://a.example/cb", "https?://a\\.example/cb", "https://a\\.example(:8443)?/cb", ".*",
			"https://a\\.example.*", "https://a\\.example|https://evil/" } do
			assert(not address.redirect_pattern(bad), bad)
		end
	end,
	["listeners and networks are literal"] = function()
		assert(address.listen("https://*:443").host == "*")
		assert(address.listen("http://[::1]:80").host == "::1")
		assert(address.listen("https://localhost:8443").port == 8443)
		for _, bad in ipairs { "https://example.org:443", "https://*", "ftp://*:21", "https://256.1.1.1:1", "https://[::1:1", "https://*:0" } do
			assert(not address.listen(bad), bad)
		end
		assert(address.network "10.0.0.0/8" and address.network "::1" and address.network "2001:db8::/32")
		assert(not address.network "10.0.0.0/33" and not address.network "10.0.0/8" and not address.network "example.org")
	end,
	["a lab listens on loopback only (S36)"] = function()
		local function complaint(...)
			local list, said = {}, nil
			for index, text in ipairs { ... } do
				list[index] = address.listen(text)
			end
			settings.complete({ public_url = "https://localhost", lab = true, listen = list }, function(name) said = name end)
			return said
		end
		assert(complaint("https://localhost:1", "http://127.0.0.1:2", "https://[::1]:3") == nil)
		assert(complaint("https://localhost:1", "https://*:443") == "lab" and complaint "http://192.0.2.1:80" == "lab")
	end,
	["lists are lists and texts are clean"] = function()
		local list = types.list(types.text())
		assert(#list { "a", "b", "a" } == 2)
		assert(not list { "a", x = 1 } and not list "a" and not list { 1 })
		assert(not types.text()("a\nb") and not types.text()("\xff") and not types.text()(""))
		assert(types.duration(1, 100000)("1h30m") == 5400)
		assert(types.data { a = { 1, true, "x" }, b = {} } and not types.data { f = tostring })
		for _, bad in ipairs { { "\xff" }, { a = { ["\xff"] = 1 } }, { 1, x = 2 }, { [3] = 1 }, { 1, nil, 3 }, { a = { nil, 2 } }, { [-1] = 2, 5 }, { 0 / 0 }, { a = math.huge } } do
			assert(not types.data(bad), "no JSON can say it")
		end
	end,
}
