-- oidc/authorize.lua: the authorization endpoint (RFC 6749 3.1, OpenID Connect Core 3.1.2). A GET is a client's request or, with
-- nothing but a sealed `request`, one of ours that continues after a page (S13, S15). A POST seals and answers 303.
local answer      = require "oidc/answer"
local handed_out  = require "oidc/authorization_response"
local check_session = require "oidc/check_session"
local check       = require "kit/check"
local clients     = require "auth/clients"
local err         = require "kit/err"
local policy      = require "oidc/policy"
local reply       = require "kit/reply"
local request     = require "oidc/request"
local scope       = require "kit/scope"
local session     = require "auth/session"
local transaction = require "auth/transaction"
local urls        = require "kit/urls"

local authorize = { kind = "page" }

local PATH = "/application/o/authorize/"
-- A foreign POST brings no cookies, so what it seals is bound to this word, and to the browser by the GET that follows.
local POSTED = "posted"

local function parse(text)
	local fields, map, duplicated = url.form_parse(text or "")
	if not fields then
		err.raise("invalid_request", "The parameters of this request are not well-formed.", { status = 400, cause = map })
	end
	return map, duplicated, fields
end

-- S20: the claims parameter may insist on one person.
local function expected_person(req, t, application, current)
	local wanted = t.params.claims and t.params.claims.subject
	return not wanted or wanted == session.subject(t, current, application, req)
end

local function issue(req, context, t, current)
	if not expected_person(req, t, context.application, current) then
		answer.fail(context, "login_required", "Another person is signed in than the one asked for.")
	end
	task.detach()
	local list = handed_out.make { application = context.application, session = current, params = t.params, req = req }
	if scope.has(t.params.scopes, "openid") then
		list[#list + 1] = { "session_state", check_session.state(context.application, context.redirect_uri, current) }
	end
	return answer.send(context, list)
end

-- Silent answer, page or error: session.decide says which (D11).
local function proceed(req, context, t)
	if t.denied then answer.fail(context, t.failure or "access_denied", t.denied) end
	local current = session.current(req)
	local scopes = t.params.consent_scopes
	local verdict, code, description = session.decide(t, current, context.application, scopes, req)
	-- The person is known, and nothing but consent may be missing: now the policies are asked.
	if policy.asked(context.application) and (verdict == "silent" or verdict == "consent" or code == "consent_required") then
		local decision = policy.decide(req, context, t, current)
		if decision.allowed then
			local converted = policy.converts(req, context, t, current, decision.scopes)
			if not converted.allowed then decision = converted end
		end
		if not decision.allowed then return policy.refuse(req, context, t, decision) end
		scopes = decision.scopes
		verdict, code, description = session.decide(t, current, context.application, scopes, req)
	end
	if verdict == "silent" then return issue(req, context, policy.narrow(t, scopes), current) end
	if verdict == "error" then answer.fail(context, code, description) end
	return transaction.to_page(req, t, verdict, scopes)
end

local function continue(req, text)
	local t, why = transaction.open(text, session.browser(req))
	if not t then
		t = transaction.open(text, POSTED)
		-- It begins now: whoever posted it earlier must not have a later sign-in count as the forced one.
		t = t and transaction.new(t)
	end
	if not t then
		err.raise("expired_request", nil, { status = 400, cause = "request " .. tostring(why) })
	end
	-- S16.
	if t.side then err.raise("expired_request", nil, { status = 400, cause = "request of another side" }) end
	local application = clients.find(t.client_id)
	err.need(application, "invalid_request", "The application of this request is no longer known here.", { status = 400 })
	local context = {
		application = application, redirect_uri = t.params.redirect_uri, response_mode = t.params.response_mode,
		state = t.params.state,
	}
	return proceed(req, context, t)
end

function authorize.GET(req)
	local map, duplicated, fields = parse(req.query)
	-- A client's own request object always comes with its client_id (Core 6.1).
	if not map.client_id and map.request and not duplicated.request then return continue(req, map.request) end
	local context, asked = request.read(map, duplicated, fields)
	return proceed(req, context, transaction.new(asked))
end

function authorize.POST(req)
	if not check.is_form(req) then
		err.raise("invalid_request", "The request must be sent as application/x-www-form-urlencoded.", { status = 400 })
	end
	local _, asked = request.read(parse(req.body))
	asked.browser = POSTED
	return reply.see_other(urls.with_query(PATH, { { "request", transaction.sealed(transaction.new(asked)) } }))
end

return authorize
