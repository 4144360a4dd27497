-- sources/basic.lua: Akkess's identity provider for testing: whoever says a name is who they say. It exists only where the owner has
-- allow_test_sources (S26), and says on its page what it is.
local check = require "kit/check"
local csrf = require "auth/csrf"
local finish = require "sources/finish"
local pages = require "pages/pages"
local problem = require "sources/problem"
local session = require "auth/session"
local state = require "sources/state"

local basic = {}

local FORM = { csrf = { max = 200, required = true }, state = { max = 6144, required = true }, username = { max = 255, required = true } }

-- The page that asks for the name.
function basic.ask(req, source, opened, link)
	local sealed = state.seal(req, { source = source.id, kind = "basic", request = opened, link = link })
	local page = pages.test_source {
		csrf = csrf.token(session.browser(req), nil, "test source"), state = sealed, source = source.title, request_id = req.id,
		action = "/source/oauth/login/" .. source.name .. "/",
	}
	session.ensure_browser(req, page)
	return page
end

-- A form is not redirected to where a client may be next: a page of ours goes on (S15).
local function onward(answer, source, req)
	local page = pages.continue { url = answer.headers.location, application = source.title, request_id = req.id }
	page.headers["set-cookie"] = answer.headers["set-cookie"]
	return page
end

function basic.answer(req, source)
	local form = check.form(req, FORM)
	csrf.require(req, form, "test source", nil)
	local context = { req = req, source = source }
	local t, why = state.open(req, form.state)
	if not t or t.source ~= source.id then
		problem.raise(context, why == "expired" and "expired" or "state", "the form is " .. (why or "another source's"))
	end
	context.opened, context.link = t.request, t.link ~= nil
	local name = form.username
	return onward(finish.arrived(req, context, t, {
		subject = name, info = { sub = name, preferred_username = name, name = name }, groups_complete = true, token = {},
	}), source, req)
end

return basic
