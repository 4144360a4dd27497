-- sources/callback.lua: /source/oauth/callback/<source>/ takes an upstream's answer. A POST from there brings no cookies: it seals what
-- it says and answers 303 to its own GET (S13, S14), which alone does anything. Nothing is made before everything has been checked.
local check = require "kit/check"
local clients = require "auth/clients"
local finish = require "sources/finish"
local guesses = require "auth/guesses"
local id_token = require "sources/id_token"
local problem = require "sources/problem"
local profile = require "sources/profile"
local proof = require "sources/proof"
local reply = require "kit/reply"
local scope = require "kit/scope"
local sources = require "auth/sources"
local state = require "sources/state"
local tokens = require "sources/tokens"
local transaction = require "auth/transaction"
local upstream = require "sources/upstream"
local urls = require "kit/urls"
local err = require "kit/err"

local callback = { kind = "page" }

local POSTED = "posted"
local PURPOSE = "source answer"
local ANSWER = { code = 4096, state = 6144, iss = 1000, error = 200, error_description = 2000, id_token = 65536 }

-- Nobody is sent to one for testing, so nobody comes back from there.
local function source_of(name)
	local source = sources.by_name(name)
	if source and source.adapter == "basic" then source = nil end
	return err.need(source, "page_not_found", "There is no such way to sign in.", { status = 404 })
end

-- ---- reading the answer ----

-- The parameters of an answer that may be read one way only; nil and what is wrong.
local function read(text)
	local fields, map, duplicated = url.form_parse(text or "")
	if not fields then return nil, "its parameters are not well-formed" end
	local out = {}
	for name, most in pairs(ANSWER) do
		local value = map[name]
		if duplicated[name] then return nil, ("the parameter %s came more than once"):format(name) end
		if value and #value > most then return nil, ("the parameter %s is too long"):format(name) end
		out[name] = value ~= "" and value or nil
	end
	return out
end

function callback.POST(req, name)
	local source = source_of(name)
	local answer, why = nil, "it is no form"
	if check.is_form(req) then answer, why = read(req.body) end
	if not answer then problem.raise({ req = req, source = source }, "unusable", why) end
	answer.source, answer.browser = source.id, POSTED
	local sealed = transaction.seal(transaction.new(answer), PURPOSE)
	if not sealed then problem.raise({ req = req, source = source }, "unusable", "the answer is longer than an address can be") end
	return reply.see_other(urls.with_query(upstream.callback_url(source), { { "answer", sealed } }))
end

-- A query never carries an ID token: it would stand in logs and histories.
local function answer_of(req, context)
	local map = select(2, url.form_parse(req.query or ""))
	if map and map.answer then
		local answer, why = transaction.open(map.answer, POSTED, PURPOSE)
		if answer and answer.source == context.source.id then return answer end
		problem.raise(context, why == "expired" and "expired" or "state", "the posted answer is " .. tostring(why or "another source's"))
	end
	local answer, why = read(req.query)
	if not answer then problem.raise(context, "unusable", why) end
	answer.id_token = nil
	return answer
end

-- ---- whose answer it is ----

local STATES = { expired = "expired", browser = "state", damaged = "state" }
local CAUSES = { expired = "the state has expired", browser = "the state is another browser's", damaged = "the state is not one of ours" }

local function open_state(req, context, answer)
	if not answer.state then problem.raise(context, "state", "the answer has no state") end
	local t, why = state.open(req, answer.state)
	if not t then problem.raise(context, STATES[why], CAUSES[why]) end
	-- Mix-up: another upstream's answer, led here.
	if t.source ~= context.source.id then problem.raise(context, "state", "the state is of a sign-in at another source") end
	context.opened, context.link = t.request, t.link ~= nil
	context.application = t.request and t.request.client_id and clients.find(t.request.client_id) or nil
	return t
end

-- RFC 9207 2.4.
local function check_issuer(context, up, answer)
	local known = up.issuer
	if answer.iss and known and answer.iss ~= known and not scope.has(context.source.extra.issuers or {}, answer.iss) then
		problem.raise(context, "unbelieved", "the answer is another issuer's (iss)")
	end
	if not answer.iss and up.authorization_response_iss_parameter_supported == true then
		problem.raise(context, "unbelieved", "the answer does not say whose it is (iss)")
	end
end

-- ---- what it says ----

local ADVICE = {
	access_denied = "cancelled", consent_required = "refused", interaction_required = "refused", login_required = "refused",
	account_selection_required = "refused", server_error = "unreachable", temporarily_unavailable = "unreachable",
}

local function refused(context, answer)
	local said, title = tokens.words(answer.error_description), context.source.title
	problem.raise(context, ADVICE[answer.error] or "refused", "it answered " .. tokens.word(answer.error), {
		text = said and ("%s says: %s"):format(title, said)
			or not ADVICE[answer.error] and ("%s did not sign you in. It says: %s"):format(title, tokens.word(answer.error)) or nil,
		person = said,
	})
end

local function need(context, value, kind, why, more)
	if value == nil then problem.raise(context, kind, why, more) end
	return value
end

local function place_of(source) return "source " .. source.id end

-- Both ways end with tokens and, of OpenID Connect, verified claims.
local function redeemed(context, up, t, answer)
	local source = context.source
	local code = need(context, answer.code, "unusable", "the answer has no code")
	local token, kind, why, more = tokens.redeem(source, up, code, upstream.callback_url(source), t.pkce and state.verifier(t) or nil)
	-- Made-up codes must not have an upstream think ill of us.
	if not token and kind == "refused" then guesses.count(place_of(source), context.req) end
	need(context, token, kind, why, more)
	if source.adapter ~= "oidc" then return token end
	local claims, reason, sort = id_token.verify(source, up, token.id_token, { nonce = state.nonce(t), access_token = token.access_token })
	return token, need(context, claims, sort or "unbelieved", "the ID token: " .. tostring(reason))
end

local function brought(context, up, t, answer)
	local text = need(context, answer.id_token, "unusable", "the answer has no id_token")
	local claims, reason, sort = id_token.verify(context.source, up, text, { nonce = state.nonce(t) })
	return { id_token = text }, need(context, claims, sort or "unbelieved", "the ID token: " .. tostring(reason))
end

function callback.GET(req, name)
	local source = source_of(name)
	local context = { req = req, source = source }
	local answer = answer_of(req, context)
	local t = open_state(req, context, answer)
	local up, why = upstream.of(source)
	if not up then problem.raise(context, "unreachable", why) end
	check_issuer(context, up, answer)
	if answer.error then refused(context, answer) end
	if guesses.wait(place_of(source), req) then problem.page(context, "throttled", "too many failed attempts from this address") end
	local token, claims = (t.kind == "id_token" and brought or redeemed)(context, up, t, answer)
	if not proof.given(source, t.request, claims) then return finish.unproven(req, context, t) end
	local arrived, kind, reason = profile.arrived(source, up, token, claims)
	need(context, arrived, kind, reason)
	return finish.arrived(req, context, t, arrived)
end

return callback
