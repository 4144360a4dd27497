-- auth/cookies.lua: the cookies of S12: the session's secret, the browser's own id, and what the check-session iframe may read. Pure.
local check = require "kit/check"
local conf = require "kit/conf"
local reply = require "kit/reply"

local cookies = {}

local BROWSER_LIFETIME = 180 * 86400

function cookies.name(part)
	return (conf.secure() and "__Host-tidelock" or "tidelock") .. part
end

-- SameSite=None asks for Secure.
cookies.READABLE = "SameSite=None"

function cookies.set(response, part, value, max_age, kind)
	local text = ("%s=%s; Path=/; %s"):format(cookies.name(part), value, kind or "HttpOnly; SameSite=Lax")
	if conf.secure() then
		text = text .. "; Secure"
	else
		text = text:gsub("SameSite=None", "SameSite=Lax")
	end
	if max_age then
		text = text .. "; Max-Age=" .. max_age
	end
	reply.cookie(response, text)
end

-- The secret of a session, or nil.
function cookies.secret(req)
	local value = check.cookie(req, cookies.name(""))
	return value and #value < 100 and value:find("^tls_[%w_%-]+$") and value or nil
end

-- The browser's own id: transactions and forms are bound to it.
function cookies.browser(req)
	if req.new_browser_id then
		return req.new_browser_id
	end
	local value = check.cookie(req, cookies.name("-browser"))
	return value and #value == 47 and value:find("^tlb_[%w_%-]+$") and value or nil
end

-- Makes one for this request; the cookie is set by ensure_browser.
function cookies.new_browser(req)
	req.new_browser_id = crypto.token("tlb_")
	return req.new_browser_id
end

function cookies.ensure_browser(req, response)
	local id = cookies.browser(req) or cookies.new_browser(req)
	if req.new_browser_id then
		cookies.set(response, "-browser", id, BROWSER_LIFETIME)
	end
	return id
end

-- The id, and the cookie text to set when it is new.
function cookies.browser_or_new(req)
	local id = cookies.browser(req)
	if id and not req.new_browser_id then
		return id
	end
	local carrier = { headers = {} }
	id = cookies.ensure_browser(req, carrier)
	return id, carrier.headers["set-cookie"][1]
end

return cookies
