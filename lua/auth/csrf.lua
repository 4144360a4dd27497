-- auth/csrf.lua: forms that change something are ours, of this browser, this session and this form (S14).
local conf = require "kit/conf"
local err = require "kit/err"
local secrets = require "kit/secrets"
local session = require "auth/session"

local csrf = {}

function csrf.token(browser_id, session_id, form_name)
	return secrets.mac("csrf", browser_id or "", session_id or "", form_name)
end

-- A browser that says where the form came from must say "from here": applications behind the broker are same-site
-- siblings, so SameSite does not help.
local function foreign(req)
	local origin, site = req.headers.origin, req.headers["sec-fetch-site"]
	if origin and origin:lower() ~= conf.origin() then
		return "origin"
	end
	if site and site ~= "same-origin" then
		return "sec-fetch-site"
	end
end

function csrf.require(req, form, form_name, current)
	local why = foreign(req)
	local browser = session.browser(req)
	if not why and not browser then
		why = "no browser cookie"
	end
	if not why then
		local wanted = csrf.token(browser, current and current.id, form_name)
		why = not crypto.equal(form.csrf or "", wanted) and "token" or nil
	end
	if why then
		err.raise("csrf", nil, { cause = why })
	end
end

return csrf
