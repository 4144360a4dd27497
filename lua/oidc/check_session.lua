-- oidc/check_session.lua: OpenID Connect Session Management 1.0: session_state, which an application keeps, and the frame that tells
-- it whether the browser's session is still the one it was made of. The frame's script does the comparing.
local address = require "config/address"
local clients = require "auth/clients"
local cors    = require "oidc/cors"
local err     = require "kit/err"
local pages   = require "pages/pages"
local session = require "auth/session"
local urls    = require "kit/urls"

local check_session = { kind = "page" }

-- Section 2: for an answer to redirect_uri. nil where there is no web page that could ask.
function check_session.state(application, redirect_uri, current)
	local origin = urls.origin(redirect_uri)
	if not origin then return nil end
	local salt = base64.url_encode(crypto.random(12))
	local text = table.concat({ application.client_id, origin, session.browser_state(current), salt }, " ")
	return hex.encode(crypto.sha256(text)) .. "." .. salt
end

-- Where its pages are. Those at one's own machine come from any port (S18).
local function add_origins(set, application)
	local list = address.origins(application.redirect_uris or {})
	for origin in pairs(cors.origins(application)) do list[#list + 1] = origin end
	for _, origin in ipairs(list) do
		local loopback = urls.is_native(origin .. "/") and (origin:match("^http://%[::1%]") or origin:match("^http://[^:]+"))
		set[loopback and loopback .. ":*" or origin] = true
	end
end

-- Of the application at this address, or (no slug) of all that have the global issuer.
local function origins(slug)
	local set, list = {}, {}
	if slug then
		add_origins(set, err.need(clients.by_slug(slug), "page_not_found", "There is no application of this name."))
	else
		for _, application in ipairs(clients.of_global_issuer()) do add_origins(set, application) end
	end
	for origin in pairs(set) do list[#list + 1] = origin end
	table.sort(list)
	return list
end

function check_session.GET(_, slug)
	return pages.check_session { origins = table.concat(origins(slug), " "), cookie = session.state_cookie_name() }
end

return check_session
