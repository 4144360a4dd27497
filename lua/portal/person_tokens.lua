-- portal/person_tokens.lua: keys that a person makes for programs, on "/": app passwords, and tokens for programs that know GitHub. Made
-- with a name and an end, shown once, revoked.
local check         = require("kit/check")
local csrf          = require("auth/csrf")
local err           = require("kit/err")
local github_scopes = require("auth/github_scopes")
local keys          = require("auth/person_tokens")
local reply         = require("kit/reply")
local session       = require("auth/session")

local person_tokens = {}

local DAY = 86400
local CREATE = {
	csrf = { max = 200, required = true }, description = { max = 200 }, scope = { list = true, max = 100 },
	expires = { one_of = { "30", "90", "365", "never" }, required = true },
}
local REVOKE = { csrf = { max = 200, required = true }, identifier = { max = 100, required = true } }

-- By intent: the word of its form, and how people call it.
local KINDS = {
	app_password = { form = "app_password", name = "app password" },
	personal = { form = "personal_token", name = "GitHub token" },
}

-- What programs ask for: the scopes that open something, and those without which gh and its like refuse a token.
local OFFERED = { "read:user", "user:email", "read:org", "repo", "gist", "workflow" }

local function day(seconds) return time.iso(seconds):sub(1, 10) end

local function used(token)
	if not token.used_at then return "never used" end
	return "last used " .. day(token.used_at)
end

local ENDS = {
	expired = "expired", ended = "ended with an older password or while the account was off",
	unused = "ended, since nobody used it for a year",
}

-- What the page lists.
function person_tokens.list(user, intent, csrf_token)
	local list = {}
	for index, token in ipairs(keys.list(user.id, intent)) do
		local ended = ENDS[keys.state(token)]
		list[index] = {
			name = token.description ~= "" and token.description or token.identifier, identifier = token.identifier,
			made = day(token.created_at), used = used(token), csrf = csrf_token, scopes = token.scopes ~= "" and token.scopes or nil,
			ends = ended or token.expires_at and "expires " .. day(token.expires_at) or "does not expire",
		}
	end
	return list
end

-- The scopes that the page offers, in words.
function person_tokens.offered()
	local out = {}
	for index, name in ipairs(OFFERED) do
		local text = github_scopes.opens(name) or "opens nothing here, but some programs insist on it"
		out[index] = { name = name, id = name:gsub("%W", "-"), text = text }
	end
	return out
end

-- Who sends one of these forms: a person with a session.
local function sender(req, schema, form_name)
	local form = check.form(req, schema)
	local current = err.need(session.current(req), "csrf", nil, { cause = "no session" })
	csrf.require(req, form, form_name, current)
	return current, form
end

-- home(req, current, values, status): the page with what is new on it. The key stands in this one answer and nowhere else.
function person_tokens.create(req, intent, home)
	local kind = KINDS[intent]
	local current, form = sender(req, CREATE, kind.form)
	local name = form.description
	if not name or not utf8.len(name) or name:find("[%z\1-\31\127]") then
		return home(req, current, { problem = ("The %s needs a name, so that you know it again."):format(kind.name) }, 422)
	end
	task.detach()
	local key, why = keys.create {
		user = current.user, session_id = current.id, intent = intent, description = name, req = req, reason = "on the portal page",
		scopes = form.scope, expires_at = form.expires ~= "never" and time.now() + math.tointeger(tonumber(form.expires)) * DAY or nil,
	}
	if not key then return home(req, current, { problem = "It could not be made: " .. why .. "." }, 422) end
	return home(req, current, { new_key = { key = key, name = name, kind = kind.name, is_password = intent == "app_password" } })
end

function person_tokens.revoke(req, intent)
	local kind = KINDS[intent]
	local current, form = sender(req, REVOKE, kind.form)
	local token = keys.by_identifier(form.identifier)
	if token and token.user.id == current.user_id and token.intent == intent then
		task.detach()
		keys.revoke(token, { req = req, reason = "on the portal page" })
	end
	return reply.see_other("/?done=" .. kind.form)
end

return person_tokens
