-- kit/conf.lua: the configuration this generation of the trusted state was started with (what lua/config returned). A
-- reload builds a new state with its own.
local conf = {}

local data, public_url, secure

function conf.use(given)
	data = given
	data.settings = data.settings or {}
	public_url = (data.settings.public_url or "https://localhost"):gsub("/+$", "")
	secure = public_url:lower():find("^https:") ~= nil
end
conf.use {}

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

return conf
