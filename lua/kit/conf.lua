-- kit/conf.lua: the configuration this generation of the trusted state was started with (what lua/config returned). A
-- reload builds a new state with its own.
local conf = {}

local data, public_url, secure, github_names

function conf.data()
	return data
end

function conf.settings()
	return data.settings
end

-- Without a final slash: every issuer and link starts with it (never with the Host header).
function conf.public_url()
	return public_url
end

function conf.link(path)
	return public_url .. path
end

-- scheme://host[:port], as browsers send it in Origin.
function conf.origin()
	return public_url:match("^%a[%w+.-]*://[^/]+"):lower()
end

function conf.host()
	local authority = conf.origin():match("://(.+)$")
	return authority:match("^%[(.-)%]") or authority:match("^[^:]+")
end

function conf.secure()
	return secure
end

-- ---- further names (S17) ----

-- Each github_host and its `api.` name, at public_url's scheme and port. public_url's own name stays what it is.
local function names_of(hosts)
	local out, scheme, port = {}, conf.origin():match("^(%a+://)"), conf.origin():match(":%d+$") or ""
	for _, host in ipairs(hosts or {}) do
		for _, name in ipairs { host.label, "api." .. host.label } do
			out[name] = { host = host.label, api = name ~= host.label, origin = scheme .. name .. port,
				web = scheme .. host.label .. port }
		end
	end
	out[conf.host()] = nil
	return out
end

-- Of a name that a github_host gives: { host = as it was declared, api = is it the `api.` name, origin, web = the origin of the host };
-- nil for public_url's and any other.
function conf.github_name(name)
	return github_names[name]
end

-- Every name that is ours, public_url's first.
function conf.names()
	local out = {}
	for name in pairs(github_names) do
		out[#out + 1] = name
	end
	table.sort(out)
	table.insert(out, 1, conf.host())
	return out
end

function conf.use(given)
	data = given
	data.settings = data.settings or {}
	public_url = (data.settings.public_url or "https://localhost"):gsub("/+$", "")
	secure = public_url:lower():find("^https:") ~= nil
	github_names = names_of(data.github_hosts)
end
conf.use {}

return conf
