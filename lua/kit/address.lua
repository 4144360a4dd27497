-- kit/address.lua: IP addresses as bytes, and networks in CIDR form: for trusted_proxies, and for counting what comes from
-- one place.
local address = {}

local function ipv4(text)
	local a, b, c, d = text:match("^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$")
	if not a then return nil end
	local out = ""
	for _, part in ipairs { a, b, c, d } do
		-- 010 is octal to some readers and decimal to others.
		if (#part > 1 and part:byte() == 48) or tonumber(part) > 255 then return nil end
		out = out .. string.char(tonumber(part))
	end
	return out
end

-- The groups of one side of "::" as bytes.
local function groups(text)
	if text == "" then return "" end
	local out = ""
	for part in (text .. ":"):gmatch("([^:]*):") do
		if part:find(".", 1, true) then
			local tail = ipv4(part)
			if not tail or not text:find(part .. "$") then return nil end
			out = out .. tail
		elseif part:find("^%x%x?%x?%x?$") then
			out = out .. string.pack(">I2", tonumber(part, 16))
		else
			return nil
		end
	end
	return out
end

local function ipv6(text)
	local left, right = text:match("^(.-)::(.*)$")
	if not left then
		local all = groups(text)
		return all and #all == 16 and all or nil
	end
	if right:find("::", 1, true) then return nil end
	local head, tail = groups(left), groups(right)
	if not head or not tail or #head + #tail > 14 then return nil end
	return head .. ("\0"):rep(16 - #head - #tail) .. tail
end

-- 4 or 16 bytes (an IPv4 address mapped into IPv6 becomes its 4), or nil when the text is no address.
function address.parse(text)
	if #text > 45 then return nil end
	local bytes = ipv4(text) or (text:find(":", 1, true) and ipv6(text)) or nil
	if bytes and #bytes == 16 and bytes:sub(1, 12) == ("\0"):rep(10) .. "\255\255" then return bytes:sub(13) end
	return bytes
end

-- { bytes, bits } of "10.0.0.0/8" or of a single address; nil when it is neither.
function address.network(text)
	local host, bits = text:match("^([^/]+)/(%d%d?%d?)$")
	local bytes = address.parse(host or text)
	if not bytes then return nil end
	bits = bits and tonumber(bits) or #bytes * 8
	if bits > #bytes * 8 then return nil end
	return { bytes = bytes, bits = bits }
end

function address.within(bytes, network)
	if #bytes ~= #network.bytes then return false end
	local whole, rest = network.bits // 8, network.bits % 8
	if bytes:sub(1, whole) ~= network.bytes:sub(1, whole) then return false end
	if rest == 0 then return true end
	local mask = (0xff << (8 - rest)) & 0xff
	return bytes:byte(whole + 1) & mask == network.bytes:byte(whole + 1) & mask
end

function address.within_any(bytes, networks)
	for _, network in ipairs(networks) do
		if address.within(bytes, network) then return true end
	end
	return false
end

function address.is_loopback(text)
	-- Asked of every request: most addresses are told by how they begin.
	if text == "127.0.0.1" then return true end
	if text:byte() ~= 49 and not text:find(":", 1, true) then return false end
	local bytes = address.parse(text)
	if not bytes then return false end
	return bytes:byte() == 127 and #bytes == 4 or bytes == ("\0"):rep(15) .. "\1"
end

-- What is counted as one place: an IPv4 address, or the 64 bits of IPv6 of which one subscriber has all addresses. Other
-- texts are themselves.
function address.place(text)
	local bytes = text:find(":", 1, true) and address.parse(text)
	if not bytes or #bytes == 4 then return text end
	return ("%x:%x:%x:%x::/64"):format(string.unpack(">I2I2I2I2", bytes))
end

return address
