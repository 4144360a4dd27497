-- portal/device.lua: /device, and /login/device for GitHub's side (S16), where a person answers for a device that has no browser
-- (RFC 8628 3.3): the code, typed or brought by the link, then what asks for what, and yes or no. A link alone never answers
-- (RFC 8628 5.4).
local check       = require("kit/check")
local clients     = require("auth/clients")
local consent     = require("auth/consent")
local csrf        = require("auth/csrf")
local devices     = require("auth/devices")
local err         = require("kit/err")
local pages       = require("pages/pages")
local policies    = require("auth/policies")
local reply       = require("kit/reply")
local request     = require("auth/request")
local scope       = require("kit/scope")
local session     = require("auth/session")
local transaction = require("auth/transaction")
local users       = require("store/users")

local device = {}

local QUERY  = { code = { max = 200 }, request = { max = 6144 } }
local FORM   = { csrf = { max = 200, required = true }, code = { max = 200 } }
local ANSWER = {
	request = { max = 6144, required = true }, csrf = { max = 200, required = true },
	answer = { one_of = { "allow", "deny" }, required = true },
}

local WORDS = {
	wrong     = "There is no such code. Look at your device and type it again.",
	throttled = "Too many wrong codes. Wait %d seconds and try again.",
	expired   = "This code has expired. Start again on your device: it shows a new one.",
	answered  = "This code has been answered already. Start again on your device for a new one.",
}
local STATUS = { wrong = 422, throttled = 429, expired = 410, answered = 410 }

-- Where the request stands, and of which side its codes are.
local function place(req) return req.path:match("^(.*/device)") end
local SIDES = { ["/device"] = "oidc", ["/login/device"] = "github" }
local function side(req) return SIDES[place(req)] end

-- What was typed, in the form that devices show where it can be a code.
local function shown(text)
	local code = devices.normalise(text)
	return code and devices.grouped(code) or text
end

-- application: only those who came through its sources may answer for it.
local function sign_in(req, text, application)
	local code = devices.normalise(text)
	return request.sign_in(req, place(req) .. (code and "?code=" .. devices.grouped(code) or ""), "to connect a device", application)
end

local function entry(req, current, values)
	local page = pages.device({
		csrf = csrf.token(session.browser(req), current.id, "device"), code = shown(values.code), problem = values.problem,
		name = users.shown(current.user), action = place(req), request_id = req.id,
	}, values.status)
	if values.retry_after then page.headers["retry-after"] = tostring(values.retry_after) end
	return page
end

local function problem(req, current, text, why, seconds)
	local wait = why == "throttled" and math.max(1, math.ceil(seconds)) or nil
	return entry(req, current, {
		code = text, problem = WORDS[why]:format(wait), status = STATUS[why], retry_after = wait,
	})
end

local function ago(seconds)
	if seconds < 60 then return "less than a minute ago" end
	return seconds < 120 and "a minute ago" or ("%d minutes ago"):format(seconds // 60)
end

local function application_of(row)
	return err.need(clients.by_id(row.application_id), "expired_request", nil, { cause = "application is gone" })
end

-- What the application's policies leave of what the person would agree to; or nil and the page that says why they refuse. The device
-- is told too.
local function permitted(req, current, row, application, code)
	if not session.suits(current, application) then return nil, sign_in(req, code, application) end
	local decision = policies.decide {
		user = current.user, application = application, scopes = devices.consent_scopes(row, application), grant_type = devices.GRANT, req = req,
		login = current.login, session_id = current.id,
	}
	if decision.allowed then return decision.scopes end
	devices.deny(row, application, current, req, ("policy %s refused"):format(decision.by))
	return nil, pages.device_refused{
		application = application.name, name = users.shown(current.user), message = decision.message, request_id = req.id,
	}
end

local function confirm(req, current, opened, sealed)
	local row, why = devices.found(opened.device, side(req))
	if not row then return problem(req, current, opened.device, why) end
	local application = application_of(row)
	return pages.device_confirm{
		csrf = csrf.token(session.browser(req), current.id, "device answer"), request = sealed,
		code = devices.grouped(opened.device), application = application.name, name = users.shown(current.user),
		scopes = consent.describe(application, devices.agreed(row, opened.scopes)), address = row.address,
		asked = ago(time.now() - row.created_at),
		action = place(req) .. "/answer", request_id = req.id,
	}
end

function device.show(req)
	local query, current = check.query(req, QUERY), session.current(req)
	if not query.request then
		if not current then return sign_in(req, query.code) end
		return entry(req, current, query)
	end
	local opened = transaction.open(query.request, session.browser(req))
	local code = opened and opened.device
	-- Found by somebody else, or too long ago: it is typed again.
	if not current then return sign_in(req, code) end
	if not code or opened.session ~= current.id then return entry(req, current, { code = code }) end
	return confirm(req, current, opened, query.request)
end

-- A code was typed. What it found is kept in a sealed request, so that looking at it again is no guess.
function device.enter(req)
	local form, current = check.form(req, FORM), session.current(req)
	if not current then return sign_in(req, form.code) end
	csrf.require(req, form, "device", current)
	local code = devices.normalise(form.code)
	local row, why, seconds = devices.find(code, current, req, side(req))
	if not row then return problem(req, current, form.code, why, seconds) end
	local scopes, refusal = permitted(req, current, row, application_of(row), code)
	if not scopes then return refusal end
	local opened = transaction.new { device = code, scopes = scopes, session = current.id, browser = session.browser(req) }
	return reply.see_other(place(req) .. "?request=" .. url.encode(request.seal(opened)))
end

-- The policies are asked again: what they left before and what they leave now is what the person agreed to.
local function allow(req, current, row, opened, application)
	local scopes, refusal = permitted(req, current, row, application, opened.device)
	if not scopes then return nil, refusal end
	return devices.approve(row, application, current, scope.intersect(opened.scopes, scopes), req)
end

-- csrf.require has refused another session or browser than the page was made for (S13).
function device.answer(req)
	local form = check.form(req, ANSWER)
	local current = err.need(session.current(req), "csrf", nil, { cause = "no session" })
	csrf.require(req, form, "device answer", current)
	local opened, why = transaction.open(form.request, session.browser(req))
	err.need(opened and opened.device, "expired_request", nil, { cause = why or "another kind of request" })
	local row, state = devices.found(opened.device, side(req))
	if not row then return problem(req, current, opened.device, state) end
	local application = application_of(row)
	local done, refusal
	task.detach()
	if form.answer == "allow" then
		done, refusal = allow(req, current, row, opened, application)
	else
		done = devices.deny(row, application, current, req)
	end
	if refusal then return refusal end
	if not done then return problem(req, current, opened.device, "answered") end
	return pages.device_done{ approved = form.answer == "allow", application = application.name, request_id = req.id }
end

return device
