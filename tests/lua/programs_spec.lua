-- Keys of people, accounts of applications, and what the log keeps of programs, against the in-memory database: S1 to S4, S30, S31.
local clients = require "auth/clients"
local conf = require "kit/conf"
local database = require "store/database"
local declared = require "store/declared"
local events = require "auth/events"
local event_rows = require "store/events"
local grants = require "store/grants"
local housekeeping = require "store/housekeeping"
local password_check = require "auth/password"
local person_tokens = require "auth/person_tokens"
local rows = require "store/rows"
local service_accounts = require "auth/service_accounts"
local session = require "auth/session"
local users = require "store/users"

local world = {
	settings = { public_url = "https://sso.example.org", password = { memory_kib = 64, passes = 1 } },
	groups = {}, scope_mappings = {},
	users = { { label = "ann", name = "Ann", email = "", groups = {}, attributes = {}, _at = "t.lua:1" } },
	applications = {},
}
for _, name in ipairs { "svc", "gone" } do
	world.applications[#world.applications + 1] = { label = name, slug = name, client_id = name, name = name:upper(),
		client_type = "confidential", client_secret = "secret of " .. name, redirect_uris = {}, scopes = { "openid" },
		grant_types = { "client_credentials" }, _at = "t.lua:2" }
end

local req = { id = "req", peer = "192.0.2.7", headers = {} }

local function application(name)
	clients.changed()
	return clients.find(name or "svc")
end

local function key(fields)
	local given = { user = users.by_name "ann", intent = "app_password" }
	for name, value in pairs(fields or {}) do given[name] = value end
	return person_tokens.create(given)
end

local function counted(kind, reason)
	local total, lines = 0, 0
	for _, row in ipairs(event_rows.list { kind = kind, limit = 1000 }) do
		if row.reason == reason then total, lines = total + row.count, lines + 1 end
	end
	return total, lines
end

local cases = {
	["S1: a key is good for its own intent alone, and nothing else is looked up"] = function()
		local api, password = key { intent = "api" }, key()
		assert(person_tokens.check(api, "api") and person_tokens.check(password, "app_password"))
		for text, intent in pairs { [api] = "app_password", [password] = "personal" } do
			local found, why = person_tokens.check(text, intent)
			assert(not found and why == "kind")
		end
		-- Its own prefix put in front of another's secret part.
		local found, why = person_tokens.check("tlk_" .. password:sub(5), "api")
		assert(not found and why == "unknown")
		for _, text in ipairs { "", "tlp_", "tlp_" .. ("x"):rep(10000), 7, "TLP_" .. password:sub(5) } do
			assert(not person_tokens.check(text, "app_password"))
		end
		assert(not person_tokens.check(nil, "app_password"))
	end,
	["S2: what is stored of a key is not the key"] = function()
		local text = key()
		for _, row in ipairs(rows.all "select * from person_tokens") do
			for _, value in pairs(row) do assert(not tostring(value):find(text:sub(5), 1, true)) end
		end
	end,
	["S3: an application speaks through one grant, which many requests at once make once"] = function()
		local made, list = {}, {}
		for index = 1, 8 do
			list[index] = function()
				local grant, user = service_accounts.speak(application(), req)
				made[index] = grant.id .. user.id
			end
		end
		task.all(list)
		for index = 2, 8 do assert(made[index] == made[1]) end
		local account = "select count(*) as n from users where username like 'ak-svc-%'"
		assert(rows.one(account).n == 1)
		-- Housekeeping leaves it alone.
		sys.debug { advance = 3 * 86400 }
		housekeeping.sweep()
		assert(service_accounts.speak(application(), req).id == made[1]:sub(1, 26))
	end,
	["S4: a grant that ended is not used again; the next one is another"] = function()
		local grant, user = service_accounts.speak(application(), req)
		rows.batch(grants.end_statements(grant.id, "test"))
		local next_grant, same = service_accounts.speak(application(), req)
		assert(next_grant.id ~= grant.id and same.id == user.id)
		rows.batch { users.update_statement(user.id, { active = false }), users.switch_statement(user.id, false) }
		assert(service_accounts.speak(application(), req) == nil)
		rows.batch { users.update_statement(user.id, { active = true }), users.switch_statement(user.id, true) }
		assert(service_accounts.speak(application(), req))
	end,
	["S11: the account is off while its application has left the file, and back with it"] = function()
		local _, user = service_accounts.speak(application "gone", req)
		local without = { settings = world.settings, groups = {}, users = world.users, scope_mappings = {},
			applications = { world.applications[1] } }
		assert(declared.apply(without))
		assert(users.by_id(user.id).active == false)
		assert(declared.apply(world))
		assert(users.by_id(user.id).active == true)
		assert(select(2, service_accounts.speak(application "gone", req)).id == user.id)
	end,
	["S31: the first of a minute is written at once, the others are counted and added"] = function()
		local function happen(reason)
			events.tally { kind = "token_issued", application = application(), req = req, reason = reason }
		end
		for _ = 1, 5 do happen "tally-a" end
		assert(counted("token_issued", "tally-a") == 1)
		happen "tally-b"
		events.flush()
		local total, lines = counted("token_issued", "tally-a")
		assert(total == 5 and lines == 1 and counted("token_issued", "tally-b") == 1)
		-- After a flush within the same minute it is one line still; in the next one another.
		for _ = 1, 3 do happen "tally-a" end
		events.flush()
		total, lines = counted("token_issued", "tally-a")
		assert(total == 8 and lines == 1)
		sys.debug { advance = 60 }
		happen "tally-a"
		total, lines = counted("token_issued", "tally-a")
		assert(total == 9 and lines == 2)
	end,
	["S31: no more are remembered than there is room for, and none is lost"] = function()
		for index = 1, 1100 do
			events.tally { kind = "token_issued", req = req, reason = "many", person = tostring(index), application = "app" .. index }
			events.tally { kind = "token_issued", req = req, reason = "many", person = tostring(index), application = "app" .. index }
		end
		events.flush()
		local row = rows.one "select count(*) as lines, sum(count) as total from events where reason = 'many'"
		assert(row.total == 2200 and row.lines <= 1101, row.lines .. " rows say " .. row.total)
	end,
	["S4: no key of before outlives a new password or being switched off, not even one of the same second"] = function()
		local user = users.by_name "ann"
		local _, row = key()
		assert(rows.batch(password_check.statements(user.id, "$argon2id$x", { reason = "a test" })))
		assert(person_tokens.state(person_tokens.by_identifier(row.identifier)) ~= "good")
		local _, after = key()
		assert(person_tokens.state(person_tokens.by_identifier(after.identifier)) == "good", "one that is made afterwards is good")
	end,
	["S4: a key that is revoked or ends while it is looked at gets no grant"] = function()
		for _, ending in ipairs {
			function(token) person_tokens.revoke(token, { req = req }) end,
			function(token) assert(rows.batch(password_check.statements(token.user.id, "$argon2id$x", { reason = "a test" }))) end,
		} do
			local text = key()
			local token = assert(person_tokens.check(text, "app_password"))
			assert(person_tokens.grant(token, application()))
			ending(token)
			assert(not person_tokens.grant(token, application()))
		end
	end,
	["S4: a browser that was signed out meanwhile makes no key"] = function()
		local user = users.by_name "ann"
		local made = session.sign_in({ headers = {}, peer = "192.0.2.7" }, { headers = {} }, user, { method = "password" })
		assert(key { session_id = made.id })
		session.finish(made.id)
		local text, why = key { session_id = made.id }
		assert(not text and why:find("signed out", 1, true), why)
	end,
	["S30: guesses at names that nobody has fill neither the disk nor the table"] = function()
		local function places() return rows.one("select count(*) as n from throttle").n end
		local before = places()
		for index = 1, 300 do person_tokens.app_password(req, "nobody" .. index, "tlp_x") end
		assert(places() - before <= 64, places() - before)
	end,
	["S4: keys that expired long ago are removed, others stay"] = function()
		local _, row = key { expires_at = time.now() + 10 }
		local _, stays = key()
		sys.debug { advance = 20 }
		assert(person_tokens.state(person_tokens.by_identifier(row.identifier)) == "expired")
		sys.debug { advance = 91 * 86400 }
		housekeeping.sweep()
		assert(not person_tokens.by_identifier(row.identifier) and person_tokens.by_identifier(stays.identifier))
	end,
	["a person has a bounded number of keys"] = function()
		local made, why = true, nil
		for _ = 1, 101 do made, why = key { intent = "personal" } end
		assert(not made and why:find("100 keys", 1, true))
	end,
}

-- Migrating waits, so it happens inside a case.
for name, case in pairs(cases) do
	cases[name] = function()
		assert(database.migrate())
		conf.use(world)
		clients.changed()
		assert(declared.apply(world))
		case()
	end
end

return cases
