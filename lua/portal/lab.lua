-- portal/lab.lua: the laboratory of a lab configuration: signs a person in as one of the applications, by the same requests that
-- the application would send, and shows each thing that passes.
local check   = require("kit/check")
local claims  = require("auth/claims")
local clients = require("auth/clients")
local conf    = require("kit/conf")
local err     = require("kit/err")
local pages   = require("pages/pages")
local reply   = require("kit/reply")
local scope   = require("kit/scope")
local tokens  = require("auth/tokens")
local urls    = require("kit/urls")

local lab = {}

local dispatch, secrets, users_text = nil, {}, {}

local RUN      = { application = { max = 200, required = true }, prompt = { max = 40, pattern = "[%l_ ]+" } }
local CALLBACK = {
	state = { max = 2000, required = true }, code = { max = 200 }, error = { max = 100 },
	error_description = { max = 1000 }, iss = { max = 500 },
}
local ORDER = { "client_id", "response_type", "redirect_uri", "scope", "prompt", "nonce", "code_challenge", "code_challenge_method" }

-- boot opens the laboratory, and only of a lab configuration: dispatch(req) answers like the server, config holds the
-- secrets that stand in the file anyway.
function lab.open(values)
	dispatch, secrets, users_text = values.dispatch, {}, {}
	for _, application in ipairs(values.config.applications) do
		secrets[application.client_id] = application.client_secret
	end
	for index, user in ipairs(values.config.users) do
		users_text[index] = {
			name = user.label, password = user.password or "(not in the file)", groups = table.concat(user.groups or {}, ", "),
		}
	end
end

local function callback_url()
	return conf.link("/lab/callback")
end

-- The laboratory signs in with a code.
local function runnable(application)
	return scope.has(application.grant_types, "authorization_code") and scope.has(application.response_types, "code")
		and (application.client_type == "public" or secrets[application.client_id] ~= nil)
end

local function curl(application, path, form)
	local secret = secrets[application.client_id]
	local who = secret and ("-u %s:%s"):format(application.client_id, secret) or "-d client_id=" .. application.client_id
	return ("curl --cacert lab-ca.pem %s %s %s"):format(who, form, conf.link("/application/o/" .. path .. "/"))
end

-- What to type for the applications that no person signs in to from here.
local function hint(application)
	if scope.has(application.grant_types, "urn:ietf:params:oauth:grant-type:device_code") then
		return curl(application, "device", "-d scope=openid")
	elseif scope.has(application.grant_types, "client_credentials") then
		return curl(application, "token", "-d grant_type=client_credentials -d scope=profile")
	elseif application.github and application.github.device_flow then
		return ("curl --cacert lab-ca.pem -d client_id=%s -d scope=read:org %s"):format(application.client_id, conf.link("/login/device/code"))
	end
	return "its answer goes to " .. tostring((application.redirect_uris or {})[1] or "nobody")
end

function lab.home(req)
	local list = {}
	for index, application in ipairs(clients.all()) do
		list[index] = {
			name = application.name, slug = application.slug, client_id = application.client_id,
			client_type = application.client_type, scopes = scope.join(application.scopes), runnable = runnable(application),
			hint = not runnable(application) and hint(application),
		}
	end
	return pages.lab{ applications = list, users = users_text, request_id = req.id }
end

-- What the application would send its user to. The verifier travels in the sealed state: nothing is kept here.
function lab.run(req)
	local query = check.query(req, RUN)
	local application = err.need(clients.by_slug(query.application), "page_not_found")
	err.need(runnable(application), "page_not_found")
	local verifier = base64.url_encode(crypto.random(32))
	local asked = {
		client_id = application.client_id, response_type = "code", redirect_uri = callback_url(),
		scope = scope.join(application.scopes), prompt = query.prompt, nonce = base64.url_encode(crypto.random(12)),
		code_challenge = base64.url_encode(crypto.sha256(verifier)), code_challenge_method = "S256",
	}
	local list = {}
	for _, name in ipairs(ORDER) do
		if asked[name] then list[#list + 1] = { name, asked[name] } end
	end
	local kept = json.encode{ verifier = verifier, application = application.slug, asked = list }
	list[#list + 1] = { "state", base64.url_encode(crypto.seal(crypto.derive("lab"), kept, "state")) }
	return reply.redirect(urls.with_query(conf.link("/application/o/authorize/"), list))
end

local function exchange(req, application, kept, code)
	local form = {
		{ "grant_type", "authorization_code" }, { "code", code }, { "redirect_uri", callback_url() },
		{ "code_verifier", kept.verifier },
	}
	local headers = { ["content-type"] = "application/x-www-form-urlencoded" }
	local secret = secrets[application.client_id]
	if application.client_type == "public" then
		form[#form + 1] = { "client_id", application.client_id }
	else
		headers.authorization = "Basic "
			.. base64.encode(url.encode(application.client_id) .. ":" .. url.encode(secret))
	end
	return dispatch{
		id = req.id, method = "POST", path = "/application/o/token/", query = "", host = req.host, port = req.port,
		secure = req.secure, sni = req.sni, peer = req.peer, listener_port = req.listener_port, headers = headers,
		body = url.form_encode(form),
	}
end

local function ask_userinfo(req, access_token)
	return dispatch{
		id = req.id, method = "GET", path = "/application/o/userinfo/", query = "", host = req.host, port = req.port,
		secure = req.secure, sni = req.sni, peer = req.peer, listener_port = req.listener_port, body = "",
		headers = { authorization = "Bearer " .. access_token },
	}
end

-- Long random values are cut: the page shows the shape of an answer, and secrets do not belong on it.
local function shown(value)
	local copy = {}
	for name, each in pairs(value) do
		if type(each) == "string" and #each > 60 and name:find("token$") then each = each:sub(1, 24) .. "… (" .. #each .. " characters)" end
		copy[name] = each
	end
	return json.encode(copy, { pretty = 2 })
end

local function decoded(id_token, application)
	local parsed = jws.parse(id_token)
	if not parsed then return nil end
	local checked, reason = tokens.id_token_hint(id_token, application)
	return {
		header = json.encode(parsed.header, { pretty = 2 }), payload = json.encode(json.decode(parsed.payload), { pretty = 2 }),
		verdict = checked and "Signature, issuer and audience are right." or ("Not accepted: " .. tostring(reason)),
	}
end

local function provenance(live, req)
	local values, made_by, failures = claims.of{
		user = live.user, application = live.application, scopes = live.scopes, login = live.grant.login, req = req,
	}
	local list = {}
	for name, value in pairs(values) do
		list[#list + 1] = { name = name, value = type(value) == "string" and value or json.encode(value), by = made_by[name] }
	end
	table.sort(list, function(a, b) return a.name < b.name end)
	local texts = {}
	for index, failure in ipairs(failures or {}) do
		texts[index] = { text = ("%s: %s"):format(failure.name or failure.mapping or "mapping", failure.message or failure.kind) }
	end
	return list, texts
end

function lab.callback(req)
	local query = check.query(req, CALLBACK)
	local sealed = base64.url_decode(query.state)
	local kept = sealed and crypto.unseal(crypto.derive("lab"), sealed, "state")
	kept = json.decode(err.need(kept, "expired_request", nil, { cause = "state is not ours" }))
	local application = err.need(clients.by_slug(kept.application), "page_not_found")
	local asked = {}
	for index, pair in ipairs(kept.asked) do asked[index] = pair[1] .. " = " .. pair[2] end
	local values = {
		application = application.name, request_text = "GET /application/o/authorize/\n" .. table.concat(asked, "\n"),
		response_text = json.encode({ code = query.code and "tlc_… (used below)", error = query.error,
			error_description = query.error_description, iss = query.iss, state = "(as sent)" }, { pretty = 2 }),
		request_id = req.id,
	}
	if not query.code then
		values.problem = ("The application was told: %s. %s"):format(query.error or "nothing", query.error_description or "")
		return pages.lab_result(values)
	end
	local answer = exchange(req, application, kept, query.code)
	local token = json.decode(answer.body) or {}
	values.token_text = ("POST /application/o/token/ → %d\n%s"):format(answer.status, shown(token))
	if answer.status ~= 200 then return pages.lab_result(values) end
	if token.id_token then
		values.id_token, values.sign_out = decoded(token.id_token, application), urls.with_query(
			conf.link("/application/o/" .. application.slug .. "/end-session/"),
			{ { "id_token_hint", token.id_token }, { "post_logout_redirect_uri", conf.link("/lab/") } })
	end
	local info = ask_userinfo(req, token.access_token)
	values.userinfo = ("GET /application/o/userinfo/ → %d\n%s"):format(info.status, info.status == 200
		and json.encode(json.decode(info.body), { pretty = 2 }) or json.encode(info.headers, { pretty = 2 }))
	local live = tokens.live(token.access_token)
	if live then values.claims, values.failures = provenance(live, req) end
	return pages.lab_result(values)
end

-- The pages, merged into the routes by boot of a lab configuration only.
lab.routes = {
	["/lab/"]         = { kind = "page", GET = lab.home },
	["/lab/run"]      = { kind = "page", GET = lab.run },
	["/lab/callback"] = { kind = "page", GET = lab.callback },
}

return lab
