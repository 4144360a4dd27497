-- Sessions, codes, tokens, clients and passwords against the in-memory database: the decisions S3 to S8, S12 to S14, S30.
local access = require "auth/access"
local bearer = require "auth/bearer"
local clients = require "auth/clients"
local codes = require "auth/codes"
local conf = require "kit/conf"
local consent = require "auth/consent"
local csrf = require "auth/csrf"
local database = require "store/database"
local declared = require "store/declared"
local err = require "kit/err"
local events = require "store/events"
local key_rows = require "store/keys"
local keys = require "auth/keys"
local mapping = require "mapping/scopes"
local password_check = require "auth/password"
local permissions = require "auth/permissions"
local rows = require "store/rows"
local session = require "auth/session"
local tokens = require "auth/tokens"
local transaction = require "auth/transaction"
local users = require "store/users"

local function app(name, fields)
	local object = { label = name, slug = name, client_id = name, name = name, client_type = "confidential",
		client_secret = "secret of " .. name, redirect_uris = { "https://" .. name .. ".example/cb" },
		scopes = { "openid", "profile", "offline_access" }, grant_types = { "authorization_code", "refresh_token" },
		consent = "remembered", signing_alg = "ES256", _at = "t.lua:9" }
	for key, value in pairs(fields or {}) do
		object[key] = value
	end
	return object
end

local function person(name, fields)
	local object = { label = name, name = name, email = name .. "@example.org", email_verified = true, groups = {},
		attributes = {}, password = name .. "'s password", _at = "t.lua:8" }
	for key, value in pairs(fields or {}) do
		object[key] = value
	end
	return object
end

local world = {
	settings = { public_url = "https://sso.example.org", password = { memory_kib = 64, passes = 1 } },
	groups = { { label = "bosses", name = "bosses", parents = {}, permissions = { "everything" }, attributes = {} } },
	users = { person "ann", person("bob", { groups = { "bosses" } }), person "cat", person "dan", person "eve" },
	applications = { app "web", app "other", app("phone", { client_type = "public", client_secret = false,
		redirect_uris = { "http://127.0.0.1/cb" } }), app("sealed", { access_token = "opaque" }),
		app("old", { access_token_typ = "JWT" }) },
	scope_mappings = {},
}
world.applications[3].client_secret = nil

local function request(fields)
	local req = { id = "req", method = "GET", path = "/", query = "", headers = {}, peer = "192.0.2.1", body = "" }
	for key, value in pairs(fields or {}) do
		req[key] = value
	end
	return req
end

-- A request with the cookies that a response set.
local function after(response, fields)
	local jar = {}
	for _, text in ipairs(response.headers["set-cookie"] or {}) do
		jar[#jar + 1] = text:match("^[^;]+")
	end
	fields = fields or {}
	fields.headers = fields.headers or {}
	fields.headers.cookie = table.concat(jar, "; ")
	return request(fields)
end

local function sign_in(name, req)
	local response = { headers = {} }
	local made = session.sign_in(req or request(), response, users.by_name(name), { method = "password", amr = { "pwd" } })
	return made, response
end

local function application(name)
	clients.changed()
	return clients.find(name or "web")
end

local function code_for(name, app_name, scopes)
	local made = sign_in(name)
	local text, statement = codes.make { application = application(app_name), user = made.user, session = made,
		redirect_uri = "https://x/cb", scopes = scopes or { "openid", "profile" }, nonce = "n" }
	assert(rows.batch { statement })
	return text, made
end

local function redeem(text, app_name)
	local row = codes.look(text)
	if not row then
		return nil, "unknown"
	end
	local answer, statements = tokens.issue { application = application(app_name), user = row.user, code = row,
		scopes = row.scopes, nonce = row.nonce, id_token_claims = { name = "N", iss = "evil", sub = "evil" }, req = request() }
	local ok, why = codes.redeem(row, statements, request())
	return ok and answer, why
end

local function raises(code, fn, ...)
	local ok, e = pcall(fn, ...)
	assert(not ok and err.is(e) and e.oauth == code, "expected " .. code .. ", got " .. (ok and "an answer" or tostring(e)))
	return e
end

local function payload(token)
	return json.decode(base64.url_decode(token:match("^[^.]+%.([^.]+)%.")))
end

local function refresh(text, app_name)
	local line, why = tokens.refresh(text, application(app_name), request())
	if not line then
		return nil, why
	end
	local answer, statements = tokens.issue { application = application(app_name), user = line.user, grant = line.grant,
		refresh = line, scopes = line.scopes, req = request() }
	local ok, reason = tokens.rotate(line, statements, request())
	return ok and answer, reason
end

local cases = {
	["S12: a session is found by its cookie, and by no other"] = function()
		local made, response = sign_in "ann"
		local cookie = response.headers["set-cookie"][1]
		assert(cookie:find("^__Host%-tidelock=tls_") and cookie:find("Secure", 1, true) and cookie:find("HttpOnly", 1, true)
			and cookie:find("SameSite=Lax", 1, true) and cookie:find("Path=/", 1, true))
		assert(session.current(after(response)).id == made.id)
		assert(session.current(request()) == nil)
		assert(session.current(request { headers = { cookie = "__Host-tidelock=tls_" .. ("A"):rep(43) } }) == nil)
		assert(session.current(request { headers = { cookie = "tidelock=" .. cookie:match("=([^;]+)") } }) == nil)
	end,
	["S12: signing in again makes a new session and a new browser id, and ends the old one"] = function()
		local _, first = sign_in "ann"
		local req = after(first)
		local browser = session.browser(req)
		local _, second = sign_in("ann", req)
		assert(session.current(after(first)) == nil and session.current(after(second)))
		assert(session.browser(after(second)) ~= browser)
	end,
	["sign-out, an ended session and a disabled person have none"] = function()
		local _, response = sign_in "ann"
		local answer = { headers = {} }
		session.sign_out(after(response), answer)
		assert(session.current(after(response)) == nil and answer.headers["set-cookie"][1]:find("Max-Age=0", 1, true))
		local made, second = sign_in "dan"
		rows.batch { users.update_statement(made.user_id, { active = false }) }
		assert(session.current(after(second)) == nil)
		rows.batch { users.update_statement(made.user_id, { active = true }) }
	end,
	["S13: a sealed request opens in its browser only, in time, undamaged"] = function()
		local t = transaction.new { client_id = "web", params = { state = "s" }, browser = "b1" }
		local text = transaction.seal(t)
		assert(transaction.open(text, "b1").params.state == "s")
		local _, why = transaction.open(text, "b2")
		assert(why == "browser")
		_, why = transaction.open(text:sub(1, -3) .. "AA", "b1")
		assert(why == "damaged")
		t.started_ms = t.started_ms - 16 * 60 * 1000
		_, why = transaction.open(transaction.seal(t), "b1")
		assert(why == "expired")
		_, why = transaction.seal { started_ms = 1, big = ("x"):rep(6000) }
		assert(why == "too_long")
	end,
	["S14: a form is of this browser, session and form, and from our own origin"] = function()
		local made, response = sign_in "ann"
		local function req(headers)
			return after(response, { headers = headers })
		end
		local token = csrf.token(session.browser(req()), made.id, "f")
		csrf.require(req(), { csrf = token }, "f", made)
		csrf.require(req { origin = "https://sso.example.org", ["sec-fetch-site"] = "same-origin" }, { csrf = token }, "f", made)
		raises("csrf", csrf.require, req(), { csrf = token }, "g", made)
		raises("csrf", csrf.require, req(), { csrf = token }, "f", { id = "other" })
		raises("csrf", csrf.require, req(), {}, "f", made)
		raises("csrf", csrf.require, req { origin = "https://evil.example.org" }, { csrf = token }, "f", made)
		raises("csrf", csrf.require, req { origin = "null" }, { csrf = token }, "f", made)
		raises("csrf", csrf.require, req { ["sec-fetch-site"] = "same-site" }, { csrf = token }, "f", made)
	end,
	["D11: what may be answered silently, and what needs a page"] = function()
		local made = sign_in "ann"
		local web = application()
		local function decide(fields, current, scopes)
			local t = transaction.new { client_id = "web", params = {}, browser = "b", prompt = {} }
			for key, value in pairs(fields) do
				t[key] = value
			end
			return session.decide(t, current, web, scopes or { "openid" })
		end
		local function code(...)
			return (select(2, decide(...)))
		end
		assert(decide({}, nil) == "sign_in" and code({ prompt = { "none" } }, nil) == "login_required")
		assert(decide({}, made) == "consent" and code({ prompt = { "none" } }, made) == "consent_required")
		consent.give(made.user, web, { "openid" })
		assert(decide({}, made) == "silent" and decide({ prompt = { "none" } }, made) == "silent")
		assert(decide({}, made, { "openid", "profile" }) == "consent")
		assert(decide({ prompt = { "login" } }, made) == "sign_in" and decide({ max_age = 0 }, made) == "sign_in")
		assert(decide({ prompt = { "login" }, started_ms = 1 }, made) == "silent")
		assert(decide({ max_age = 0, started_ms = 1 }, made) == "silent" and decide({ max_age = 1000 }, made) == "silent")
		assert(code({ prompt = { "none" }, max_age = 0 }, made) == "login_required")
		assert(decide({ prompt = { "select_account" } }, made) == "select_account")
		assert(decide({ prompt = { "select_account" }, chosen = made.id }, made) == "silent")
		assert(code({ prompt = { "none" }, hint_subject = "x" }, made) == "login_required")
		assert(decide({ hint_subject = "x" }, made) == "sign_in")
		assert(code({ hint_subject = "x", started_ms = 1 }, made) == "login_required")
		assert(decide({ hint_subject = users.subject(made.user, web) }, made) == "silent")
		assert(decide({ prompt = { "consent" } }, made) == "consent")
		local mark = { session = made.id, user = made.user_id, scopes = { "openid" } }
		assert(decide({ prompt = { "consent" }, consented = mark }, made) == "silent")
		mark.session = "another"
		assert(decide({ prompt = { "consent" }, consented = mark }, made) == "consent")
		consent.withdraw(made.user, web)
		assert(decide({}, made) == "consent")
	end,
	["S19: a public client on loopback is asked each time"] = function()
		local made, phone = sign_in "ann", application "phone"
		local t = { params = { redirect_uri = "http://127.0.0.1:5/cb" } }
		consent.give(made.user, phone, { "openid" })
		assert(consent.needed(made.user, phone, { "openid" }, t, made))
	end,
	["S6: a code is redeemed once; the second time ends the grant"] = function()
		local text = code_for "ann"
		local answer = assert(redeem(text))
		assert(tokens.live(answer.access_token))
		local _, why = redeem(text)
		assert(why == "used")
		assert(tokens.live(answer.access_token) == nil)
	end,
	["S6: of many at once exactly one wins"] = function()
		local text = code_for "ann"
		local wins, runs = 0, {}
		for index = 1, 8 do
			runs[index] = function()
				if redeem(text) then
					wins = wins + 1
				end
				return true
			end
		end
		task.all(runs)
		assert(wins == 1, wins .. " won")
	end,
	["S6: five failures burn a code, four do not"] = function()
		local text = code_for "ann"
		for _ = 1, 4 do
			codes.fail(codes.look(text), "wrong", request())
		end
		assert(codes.look(text))
		codes.fail(codes.look(text), "wrong", request())
		assert(codes.look(text) == nil)
	end,
	["S5: codes and access tokens end with the session"] = function()
		local text, made = code_for "ann"
		session.finish(made.id)
		local _, why = redeem(text)
		assert(why == "unknown" or why == "dead")
		local second, again = code_for "ann"
		local answer = assert(redeem(second))
		session.finish(again.id)
		assert(tokens.live(answer.access_token) == nil)
	end,
	["S5: with offline_access a grant outlives the session"] = function()
		local text, made = code_for("ann", "web", { "openid", "offline_access" })
		local answer = assert(redeem(text))
		session.finish(made.id)
		assert(tokens.live(answer.access_token) and refresh(answer.refresh_token))
	end,
	["S5: without offline_access there is no refresh token"] = function()
		assert(redeem((code_for "ann")).refresh_token == nil)
	end,
	["S4: each thing that codes and tokens hang on ends them by itself"] = function()
		local later = time.now() + 5
		local walls = {
			users = { "active = 0", "active = 1", "valid_from = " .. later, "valid_from = 0" },
			applications = { "active = 0", "active = 1", "valid_from = " .. later, "valid_from = 0" },
			sessions = { "ended_at = 1", "ended_at = null", "expires_at = 1", "expires_at = " .. later * 2, "idle_until = 1", "idle_until = " .. later * 2 },
			grants = { "ended_at = 1", "ended_at = null" },
		}
		local function set(what, change, id)
			assert(rows.batch { { ("update %s set %s where id = $1"):format(what, change), id } })
		end
		for what, changes in pairs(walls) do
			for at = 1, #changes, 2 do
				local pending, made = code_for("eve", nil, { "openid" })
				local bound, kept = redeem((code_for("eve", nil, { "openid" }))), redeem((code_for("eve", nil, { "openid", "offline_access" })))
				local bound_live, kept_live = assert(tokens.live(bound.access_token)), assert(tokens.live(kept.access_token))
				local row = codes.look(pending)
				local ids = { users = { made.user.id }, applications = { application().id }, sessions = { made.id, bound_live.grant.session_id },
					grants = { bound_live.grant.id, kept_live.grant.id } }
				for _, id in ipairs(ids[what]) do set(what, changes[at], id) end
				local name = what .. " " .. changes[at]
				assert(tokens.live(bound.access_token) == nil, name)
				if what ~= "sessions" then
					assert(tokens.live(kept.access_token) == nil, name)
					assert(tokens.refresh(kept.refresh_token, application() or { id = ids.applications[1] }, request()) == nil, name)
				else
					assert(tokens.live(kept.access_token), "offline_access outlives the session")
				end
				if what ~= "grants" and changes[at] ~= "valid_from = " .. later then
					assert(not codes.redeem(row, {}, request()), name)
				end
				for _, id in ipairs(ids[what]) do set(what, changes[at + 1], id) end
				clients.changed()
			end
		end
	end,
	["S4: disabling a person ends their tokens at once"] = function()
		local answer = assert(redeem((code_for("dan", "web", { "openid", "offline_access" }))))
		local dan = users.by_name "dan"
		assert(tokens.live(answer.access_token))
		rows.batch { users.update_statement(dan.id, { active = false }) }
		assert(tokens.live(answer.access_token) == nil and refresh(answer.refresh_token) == nil)
		rows.batch { users.update_statement(dan.id, { active = true }) }
	end,
	["S4: a new password ends sessions, tokens and refresh lines"] = function()
		local answer = assert(redeem((code_for("cat", "web", { "openid", "offline_access" }))))
		local _, response = sign_in "cat"
		assert(password_check.set(users.by_name("cat").id, "another password", { by = "command" }))
		assert(session.current(after(response)) == nil)
		assert(tokens.live(answer.access_token) == nil and refresh(answer.refresh_token) == nil)
		assert(password_check.set(users.by_name("cat").id, "cat's password", { by = "command" }))
	end,
	["S8: an access token says what RFC 9068 asks, and an ID token is none"] = function()
		local answer = assert(redeem((code_for "ann")))
		local header = json.decode(base64.url_decode(answer.access_token:match("^[^.]+")))
		local claims = payload(answer.access_token)
		assert(header.typ == "at+jwt" and claims.aud == "web" and claims.client_id == "web" and claims.scope == "openid profile")
		assert(claims.name == nil and payload(answer.id_token).name == "N")
		assert(tokens.live(answer.id_token) == nil)
		local hint = assert(tokens.id_token_hint(answer.id_token, application()))
		assert(hint.nonce == "n" and hint.sid and hint.auth_time and hint.amr[1] == "pwd")
		assert(tokens.id_token_hint(answer.id_token, application "other") == nil)
		assert(tokens.id_token_hint(answer.access_token, application()) == nil)
	end,
	["S8: access_token_typ JWT is authentik's form"] = function()
		local answer = assert(redeem((code_for("ann", "old")), "old"))
		assert(json.decode(base64.url_decode(answer.access_token:match("^[^.]+"))).typ == "JWT")
		assert(payload(answer.access_token).name == "N" and tokens.live(answer.access_token))
		assert(tokens.live(answer.id_token) == nil)
	end,
	["an opaque access token is alive and opens with nothing else"] = function()
		local answer = assert(redeem((code_for("ann", "sealed")), "sealed"))
		assert(answer.access_token:find("^tla_") and tokens.live(answer.access_token))
		local middle = answer.access_token:byte(40) == 65 and "B" or "A"
		assert(tokens.live(answer.access_token:sub(1, 39) .. middle .. answer.access_token:sub(41)) == nil)
	end,
	["the memory of checked tokens is bounded"] = function()
		local alive = setmetatable({}, { __mode = "k" })
		local given = { application = application("sealed"), user = users.by_name("ann"), grant_id = crypto.id(), scope = "openid" }
		for _ = 1, 3000 do
			alive[access.claims(access.make(given, time.now(), 600))] = true
		end
		-- Enough garbage for the collector to have been round.
		for index = 1, 20000 do
			local _ = { ("x"):rep(1000) .. index }
		end
		local count = 0
		for _ in pairs(alive) do count = count + 1 end
		assert(count < 1000, "of 3000 tokens that were seen " .. count .. " are remembered")
	end,
	["S10: an assertion's name is good once for each party, and forgotten when it has ended"] = function()
		local uses = require "store/assertions"
		local function kept() return rows.one("select count(*) as n from assertions").n end
		local before = kept()
		assert(uses.use("a", "name", time.now() - 100) and uses.use("b", "name", time.now() - 100))
		assert(not uses.use("a", "name", time.now() + 999))
		assert(uses.use("a", ("x"):rep(500) .. "\0\xff", time.now() + 1000))
		assert(kept() == before + 3)
		require("auth/housekeeping").run()
		assert(kept() == before + 1)
	end,
	["S21: reserved claims are ours"] = function()
		local claims = payload(assert(redeem((code_for "ann"))).id_token)
		assert(claims.iss == "https://sso.example.org/application/o/web/")
		assert(claims.sub == users.by_name("ann").uid)
	end,
	["S21: at_hash is the left half of the hash that the signature uses"] = function()
		local answer = assert(redeem((code_for "ann")))
		assert(payload(answer.id_token).at_hash == base64.url_encode(crypto.sha256(answer.access_token):sub(1, 16)))
	end,
	["security-cases 6: signatures of others, altered tokens and other algorithms are nothing"] = function()
		local token = assert(redeem((code_for "ann"))).access_token
		local head, body, signature = token:match("^([^.]+)%.([^.]+)%.([^.]+)$")
		local none = base64.url_encode(json.encode { alg = "none", typ = "at+jwt" })
		assert(tokens.live(none .. "." .. body .. ".") == nil)
		assert(tokens.live(none .. "." .. body .. "." .. signature) == nil)
		local claims = payload(token)
		claims.scope = "openid everything"
		assert(tokens.live(head .. "." .. base64.url_encode(json.encode(claims)) .. "." .. signature) == nil)
		assert(tokens.live(head .. "." .. body .. ".AAAA") == nil)
		local header = json.decode(base64.url_decode(head))
		header.alg = "HS256"
		assert(tokens.live(base64.url_encode(json.encode(header)) .. "." .. body .. "." .. signature) == nil)
	end,
	["S7: a refresh token rotates, the previous one gets the same successor for 30 s"] = function()
		local first = assert(redeem((code_for("ann", "web", { "openid", "offline_access" })))).refresh_token
		local second = assert(refresh(first)).refresh_token
		assert(second ~= first)
		assert(assert(refresh(first)).refresh_token == second)
		local third = assert(refresh(second)).refresh_token
		assert(third ~= second)
	end,
	["S7: an older one ends line and grant"] = function()
		local answer = assert(redeem((code_for("ann", "web", { "openid", "offline_access" }))))
		local second = assert(refresh(answer.refresh_token))
		local third = assert(refresh(second.refresh_token))
		local _, why = refresh(answer.refresh_token)
		assert(why == "reused")
		assert(refresh(third.refresh_token) == nil and tokens.live(third.access_token) == nil)
	end,
	["S7: two at once get the same successor"] = function()
		local first = assert(redeem((code_for("ann", "web", { "openid", "offline_access" })))).refresh_token
		local a, b = task.all { function() return refresh(first) end, function() return refresh(first) end }
		assert(a and b and a.refresh_token == b.refresh_token)
	end,
	["S7: another client's, a damaged one and other classes are refused"] = function()
		local answer = assert(redeem((code_for("ann", "web", { "openid", "offline_access" }))))
		local text = answer.refresh_token
		assert(refresh(text, "other") == nil)
		assert(refresh((text:gsub("%.0%.", ".1."))) == nil)
		assert(refresh(answer.access_token) == nil and tokens.live(text) == nil and codes.look(text) == nil)
		assert(refresh(text))
	end,
	["a client's own token is revoked, another's is left alone"] = function()
		local answer = assert(redeem((code_for("ann", "web", { "openid", "offline_access" }))))
		tokens.revoke(answer.access_token, application "other", request())
		assert(tokens.live(answer.access_token))
		tokens.revoke(answer.access_token, application(), request())
		assert(tokens.live(answer.access_token) == nil)
		tokens.revoke(answer.refresh_token, application "other", request())
		local next_one = assert(refresh(answer.refresh_token))
		tokens.revoke(next_one.refresh_token, application(), request())
		assert(refresh(next_one.refresh_token) == nil)
	end,
	["withdrawing consent ends what it opened"] = function()
		local answer = assert(redeem((code_for("ann", "web", { "openid", "offline_access" }))))
		consent.withdraw(users.by_name "ann", application())
		assert(tokens.live(answer.access_token) == nil and refresh(answer.refresh_token) == nil)
	end,
	["a bearer token comes in one place, and never in the query"] = function()
		local token = assert(redeem((code_for "ann"))).access_token
		local function with(fields)
			return request(fields)
		end
		assert(bearer.require(with { headers = { authorization = "bearer " .. token } }, "openid"))
		local form = { ["content-type"] = "application/x-www-form-urlencoded" }
		assert(bearer.require(with { method = "POST", headers = form, body = "access_token=" .. token }, "openid"))
		raises("invalid_request", bearer.require, with { query = "access_token=" .. token }, "openid")
		raises("invalid_request", bearer.require, with { method = "POST", body = "access_token=" .. token,
			headers = { ["content-type"] = form["content-type"], authorization = "Bearer " .. token } }, "openid")
		assert(raises("invalid_token", bearer.require, with {}, "openid").bare)
		raises("invalid_token", bearer.require, with { headers = { authorization = "Bearer tlc_x" } }, "openid")
		raises("insufficient_scope", bearer.require, with { headers = { authorization = "Bearer " .. token } }, "email")
	end,
	["a client is believed by one method and a right secret"] = function()
		local function basic(id, secret)
			return { headers = { authorization = "Basic " .. base64.encode(id .. ":" .. secret) } }
		end
		local function ask(fields, form)
			local found, method = clients.authenticate(request(fields), form or {})
			return found.slug .. " " .. method
		end
		assert(ask(basic("web", "secret%20of%20web")) == "web client_secret_basic")
		assert(ask(basic("web", "secret of web")) == "web client_secret_basic")
		assert(ask({}, { client_id = "web", client_secret = "secret of web" }) == "web client_secret_post")
		assert(ask({}, { client_id = "phone" }) == "phone none")
		assert(ask(basic("phone", "")) == "phone none")
		raises("invalid_client", ask, basic("web", "wrong"))
		raises("invalid_client", ask, basic("web", ""))
		raises("invalid_client", ask, basic("nobody", "x"))
		raises("invalid_client", ask, {}, { client_id = "web" })
		raises("invalid_client", ask, {}, { client_id = "web", client_secret = "" })
		raises("invalid_client", ask, {}, {})
		raises("invalid_client", ask, {}, { client_id = "phone", client_secret = "x" })
		raises("invalid_client", ask, basic("web", "secret of web"), { client_secret = "secret of web" })
		raises("invalid_client", ask, basic("web", "secret of web"), { client_id = "other" })
		raises("invalid_client", ask, { headers = { authorization = "Basic !!!" } })
	end,
	["S30: guessing at a client's secret slows down"] = function()
		local function guess()
			return raises("invalid_client", clients.authenticate, request { peer = "192.0.2.77" },
				{ client_id = "other", client_secret = "x" })
		end
		for _ = 1, 21 do
			guess()
		end
		raises("slow_down", clients.authenticate, request { peer = "192.0.2.77" }, { client_id = "other", client_secret = "x" })
		assert(clients.authenticate(request { peer = "192.0.2.78" }, { client_id = "other", client_secret = "secret of other" }))
	end,
	["S5: nothing is handed out to a session that ended while it was being made"] = function()
		local current = sign_in "cat"
		local function made()
			return select(2, tokens.issue { application = application(), user = current.user, scopes = { "openid" }, claims = {},
				new = { login = current.login, session_id = current.id, sid = current.sid } })
		end
		assert(rows.batch(made()))
		local statements = made()
		session.finish(current.id)
		assert(not rows.batch(statements))
	end,
	["S4: a password that was replaced while it was looked at signs nobody in"] = function()
		local user, statements = password_check.sign_in(request {}, "cat", "cat's password")
		assert(password_check.set(user.id, "another password", { by = "command" }))
		local how = { method = "password", amr = { "pwd" }, statements = statements }
		assert(not session.sign_in(request {}, { headers = {} }, user, how))
		-- Nor does it set another one over the new one.
		assert(not password_check.set(user.id, "a third password", { by = "the person", before = statements }))
		assert(password_check.set(user.id, "cat's password", { by = "command" }))
	end,
	["S30: wrong passwords slow down, at a known browser separately"] = function()
		local function try(text, fields)
			return password_check.sign_in(request(fields), "eve", text)
		end
		local eve = assert(try("eve's password"))
		local home = { headers = {} }
		session.sign_in(request { peer = "198.51.100.7" }, home, eve, { method = "password", amr = {} })
		local reason
		-- Answers take their time, and the first waits are short.
		for _ = 1, 20 do
			_, reason = try("wrong", { peer = "203.0.113.9" })
			if reason == "throttled" then
				break
			end
		end
		assert(reason == "throttled", reason)
		local elsewhere = { id = "r", headers = {}, peer = "203.0.113.10" }
		local _, still, seconds = password_check.sign_in(elsewhere, "eve", "eve's password")
		assert(still ~= "throttled" or seconds >= 1)
		assert(password_check.sign_in(after(home, { peer = "203.0.113.11" }), "eve", "eve's password"))
		assert(try("eve's password", { peer = "198.51.100.7" }))
	end,
	["S30: parallel guesses count before they are looked at"] = function()
		local counts, runs = {}, {}
		for index = 1, 12 do
			runs[index] = function()
				local _, reason = password_check.sign_in(request { peer = "203.0.113." .. (100 + index) }, "bob", "wrong")
				counts[reason] = (counts[reason] or 0) + 1
				return true
			end
		end
		task.all(runs)
		assert(counts.wrong <= 6 and counts.throttled >= 6, json.encode(counts))
	end,
	["S30: an unknown name takes as long and says as little"] = function()
		local began = time.mono()
		local _, reason = password_check.sign_in(request { peer = "203.0.113.50" }, "nobody at all", "x")
		-- A timer may fire a hair early.
		assert(reason == "wrong" and time.mono() - began >= 0.24)
	end,
	["S31: what somebody typed as a name is in no event"] = function()
		password_check.sign_in(request { peer = "203.0.113.51" }, "my secret password", "x")
		task.sleep(0.01)
		for _, row in ipairs(events.list { limit = 1000 }) do
			assert(not json.encode(row):find("my secret password", 1, true))
		end
	end,
	["Django's PBKDF2 hashes are verified, and hashed anew at sign-in"] = function()
		assert(rows.batch((users.insert_statements { username = "moved", password =
			"pbkdf2_sha256$1000$salt$Cjx5Vv3vYvA9kFtmOeTWKP2DBBLXnbGqIXIYPNoVzBk=" })))
		local _, encoded = users.with_password "moved"
		local fine = password.verify("lèt me in", encoded)
		assert(fine == false or fine == true)
	end,
	["passwords are long enough and not the name"] = function()
		assert(password_check.acceptable("long enough"))
		assert(not password_check.acceptable("short") and not password_check.acceptable("line\nbreak"))
		assert(not password_check.acceptable(("x"):rep(1025)) and not password_check.acceptable("longname", { username = "longname" }))
	end,
	["S25: permissions come from groups"] = function()
		assert(permissions.has(users.by_name "bob", "manage_users") and not permissions.has(users.by_name "ann", "manage_users"))
	end,
	["keys: a next one is published before it signs, a retired one until its tokens ended"] = function()
		local token = assert(redeem((code_for "ann"))).access_token
		local before = json.decode(keys.jwks())
		assert(#before.keys == 4 and before.keys[1].d == nil and before.keys[1].use == "sig")
		local _, old = keys.signing "ES256"
		local new = assert(keys.rotate "ES256")
		assert(new ~= old and keys.jwks():find(old, 1, true))
		local published = false
		for _, jwk in ipairs(before.keys) do
			published = published or jwk.kid == new
		end
		assert(published)
		assert(tokens.live(token))
		local _, now = keys.signing "ES256"
		assert(now == new)
		local again, why = keys.rotate "ES256"
		assert(not again and why:find("published", 1, true))
		assert(keys.rotate("ES256", true))
		assert(keys.retire(old) and not keys.jwks():find(old, 1, true))
		assert(tokens.live(token) == nil)
		assert(not keys.retire(now .. "x"))
	end,
	["D4: another node's rotation, retirement and applications are seen soon, and an application read during a change is not kept"] = function()
		local _, before = keys.signing "RS256"
		local next_kid = json.decode(keys.jwks()).keys
		assert(clients.find "web".name == "web")
		for _, jwk in ipairs(next_kid) do
			next_kid = jwk.alg == "RS256" and jwk.kid ~= before and jwk.kid or next_kid
		end
		-- What the other node writes, without a word to us.
		assert(rows.batch(key_rows.rotate_statements("RS256", "", next_kid, time.now() - 1)))
		assert(rows.batch { { "update applications set data = $1 where slug = 'other'", '{"name":"renamed","scopes":[]}' } })
		sys.debug { advance = 31 }
		local _, now = keys.signing "RS256"
		assert(now == next_kid and now ~= before)
		assert(not keys.jwks():find(before, 1, true) and clients.find "other".name == "renamed")
		-- A reader that began before the change and ends after it.
		clients.changed()
		task.all { function() return clients.find "other" end, function()
			rows.batch { { "update applications set data = $1 where slug = 'other'", '{"name":"again","scopes":[]}' } }
			clients.changed()
		end }
		assert(clients.find "other".name == "again")
	end,
	["events carry the request's id and the person's name"] = function()
		sign_in("ann", request { id = "the-request" })
		local row = events.list({ kind = "sign_in", limit = 1 })[1]
		assert(row.request_id == "the-request" and row.user == "ann" and row.address == "192.0.2.1")
	end,
}

-- Migrating waits, so it happens inside a case.
local function ready()
	assert(database.migrate())
	conf.use(world)
	clients.changed()
	keys.changed()
	assert(declared.apply(world))
	mapping.declare({}, false)
	keys.ensure()
end

for name, case in pairs(cases) do
	cases[name] = function()
		ready()
		case()
	end
end

return cases
