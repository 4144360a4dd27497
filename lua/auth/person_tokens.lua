-- auth/person_tokens.lua: keys that people make for their programs: API keys, app passwords, personal tokens (S1, S2). Each is
-- seen once, when it is made. One ends when it expires, when it is revoked, with its owner, and whenever the owner's
-- valid_from moves (S4): an account that was switched off or got a new password starts without the keys of before.
local events = require "auth/events"
local github_scopes = require "auth/github_scopes"
local github_secret = require "kit/github_secret"
local grants = require "store/grants"
local guesses = require "auth/guesses"
local permissions = require "auth/permissions"
local rows = require "store/rows"
local scope = require "kit/scope"
local secrets = require "kit/secrets"
local slug = require "kit/slug"
local store = require "store/person_tokens"

local person_tokens = {}

-- S1: what a key begins with says what it is for.
local PREFIX = { api = "tlk_", app_password = "tlp_", personal = "ghp_" }
-- What one person can have of one intent.
local MOST = 100
-- How stale `used_at` may be: using a key costs no write.
local USED_EVERY = 3600

person_tokens.list = store.list
person_tokens.by_identifier = store.by_identifier

local function set(...)
	local out = {}
	for _, list in ipairs { ... } do
		for _, name in ipairs(list) do
			out[name] = true
		end
	end
	return out
end

-- What --scope takes by intent (product.md).
local SCOPES = { api = permissions.KNOWN, app_password = {}, personal = set(github_scopes.ALL) }
local OF_SERVICE_ACCOUNTS = set(github_scopes.OF_SERVICE_ACCOUNTS)

local function is_service_account(user)
	return user.type == "service_account" or user.type == "internal_service_account"
end

-- For names, not for secrets.
local function letters(count)
	local out = {}
	for byte in crypto.random(count):gmatch(".") do
		out[#out + 1] = string.char(97 + byte:byte() % 26)
	end
	return table.concat(out)
end

local function new_key(intent)
	return intent == "personal" and github_secret.new("ghp_") or crypto.token(PREFIX[intent])
end

-- true, or nil and why this owner cannot give these scopes away.
local function may_have(user, intent, scopes)
	for _, name in ipairs(scopes) do
		local of_service_accounts = intent == "personal" and OF_SERVICE_ACCOUNTS[name]
		if of_service_accounts and not is_service_account(user) then
			return nil, ('the scope "%s" is for service accounts alone'):format(name)
		elseif not of_service_accounts and not SCOPES[intent][name] then
			return nil, intent == "app_password" and "an app password has no scopes"
				or ('there is no scope "%s" for this kind of key'):format(name)
		end
		if intent == "api" and not permissions.has(user, name) then
			return nil, ('%s lacks the permission "%s" itself'):format(user.username, name)
		end
	end
	return true
end

local function identifier_for(given)
	if given.identifier then
		return given.identifier
	end
	local name = slug.of(given.user.username):sub(1, 40)
	return ("%s-%s-%s"):format(name, given.intent:gsub("_", "-"), letters(8))
end

-- given: user (row), intent, scopes (list), description, identifier (or none), expires_at (seconds or nil), session_id (of the
-- browser that asks, or nil), reason, req. The key's text and its row, or nil and what is wrong, for whoever asked.
function person_tokens.create(given)
	local ok, why = may_have(given.user, given.intent, given.scopes or {})
	if not ok then
		return nil, why
	end
	if store.count(given.user.id, given.intent) >= MOST then
		return nil, ("there are %d keys of this kind already; revoke some first"):format(MOST)
	end
	local key, identifier = new_key(given.intent), identifier_for(given)
	local made = rows.batch {
		store.insert_statement { id = crypto.id(), user_id = given.user.id, intent = given.intent, identifier = identifier,
			description = given.description or "", keyed = secrets.keyed(key), scopes = scope.join(given.scopes or {}),
			expires_at = given.expires_at, session_id = given.session_id },
		events.statement { kind = "person_token_made", user = given.user, req = given.req,
			reason = ("%s %s%s"):format(given.intent, identifier, given.reason and " " .. given.reason or "") },
	}
	if not made then
		return nil, ('there is a key "%s" already, or %s was switched off or signed out'):format(identifier, given.user.username)
	end
	return key, store.by_identifier(identifier)
end

-- The key, and what was granted for it.
function person_tokens.revoke(token, how)
	rows.urgent {
		grants.end_of_key_statement(token.user.id, token.id, "key_revoked"),
		store.delete_statement(token.id),
		events.statement { kind = "person_token_revoked", user = token.user, req = how.req,
			reason = ("%s %s%s"):format(token.intent, token.identifier, how.reason and " " .. how.reason or "") },
	}
end

-- "good", "expired", "unused" for so long that it has ended, or "ended" with what moved its owner's valid_from.
function person_tokens.state(token)
	if token.expires_at and token.expires_at <= time.now() then
		return "expired"
	elseif token.intent == "personal" and (token.used_at or token.created_at) + store.UNUSED <= time.now() then
		return "unused"
	end
	return token.user.active and token.created_at >= token.user.valid_from and "good" or "ended"
end

-- The row of a key of this intent that is good, or nil and why. Another class of secret is refused before any look-up (S1).
function person_tokens.check(text, intent)
	local prefix = PREFIX[intent]
	if type(text) ~= "string" or #text > 60 or text:sub(1, #prefix) ~= prefix then
		return nil, "kind"
	end
	local token = store.by_key(secrets.keyed(text), intent)
	if not token then
		return nil, "unknown"
	end
	local state = person_tokens.state(token)
	if state ~= "good" then
		return nil, state
	end
	if time.now() - (token.used_at or 0) >= USED_EVERY then
		store.used(token.id)
	end
	return token
end

-- What guesses are counted by: one of 64 places for all names, so that made-up ones cost no row each, and none that exists is told
-- from one that does not.
local function place_of(username)
	return "app password " .. secrets.mac("app password place", username:lower()):sub(1, 1)
end

-- The row of an app password of this name's, or nil. Every failure counts, whatever it was (S30).
function person_tokens.app_password(req, username, text)
	local place = place_of(username)
	guesses.refuse(place, req)
	local token, why = person_tokens.check(text, "app_password")
	if token and token.user.username == username then
		return token
	end
	guesses.count(place, req)
	events.add { kind = "sign_in_failed", req = req, merge = true, user = token and token.user or nil,
		reason = "app password: " .. (token and "another person's" or why) }
	return nil
end

-- The grant of an application and an app password that is good, and its owner as he is now; nil when he just went.
function person_tokens.grant(token, application)
	local grant, user = grants.lasting(application, token.id)
	if grant then
		return grant, user
	end
	rows.batch(grants.lasting_statements(token.user, application, token.id, token.expires_at))
	return grants.lasting(application, token.id)
end

return person_tokens
