local check = require "kit/check"
local duration = require "kit/duration"
local err = require "kit/err"
local reply = require "kit/reply"
local scope = require "kit/scope"
local slug = require "kit/slug"
local urls = require "kit/urls"

local function form(body, kind)
	return { method = "POST", body = body, headers = { ["content-type"] = kind or "application/x-www-form-urlencoded" } }
end

local function raises(code, fn, ...)
	local ok, e = pcall(fn, ...)
	assert(not ok and err.is(e) and e.oauth == code, "expected " .. code .. ", got " .. tostring(e))
end

return {
	["a form's fields are bounded, single and well-formed"] = function()
		local schema = { a = { max = 3 }, b = { one_of = { "x", "y" } } }
		assert(check.form(form "a=1&b=x&c=2&c=3", schema).a == "1")
		raises("invalid_request", check.form, form "a=1234", schema)
		raises("invalid_request", check.form, form "a=1&a=2", schema)
		raises("invalid_request", check.form, form "b=z", schema)
		raises("invalid_request", check.form, form "a=%00", schema)
		raises("invalid_request", check.form, form "a=%ff", schema)
		raises("invalid_request", check.form, form "a=%zz", schema)
	end,
	["a body that is no form is refused, an empty one has no fields"] = function()
		raises("invalid_request", check.form, form("{}", "application/json"), {})
		assert(check.form({ method = "POST", body = "", headers = {} }, { a = {} }).a == nil)
		assert(check.form(form("a=1", "application/x-www-form-urlencoded; charset=UTF-8"), { a = {} }).a == "1")
	end,
	["an empty parameter counts as absent (RFC 6749 3.1)"] = function()
		assert(check.form(form "a=", { a = {} }).a == nil)
		assert(check.form(form "a=", { a = { keep_empty = true } }).a == "")
		raises("invalid_request", check.form, form "a=", { a = { required = true } })
	end,
	["a cookie that came twice is none"] = function()
		local req = { headers = { cookie = "a=1; b=2; a=3" } }
		assert(check.cookie(req, "a") == nil and check.cookie(req, "b") == "2" and check.cookie(req, "c") == nil)
	end,
	["durations are read and written"] = function()
		assert(duration.parse "28d" == 28 * 86400 and duration.parse "1h30m" == 5400 and duration.parse(5) == 5)
		assert(not duration.parse "x" and not duration.parse "" and not duration.parse "5" and not duration.parse "-1s")
		assert(duration.text(5400) == "1h30m" and duration.text(0) == "0s")
	end,
	["scopes are ordered sets"] = function()
		assert(scope.join(scope.parse "b a  b") == "b a")
		assert(not scope.parse 'a"b' and not scope.parse "a\nb")
		assert(scope.equal({ "a", "b" }, { "b", "a" }) and not scope.equal({ "a" }, { "b" }))
		assert(scope.join(scope.intersect({ "a", "b" }, { "b" })) == "b")
		assert(scope.join(scope.union({ "a" }, { "a", "c" })) == "a c")
	end,
	["parameters join a query that is there, before a fragment"] = function()
		assert(urls.with_query("https://a/?x=1", { { "code", "a b" }, { "state", nil } }) == "https://a/?x=1&code=a%20b")
		assert(urls.with_query("https://a/cb", { { "code", "1" } }) == "https://a/cb?code=1")
		assert(urls.with_fragment("https://a/", { { "x", "1" } }) == "https://a/#x=1")
	end,
	["S18: a redirect matches byte for byte"] = function()
		local application = { redirect_uris = { "https://app.example.org/cb" } }
		assert(urls.redirect_allowed(application, "https://app.example.org/cb"))
		for _, uri in ipairs { "https://app.example.org/cb/", "https://app.example.org/cb?x=1", "https://APP.example.org/cb",
			"https://app.example.org:443/cb", "https://x@app.example.org/cb", "https://app.example.org/cb#f",
			"https://app.example.org/%63b", "https://app.example.org/..;/cb", "https://app.example.org.evil.org/cb",
			"http://app.example.org/cb", "//app.example.org/cb", "https://app.example.org\\@evil.org/cb", "" } do
			assert(not urls.redirect_allowed(application, uri), uri)
		end
		assert(not urls.redirect_allowed({ redirect_uris = {} }, "https://app.example.org/cb"))
	end,
	["S18: an expression must match whole"] = function()
		local application = { redirect_uris = { { regex = [[https://app\.example\.org/[a-z]+/cb]] } } }
		assert(urls.redirect_allowed(application, "https://app.example.org/one/cb"))
		for _, uri in ipairs { "https://app.example.org/one/cb?x", "https://app.example.org/one/cb\n", "xhttps://app.example.org/one/cb",
			"https://appxexample.org/one/cb", "https://app.example.org/1/cb" } do
			assert(not urls.redirect_allowed(application, uri), uri)
		end
	end,
	["S18: whatever an expression says, scheme, host and port are its literal ones"] = function()
		for _, regex in ipairs { [[https://app\.example\.org/?.*]], [[https://app\.example\.org/{0,1}.*]], [[^https://app\.example\.org/*.*$]],
			[[https://app\.example\.org/a|https://.*]] } do
			local application = { redirect_uris = { { regex = regex } } }
			assert(urls.redirect_allowed(application, "https://app.example.org/a"), regex)
			for _, uri in ipairs { "https://app.example.org.evil.org/", "https://app.example.org@evil.org/", "https://evil.org/a" } do
				assert(not urls.redirect_allowed(application, uri), regex .. " " .. uri)
			end
		end
	end,
	["S18: any port on literal loopback addresses only"] = function()
		local application = { redirect_uris = { "http://127.0.0.1/cb", "http://[::1]:9/cb", "http://localhost/cb" } }
		assert(urls.redirect_allowed(application, "http://127.0.0.1:5123/cb"))
		assert(urls.redirect_allowed(application, "http://[::1]/cb"))
		for _, uri in ipairs { "http://localhost:5123/cb", "http://127.0.0.1:99999/cb", "http://127.0.0.1:0/cb",
			"http://127.0.0.1:51@evil.org/cb", "http://127.0.0.1.evil.org/cb", "https://127.0.0.1:5/cb",
			"http://127.0.0.1:5/cb2" } do
			assert(not urls.redirect_allowed(application, uri), uri)
		end
		application.loopback_localhost = true
		assert(urls.redirect_allowed(application, "http://localhost:5123/cb"))
	end,
	["pages carry the policy of S15"] = function()
		local headers = reply.html("x").headers
		assert(headers["content-security-policy"]:find("default-src 'none'", 1, true))
		assert(headers["content-security-policy"]:find("frame-ancestors 'none'", 1, true))
		assert(headers["referrer-policy"] == "same-origin" and headers["cache-control"] == "no-store")
	end,
	["slugs are lower-case words"] = function()
		assert(slug.of "  My App_2!  " == "my-app-2")
	end,
}
