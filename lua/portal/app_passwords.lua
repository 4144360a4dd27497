-- portal/app_passwords.lua: passwords that a person makes for programs, on "/": made with a name and an end, shown once, revoked.
local check         = require("kit/check")
local csrf          = require("auth/csrf")
local err           = require("kit/err")
local person_tokens = require("auth/person_tokens")
local reply         = require("kit/reply")
local session       = require("auth/session")

local app_passwords = {}

local DAY = 86400
local CREATE = {
	csrf = { max = 200, required = true }, description = { max = 200 },
	expires = { one_of = { "30", "90", "365", "never" }, required = true },
}
local REVOKE = { csrf = { max = 200, required = true }, identifier = { max = 100, required = true } }

local function day(seconds) return time.iso(seconds):sub(1, 10) end

local function used(token)
	if not token.used_at then return "never used" end
	return "last used " .. day(token.used_at)
end

local ENDS = { expired = "expired", ended = "ended with an older password or while the account was off" }

-- What the page lists.
function app_passwords.list(user, csrf_token)
	local list = {}
	for index, token in ipairs(person_tokens.list(user.id, "app_password")) do
		local ended = ENDS[person_tokens.state(token)]
		list[index] = {
			name = token.description ~= "" and token.description or token.identifier, identifier = token.identifier,
			made = day(token.created_at), used = used(token), csrf = csrf_token,
			ends = ended or token.expires_at and "expires " .. day(token.expires_at) or "does not expire",
		}
	end
	return list
end

-- Who sends one of these forms: a person with a session.
local function sender(req, schema, form_name)
	local form = check.form(req, schema)
	local current = err.need(session.current(req), "csrf", nil, { cause = "no session" })
	csrf.require(req, form, form_name, current)
	return current, form
end

-- home(req, current, values, status): the page with what is new on it. The key stands in this one answer and nowhere else.
function app_passwords.create(req, home)
	local current, form = sender(req, CREATE, "app_password")
	local name = form.description
	if not name or not utf8.len(name) or name:find("[%z\1-\31\127]") then
		return home(req, current, { problem = "An app password needs a name, so that you know it again." }, 422)
	end
	task.detach()
	local key, why = person_tokens.create {
		user = current.user, session_id = current.id, intent = "app_password", description = name, req = req, reason = "on the portal page",
		expires_at = form.expires ~= "never" and time.now() + math.tointeger(tonumber(form.expires)) * DAY or nil,
	}
	if not key then return home(req, current, { problem = "It could not be made: " .. why .. "." }, 422) end
	return home(req, current, { new_key = { key = key, name = name } })
end

function app_passwords.revoke(req)
	local current, form = sender(req, REVOKE, "app_password")
	local token = person_tokens.by_identifier(form.identifier)
	if token and token.user.id == current.user_id and token.intent == "app_password" then
		task.detach()
		person_tokens.revoke(token, { req = req, reason = "on the portal page" })
	end
	return reply.see_other("/?done=app_password")
end

return app_passwords
