-- github/redirects.lua: where an application of GitHub's side may be answered (S18): at a registered address byte for byte; with
-- callback_match "subpath" below one, as clients of GitHub expect it; with "github" at its sub-domains, too.
local urls = require "kit/urls"

local redirects = {}

-- What two readers could understand differently is no sub-path of anything.
local function plain(uri)
	return #uri <= 2000 and not uri:find("[%z\1-\32\\#\x7f-\xff]")
end

-- What servers make of a path that decode it once more than others, or cut what follows a semicolon: does it leave its folder, or hold
-- what no address has?
local function crooked(path)
	local text = path
	for _ = 1, 3 do text = text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end) end
	if text:find("%c") or not utf8.len(text) then return true end
	for segment in (text:gsub("\\", "/") .. "/"):gmatch("([^/]*)/") do
		local name = segment:match("^[^;]*")
		if name == "." or name == ".." then return true end
	end
	return false
end

-- Unreserved characters as themselves (RFC 3986 6.2.2.2); nil where two readers could understand two things.
local function normalised(path)
	if crooked(path) then return nil end
	local text = path:gsub("%%(%x%x)", function(digits)
		local byte = string.char(tonumber(digits, 16))
		return byte:find("[%w%-._~]") and byte or "%" .. digits:upper()
	end)
	return text == "" and "/" or text
end

-- Nobody owns all that ends in a single word, and an address has no sub-domains.
local function same_host(registered, asked, subdomains)
	if registered == asked then
		return true
	end
	local name = subdomains and registered:find("%a[%w%-]*$") and registered:find(".", 1, true)
	return name and asked:sub(-#registered - 1) == "." .. registered and asked:find("^%w[%w%-.]+$") ~= nil or false
end

local function below(registered, asked, subdomains)
	if registered.scheme ~= asked.scheme or not same_host(registered.host, asked.host, subdomains) or registered.port ~= asked.port then
		return false
	end
	local base, path = normalised(registered.path), normalised(asked.path)
	if not base or not path then
		return false
	end
	local folder = base:gsub("/$", "") .. "/"
	local within = path == base or path:sub(1, #folder) == folder
	local query = registered.query
	return within and (not query or asked.query == query or (asked.query or ""):sub(1, #query + 1) == query .. "&")
end

local function web(uri)
	local parsed = url.parse(uri)
	return parsed and parsed.host and (parsed.scheme == "https" or parsed.scheme == "http") and not parsed.userinfo
		and not parsed.fragment and parsed or nil
end

-- Is `uri` one of the registered ones byte for byte?
function redirects.registered(application, uri)
	for _, allowed in ipairs(application.redirect_uris or {}) do
		if allowed == uri then
			return true
		end
	end
	return false
end

-- The address for requests that name none: the first; nil when there is no such.
function redirects.default(application)
	for _, allowed in ipairs(application.redirect_uris or {}) do
		if type(allowed) == "string" then
			return allowed
		end
	end
end

function redirects.allowed(application, uri)
	if not plain(uri) then
		return false
	elseif urls.redirect_allowed(application, uri) then
		return true
	end
	local match = application.github.callback_match
	local asked = match ~= "exact" and web(uri)
	for _, allowed in ipairs(asked and application.redirect_uris or {}) do
		local registered = type(allowed) == "string" and web(allowed)
		if registered and below(registered, asked, match == "github") then
			return true
		end
	end
	return false
end

-- Is `uri`, which is allowed, one where a program of a preset listens on the person's machine? Some know no PKCE, and do not say the
-- port again when they bring the code: who listens there has the code and its address alike.
function redirects.of_program(application, uri)
	return application.loopback_localhost and uri:find("^http:") ~= nil and urls.is_native(uri)
end

return redirects
