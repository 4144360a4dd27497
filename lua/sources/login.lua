-- sources/login.lua: /source/oauth/login/<source>/ sends the browser to an upstream (OpenID Connect Core 3.1.2.1, RFC 6749 4.1.1), with
-- what it came from sealed in the state: an application's request, an account that is to be connected, or nothing.
local check = require "kit/check"
local err = require "kit/err"
local proof = require "sources/proof"
local problem = require "sources/problem"
local reply = require "kit/reply"
local request = require "auth/request"
local scope = require "kit/scope"
local session = require "auth/session"
local sources = require "auth/sources"
local state = require "sources/state"
local transaction = require "auth/transaction"
local upstream = require "sources/upstream"
local urls = require "kit/urls"

local login = { kind = "page" }

local has = upstream.lists

local QUERY = { request = { max = 6144 }, link = { max = 6144 } }
-- Of a request to connect an account, sealed by the form that asked for the password (portal/accounts).
local LINK = "connect an account"

-- The source of an address: it may be hidden, but not another application's own.
function login.source(name, application)
	local source = sources.by_name(name)
	if source and source.application_id and not (application and application.id == source.application_id) then source = nil end
	return err.need(source, "page_not_found", "There is no such way to sign in.", { status = 404 })
end

-- ---- what is asked for ----

-- A client without a secret proves a code with PKCE where it may come without one; else it takes the ID token from the browser.
local function kind_of(source, up)
	if source.adapter ~= "oidc" or source.client_secret() then return "code" end
	local methods = up.token_endpoint_auth_methods_supported
	if has(up.code_challenge_methods_supported, "S256") and (methods == nil or has(methods, "none")) then return "code" end
	local front = source.kind == "entra" or has(up.response_types_supported, "id_token")
	return front and (up.response_modes_supported == nil or has(up.response_modes_supported, "form_post")) and "id_token" or "code"
end

-- By discovery; who has no document, or says nothing in it, ignores what it does not know (RFC 6749 3.1), or is told not to be asked.
local function wants_pkce(source, up)
	if source.extra.pkce ~= nil then return source.extra.pkce end
	return not up.document or has(up.code_challenge_methods_supported, "S256") or not source.client_secret()
end

local function scopes_of(source)
	local list = source.scopes or {}
	if source.adapter == "oidc" then list = scope.union({ "openid" }, list) end
	return #list > 0 and scope.join(list) or nil
end

local function add_openid(list, source, t)
	if source.adapter ~= "oidc" then return end
	list[#list + 1] = { "nonce", state.nonce(t) }
	list[#list + 1] = { "response_mode", t.kind == "id_token" and "form_post" or source.extra.response_mode }
end

local function parameters(source, t, sealed)
	local list = {
		{ "response_type", t.kind }, { "client_id", source.client_id }, { "redirect_uri", upstream.callback_url(source) },
		{ "scope", scopes_of(source) }, { "state", sealed },
	}
	add_openid(list, source, t)
	if t.pkce then
		list[#list + 1] = { "code_challenge", state.challenge(t) }
		list[#list + 1] = { "code_challenge_method", "S256" }
	end
	for name, value in pairs(source.extra.parameters or {}) do list[#list + 1] = { name, value } end
	return proof.add(list, t.request)
end

-- What the owner's address says already stays, and is not said twice.
local function address_of(endpoint, list)
	local _, said = url.form_parse(endpoint:match("%?([^#]*)") or "")
	local out = {}
	for _, pair in ipairs(list) do
		if not said or said[pair[1]] == nil then out[#out + 1] = pair end
	end
	return urls.with_query(endpoint, out)
end

-- ---- from where ----

-- The form that asked for the password has sealed whose account is to be connected; it is good for that source and the same session only.
local function linking(req, source, sealed)
	local t = sealed and transaction.open(sealed, session.browser(req), LINK)
	local current = session.current(req)
	if not sealed then return nil end
	if not t or not current or t.session ~= current.id or t.source ~= source.id then
		err.raise("expired_request", "The form to connect an account was sent too long ago, or by somebody else.",
			{ status = 400, advice = "Begin again on your account's page.", link = { href = "/", text = "Your account" } })
	end
	return { user = current.user_id, session = current.id }
end

local function demanded(source, application)
	local names = application and application.sources or {}
	if #names > 0 and not scope.has(names, source.name) then
		err.raise("forbidden", "The application does not take people who sign in this way.", { status = 403 })
	end
end

function login.GET(req, name)
	local query = check.query(req, QUERY)
	local opened, application = request.open(query.request, session.browser(req))
	local source = login.source(name, application)
	demanded(source, application)
	local link = linking(req, source, query.link)
	if source.adapter == "basic" then return require("sources/basic").ask(req, source, opened, link) end
	local context = { req = req, source = source, opened = opened, application = application, link = link ~= nil }
	local up, why = upstream.of(source)
	if not up then problem.raise(context, "unreachable", why) end
	local kind = kind_of(source, up)
	local sealed, t = state.seal(req, { source = source.id, kind = kind, pkce = kind == "code" and wants_pkce(source, up) or nil,
		request = opened, link = link })
	local response = reply.redirect(address_of(up.authorization_endpoint, parameters(source, t, sealed)))
	session.ensure_browser(req, response)
	return response
end

-- The form of a source for testing; the others have none.
function login.POST(req, name)
	local source = err.need(sources.by_name(name), "page_not_found", "There is no such way to sign in.", { status = 404 })
	if source.adapter ~= "basic" then
		err.raise("invalid_request", "This address answers GET, HEAD.", { status = 405, headers = { allow = "GET, HEAD" } })
	end
	return require("sources/basic").answer(req, source)
end

return login
