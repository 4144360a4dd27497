-- command/rehearsal_token.lua: how a client of GitHub's comes by a token: what it sends to the authorization and token endpoints, and
-- whether these take it from its application. `run` is that of command/rehearsal. Nothing is issued.
local access_token  = require "github/access_token"
local conf          = require "kit/conf"
local devices       = require "auth/devices"
local github_scopes = require "auth/github_scopes"
local github_secret = require "kit/github_secret"
local policies      = require "mapping/policies"
local print_        = require "command/print"
local scope         = require "kit/scope"
local urls     = require "kit/urls"
local users         = require "store/users"

local rehearsal_token = {}

-- Of a code and a secret that nobody has.
local CODE, SECRET = "tlc_rehearsal", "rehearsal"

-- ---- where it comes back ----

-- What the program would send as its redirect_uri: the path is in its source, where it runs is told by what is registered.
local function redirect_of(run)
	local callback, first = run.client.callback or "", nil
	local ending = callback:gsub("%p", "%%%0"):gsub("%%%*", "[^/]+") .. "$"
	for _, each in ipairs(run.application.redirect_uris or {}) do
		if type(each) == "string" then
			if each:find(ending) then return each end
			first = first or each
		end
	end
	return first and (urls.origin(first) or "") .. callback:gsub("%*", "NAME")
end

local function form(list)
	local out = {}
	for _, name in ipairs { "client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "code_challenge_method" } do
		if list[name] then out[#out + 1] = { name, list[name] } end
	end
	return out
end

local function authorize_request(run)
	local client, application = run.client, run.application
	run.redirect_uri = redirect_of(run)
	if client.pkce then
		run.verifier = base64.url_encode(crypto.random(32))
		run.challenge = base64.url_encode(crypto.sha256(run.verifier))
	end
	local list = form {
		client_id = application.client_id, redirect_uri = not client.no_redirect and run.redirect_uri or nil,
		response_type = not client.no_redirect and "code" or nil, scope = run.scope ~= "" and run.scope or nil, state = "rehearsal",
		code_challenge = run.challenge, code_challenge_method = run.challenge and "S256",
	}
	for name, value in pairs(client.authorize or {}) do list[#list + 1] = { name, value } end
	-- Where it lives: other hosts send the browser there.
	return { method = "GET", host = conf.host(), path = "/login/oauth/authorize", query = url.form_encode(list), headers = {} }
end

-- What the endpoint's answer to somebody who has not signed in yet says: true, or false and why not.
local function accepted(response, raised)
	local location, ours = response.headers.location or "", conf.public_url()
	if location:sub(1, #ours) == ours or location:find("^/") then return true end
	if location ~= "" then
		local _, said = url.form_parse(location:match("%?(.*)$") or "")
		return false, (said or {}).error_description or (said or {}).error
	end
	return false, raised and raised.description or "it answers " .. response.status
end

local function authorize(run)
	if #(run.application.redirect_uris or {}) == 0 then
		run.breaks(nil, "the application has no redirect_uris", ('redirect_uris = { "https://HOST%s" }'):format(run.client.callback or "/"))
		return false
	end
	local request = authorize_request(run)
	local response, raised = run.ask(request)
	local good, why = accepted(response, raised)
	local made = run.made("GET", request.path .. "?" .. request.query:gsub("%%2F", "/"):gsub("%%3A", ":"), response.status)
	made.reads = good and "the person signs in and comes back with a code" or print_.plain(why)
	if good then return true end
	local advice = why and why:find("redirect_uri", 1, true) and run.redirect_uri and ("it comes back at %s"):format(run.redirect_uri)
	run.breaks(nil, why or "the request is refused", advice or nil)
	return false
end

-- ---- what it may have ----

-- The scopes that are left of what it asks for, or nil when the policies refuse the person.
local function permitted(run)
	local application, scopes = run.application, github_scopes.asked(run.scope, run.application)
	if #(application.policies or {}) == 0 then return scopes end
	local decision = policies.decide {
		user = users.view(run.person), person = run.person, application = application, scopes = scopes,
		grant_type = run.client.flow == "device" and devices.GRANT or "authorization_code",
		login = { at = time.now(), method = "password", amr = { "pwd" } }, request = { client_ip = "127.0.0.1", path = "/" },
	}
	if decision.allowed then return decision.scopes end
	run.breaks(nil, ("the policy %s refuses: %s"):format(decision.by, print_.plain(decision.message or "it does not say why")))
end

-- ---- its token ----

local function post(run, fields, basic)
	local client = run.client
	local request = { method = "POST", path = "/login/oauth/access_token", headers = {} }
	if client.accept == "json" then request.headers.accept = "application/json" end
	if basic then
		local pair = url.encode(run.application.client_id) .. ":" .. SECRET
		request.headers.authorization = "Basic " .. base64.encode(pair)
	end
	if client.token == "query" then
		request.query = url.form_encode(fields)
	elseif client.token == "json" then
		local body = {}
		for _, pair in ipairs(fields) do body[pair[1]] = pair[2] end
		request.headers["content-type"], request.body = "application/json", json.encode(body)
	else
		request.headers["content-type"], request.body = "application/x-www-form-urlencoded", url.form_encode(fields)
	end
	return request
end

local function fields_of(run, basic)
	local out = { { "code", CODE } }
	local function add(name, value) if value then out[#out + 1] = { name, value } end end
	if not run.client.bare then
		add("grant_type", "authorization_code")
		add("redirect_uri", run.redirect_uri)
	end
	add("code_verifier", run.verifier)
	if not basic then
		add("client_id", run.application.client_id)
		add("client_secret", SECRET)
	end
	return out
end

local function redeem(run, scopes, basic)
	local row = { code = CODE, application_id = run.application.id, redirect_uri = run.redirect_uri, challenge = run.challenge,
		scopes = scopes }
	local issued = { access_token = run.token }
	if run.application.github.expiring then issued.expires_in, issued.refresh_token = 8 * 3600, "ghr_…" end
	return run.ask(post(run, fields_of(run, basic), basic), {
		POST = function(req) return access_token.rehearse(req, row, SECRET, issued) end, kind = "github_oauth",
	})
end

-- What it finds in the answer: the fields, or nil.
local function parsed(client, response)
	local kind = response.headers["content-type"] or ""
	if kind:find("json", 1, true) then return not client.reads_form and json.decode(response.body) or nil end
	local ok, fields = url.form_parse(response.body)
	return ok and client.accept ~= "json" and fields or nil
end

local HOW = { go = "Basic, then in the body", body = "in the body", basic = "Basic", query = "everything in the URL", json = "in JSON" }

local function failed(run, response, answer)
	local why = answer and (answer.error_description or answer.error) or ("it cannot read the answer: " .. print_.plain(response.body))
	local advice
	if run.client.token == "query" and not run.application.github.query_secret then
		advice = "github = { query_secret = true } in the application"
	elseif run.client.bare and why:find("redirect_uri", 1, true) then
		advice = ("register %s as it is: the program does not send it with the code"):format(run.redirect_uri)
	end
	run.breaks(nil, "it gets no token: " .. why, advice)
end

local function look_at_scopes(run, answer)
	if run.client.scopes ~= "literal" then return end
	for name in run.scope:gmatch("[^,%s]+") do
		if not ("," .. answer.scope .. ","):find("," .. name .. ",", 1, true) then
			run.breaks(nil, ("it looks for the scope %s in the answer and finds %s"):format(name, answer.scope),
				"github = { scope_echo = true } in the application")
		end
	end
end

local function token(run, scopes)
	local basic = run.client.token == "go" or run.client.token == "basic"
	local response = redeem(run, scopes, basic)
	local answer = parsed(run.client, response)
	if run.client.token == "go" and not (answer or {}).access_token then
		response = redeem(run, scopes, false)
		answer = parsed(run.client, response)
	end
	local made = run.made("POST", "/login/oauth/access_token", response.status)
	made.how = HOW[run.client.token]
	if not answer or not answer.access_token then
		made.reads = print_.plain(response.body)
		failed(run, response, answer)
		return
	end
	made.reads = ("a token, scope %s"):format(answer.scope ~= "" and answer.scope or "none")
	look_at_scopes(run, answer)
	return true
end

-- ---- the three ways ----

local function notes_of(run)
	local github = run.application.github
	if github.send_iss then run.notes("send_iss is on: many clients take an iss that they do not expect for an attack") end
	if github.expiring and not run.client.renews then
		run.notes("its token ends after eight hours, and it does not know how to renew it", "github = { expiring = false }")
	end
end

local function live(run, kind, scopes)
	run.live = { id = "rehearsal", kind = kind, user = run.person, application = run.application, scopes = scopes, created_at = time.now(),
		login = { at = time.now(), method = "password", amr = { "pwd" } } }
	return true
end

local function by_web(run)
	if not run.registered then return live(run, "gho", github_scopes.asked(run.scope, run.application)) end
	local came = authorize(run)
	local scopes = permitted(run)
	if not came or not scopes or not token(run, scopes) then return false end
	notes_of(run)
	return live(run, "gho", scopes)
end

local function by_device(run)
	if run.registered and not run.application.github.device_flow then
		run.breaks(nil, "the application has no device flow", "github = { device_flow = true } in the application")
		return false
	end
	local scopes = permitted(run)
	if not scopes then return false end
	local made = run.made("POST", "/login/device/code", 200)
	made.reads = "a code that the person types at " .. run.web .. "/login/device"
	notes_of(run)
	return live(run, "gho", scopes)
end

-- Somebody has made a token on the account page and typed it in.
local function by_person(run)
	run.application = nil
	return live(run, "ghp", github_scopes.asked(run.scope, { github = {} }))
end

local FLOWS = { web = by_web, device = by_device, personal = by_person }

-- Gives run.token and run.live; false when the client has no token to go on with.
function rehearsal_token.run(run)
	run.token = github_secret.new(run.client.flow == "personal" and "ghp_" or "gho_")
	return FLOWS[run.client.flow or "web"](run)
end

-- Is one of the scopes in this text (X-Accepted-OAuth-Scopes) there?
function rehearsal_token.reaches(run, wanted)
	for name in wanted:gmatch("[^,%s]+") do
		if scope.has(run.live.scopes, name) then return true end
	end
	return false
end

return rehearsal_token
