-- mapping/jail/ip.lua: addresses and networks. ip.parse("10.0.0.1") → { text, version, private, loopback } or nil;
-- ip.in_network(address, "10.0.0.0/8"); ip_address and ip_network raise on what is none, as in authentik.
local core = ...

ip = {}

local private_networks

local function split(text)
	local address, bits = text:match("^([%x:%.]+)/(%d%d?%d?)$")
	local bytes = core.address(address or text)
	if not bytes then return nil end
	bits = bits and tonumber(bits) or #bytes * 8
	if bits > #bytes * 8 then return nil end
	return bytes, bits
end

-- The v4 address inside ::ffff:a.b.c.d is that v4 address.
local function unmapped(bytes)
	if #bytes == 16 and bytes:sub(1, 12) == ("\0"):rep(10) .. "\255\255" then return bytes:sub(13) end
	return bytes
end

local function inside(bytes, network, bits)
	if #bytes ~= #network then return false end
	local whole, rest = bits // 8, bits % 8
	if bytes:sub(1, whole) ~= network:sub(1, whole) then return false end
	if rest == 0 then return true end
	local mask = 0xff & (0xff << (8 - rest))
	return bytes:byte(whole + 1) & mask == network:byte(whole + 1) & mask
end

local function bytes_of(address, what)
	local text = type(address) == "table" and address.text or address
	local bytes = type(text) == "string" and core.address(text)
	if not bytes then error(("%s: '%s' is no address"):format(what, tostring(text)), 3) end
	return unmapped(bytes)
end

function ip.in_network(address, network)
	local text = type(network) == "table" and network.text or network
	local net, bits = split(tostring(text))
	if not net then error(("ip.in_network: '%s' is no network"):format(tostring(text)), 2) end
	return inside(bytes_of(address, "ip.in_network"), net, bits)
end

local function in_any(bytes, list)
	for _, network in ipairs(list) do
		local net, bits = split(network)
		if inside(bytes, net, bits) then return true end
	end
	return false
end

private_networks = {
	"0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/29", "192.0.0.170/31",
	"192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/127", "fc00::/7", "fe80::/10", "2001:db8::/32", "100::/64",
}

function ip.is_private(address) return in_any(bytes_of(address, "ip.is_private"), private_networks) end
function ip.is_loopback(address) return in_any(bytes_of(address, "ip.is_loopback"), { "127.0.0.0/8", "::1/128" }) end

local shown = { __tostring = function(self) return self.text end, __eq = function(a, b) return a.text == b.text end }

function ip.parse(text)
	local bytes = type(text) == "string" and core.address(text)
	if not bytes then return nil end
	local address = { text = core.address_text(bytes), version = #bytes == 4 and 4 or 6 }
	address.private, address.loopback = ip.is_private(address), ip.is_loopback(address)
	address.is_private, address.is_loopback = address.private, address.loopback
	return setmetatable(address, shown)
end

function ip_address(text)
	return ip.parse(text) or error(("ip_address: '%s' is no address"):format(tostring(text)), 2)
end

function ip_network(text)
	if type(text) ~= "string" or not split(text) then
		error(("ip_network: '%s' is no network"):format(tostring(text)), 2)
	end
	return setmetatable({ text = text, contains = function(self, address) return ip.in_network(address, self) end }, shown)
end
