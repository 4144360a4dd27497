-- kit/fetch.lua: HTTP requests of ours to others. Everything is bounded, nothing is followed, and only addresses on the internet
-- are connected to, but for what `outgoing.allow` and the caller name.
local conf = require "kit/conf"

local fetch = {}

local function joined(a, b)
	if not a or not b then
		return a or b
	end
	local out = table.move(a, 1, #a, 1, {})
	return table.move(b, 1, #b, #out + 1, out)
end

-- { method = "GET", url =, headers = {}, body =, timeout = 10 (seconds, for all of it), max = 1048576 (bytes), ca = PEM of the only
-- authorities to believe, allow = { names, addresses and networks that may be private }, retries = 0 } waits →
-- { status, headers (names in lower case; one that came twice is joined by ", "), body }, or nil, code, detail. Codes: bad_url,
-- blocked, dns, connect, tls, timeout, too_large, protocol, closed, busy. A redirect is an answer like any other.
function fetch.request(options)
	local settings = conf.settings().outgoing or {}
	return outgoing.request {
		method = options.method, url = options.url, headers = options.headers, body = options.body,
		timeout = options.timeout, max = options.max, retries = options.retries, ca = options.ca,
		allow = joined(settings.allow, options.allow), roots = settings.ca, proxy = settings.proxy,
	}
end

-- Is what a configuration says of it of use? true, or nil and "file:line: what is wrong".
function fetch.usable(config)
	local settings = (config.settings or {}).outgoing
	if settings and settings.ca and not outgoing.authorities(settings.ca) then
		return nil, ("%s: outgoing.ca_file: %s: its certificates cannot be read"):format(settings.at, settings.ca_file)
	end
	return true
end

local function with(options, changes)
	local out = {}
	for name, value in pairs(options or {}) do
		out[name] = value
	end
	for name, value in pairs(changes) do
		out[name] = value
	end
	return out
end

function fetch.get(address, options)
	return fetch.request(with(options, { method = "GET", url = address }))
end

-- `fields`: a list of { name, value }, or name → value.
function fetch.post_form(address, fields, options)
	local headers = with(options and options.headers, { ["content-type"] = "application/x-www-form-urlencoded" })
	return fetch.request(with(options, {
		method = "POST", url = address, headers = headers, body = url.form_encode(fields),
	}))
end

return fetch
