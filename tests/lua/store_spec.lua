-- The store alone: declared objects, sessions, codes, grants. Everything runs on one in-memory database, so each case makes
-- what it needs under names of its own.
local applications = require "store/applications"
local database = require "store/database"
local declared = require "store/declared"
local groups = require "store/groups"
local rows = require "store/rows"
local sessions = require "store/sessions"
local settings = require "store/settings"
local users = require "store/users"

local function user(name, fields)
	local object = { label = name, name = name, email = "", email_verified = false, groups = {}, attributes = {}, _at = "t.lua:1" }
	for key, value in pairs(fields or {}) do
		object[key] = value
	end
	return object
end

local function config(list, more)
	local out = { settings = { password = { memory_kib = 64, passes = 1 } }, users = list, groups = {}, applications = {},
		scope_mappings = {} }
	for key, value in pairs(more or {}) do
		out[key] = value
	end
	return out
end

local function group(name, fields)
	local object = { label = name, name = name, parents = {}, permissions = {}, attributes = {}, _at = "t.lua:2" }
	for key, value in pairs(fields or {}) do
		object[key] = value
	end
	return object
end

local function has(changes, kind, name, change)
	for _, item in ipairs(changes) do
		if item.kind == kind and item.name == name and item.change == change then
			return true
		end
	end
	return false
end

local cases = {
	["migrating twice changes nothing"] = function()
		assert(database.migrate() == database.migrate())
	end,
	["the database answers a probe"] = function()
		assert(settings.probe())
	end,
	["a value that is set once stays"] = function()
		assert(settings.once("once", "a") == "a" and settings.once("once", "b") == "a")
	end,
	["declared users and groups are kept equal to the file, and nothing is touched twice"] = function()
		local c = config({ user("d1", { groups = { "g1" }, name = "One" }) }, { groups = { group "g0", group("g1", { parents = { "g0" } }) } })
		local changes = assert(declared.apply(c))
		assert(has(changes, "user", "d1", "added") and has(changes, "group", "g1", "added"))
		local row = users.by_name "d1"
		assert(row.name == "One" and row.declared == 1 and row.active)
		assert(users.groups(row)[1].name == "g1" and #users.all_groups(row) == 2)
		assert(#assert(declared.apply(c)) == 0)
		c.users[1].name = "Eins"
		changes = assert(declared.apply(c))
		assert(#changes == 1 and changes[1].change == "changed" and users.by_name("d1").name == "Eins")
	end,
	["S11: who leaves the file is disabled, and is the same person on return"] = function()
		assert(declared.apply(config { user "gone" }))
		local before = users.by_name "gone"
		assert(has(assert(declared.apply(config {})), "user", "gone", "removed"))
		assert(not users.by_name("gone").active)
		assert(#assert(declared.apply(config {})) == 0)
		assert(has(assert(declared.apply(config { user "gone" })), "user", "gone", "returned"))
		local after = users.by_name "gone"
		assert(after.active and after.id == before.id and after.uid == before.uid and after.pk == before.pk)
	end,
	["a declared password is set again only when the file's value changes"] = function()
		assert(declared.apply(config { user("pw", { password = "first password" }) }))
		local row, first = users.with_password "pw"
		assert(password.verify("first password", first))
		rows.batch { users.password_statement(row.id, "$own$") }
		assert(declared.apply(config { user("pw", { password = "first password", name = "P" }) }))
		local _, kept = users.with_password "pw"
		assert(kept == "$own$")
		assert(declared.apply(config { user("pw", { password = "second password", name = "P" }) }))
		local _, new = users.with_password "pw"
		assert(password.verify("second password", new))
	end,
	["accounts made by command stay, and a declared one of the same name is refused with file and line"] = function()
		assert(rows.batch((users.insert_statements { username = "handmade" })))
		assert(declared.apply(config {}))
		assert(users.by_name("handmade").active)
		local ok, why = declared.apply(config { user "handmade" })
		assert(not ok and why:find("t.lua:1", 1, true) and why:find("made by command", 1, true), why)
	end,
	["S11: the name of a deleted user is never given again"] = function()
		assert(rows.batch((users.insert_statements { username = "deleted" })))
		assert(rows.batch(users.delete_statements(users.by_name "deleted")))
		local ok, why = declared.apply(config { user "deleted" })
		assert(not ok and why:find("never given again", 1, true), why)
	end,
	["S11: outward numbers are never reused"] = function()
		assert(rows.batch((users.insert_statements { username = "n1" })))
		local pk = users.by_name("n1").pk
		assert(rows.batch(users.delete_statements(users.by_name "n1")))
		assert(rows.batch((users.insert_statements { username = "n2" })))
		assert(users.by_name("n2").pk > pk)
	end,
	["an application's changed secret replaces the old one; leaving the file makes it inactive"] = function()
		local app = { label = "a1", slug = "a1", client_id = "a1", name = "A", client_secret = "secret one", redirect_uris = {},
			scopes = {}, _at = "t.lua:3" }
		assert(declared.apply(config({}, { applications = { app } })))
		local one = applications.by_slug "a1"
		assert(one.active and #one.secrets == 1 and one.data.client_secret == nil)
		app.client_secret = "secret two"
		assert(declared.apply(config({}, { applications = { app } })))
		local two = applications.by_slug "a1"
		assert(two.id == one.id and #two.secrets == 1 and two.secrets[1] ~= one.secrets[1])
		assert(declared.apply(config {}))
		assert(not applications.by_slug("a1").active)
	end,
	["groups reach through ancestors, cycles included once"] = function()
		local c = config({ user("deep", { groups = { "c1" } }) },
			{ groups = { group("c1", { parents = { "c2" } }), group("c2", { parents = { "c1" } }) } })
		assert(declared.apply(c))
		local row = users.by_name "deep"
		assert(#users.all_groups(row) == 2 and #users.groups(row) == 1)
		local view = users.view(row)
		assert(view.groups[1].name == "c1" and #view.all_groups == 2)
	end,
	["a group that left the file gives nothing"] = function()
		local c = config({ user("left", { groups = { "lg" } }) }, { groups = { group("lg", { permissions = { "everything" } }) } })
		assert(declared.apply(c))
		assert(declared.apply(config { user "left" }))
		assert(#users.groups(users.by_name "left") == 0 and groups.by_name "lg" == nil)
	end,
	["housekeeping removes what has ended and keeps what has not"] = function()
		assert(rows.batch((users.insert_statements { username = "kept" })))
		rows.batch { { "insert into revoked_jti (jti, expires_at) values ('old', 1), ('new', $1)", time.now() + 100 } }
		require("store/housekeeping").sweep()
		local list = rows.all "select jti from revoked_jti"
		assert(#list == 1 and list[1].jti == "new" and users.by_name "kept")
	end,
	["an inactive user cannot get a login event"] = function()
		assert(rows.batch((users.insert_statements { username = "off", active = false })))
		local ok, code = rows.batch { sessions.login_statement { id = crypto.id(), user_id = users.by_name("off").id,
			at_ms = time.now_ms(), method = "password", amr = {} } }
		assert(not ok and code == "conflict")
	end,
}

-- Migrating waits, so it happens inside a case.
local function ready()
	assert(database.migrate())
end

for name, case in pairs(cases) do
	cases[name] = function()
		ready()
		case()
	end
end

return cases
