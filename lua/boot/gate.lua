-- boot/gate.lua: what must hold before any endpoint sees a request: a declared name (S17), a connection that may carry
-- pages, and forwarded headers only from those whom the owner trusts. Malformed ones are 400, never read as absent.
local address = require "kit/address"
local conf    = require "kit/conf"
local err     = require "kit/err"
local urls    = require "kit/urls"

local gate = {}

-- Made by open() once a generation.
local names, networks, public = {}, {}, nil

-- Answers under any name and on any listener.
local open_to_all = { ["/healthz"] = true, ["/readyz"] = true }

function gate.open(settings)
	public = url.parse(settings.public_url)
	names, networks = {}, {}
	for _, name in ipairs(conf.names()) do names[name] = true end
	for _, text in ipairs(settings.trusted_proxies or {}) do
		networks[#networks + 1] = address.network(text)
	end
end

-- The last address of X-Forwarded-For that is not a trusted proxy's own: whoever spoke to the outermost proxy.
local function forwarded_for(req, field)
	local chain = {}
	for item in (field .. ","):gmatch("%s*([^,]-)%s*,") do
		local bytes = address.parse((item:gsub("^%[(.*)%]$", "%1")))
		if not bytes or #chain >= 32 then err.raise("invalid_request", "malformed X-Forwarded-For", { status = 400 }) end
		chain[#chain + 1] = { text = item, bytes = bytes }
	end
	for index = #chain, 1, -1 do
		req.peer = chain[index].text
		if not address.within_any(chain[index].bytes, networks) then return end
	end
end

local function forwarded_host(field)
	local host, port = field:match("^([%w%.%-_]+):?(%d*)$")
	if not host then host, port = field:match("^(%[[%x:%.]+%]):?(%d*)$") end
	if not host or #field > 260 then err.raise("invalid_request", "malformed X-Forwarded-Host", { status = 400 }) end
	return host:lower(), tonumber(port)
end

-- Reads what a trusted proxy says of its client into req.
local function trust(req)
	local headers = req.headers
	for _, name in ipairs { "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host" } do
		if name ~= "x-forwarded-for" and req.headers_repeated and req.headers_repeated[name] then
			err.raise("invalid_request", name .. " came twice", { status = 400 })
		end
	end
	req.proxy = req.peer
	if headers["x-forwarded-for"] then forwarded_for(req, headers["x-forwarded-for"]) end
	if headers["x-forwarded-host"] then req.host, req.port = forwarded_host(headers["x-forwarded-host"]) end
	local proto = headers["x-forwarded-proto"]
	if proto and proto ~= "https" and proto ~= "http" then
		err.raise("invalid_request", "malformed X-Forwarded-Proto", { status = 400 })
	end
	if public.scheme == "https" and proto ~= "http" then req.secure = true end
end

local function redirect_to_https(req)
	local origin = (conf.github_name(req.host) or public).origin
	if req.method ~= "GET" and req.method ~= "HEAD" then
		return { status = 403, headers = { ["content-type"] = "text/plain; charset=utf-8" },
			body = "Only " .. origin .. " serves this.\n" }
	end
	return { status = 301, headers = { location = urls.same(origin, req), ["cache-control"] = "no-store" }, body = "" }
end

-- Judges the connection. Returns nil when the endpoint may answer, else the response.
function gate.check(req)
	if open_to_all[req.path] then return nil end
	local peer = #networks > 0 and address.parse(req.peer)
	if peer and address.within_any(peer, networks) then trust(req) end
	if not names[req.host] or (req.sni ~= "" and req.sni and not names[req.sni:lower()]) then
		return { status = 421, headers = { ["content-type"] = "text/plain; charset=utf-8", ["cache-control"] = "no-store" },
			body = "This name is not served here.\n" }
	end
	req.loopback = address.is_loopback(req.peer)
	if req.secure or (req.loopback and not req.proxy) then return nil end
	return redirect_to_https(req)
end

return gate
