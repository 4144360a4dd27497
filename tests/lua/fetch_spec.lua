-- kit/fetch and the tables below it: what is refused before anybody is asked, and what names are.
local conf = require "kit/conf"
local fetch = require "kit/fetch"

local function refused(code, options)
	local answer, got, detail = fetch.request(options)
	assert(answer == nil and got == code and type(detail) == "string", ("%s: %s"):format(options.url, tostring(got)))
end

local function raises(what, fn)
	local ok, why = pcall(fn)
	assert(not ok and tostring(why):find(what, 1, true), tostring(why))
end

return {
	bad_urls_and_methods_are_refused = function()
		for _, url in ipairs { "", "x", "ftp://example.org/", "http://u:p@example.org/", "http://0x7f.1/", "http://exa mple.org/" } do
			refused("bad_url", { url = url })
		end
		refused("bad_url", { url = "http://example.org/", method = "TRACE" })
		refused("bad_url", { url = "http://example.org/", headers = { ["x"] = "a\r\nb: c" } })
		refused("bad_url", { url = "http://example.org/", headers = { host = "other" } })
	end,
	private_addresses_are_refused = function()
		refused("blocked", { url = "http://127.0.0.1/" })
		refused("blocked", { url = "http://localhost/" })
		refused("blocked", { url = "http://127.0.0.1:1/", allow = { "localhost", "10.0.0.0/8" } })
		refused("connect", { url = "http://127.0.0.1:1/", allow = { "127.0.0.0/8" } })
		refused("connect", { url = "http://localhost:1/", allow = { "localhost" } })
	end,
	the_settings_are_the_owners = function()
		conf.use { settings = { outgoing = { allow = { "127.0.0.1" } } } }
		refused("connect", { url = "http://127.0.0.1:1/" })
		refused("connect", { url = "http://127.0.0.1:1/", allow = { "other.test" } })
		refused("blocked", { url = "http://127.0.0.2:1/" })
		conf.use { settings = { outgoing = { proxy = "http://127.0.0.1:1" } } }
		refused("connect", { url = "http://example.org/" })
		refused("blocked", { url = "http://10.0.0.1/" })
		conf.use {}
	end,
	misuse_is_a_mistake_of_ours = function()
		raises("url is a table", function() fetch.get({}) end)
		raises("headers is no table", function() fetch.get("http://example.org/", { headers = "x" }) end)
		raises("a header is no text", function() fetch.get("http://example.org/", { headers = { x = 1 } }) end)
		raises("timeout is a string", function() fetch.get("http://example.org/", { timeout = "5" }) end)
		raises("too many headers", function()
			local headers = {}
			for i = 1, 65 do headers["x" .. i] = "y" end
			fetch.get("http://example.org/", { headers = headers })
		end)
		raises("cannot wait here", function() table.sort({ 2, 1 }, function() return fetch.get("http://127.0.0.1:1/", { allow = { "127.0.0.1" } }) end) end)
	end,
	no_time_at_all_is_too_little = function()
		refused("timeout", { url = "http://127.0.0.1:1/", allow = { "127.0.0.1" }, timeout = 0 })
	end,
	names_have_addresses = function()
		local list = assert(dns.resolve("localhost"))
		assert(#list > 0 and (list[1] == "127.0.0.1" or list[1] == "::1"))
		for _, each in ipairs(assert(dns.resolve("localhost", { version = 4 }))) do assert(each:find("^127%.")) end
		local none, why = dns.resolve("name-that-is-not.invalid")
		assert(none == nil and (why == "notfound" or why == "timeout"), why)
		for _, bad in ipairs { "127.0.0.1", "0x7f.1", "::1", "", ("a"):rep(300) } do
			none, why = dns.resolve(bad)
			assert(none == nil and why == "bad", bad)
		end
		assert(select(2, dns.reverse("no address")) == "bad")
		assert(type(dns.reverse("127.0.0.1")) == "string")
	end,
}
