-- portal/accounts.lua: accounts elsewhere that a person signs in with, on "/": which there are, connected with the password of here
-- (security-cases 4), taken away again.
local check       = require("kit/check")
local csrf        = require("auth/csrf")
local err         = require("kit/err")
local events      = require("auth/events")
local identities  = require("store/identities")
local pages       = require("pages/pages")
local password    = require("auth/password")
local permissions = require("auth/permissions")
local reply       = require("kit/reply")
local rows        = require("store/rows")
local secrets     = require("kit/secrets")
local session     = require("auth/session")
local sources     = require("auth/sources")
local transaction = require("auth/transaction")

local accounts = {}

-- What sources/login opens.
local LINK = "connect an account"
local CONNECT = { csrf = { max = 200, required = true }, source = { max = 200, required = true }, password = { max = 4096 } }
local DISCONNECT = { csrf = { max = 200, required = true }, account = { max = 64, required = true } }

local WORDS = {
	wrong = "The password is wrong. Nothing was connected.", throttled = "Too many attempts. Wait a while and try again.",
	busy = "The broker is busy. Try again in a few seconds.", disabled = "This account is switched off.",
}
local STATUS = { wrong = 403, disabled = 403, throttled = 429, busy = 503 }

local function day(seconds) return time.iso(seconds):sub(1, 10) end

-- Known by this on the page; says neither pool nor subject.
local function handle(identity) return secrets.mac("identity", identity.pool, identity.subject):sub(1, 22) end

-- Nobody takes the last way in away from oneself; what the file says stays.
local function may_go(user, list, identity)
	return identity.declared ~= 1 and (user.password_at ~= nil or #list > 1)
end

local function listed(user)
	local rows_of, list = identities.of_user(user.id), {}
	for index, identity in ipairs(rows_of) do
		local source = sources.by_name(identity.source)
		list[index] = {
			title = source and source.title or identity.source, label = identity.label or identity.subject, gone = source == nil,
			connected = day(identity.linked_at), used = identity.last_at and "last used " .. day(identity.last_at) or "never used",
			handle = may_go(user, rows_of, identity) and handle(identity),
		}
	end
	return list
end

local function offered()
	local list = {}
	for index, source in ipairs(sources.listed()) do list[index] = { name = source.name, title = source.title } end
	return list
end

-- What the page shows: { list, offered, may_connect, has_permissions }, or nil when there is nothing to show.
function accounts.shown(user)
	local list, more = listed(user), offered()
	if #list == 0 and #more == 0 then return nil end
	-- S25: who has permissions is nobody's from outside to touch.
	local has_permissions = next(permissions.of(user)) ~= nil
	return { list = list, offered = more, has_permissions = has_permissions, may_connect = user.password_at ~= nil and not has_permissions }
end

local function sender(req, schema)
	local form = check.form(req, schema)
	local current = err.need(session.current(req), "csrf", nil, { cause = "no session" })
	csrf.require(req, form, "accounts", current)
	return current, form
end

-- The password of here is asked: who finds an open session must not leave a way in. Then on to the upstream by a page of ours, since no
-- form may be redirected there (S15).
function accounts.connect(req, home)
	local current, form = sender(req, CONNECT)
	local source = err.need(sources.by_name(form.source), "page_not_found")
	local user, statements = password.sign_in(req, current.user.username, form.password or "")
	if not user then return home(req, current, { problem = WORDS[statements] }, STATUS[statements]) end
	task.detach()
	err.need(rows.batch(statements), "unavailable")
	local t = transaction.new { source = source.id, session = current.id, browser = session.browser(req) }
	return pages.continue {
		url = ("/source/oauth/login/%s/?link=%s"):format(source.name, url.encode(transaction.seal(t, LINK))), application = source.title,
		request_id = req.id,
	}
end

function accounts.disconnect(req)
	local current, form = sender(req, DISCONNECT)
	local list = identities.of_user(current.user_id)
	for _, identity in ipairs(list) do
		if handle(identity) == form.account and may_go(current.user, list, identity) then
			local statements = identities.unlink_statements(identity.pool, identity.subject, current.user_id)
			table.insert(statements, 1, identities.another_way_statement(current.user_id))
			statements[#statements + 1] = events.statement { kind = "account_disconnected", user = current.user, session = current,
				req = req, reason = "source " .. identity.source }
			task.detach()
			return reply.see_other(rows.batch(statements) and "/?done=disconnected" or "/")
		end
	end
	return reply.see_other("/")
end

return accounts
