-- config/address.lua: URLs and network addresses in the configuration, taken apart without help from C, because commands
-- check applications with the same rules inside the broker.
local address = {}

local SCRIPTED = { javascript = true, data = true, vbscript = true, file = true, about = true, blob = true }

-- { scheme, host, port, path, query, fragment, userinfo } of an absolute URL; nil and what is wrong.
function address.url(text)
	if type(text) ~= "string" then
		return nil, "a URL is a text"
	end
	if #text > 2000 then
		return nil, "the URL is longer than 2000 characters"
	end
	if text:find("[%c%s\\<>\"`{}|^\x80-\xff]") then
		return nil, "the URL has characters that must be percent-encoded"
	end
	local bad = text:gsub("%%%x%x", ""):find("%", 1, true)
	if bad then
		return nil, "the URL has a bad percent escape"
	end
	local scheme, rest = text:match("^(%a[%w+.%-]*):(.*)$")
	if not scheme then
		return nil, "the URL is not absolute"
	end
	local url = { scheme = scheme:lower() }
	rest, url.fragment = rest:match("^([^#]*)#?(.*)$")
	url.fragment = text:find("#", 1, true) and url.fragment or nil
	local authority, after = rest:match("^//([^/?]*)(.*)$")
	if authority then
		local userinfo, place = authority:match("^(.*)@([^@]*)$")
		url.userinfo = userinfo
		place = place or authority
		url.host, url.port = place:match("^(%[[%x:.]+%]):?(%d*)$")
		if not url.host then
			url.host, url.port = place:match("^([^:%[%]]*):?(%d*)$")
		end
		if not url.host then
			return nil, "the URL has a bad host or port"
		end
		if url.port == "" then
			url.port = nil
		elseif tonumber(url.port) < 1 or tonumber(url.port) > 65535 then
			return nil, "the URL has a bad port"
		end
		url.host = url.host:lower()
		rest = after
	end
	url.path, url.query = rest:match("^([^?]*)%??(.*)$")
	url.query = rest:find("?", 1, true) and url.query or nil
	return url
end

function address.is_loopback(host)
	return host == "localhost" or host == "[::1]" or host == "127.0.0.1"
end

-- S18: absolute, no fragment, nothing that a browser would run.
function address.redirect(text)
	local url, why = address.url(text)
	if not url then
		return nil, why
	end
	if url.fragment then
		return nil, "a redirect URI has no fragment"
	end
	if SCRIPTED[url.scheme] then
		return nil, ("the scheme %s: is never redirected to"):format(url.scheme)
	end
	if (url.scheme == "http" or url.scheme == "https") and (not url.host or url.host == "") then
		return nil, "the URL has no host"
	end
	if url.userinfo then
		return nil, "a redirect URI has no user name or password"
	end
	if url.host and url.host:find("*", 1, true) then
		return nil, "a redirect URI has no wildcards: it is compared byte by byte, or it is a { regex = … }"
	end
	return text
end

-- Has the expression a "|" that is in no group, so that what follows it would match without the literal beginning?
local function has_alternatives(regex)
	local depth, in_class, at = 0, false, 1
	while at <= #regex do
		local char = regex:sub(at, at)
		if char == "\\" then
			at = at + 1
		elseif in_class then
			in_class = char ~= "]"
		elseif char == "[" then
			-- A bracket right after the opening one is a member of the class.
			in_class, at = true, select(2, regex:find("^%^?%]?", at + 1))
		elseif char == "(" then
			depth = depth + 1
		elseif char == ")" then
			depth = depth - 1
		end
		if depth < 0 or (char == "|" and depth == 0 and not in_class) then
			return true
		end
		at = at + 1
	end
	return false
end

-- S18: a pattern must match whole (we anchor it), and scheme, host and port stand in it literally.
function address.redirect_pattern(text)
	if type(text) ~= "string" or #text > 500 then
		return nil, "a regex is a text of at most 500 characters"
	end
	local body = text:gsub("^%^", ""):gsub("%$$", "")
	local literal = body:match("^(https?://[^/]*)/")
	if not literal then
		return nil, "the regex must begin with a literal scheme, host and \"/\", like \"https://app\\.example\\.org/\""
	end
	if has_alternatives(body) or body:find("\\[QE]") then
		return nil, "alternatives of the regex must stand in a group after the host, like \"/(a|b)\""
	end
	local plain = literal:gsub("\\([.%-:/])", "%1")
	if literal:gsub("\\[.%-:/]", ""):find("[^%w%-:/]") then
		return nil, "scheme, host and port of the regex must be literal (a dot is written \"\\.\")"
	end
	local _, why = address.redirect(plain .. "/")
	if why then
		return nil, why
	end
	return text
end

-- The origins of a list of redirect URIs (texts and { regex = … }), without repetition.
function address.origins(list)
	local out, seen = {}, {}
	for _, item in ipairs(list) do
		local text = type(item) == "table" and item.regex:gsub("^%^", ""):gsub("\\([.%-:/])", "%1") or item
		local scheme, place = text:match("^(https?)://([^/?]+)")
		-- As browsers write it: without the port that goes by itself.
		local origin = scheme and (scheme .. "://" .. place:lower()):gsub(scheme == "https" and ":443$" or ":80$", "")
		if origin and not seen[origin] then
			seen[origin] = true
			out[#out + 1] = origin
		end
	end
	return out
end

-- The host that all of a list of redirect URIs have (OpenID Connect Core 8.1); nil when there are several, or one has none.
function address.one_host(list)
	local found
	for _, item in ipairs(list) do
		local text = type(item) == "table" and address.origins { item }[1] or item
		local url = address.url(text)
		local host = url and url.host
		if not host or host == "" or (found and host ~= found) then
			return nil
		end
		found = host
	end
	return found
end

-- Where anyone on the machine may listen: http on a loopback address, or a private scheme (S19).
function address.is_native(item)
	local url = type(item) == "string" and address.url(item)
	if not url then
		return false
	end
	if url.scheme == "http" then
		return address.is_loopback(url.host)
	end
	return url.scheme ~= "https"
end

local function octets(text)
	local a, b, c, d = text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
	if not a then
		return false
	end
	for _, part in ipairs { a, b, c, d } do
		if #part > 3 or tonumber(part) > 255 then
			return false
		end
	end
	return true
end

local function is_v6(text)
	if not text:find("^[%x:.]+$") or not text:find(":", 1, true) or text:find(":::", 1, true) then
		return false
	end
	local _, gaps = text:gsub("::", "")
	local groups = 0
	for part in text:gmatch("[^:]+") do
		if part:find(".", 1, true) then
			if not octets(part) then
				return false
			end
			groups = groups + 1
		elseif #part > 4 then
			return false
		end
		groups = groups + 1
	end
	return gaps <= 1 and (gaps == 1 and groups < 8 or groups == 8)
end

-- "https://*:443" → { scheme, host, port }; host is "*", "localhost" or a literal address without brackets.
function address.listen(text)
	if type(text) ~= "string" then
		return nil, "a listener is a text like \"https://*:443\""
	end
	local scheme, host, port = text:match("^(https?)://(.-):(%d+)/?$")
	if not scheme then
		return nil, ("\"%s\" is not like \"https://*:443\""):format(text)
	end
	local number = tonumber(port)
	if number < 1 or number > 65535 then
		return nil, ("\"%s\": a port is between 1 and 65535"):format(text)
	end
	local inner = host:match("^%[(.*)%]$")
	if inner and is_v6(inner) then
		host = inner
	elseif host ~= "*" and host ~= "localhost" and not octets(host) then
		return nil, ("\"%s\": listen on \"*\", \"localhost\" or an address; names are not looked up"):format(text)
	end
	return { scheme = scheme, host = host, port = number }
end

-- "192.0.2.0/24", "2001:db8::/32" or a single address.
function address.network(text)
	local host, bits = tostring(text):match("^([^/]+)/?(%d*)$")
	local most = host and (octets(host) and 32 or is_v6(host) and 128)
	if type(text) ~= "string" or not most or (bits ~= "" and tonumber(bits) > most) or text:find("/$") then
		return nil, ("\"%s\" is not a network like \"192.0.2.0/24\""):format(tostring(text))
	end
	return text
end

return address
