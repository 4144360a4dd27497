-- pages/pages.lua: every page people see, as a response. The only place that names a template; callers give plain values.
local reply    = require("kit/reply")
local template = require("kit/template")

local pages = {}

-- For pages that no application leads to. The others may stand in a window that a page opened to sign its person in or out: the policy
-- would part the two, and the page would believe that the window was closed.
local OWN_WINDOW = { ["cross-origin-opener-policy"] = "same-origin" }

local function page(name, title, values, status, headers)
	values.title = title
	return reply.html(template.render(name, values), status or 200, headers)
end

-- values: csrf, request (sealed, or nil), application (name) or purpose (words), username, problem, sources = { { title, name, href } },
-- without_password (no form for one), request_id
function pages.signin(values, status)
	values.request_encoded = values.request and url.encode(values.request)
	return page("signin", "Sign in", values, status)
end

-- values: csrf, state (sealed), action, source (its title), request_id
function pages.test_source(values)
	return page("test_source", "Sign in", values)
end

-- values: csrf, request, application, name, request_id
function pages.select_account(values)
	values.request_encoded = url.encode(values.request)
	return page("account", "Choose an account", values)
end

-- values: csrf, request, application, name, scopes = { { text, new } }, destination (host of the redirect URI), program (one whose
-- client_id everybody knows), request_id
function pages.consent(values)
	return page("consent", "Allow access", values)
end

-- values: csrf, code (as typed), name, problem, request_id
function pages.device(values, status)
	return page("device", "Connect a device", values, status, OWN_WINDOW)
end

-- values: csrf, request, code, application, name, scopes = { { text } }, asked (when, in words), address, request_id
function pages.device_confirm(values)
	return page("device_confirm", "Connect a device", values, 200, OWN_WINDOW)
end

-- values: approved, application, request_id
function pages.device_done(values)
	return page("device_done", values.approved and "Device connected" or "Device refused", values)
end

-- values: application, name, message (of a policy), request_id
function pages.device_refused(values)
	return page("device_refused", "Not allowed", values, 403)
end

-- values: csrf, name, request (sealed, or nil), application (who asks, or nil), participants = { { name, told } }, request_id
function pages.signout(values)
	return page("signout", "Sign out", values)
end

-- values: application (name) and back (where it is), or neither; request_id
function pages.signed_out(values)
	return page("signed_out", "Signed out", values)
end

-- A source expression of a policy names no query, and two characters are its own.
local function source(address)
	return (address:gsub("[?#].*$", ""):gsub("[;,]", { [";"] = "%3B", [","] = "%2C" }))
end

-- Front-channel logout: the one page with frames, exactly these; then on (S15). values: frames = { { name, base, url } }, url, request_id
function pages.leaving(values)
	local sources = {}
	for index, frame in ipairs(values.frames) do
		sources[index] = source(frame.base)
	end
	return page("leaving", "Signing out", values, 200, {
		refresh = "3; url=" .. values.url,
		["content-security-policy"] = reply.POLICY .. "; frame-src " .. table.concat(sources, " "),
	})
end

local CHECK_SESSION = sys.asset("pages/check_session.js")
local FRAMED = "default-src 'none'; base-uri 'none'; form-action 'none'; script-src 'sha256-"
	.. base64.encode(crypto.sha256(CHECK_SESSION)) .. "'"

-- The frame of Session Management 1.0, the only page that others may frame. values: origins (of those it answers), cookie (its name)
function pages.check_session(values)
	values.script = template.safe(CHECK_SESSION)
	return reply.html(template.render("check_session", values), 200, {
		["content-security-policy"] = FRAMED, ["x-frame-options"] = false,
		["cross-origin-resource-policy"] = "cross-origin", ["cache-control"] = "public, max-age=300",
	})
end

-- values: status, title, text, advice, code (the protocol's word, if any), link = { href, text } or nil, request_id
function pages.error(values)
	return page("error", values.title, values, values.status, values.headers)
end

-- The application's policies refuse. values: application, name, message, back (our GET that tells the client), other (our GET for
-- another account), request_id
function pages.refused(values)
	return page("refused", "Not allowed", values, 403, { refresh = "10; url=" .. values.back })
end

-- A page on the way to a client: Refresh to a GET of our own, never a code or token in it (S15). values: url, application
function pages.continue(values)
	return page("continue", "One moment", values, 200, { refresh = "0; url=" .. values.url })
end

-- Form Post Response Mode: a form with the answer, to the client's address, that sends itself; by its button where scripts are off. This
-- page alone has no form-action and one script (S15).
local SEND = "document.getElementById('form-post').submit()"
local SENDS_ITSELF = reply.POLICY:gsub("form%-action 'self'; ", "") .. "; script-src '"
	.. "sha256-" .. base64.encode(crypto.sha256(SEND)) .. "'"

-- values: action, fields = { { name, value }, … } (those without a value are left out), application (name)
function pages.form_post(values)
	local fields = {}
	for _, pair in ipairs(values.fields) do
		if pair[2] ~= nil then fields[#fields + 1] = { name = pair[1], value = tostring(pair[2]) } end
	end
	values.fields, values.script = fields, template.safe(SEND)
	return page("form_post", "One moment", values, 200, { ["content-security-policy"] = SENDS_ITSELF })
end

-- values: see portal/account.lua
function pages.home(values, status)
	return page("home", "Your account", values, status, OWN_WINDOW)
end

-- values: application (name), slug, name, csrf, allowed (when, or nil), scopes = { { text } }, tokens = { { scopes, made, used, ends } },
-- anything (is there), request_id
function pages.connection(values)
	return page("connection", values.application, values, 200, OWN_WINDOW)
end

-- Somebody or something that GitHub's side knows. values: heading, word (login), text, picture (path), lists = { { title, items = {
-- { link, name, word } } } }, request_id
function pages.profile(values)
	return page("profile", values.heading, values, 200, OWN_WINDOW)
end

-- values: applications, users
function pages.lab(values)
	return page("lab", "Laboratory", values)
end

-- values: see portal/lab.lua
function pages.lab_result(values)
	return page("lab_result", "Laboratory", values)
end

return pages
