-- sources/problem.lua: a sign-in through a source that came to nothing: the person is told what happened and what to do, the owner finds
-- an event that says why. What an upstream or a browser wrote is never a reason (S31): it stands where erasure finds it.
local err = require "kit/err"
local events = require "auth/events"
local request = require "auth/request"
local session = require "auth/session"

local problem = {}

-- By kind: status, what happened, what to do; %s is the source's title.
local KINDS = {
	unreachable = { 502, "%s cannot be reached at the moment.", "Try again in a few minutes. If it stays, tell whoever runs this service." },
	unusable    = { 502, "%s answered something that cannot be used.",
		"Try again. If it stays, tell whoever runs this service the request id below." },
	unbelieved  = { 502, "%s sent an answer that cannot be believed, so nobody was signed in.",
		"Try again. If it stays, tell whoever runs this service the request id below." },
	refused     = { 403, "%s did not sign you in.", "Try again, or sign in another way." },
	cancelled   = { 403, "You, or %s, stopped the sign-in.", "Try again if that was not meant, or sign in another way." },
	busy        = { 503, "%s is busy at the moment.", "Try again in a few seconds." },
	state       = { 400, "The answer of %s does not belong to a sign-in that was begun in this browser.", "Begin again from here." },
	expired     = { 400, "The sign-in at %s took longer than a quarter of an hour.", "Begin again from here." },
	used        = { 400, "This answer of %s has been used already.", "If you are not signed in, begin again from here." },
	denied      = { 403, "Your account at %s cannot be used here.", "Ask whoever runs this service." },
	throttled   = { 429, "Too many sign-ins with %s have failed from where you are.", "Wait a minute and try again." },
	unavailable = { 503, "The sign-in with %s could not be finished.", "Try again in a few seconds." },
}

local function way_out(context)
	if context.link then return { href = "/", text = "Back to your account" } end
	local opened = context.opened
	local sealed = opened and opened.browser == session.browser(context.req) and request.seal(opened)
	return { href = sealed and "/signin?request=" .. url.encode(sealed) or "/signin", text = "Try again" }
end

-- The page alone, when an event has been left. context: { req, source, opened = the request in progress or nil, link = an account is
-- being connected, application }. kind: of the table above. more: { text = instead of the kind's }.
function problem.page(context, kind, cause, more)
	local title, known = context.source.title, KINDS[kind]
	err.raise("source_" .. kind, (more or {}).text or known[2]:format(title), {
		status = known[1], advice = known[3], link = way_out(context), cause = cause,
		title = (context.link and "Connecting %s did not work" or "Signing in with %s did not work"):format(title),
	})
end

-- The event and the page. cause: for the event, naming nobody. more: further, person = what somebody wrote.
function problem.raise(context, kind, cause, more)
	more = more or {}
	events.add {
		kind = "sign_in_failed", req = context.req, application = context.application, person = more.person,
		reason = ("source %s: %s"):format(context.source.name, cause),
	}
	problem.page(context, kind, cause, more)
end

return problem
