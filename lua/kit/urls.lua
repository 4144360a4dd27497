-- kit/urls.lua: redirect targets: how they are compared (S18) and how parameters are put on them.
local urls = {}

local function encoded(pairs_list)
	local out = {}
	for _, pair in ipairs(pairs_list) do
		if pair[2] ~= nil then
			out[#out + 1] = url.encode(pair[1]) .. "=" .. url.encode(tostring(pair[2]))
		end
	end
	return table.concat(out, "&")
end

-- `list` is { { name, value }, … }; pairs without a value are left out. A query that is there stays (RFC 6749 3.1.2).
function urls.with_query(target, list)
	local text = encoded(list)
	if text == "" then
		return target
	end
	local base, fragment = target:match("^([^#]*)(.*)$")
	local joint = "?"
	if base:find("?", 1, true) then
		joint = base:find("[?&]$") and "" or "&"
	end
	return base .. joint .. text .. fragment
end

function urls.with_fragment(target, list)
	return target:match("^[^#]*") .. "#" .. encoded(list)
end

-- The address of a request at an origin of ours: path and query go on so that a typed address arrives.
function urls.same(origin, req)
	local path = url.encode(req.path):gsub("%%2F", "/")
	return origin .. path .. ((req.query or "") ~= "" and "?" .. req.query or "")
end

-- A loopback redirect without its port, or nil. Only literal addresses, only http (RFC 8252 7.3); `localhost` where a
-- preset says so.
local function without_port(uri, localhost)
	local host, rest = uri:match("^http://(127%.0%.0%.1)(.*)$")
	if not host then
		host, rest = uri:match("^http://(%[::1%])(.*)$")
	end
	if not host and localhost then
		host, rest = uri:match("^http://(localhost)(.*)$")
	end
	if not host then
		return nil
	end
	local port, after = rest:match("^:(%d%d?%d?%d?%d?)(.*)$")
	if port then
		if tonumber(port) < 1 or tonumber(port) > 65535 then
			return nil
		end
		rest = after
	end
	if rest ~= "" and not rest:find("^[/?]") then
		return nil
	end
	return host .. rest
end

-- Does all of it match the owner's expression? Run where the owner's patterns run (D3): in the jail, with limits; what fails
-- there does not match. That scheme, host and port are literal has been checked with the configuration; what is redirected to
-- begins with them whatever the expression says ("…org/?.evil.org" makes the slash optional).
local WHOLE = [[return regex_match(request.uri, "\\A(?:" .. request.pattern .. ")\\z")]]

local function begins_literally(pattern, uri)
	local literal = pattern:match("^%^?(https?://[^/]*/)")
	literal = literal and literal:gsub("\\([.%-:/])", "%1")
	return literal ~= nil and uri:sub(1, #literal) == literal
end

local function matches(pattern, uri)
	if not begins_literally(pattern, uri) or uri:find("[%c%s\\]") then
		return false
	end
	local answer = jail.run {
		kind = "redirect", name = "redirect_uri", chunk = "=redirect_uri", source = WHOLE,
		given = { request = { uri = uri, pattern = pattern } },
	}
	return answer ~= nil and answer.result == true
end

-- Is `uri` one of the list: its exact bytes, or the whole of a { regex = … }? No list, none accepted. localhost: the name counts
-- as a loopback address too. Waits where there are expressions.
function urls.listed(list, uri, localhost)
	local bare = without_port(uri, localhost)
	for _, allowed in ipairs(list or {}) do
		if type(allowed) == "string" then
			if allowed == uri then
				return true
			end
			if bare and without_port(allowed, localhost) == bare then
				return true
			end
		elseif matches(allowed.regex, uri) then
			return true
		end
	end
	return false
end

-- May `uri` receive the answer?
function urls.redirect_allowed(application, uri)
	return urls.listed(application.redirect_uris, uri, application.loopback_localhost)
end

-- http on a loopback address, or a private scheme: where anyone on the machine may listen (S19).
function urls.is_native(uri)
	local scheme = uri:match("^([%a][%w+.%-]*):")
	if not scheme then
		return false
	end
	scheme = scheme:lower()
	if scheme == "http" then
		return without_port(uri, true) ~= nil
	end
	return scheme ~= "https"
end

-- "https://host[:port]" of an absolute URL; nil for private schemes.
function urls.origin(text)
	local parsed = url.parse(text)
	return parsed and (parsed.scheme == "https" or parsed.scheme == "http") and parsed.origin or nil
end

return urls
