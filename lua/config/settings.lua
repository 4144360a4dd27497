-- config/settings.lua: the assignments at the top level of the file.
local address = require "config/address"
local types = require "config/types"

local settings = {}

local function public_url(value)
	local url, why = address.url(value)
	if not url then
		return nil, why
	end
	if url.scheme ~= "https" and url.scheme ~= "http" or not url.host or url.host == "" then
		return nil, "must be like \"https://sso.example.org\""
	end
	if url.scheme == "http" and not address.is_loopback(url.host) then
		return nil, "must be https: plain http is for loopback addresses only"
	end
	if url.query or url.fragment or url.userinfo or (url.path ~= "" and url.path ~= "/") then
		return nil, "must end after the host and port"
	end
	if url.host:find("^%d+%.%d+%.%d+%.%d+$") == nil and not url.host:find("^%[") and not url.host:find("^[%w%-_.]+$") then
		return nil, "has a bad host name"
	end
	local standard = url.scheme == "https" and "443" or "80"
	return ("%s://%s%s"):format(url.scheme, url.host, url.port and url.port ~= standard and ":" .. url.port or "")
end

local path = types.text { max = 1000 }

-- A host name, an address or a network that requests of ours may go to although it is private.
local function allowed(value)
	local last = type(value) == "string" and #value <= 253 and value:find("^[%w_][%w_.%-]*$") and value:lower():match("[^.]+$")
	if last and last:find("[^%d]") and not last:find("^0x%x*$") and not value:find("%.$") then
		return value:lower()
	end
	local network = address.network(value)
	if not network then
		return nil, ("\"%s\" is neither a host name nor a network like \"10.0.0.0/8\""):format(tostring(value))
	end
	return network
end

local function proxy(value)
	local url, why = address.url(value)
	if not url then
		return nil, why
	end
	if url.scheme ~= "http" or not url.host or url.host == "" or url.userinfo or url.query or url.fragment
		or (url.path ~= "" and url.path ~= "/") then
		return nil, "must be like \"http://proxy.example.org:3128\""
	end
	return ("http://%s:%s"):format(url.host, url.port or "80")
end

settings.schema = {
	public_url = public_url,
	listen = types.list(address.listen, 16),
	data = path,
	run_as = types.text { max = 64, pattern = "[%w_.:%-]+", why = "must be a user name, \"uid\" or \"uid:gid\"" },
	tls = types.record { certificate = path, key = path },
	trusted_proxies = types.list(address.network),
	password = types.record { memory_kib = types.integer(1024, 1048576), passes = types.integer(1, 20) },
	connections = types.record { total = types.integer(10, 15000), per_address = types.integer(1, 15000) },
	-- Of pairwise subjects, to be the same as another installation's.
	subject_salt = types.text { max = 200, pattern = ("."):rep(16) .. ".*", why = "is shorter than 16 characters" },
	lab = types.boolean,
	allow_test_sources = types.boolean,
	-- /api/v3/orgs/… says to anybody that an organisation is there: HashiCorp Vault asks so for its number.
	github_anonymous_organizations = types.boolean,
	outgoing = types.record { allow = types.list(allowed, 60), ca_file = path, proxy = proxy },
}

-- Fills in what is absent. report(name, message) for what has no default.
function settings.complete(given, report)
	if given.public_url == nil then
		report("public_url", "public_url is missing: every issuer and link starts with it")
	end
	given.listen = given.listen or { address.listen "https://*:443", address.listen "http://*:80" }
	if #given.listen == 0 then
		report("listen", "listen is empty")
	end
	given.data = given.data or "/var/lib/tidelock"
	given.trusted_proxies = given.trusted_proxies or {}
	given.password = given.password or {}
	given.password.memory_kib = given.password.memory_kib or 7168
	given.password.passes = given.password.passes or 5
	given.connections = given.connections or {}
	given.connections.total = given.connections.total or 1000
	given.connections.per_address = given.connections.per_address or 100
	given.outgoing = given.outgoing or {}
	given.lab = given.lab or false
	given.github_anonymous_organizations = given.github_anonymous_organizations or false
	given.allow_test_sources = given.allow_test_sources or false
	-- S36: /lab/ shows passwords and runs sign-ins for anyone who reaches it.
	for _, each in ipairs(given.lab and given.listen or {}) do
		if each.host ~= "localhost" and each.host ~= "::1" and not each.host:find("^127%.") then
			report("lab", ("a lab listens on loopback only, not on \"%s\""):format(each.host))
		end
	end
	if given.tls and not (given.tls.certificate and given.tls.key) then
		report("tls", "tls needs certificate and key")
	end
	return given
end

return settings
