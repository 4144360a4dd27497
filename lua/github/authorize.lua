-- github/authorize.lua: GitHub's authorization endpoint. A GET is a client's request or, with nothing but a sealed `request`, one of
-- ours that continues after a page (S13, S15) or comes from another name (S17). Applications without a GitHub side are unknown (S16).
local clients        = require "auth/clients"
local codes          = require "auth/codes"
local conf           = require "kit/conf"
local consent        = require "auth/consent"
local err            = require "kit/err"
local events         = require "auth/events"
local github_scopes  = require "auth/github_scopes"
local links          = require "github/links"
local oauth_answer   = require "github/oauth_answer"
local policies       = require "auth/policies"
local redirects      = require "github/redirects"
local reply          = require "kit/reply"
local rows           = require "store/rows"
local scope          = require "kit/scope"
local session        = require "auth/session"
local transaction    = require "auth/transaction"
local urls           = require "kit/urls"

local authorize = { kind = "page" }

local PATH = "/login/oauth/authorize"
local LIMITS = {
	response_type = 100, scope = 2000, state = 2000, prompt = 100, code_challenge = 100, code_challenge_method = 20, login = 320,
}
local PROMPTS = { none = true, login = true, consent = true, select_account = true }

-- A context is { application, redirect_uri, state, host }: who is answered, once both have been checked; host is the github_host that
-- was asked, nil for public_url.
local function send(context, list)
	list[#list + 1] = { "state", context.state }
	if context.application.github.send_iss then list[#list + 1] = { "iss", links.at(context.host).web .. "/login/oauth" } end
	return reply.redirect(urls.with_query(context.redirect_uri, list))
end

local function fail(context, code, description)
	err.raise(code, description, { response = send(context, oauth_answer.authorization_error(code, description)) })
end

local function refuse(title, text, status)
	err.raise("invalid_request", text, { status = status or 400, title = title })
end

-- The application, where it is answered, and whether the request said so. What is wrong here is told on a page (RFC 6749 3.1.2.4).
local function addressed(map, duplicated)
	if duplicated.client_id or duplicated.redirect_uri then
		refuse("This request is not right", "The application's request names itself or its address twice.")
	end
	local application = clients.find(map.client_id)
	if not application or not application.github then
		refuse("Unknown application", "No application with this client_id is known here.", 404)
	end
	local asked = map.redirect_uri ~= "" and map.redirect_uri or nil
	local redirect_uri = asked or redirects.default(application)
	if not redirect_uri then
		refuse("No return address", "The request has no redirect_uri, and the application has registered none.")
	elseif asked and not redirects.allowed(application, asked) then
		events.tally { kind = "redirect_refused", application = application, reason = "the redirect_uri is not registered" }
		refuse("Unknown return address", "The redirect_uri MUST match the registered callback URL for this application.")
	end
	return application, redirect_uri, asked ~= nil
end

local function check_single(context, map, duplicated)
	for name, max in pairs(LIMITS) do
		if duplicated[name] then fail(context, "invalid_request", "The parameter " .. name .. " came more than once.") end
		if map[name] and #map[name] > max then fail(context, "invalid_request", "The parameter " .. name .. " is too long.") end
	end
	if map.response_type and map.response_type ~= "" and map.response_type ~= "code" then
		fail(context, "unsupported_response_type", "The only response_type is code.")
	end
end

-- RFC 7636, S256 alone. A public client has nothing else that ties the code to it (S19); programs of presets may have none.
local function challenge_of(context, map)
	local challenge, application = map.code_challenge, context.application
	if not challenge or challenge == "" then
		local public = application.client_type == "public" and not redirects.of_program(application, context.redirect_uri)
		if application.pkce == "required" or public then
			fail(context, "invalid_request", "PKCE is required: the parameter code_challenge is missing.")
		end
		return nil
	end
	if map.code_challenge_method ~= "S256" then
		fail(context, "invalid_request", "The code_challenge_method must be S256.")
	elseif #challenge ~= 43 or challenge:find("[^%w%-_]") then
		fail(context, "invalid_request", "The code_challenge is malformed.")
	end
	return challenge
end

local function prompts(map)
	local list = {}
	for word in (map.prompt or ""):gmatch("%S+") do
		if PROMPTS[word] then list[#list + 1] = word end
	end
	return list
end

-- What the request says, for transaction.new; scopes is none when it did not ask for any.
local function read(map, duplicated, host)
	local application, redirect_uri, sent = addressed(map, duplicated)
	local context = { application = application, redirect_uri = redirect_uri, state = not duplicated.state and map.state or nil,
		host = host }
	check_single(context, map, duplicated)
	local scopes = map.scope and map.scope:find("[^,%s]") and github_scopes.asked(map.scope, application) or nil
	return context, {
		side = "github", client_id = application.client_id, prompt = prompts(map), login_hint = map.login ~= "" and map.login or nil,
		params = { redirect_uri = redirect_uri, redirect_uri_sent = sent, state = context.state, scopes = scopes,
			challenge = challenge_of(context, map), host = host },
	}
end

-- Without scopes in the request: what the person has already granted, or none.
local function scopes_of(t, current, application)
	local implied = github_scopes.implied(application)
	if t.params.scopes or not current then return t.params.scopes or implied end
	local _, already = consent.needed(current.user, application, {}, nil, current)
	return scope.union(github_scopes.consented(already), implied)
end

local function issue(req, context, t, current, scopes)
	local params = t.params
	task.detach()
	local code, statement = codes.make {
		side = "github", application = context.application, session = current, redirect_uri = params.redirect_uri,
		redirect_uri_sent = params.redirect_uri_sent, challenge = params.challenge, method = params.challenge and "S256",
		scopes = scopes,
	}
	err.need(rows.batch { statement }, "expired_request", "Your session ended meanwhile.", { status = 400 })
	return send(context, { { "code", code } })
end

local function decide(req, application, t, current, scopes)
	return policies.decide {
		user = current.user, application = application, scopes = scopes, grant_type = "authorization_code", req = req,
		login = current.login, session_id = current.id,
		context = { oauth_redirect_uri = t.params.redirect_uri, oauth_response_type = "code", oauth_code_challenge = t.params.challenge },
	}
end

-- Silent answer, page or error: session.decide says which (D11).
local function proceed(req, context, t)
	local application = context.application
	if t.denied then fail(context, "access_denied", "The user has denied your application access.") end
	local current = session.current(req)
	local scopes = scopes_of(t, current, application)
	local verdict, code, description = session.decide(t, current, application, github_scopes.consent(scopes), req)
	-- The person is known, and nothing but consent may be missing: now the policies are asked.
	if verdict == "silent" or verdict == "consent" or code == "consent_required" then
		local decision = decide(req, application, t, current, scopes)
		if not decision.allowed then
			if scope.has(t.prompt, "none") then fail(context, "access_denied", policies.description(decision)) end
			return transaction.refused(req, t, application, decision, PATH)
		end
		scopes = decision.scopes
		verdict, code, description = session.decide(t, current, application, github_scopes.consent(scopes), req)
	end
	if verdict == "silent" then return issue(req, context, t, current, scopes) end
	if verdict == "error" then fail(context, code, description) end
	return transaction.to_page(req, t, verdict, github_scopes.consent(scopes))
end

local function continue(req, t, why)
	if not t or t.side ~= "github" then
		err.raise("expired_request", nil, { status = 400, cause = "request " .. tostring(why or "of another side") })
	end
	local application = clients.find(t.client_id)
	if not application or not application.github then
		refuse("Unknown application", "The application of this request is no longer known here.")
	end
	return proceed(req, { application = application, redirect_uri = t.params.redirect_uri, state = t.params.state,
		host = t.params.host }, t)
end

function authorize.GET(req)
	local fields, map, duplicated = url.form_parse(req.query or "")
	if not fields then refuse("This request is not right", "The parameters of this request are not well-formed.") end
	local elsewhere = conf.github_name(req.host)
	if elsewhere then return transaction.forward(transaction.new(select(2, read(map, duplicated, elsewhere.host))), PATH) end
	if not map.client_id and map.request and not duplicated.request then
		return continue(req, transaction.open(map.request, session.browser(req)))
	elseif not map.client_id and map.forwarded and not duplicated.forwarded then
		return continue(req, transaction.arrived(map.forwarded))
	end
	local context, asked = read(map, duplicated)
	return proceed(req, context, transaction.new(asked))
end

return authorize
