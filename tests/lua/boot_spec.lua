-- S17 and the proxy rules: which connections may be served, and by whose word.
local address = require "kit/address"
local conf    = require "kit/conf"
local err     = require "kit/err"
local gate    = require "boot/gate"

local function request(fields)
	local req = {
		method = "GET", path = "/", query = "", host = "sso.example.org", sni = "", secure = true, peer = "192.0.2.9",
		headers = {},
	}
	for name, value in pairs(fields) do req[name] = value end
	return req
end

local function opened(settings, github_hosts)
	settings.public_url = settings.public_url or "https://sso.example.org"
	conf.use { settings = settings, github_hosts = github_hosts }
	gate.open(settings)
end

local function refused(fields)
	local ok, raised = pcall(gate.check, request(fields))
	return not ok and err.is(raised) and raised.status
end

local proxied = { trusted_proxies = { "10.0.0.0/8", "2001:db8::/32" } }

return {
	["addresses are read strictly"] = function()
		assert(address.parse("192.0.2.1") == "\192\0\2\1")
		assert(address.parse("::ffff:192.0.2.1") == "\192\0\2\1")
		assert(#address.parse("2001:db8::1") == 16)
		assert(address.parse("::") == ("\0"):rep(16))
		for _, text in ipairs { "", "1.2.3", "01.2.3.4", "256.1.1.1", "1.2.3.4.5", ":", ":::", "1::2::3", "g::", "1:2:3:4:5:6:7:8:9", "1.2.3.4:80", " 1.2.3.4" } do
			assert(not address.parse(text), text)
		end
	end,
	["networks hold their addresses and no others"] = function()
		local network = address.network("10.1.0.0/15")
		assert(address.within(address.parse("10.0.0.1"), address.network("10.0.0.0/8")))
		assert(not address.within(address.parse("10.3.0.1"), address.network("10.0.0.0/15")))
		assert(network and not address.network("10.0.0.0/33") and not address.network("x/8"))
	end,
	["S17 an undeclared Host or SNI is 421, health answers under any"] = function()
		opened {}
		assert(gate.check(request { host = "evil.example" }).status == 421)
		assert(gate.check(request { sni = "evil.example" }).status == 421)
		assert(gate.check(request { host = "evil.example", path = "/healthz" }) == nil)
		assert(gate.check(request {}) == nil)
	end,
	["plain http from afar is redirected to public_url, never to the Host"] = function()
		opened {}
		local response = gate.check(request { secure = false, path = "/a b", query = "x=1" })
		assert(response.status == 301 and response.headers.location == "https://sso.example.org/a%20b?x=1", response.headers.location)
		assert(gate.check(request { secure = false, method = "POST" }).status == 403)
		assert(gate.check(request { secure = false, peer = "127.0.0.1" }) == nil)
	end,
	["S17 a github_host and its api name are ours, and keep their names where http becomes https"] = function()
		opened({}, { { label = "ghe.example.org" } })
		for _, host in ipairs { "ghe.example.org", "api.ghe.example.org" } do
			assert(gate.check(request { host = host, sni = host }) == nil)
			local response = gate.check(request { host = host, secure = false, path = "/user" })
			assert(response.headers.location == "https://" .. host .. "/user", response.headers.location)
		end
		assert(gate.check(request { host = "www.ghe.example.org" }).status == 421)
		assert(gate.check(request { sni = "api.api.ghe.example.org" }).status == 421)
	end,
	["forwarded headers count only from trusted proxies"] = function()
		opened(proxied)
		local req = request { peer = "192.0.2.9", headers = { ["x-forwarded-for"] = "198.51.100.7" } }
		gate.check(req)
		assert(req.peer == "192.0.2.9")
		req = request { peer = "10.0.0.1", secure = false, headers = { ["x-forwarded-for"] = "203.0.113.1, 198.51.100.7, 10.0.0.2" } }
		assert(gate.check(req) == nil)
		assert(req.peer == "198.51.100.7" and req.secure and req.proxy == "10.0.0.1")
	end,
	["a malformed forwarded header of a trusted proxy is 400, never 200"] = function()
		opened(proxied)
		for _, value in ipairs { "unknown", "1.2.3", "", "a,b", "198.51.100.7,", "198.51.100.7;x" } do
			assert(refused { peer = "10.0.0.1", headers = { ["x-forwarded-for"] = value } } == 400, value)
		end
		assert(refused { peer = "10.0.0.1", headers = { ["x-forwarded-proto"] = "gopher" } } == 400)
		assert(refused { peer = "10.0.0.1", headers = { ["x-forwarded-host"] = "a/b" } } == 400)
	end,
	["a proxy that says http sends people to public_url"] = function()
		opened(proxied)
		assert(gate.check(request { peer = "10.0.0.1", secure = false, headers = { ["x-forwarded-proto"] = "http" } }).status == 301)
	end,
}
