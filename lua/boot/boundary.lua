-- boot/boundary.lua: the one catcher. Turns what an endpoint raised into the answer of its kind: a JSON object for OAuth
-- clients (RFC 6749 5.2), a challenge for bearers of tokens (RFC 6750 3), GitHub's object, a page for people. Every one carries the
-- request id; none carries a cause that is not the asker's business.
local err   = require "kit/err"
local github_answer = require "github/answer"
local oauth_answer = require "github/oauth_answer"
local pages = require "pages/pages"
local reply = require "kit/reply"

local boundary = {}

local status_of = {
	invalid_client = 401, invalid_token = 401, insufficient_scope = 403, access_denied = 403, forbidden = 403, csrf = 403,
	page_not_found = 404, not_found = 404, too_many = 429, slow_down = 429, too_large = 413,
	server_error = 500, temporarily_unavailable = 503, unavailable = 503,
}

-- title, what happened, what to do: where the raiser said nothing better.
local page_texts = {
	page_not_found = {
		"Page not found", "There is nothing at this address.", "Check the address, or start from the first page.",
	},
	csrf = {
		"This form is no longer valid", "The form was sent from another page or another session.",
		"Go back, reload the page and try again.",
	},
	expired_request = {
		"This sign-in took too long", "The request that you came with has expired or belongs to another browser.",
		"Go back to the application and sign in again.",
	},
	forbidden = { "Not allowed", "Your account may not do this.", "Ask whoever runs this service." },
	too_many = { "Too many attempts", "There were too many attempts in a short time.", "Wait a little and try again." },
	unavailable = {
		"Not available right now", "The service cannot do this at the moment.", "Try again in a few seconds.",
	},
	server_error = {
		"Something went wrong here", "The mistake is on our side, not yours.",
		"Try again. If it stays, tell whoever runs this service the request id below.",
	},
	invalid_request = {
		"This request is not right", "The application sent a request that cannot be answered.",
		"Go back to the application. If it happens again, tell its administrator.",
	},
}

local function page(req, e, status)
	local text = page_texts[e.oauth] or (status >= 500 and page_texts.unavailable) or page_texts.invalid_request
	return pages.error {
		status = status, title = e.title or text[1], text = e.description or text[2], advice = e.advice or text[3],
		request_id = req.id, code = e.oauth, link = e.link,
	}
end

local function oauth(req, e, status)
	local response = reply.json({ error = e.oauth, error_description = e.description, request_id = req.id }, status)
	if status == 401 then response.headers["www-authenticate"] = 'Basic realm="tidelock", charset="UTF-8"' end
	return response
end

-- RFC 6750 3.1: without a token the challenge says nothing of an error.
local function bearer(req, e, status)
	local challenge = 'Bearer realm="tidelock"'
	if e.oauth and not e.bare then
		local text = (e.description or ""):gsub('[^]\32-\33\35-\91\94-\126]', "'")
		challenge = ('%s, error="%s", error_description="%s"'):format(challenge, e.oauth, text)
		if e.scope then challenge = ('%s, scope="%s"'):format(challenge, e.scope) end
	end
	local response = oauth(req, e, status)
	-- What is not there, or was changed meanwhile, no other token would help.
	response.headers["www-authenticate"] = status < 404 and challenge or nil
	return response
end

local kinds = {
	page = page, oauth = oauth, bearer = bearer, plain = oauth, github = github_answer.error, github_oauth = oauth_answer.failed,
}

-- The codes that an endpoint's own kind would not know: pages' words become the protocol's and the other way round.
local protocol_words = {
	unavailable = "temporarily_unavailable", too_many = "slow_down", csrf = "invalid_request", forbidden = "access_denied",
	page_not_found = "invalid_request", expired_request = "invalid_request",
}

-- Makes an error of what a bug raised; only the log sees what it was.
local function unexpected(req, raised)
	log.error("request failed", { id = req.id, method = req.method, path = req.path, error = tostring(raised) })
	return { oauth = "server_error" }
end

-- The answer for what `endpoint` (nil: none was found) raised.
function boundary.answer(req, endpoint, raised)
	local e = err.is(raised) and raised or unexpected(req, raised)
	-- Errors of the authorization endpoint that go back to the client come with their answer.
	if e.response then return e.response end
	local kind = endpoint and endpoint.kind or "page"
	local status = e.status or status_of[e.oauth] or 400
	if kind ~= "page" and protocol_words[e.oauth] then
		e = setmetatable({ oauth = protocol_words[e.oauth] }, { __index = e })
	end
	if e.cause and type(e.cause) == "string" and status >= 500 then
		log.warn("request refused", { id = req.id, path = req.path, cause = e.cause })
	end
	-- authentik_errors: the endpoint may answer as authentik does, for clients that rely on it.
	local lenient = endpoint and endpoint.compatible and status < 500 and status ~= 429 and (req.application or {}).authentik_errors
	if lenient then return endpoint.compatible(req, e) end
	local response = kinds[kind](req, e, status)
	if status == 503 or status == 429 then
		response.headers["retry-after"] = tostring(e.retry_after or (status == 503 and 2 or 30))
	end
	for name, value in pairs(e.headers or {}) do response.headers[name] = value end
	return response
end

return boundary
