-- Sources: how they are declared, whose subjects are whose, and who somebody from one is here (S25 to S28).
local akkess = require "config/akkess"
local arrivals = require "auth/arrivals"
local database = require "store/database"
local declared = require "store/declared"
local groups = require "store/groups"
local identities = require "store/identities"
local mapping = require "mapping/sources"
local rows = require "store/rows"
local nearest = require "config/nearest"
local sources = require "auth/sources"
local types = require "config/types"
local conversions = require "mapping/conversions"
local config_sources = require "config/sources"
local users = require "store/users"

-- Seed 001's two objects, as they stand there.
local OIDC = [[{
"adapter": "OIDC",
"name": "Google",
"description": "Used for sign in using Google account",
"subjectPoolKey": "google",
"visibility": "PUBLIC",
"description": "Used for sign in using Google account",
"adapterConfigOidc": {
"issuer": "accounts.google.com",
"audience": "xyz.apps.googleusercontent.com",
"usernameMapping": {
"attribute": "email"
},
"nameMapping": {
"attribute": "name",
"syncOption": "ONCE"
}
}
}]]
local OAUTH2 = [[{
"adapter": "OAUTH_2",
"name": "Google",
"description": "Used for sign in using Google account",
"subjectPoolKey": "google",
"visibility": "PUBLIC",
"description": "Used for sign in using Google account",
"adapterConfigOauth2": {
"clientId": "abc",
"clientSecret": "xxx",
"authorizeUrl": "https://accounts.google.com/o/oauth2/v2/auth",
"tokenUrl": "https://oauth2.googleapis.com/token",
"userInfoUrl": "https://openidconnect.googleapis.com/v1/userinfo",
"usernameMapping": {
"attribute": "email"
},
"nameMapping": {
"attribute": "name",
"syncOption": "ONCE"
}
}
}]]

local made = 0

-- A source of this installation by its settings, as the file would declare it.
local function declare(settings)
	made = made + 1
	settings.label = settings.label or "s" .. made
	settings.kind = settings.kind or "oidc"
	settings.client_id = settings.client_id or "client"
	settings.issuer = settings.issuer or settings.kind == "oidc" and "https://upstream.example" or nil
	return config_sources.complete(settings, function(field, message) error(field .. ": " .. message) end)
end

local everything = { sources = {}, users = {}, groups = {}, subject_pools = {} }

local function apply(more)
	for kind, list in pairs(more) do
		for _, each in ipairs(list) do table.insert(everything[kind], each) end
	end
	local config = { settings = { password = { memory_kib = 64, passes = 1 } } }
	for kind, list in pairs(everything) do config[kind] = list end
	local ok, why = declared.apply(config)
	assert(ok, why)
	sources.changed()
end

local function source_of(settings)
	local one = declare(settings)
	apply { sources = { one } }
	return assert(sources.by_name(one.label))
end

local function land(source, came, current)
	local user, list = arrivals.land(source, came, nil, current)
	if not user then return nil, list.reason end
	assert(rows.batch(list), "the batch failed")
	return users.by_id(user.id)
end

local function refused(reason, source, came, current)
	local user, why = land(source, came, current)
	assert(not user, "somebody came in, not refused as " .. reason)
	assert(why == reason, ("refused as %s, not %s"):format(why, reason))
end

-- Somebody with these claims.
local function came(subject, claims)
	local all = { sub = subject }
	for name, value in pairs(claims or {}) do all[name] = value end
	return { subject = subject, claims = all, info = all }
end

-- A user who is here already, made as a command makes one.
local function person(name, fields, group)
	local user = { username = name }
	for key, value in pairs(fields or {}) do user[key] = value end
	local list, id = users.insert_statements(user)
	if group then list[#list + 1] = groups.join_statement(id, groups.by_name(group).id) end
	list[#list + 1] = users.directory_statement()
	assert(rows.batch(list))
	return users.by_id(id)
end

local function group(name, permissions)
	assert(rows.batch((groups.insert_statements { name = name, permissions = permissions })))
end

local function group_names(user)
	local out = {}
	for index, each in ipairs(users.groups(users.by_id(user.id))) do out[index] = each.name end
	return table.concat(out, " ")
end

local cases = {
	["seed 001's two objects load unchanged"] = function()
		local oidc = assert(akkess.of_file(OIDC))
		assert(oidc.kind == "oidc" and oidc.issuer == "https://accounts.google.com" and oidc.more.issuers[1] == "accounts.google.com")
		assert(oidc.client_id == "xyz.apps.googleusercontent.com" and oidc.client_secret == nil and oidc.visibility == "public")
		assert(oidc.attributes.name == "once" and oidc.username_attribute == "email")
		local oauth = assert(akkess.of_file(OAUTH2))
		assert(oauth.kind == "oauth2" and oauth.client_secret == "xxx" and oauth.subject_attribute == nil)
		assert(oauth.more.pool_key == "google" and oauth.more.akkess.adapterConfigOauth2.clientSecret == nil)
	end,
	["somebody new is enrolled once and is the same person from then on"] = function()
		local source = source_of {}
		local info = { preferred_username = "new-one", name = "New One", email = "n@x.example" }
		local user = assert(land(source, came("1", info)))
		assert(user.username == "new-one" and user.name == "New One" and user.email == "n@x.example" and not user.email_verified)
		info.name, info.preferred_username = "Newer One", "renamed"
		local again = assert(land(source, came("1", info)))
		assert(again.id == user.id and again.name == "Newer One" and again.username == "new-one" and #identities.of_user(user.id) == 1)
	end,
	["who has no name is called by the address, else by what he is known by"] = function()
		local source = source_of { label = "nameless" }
		assert(land(source, came("1", { email = "plain@x.example" })).username == "plain@x.example")
		assert(land(source, came("2")).username:find("^nameless%-%x+$"))
		assert(land(source, came("3", { preferred_username = "Two Words" })).username == "Two-Words")
		refused("username_unfit", source, came("4", { preferred_username = "signin" }))
		refused("username_unfit", source, came("4", { preferred_username = ("x"):rep(151) }))
		refused("no_subject", source, came("", { preferred_username = "nobody" }))
		refused("no_subject", source, came("a\0b", { preferred_username = "nobody" }))
	end,
	["a name that somebody has, in whatever spelling, makes no second person"] = function()
		local source = source_of {}
		person "taken"
		refused("username_taken", source, came("1", { preferred_username = "taken" }))
		refused("username_taken", source, came("1", { preferred_username = "TAKEN" }))
		local gone = person "was-here"
		rows.batch(users.delete_statements(gone))
		refused("username_taken", source, came("1", { preferred_username = "was-here" }))
		assert(#rows.all("select * from identities where source = $1", source.name) == 0)
	end,
	["a source that enrols nobody lets in whom somebody has linked (Akkess)"] = function()
		local source = source_of { enrolment = false }
		refused("not_enrolled", source, came("1", { preferred_username = "stranger" }))
		local user = person "linked"
		rows.batch { identities.insert_statement { pool = source.pool, subject = "1", user_id = user.id, source = source.name } }
		assert(land(source, came("1", { preferred_username = "anything" })).id == user.id)
	end,
	["the matching modes link and deny as they say (S25, security-cases 4)"] = function()
		person("m-verified", { email = "v@m.example", email_verified = true })
		person("m-unverified", { email = "unsure@m.example" })
		person("m-twin-1", { email = "t@m.example", email_verified = true })
		person("m-twin-2", { email = "T@m.example", email_verified = true })
		person("m-off", { email = "off@m.example", email_verified = true, active = false })
		group("m-admins", { "everything" })
		person("m-admin", { email = "admin@m.example", email_verified = true }, "m-admins")
		local function mail(email, verified, name) return { email = email, email_verified = verified, preferred_username = name } end
		-- mode, claims, whom it becomes or why not
		local cases = {
			{ "identifier", mail("u@m.example", true, "m-new-1"), "m-new-1" },
			{ "email_link", mail("v@m.example", true, "m-x"), "m-verified" },
			{ "email_link", mail("V@M.example", true, "m-x"), "m-verified" },
			{ "email_link", mail("v@m.example", "true", "m-x"), "m-verified" },
			{ "email_link", mail("v@m.example", false, "m-x"), nil, "email_unverified" },
			{ "email_link", mail("v@m.example", nil, "m-x"), nil, "email_unverified" },
			{ "email_link", mail(nil, true, "m-x"), nil, "no_email" },
			{ "email_link", mail("unsure@m.example", true, "m-x"), nil, "email_taken" },
			{ "email_link", mail("t@m.example", true, "m-x"), nil, "email_ambiguous" },
			{ "email_link", mail("off@m.example", true, "m-x"), nil, "disabled" },
			{ "email_link", mail("admin@m.example", true, "m-x"), nil, "protected" },
			{ "email_link", mail("new@m.example", true, "m-new-2"), "m-new-2" },
			{ "email_deny", mail("v@m.example", true, "m-x"), nil, "email_taken" },
			{ "email_deny", mail("other@m.example", false, "m-new-3"), "m-new-3" },
			{ "email_deny", mail(nil, nil, "m-x"), nil, "no_email" },
			{ "username_link", mail(nil, nil, "m-unverified"), "m-unverified" },
			{ "username_link", mail(nil, nil, "M-Unverified"), nil, "username_taken" },
			{ "username_link", mail(nil, nil, "m-admin"), nil, "protected" },
			{ "username_link", mail(nil, nil, "m-off"), nil, "disabled" },
			{ "username_link", mail(nil, nil, nil), nil, "no_username" },
			{ "username_link", mail(nil, nil, "m-new-4"), "m-new-4" },
			{ "username_deny", mail(nil, nil, "m-verified"), nil, "username_taken" },
			{ "username_deny", mail(nil, nil, "m-new-5"), "m-new-5" },
		}
		for index, case in ipairs(cases) do
			local source = source_of { matching = case[1] }
			local user, why = land(source, came("s", case[2]))
			assert((user and user.username) == case[3] and why == case[4],
				("case %d (%s): %s, %s"):format(index, case[1], user and user.username or "nobody", why or "in"))
		end
	end,
	["a name that looks like an address is believed like one"] = function()
		person("person@m.example")
		local source = source_of { matching = "username_link", username_attribute = "email" }
		refused("email_unverified", source, came("1", { email = "person@m.example" }))
		assert(land(source, came("1", { email = "person@m.example", email_verified = true })).username == "person@m.example")
	end,
	["an assertion of another address verifies nothing"] = function()
		local source = source_of { email_attribute = "other" }
		local user = land(source, came("1", { preferred_username = "two-mails", email = "real@x.example", email_verified = true,
			other = "victim@x.example" }))
		assert(user.email == "victim@x.example" and not user.email_verified)
	end,
	["who is switched off stays out, whoever vouches for him (CVE-2025-53942)"] = function()
		local source = source_of {}
		local user = assert(land(source, came("1", { preferred_username = "off-later" })))
		rows.batch { users.update_statement(user.id, { active = false }) }
		refused("disabled", source, came("1"))
		local _, list = arrivals.land(source, came("2", { preferred_username = "off-between" }))
		rows.batch(list)
		local off = users.by_name "off-between"
		local again, statements = arrivals.land(source, came "2")
		rows.batch { users.update_statement(off.id, { active = false }) }
		assert(again and not rows.batch(statements), "switched off between look and sign-in")
	end,
	["linking while signed in: once, and nobody else's, and no administrator's"] = function()
		local source = source_of { enrolment = false }
		local one, two = person "link-one", person "link-two"
		assert(land(source, came("1", { preferred_username = "whatever", name = "Upstream" }), one).id == one.id)
		assert(land(source, came "1").id == one.id)
		refused("linked_elsewhere", source, came "1", two)
		assert(land(source, came "1", one).id == one.id, "his own again")
		group("link-admins", { "manage_users" })
		refused("protected", source, came "2", person("link-admin", {}, "link-admins"))
		rows.batch(identities.unlink_statements(source.pool, "1", one.id))
		refused("not_enrolled", source, came "1")
	end,
	["S26: a name by which somebody was enrolled is claimed once and then pinned"] = function()
		local function waiting(source, name, username, fields, in_group)
			local user = person(name, fields, in_group)
			rows.batch { identities.name_statement { pool = source.pool, username = username, user_id = user.id, source = source.name } }
			return user
		end
		local trusted = source_of { trusted_usernames = true, enrolment = false }
		local user = waiting(trusted, "waits", "known-there")
		assert(land(trusted, came("1", { preferred_username = "known-there" })).id == user.id)
		assert(land(trusted, came("1", { preferred_username = "renamed-there" })).id == user.id, "the subject counts from now on")
		refused("name_pinned", trusted, came("2", { preferred_username = "known-there" }))
		local mail = waiting(trusted, "waits-mail", "w@x.example")
		refused("email_unverified", trusted, came("3", { preferred_username = "w@x.example" }))
		assert(land(trusted, came("3", { preferred_username = "w@x.example", email = "w@x.example", email_verified = true })).id == mail.id)
		group("waiting-admins", { "everything" })
		waiting(trusted, "waits-admin", "boss", {}, "waiting-admins")
		refused("protected", trusted, came("4", { preferred_username = "boss" }))
		local untrusted = source_of {}
		waiting(untrusted, "waits-in-vain", "vain")
		refused("name_untrusted", untrusted, came("1", { preferred_username = "vain" }))
		-- Two who come at once: the second one's batch does not hold.
		local both = waiting(trusted, "waits-twice", "twice")
		local _, first = arrivals.land(trusted, came("5", { preferred_username = "twice" }))
		local _, second = arrivals.land(trusted, came("6", { preferred_username = "twice" }))
		assert(rows.batch(first) and not rows.batch(second) and #identities.of_user(both.id) == 1)
	end,
	["S26: the same subject of one pool is one person, of two pools two"] = function()
		local one, other, alone = declare { label = "pool-a" }, declare { label = "pool-b" }, declare { label = "pool-c" }
		apply { sources = { one, other, alone }, subject_pools = { { label = "shared", name = "shared", sources = { "pool-a", "pool-b" } } } }
		local user = land(sources.by_name "pool-a", came("77", { preferred_username = "pooled" }))
		assert(land(sources.by_name "pool-b", came("77", { preferred_username = "anything" })).id == user.id)
		refused("username_taken", sources.by_name "pool-c", came("77", { preferred_username = "pooled" }))
		assert(land(sources.by_name "pool-c", came("77", { preferred_username = "another" })).id ~= user.id)
		-- A pool that goes leaves everybody with the source that he came by.
		table.remove(everything.subject_pools)
		apply {}
		assert(land(sources.by_name "pool-a", came("77")).id == user.id)
		refused("username_taken", sources.by_name "pool-b", came("77", { preferred_username = "pooled" }))
	end,
	["what follows the source, once or always or never (Akkess case 10)"] = function()
		-- sync, name at the first and second sign-in, edited here between, name in the end
		local cases = {
			{ "always", "First", "Second", nil, "Second" }, { "always", "First", "Second", "Edited", "Second" },
			{ "always", "First", nil, nil, "First" }, { "always", nil, "Second", nil, "Second" },
			{ "once", "First", "Second", nil, "First" }, { "once", "First", "Second", "Edited", "Edited" }, { "once", "First", nil, nil, "First" },
			{ "never", "First", "Second", nil, "n7" }, { "never", "First", "Second", "Edited", "Edited" }, { "never", nil, nil, nil, "n7" },
		}
		for index, case in ipairs(cases) do
			local source = source_of { attributes = { name = case[1] } }
			local username = case[5] == "n7" and "n7" .. index or "sync-" .. index
			local user = land(source, came("1", { preferred_username = username, name = case[2] }))
			if case[4] then rows.batch { users.update_statement(user.id, { name = case[4] }) } end
			user = land(source, came("1", { preferred_username = username, name = case[3] }))
			local wanted = case[5] == "n7" and username or case[5]
			assert(user.name == wanted, ("case %d: %s, not %s"):format(index, user.name, wanted))
		end
		-- Enrolled by somebody: once is the first sign-in.
		local source = source_of { attributes = { name = "once" }, enrolment = false }
		local user = person("sync-linked", { name = "Placeholder" })
		rows.batch { identities.insert_statement { pool = source.pool, subject = "1", user_id = user.id, source = source.name } }
		assert(land(source, came("1", { name = "From There" })).name == "From There")
		assert(land(source, came("1", { name = "Later" })).name == "From There")
	end,
	["groups of a source are made equal to what it says; others stay"] = function()
		group "local"
		group "chess"
		local source = source_of { label = "grouped", groups = true }
		local function with(list) return came("1", { preferred_username = "member", groups = list }) end
		local user = land(source, with { "readers", "writers" })
		assert(group_names(user) == "readers writers")
		rows.batch { groups.join_statement(user.id, groups.by_name("local").id), users.directory_statement() }
		land(source, with { "writers", "chess" })
		assert(group_names(user) == "chess (grouped) local writers", "a group here of the same name is another one")
		land(source, with { "writers", "chess" })
		land(source, with {})
		assert(group_names(user) == "local")
		land(source, came("1", {}))
		assert(group_names(user) == "local", "no word about groups changes nothing")
		-- What a command gives stays when the source takes it away.
		land(source, with { "writers" })
		rows.batch { groups.join_statement(user.id, groups.by_name("writers").id), users.directory_statement() }
		land(source, with {})
		assert(group_names(user) == "local writers")
		local came_without = with { "writers" }
		came_without.groups_complete = false
		refused("groups_unread", source, came_without)
	end,
	["conversion rules decide name and groups, and who has none is refused with what happened (S27)"] = function()
		assert(conversions.declare { { name = "staff", dialect = "otc", rules = "staff.json", no_groups = "refuse", empty_list = "absent",
			numbers = "values", lists = "values", many_values = "refuse", most_rules = 50, source = [=[ [
			{ "local": [ { "user": { "name": "staff-member" } }, { "group": { "name": "{0}" } } ],
			  "remote": [ { "type": "department" }, { "type": "email", "any_one_of": [ ".*@corp[.]example" ], "regex": true } ] } ] ]=] } })
		person "staff-member"
		local source = source_of { conversion_rules = "staff", matching = "username_link" }
		local user = land(source, came("1", { department = "kitchen", email = "a@corp.example", preferred_username = "ignored" }))
		assert(user.username:find("^staff%-member%-%x+$") and group_names(user) == "kitchen", "the name is a label that many may have")
		assert(land(source, came("2", { department = "kitchen", email = "b@corp.example" })).id ~= user.id)
		land(source, came("1", { department = "hall", email = "a@corp.example" }))
		assert(group_names(user) == "hall")
		refused("no_rule", source, came("1", { department = "hall", email = "a@elsewhere.example" }))
		local event
		for _ = 1, 100 do -- a task of its own writes it
			event = rows.one("select reason, person from events where kind = 'source_refused' and reason like '%no_rule%'")
			if event then break end
			task.sleep(0.01)
		end
		assert(event.reason:find("staff", 1, true) and event.person:find("rule 1", 1, true), event.person)
	end,
	["source mappings say who somebody is; one that fails refuses"] = function()
		local function script(name, text, of) return { name = name, script = name .. ".lua", source = text, of = of or "user" } end
		assert(mapping.declare({
			script("who", "return { username = info.mail:match('^[^@]+'), attributes = { dept = info.dept, via = source.name }, groups = { 'a', { id = 'b', name = 'B' } } }"),
			script("more", "local g = properties.groups g[#g + 1] = 'c' return { name = properties.username:upper(), email = 'x@y.example', groups = g }"),
			script("leave", "return { groups = false, name = false }"), script("nothing", "return nil"),
			script("naming", "if group_id == 'b' then return { name = 'Renamed ' .. properties.name, attributes = { from = source.name } } end", "group"),
			script("breaks", "return info.absent.field"), script("lists", "return { 'a', 'b' }"), script("unknown", "return { user = 'x' }"),
			script("wrong", "return { groups = { {} } }"), script("control", "return { username = 'a\\0b' }"), script("typed", "return { email_verified = 'yes' }"),
			script("secrets", "return { username = tostring(token.access_token) .. tostring(token.refresh_token) .. tostring(token.id_token) }"),
		}, true))
		local function with(mappings, more)
			local settings = { mappings = mappings, groups = true }
			for name, value in pairs(more or {}) do settings[name] = value end
			return source_of(settings)
		end
		local somebody = came("1", { mail = "map-one@x.example", dept = "ops", email = "map-one@x.example", email_verified = true, name = "Map One" })
		local source = with { "who", "more", "naming" }
		local user = land(source, somebody)
		assert(user.username == "map-one" and user.name == "MAP-ONE" and user.attributes.dept == "ops" and user.attributes.via == source.name)
		assert(user.email == "x@y.example" and not user.email_verified, "another address is verified by nobody")
		assert(group_names(user) == "Renamed B a c" and groups.by_name("Renamed B").attributes.from == source.name)
		local left = with { "who", "leave", "nothing" }
		somebody.info.mail = "map-two@x.example"
		user = land(left, somebody)
		assert(user.username == "map-two" and user.name == "map-two" and group_names(user) == "")
		for _, name in ipairs { "breaks", "lists", "unknown", "wrong", "control", "typed", "undeclared" } do
			refused("script_failed", with { name }, somebody)
		end
		somebody.token = { access_token = "at", refresh_token = "secret", id_token = "secret" }
		assert(land(with { "secrets" }, somebody).username == "atnilnil")
		mapping.declare {}
	end,
	["a damaged document of Akkess's is read or refused, never a mistake of the program"] = function()
		local state, read, refusals = 20260101, 0, 0
		local function random(most)
			state = (state * 1103515245 + 12345) % 2147483648
			return state // 65536 % most + 1
		end
		local parts = { "null", "true", "[]", "{}", "-1", '""', '"x"', '"PUBLIC"', '"http://a b"', "1e300", '"\\u0000"', '{"attribute":7}' }
		for _ = 1, 3000 do
			local text = random(2) == 1 and OIDC or OAUTH2
			for _ = 1, random(3) do
				local at, how = random(#text), random(3)
				if how == 1 then
					text = text:sub(1, at - 1) .. text:sub(at + random(8))
				elseif how == 2 then
					text = text:gsub('"[^"]*"', { [text:match('"[^"]*"', at) or ""] = '"' .. parts[random(#parts)]:gsub('["\\\\]', "") .. '"' })
				else
					text = text:gsub(': ("[^"]*")', function(value) return random(4) == 1 and ": " .. parts[random(#parts)] or ": " .. value end)
				end
			end
			local settings, why = akkess.of_file(text)
			if settings then
				local more = settings.more
				settings.more = nil
				local wrong = {}
				local out = types.check(config_sources.schema, settings, function(_, message) wrong[#wrong + 1] = message end, nearest)
				out.label, out.more = "x", more
				config_sources.complete(out, function(_, message) wrong[#wrong + 1] = message end)
				if #wrong == 0 then read = read + 1 end
			else
				assert(type(why) == "string" and why ~= "")
				refusals = refusals + 1
			end
		end
		assert(read > 50 and refusals > 500, read .. " read, " .. refusals .. " refused")
	end,
	["group matching links by name or denies, and fills nothing that gives permissions (S25)"] = function()
		group "linked"
		group("bosses", { "everything" })
		group "under-bosses"
		rows.batch { groups.parent_statement(groups.by_name("under-bosses").id, groups.by_name("bosses").id) }
		local source = source_of { groups = true, group_matching = "name_link" }
		local user = land(source, came("1", { preferred_username = "linker", groups = { "linked", "bosses", "under-bosses", "fresh" } }))
		assert(group_names(user) == "fresh linked")
		-- One that gives permissions later is left.
		rows.batch { groups.update_statement(groups.by_name("fresh").id, { permissions = { "read_directory" } }) }
		local plain = source_of { groups = true, group_matching = "name_deny" }
		refused("group_taken", plain, came("1", { preferred_username = "denied", groups = { "linked" } }))
		assert(not users.by_name "denied")
		assert(group_names(land(plain, came("1", { preferred_username = "denied", groups = { "own" } }))) == "own")
		assert(group_names(land(plain, came("1", { preferred_username = "denied", groups = { "own" } }))) == "own", "it is his own by now")
	end,
	["a source that leaves the file signs nobody in, takes its memberships along, and knows everybody on return (S11)"] = function()
		local one = declare { label = "leaves", groups = true }
		apply { sources = { one } }
		local user = land(sources.by_name "leaves", came("1", { preferred_username = "stays", groups = { "theirs" } }))
		assert(group_names(user) == "theirs")
		table.remove(everything.sources)
		apply {}
		assert(not sources.by_name "leaves" and group_names(user) == "")
		apply { sources = { one } }
		assert(land(sources.by_name "leaves", came("1", { groups = { "theirs" } })).id == user.id and group_names(user) == "theirs")
	end,
	["what the file says of an identity is so, and is no more when it says it no more"] = function()
		local source = source_of { label = "for-file", enrolment = false, trusted_usernames = true }
		local object = { label = "filed", name = "Filed", groups = {}, attributes = {}, _at = "t.lua:1",
			identities = { { source = "for-file", subject = "1" }, { source = "for-file", username = "named" } } }
		apply { users = { object } }
		local user = users.by_name "filed"
		assert(land(source, came("1", { name = "Another" })).id == user.id and users.by_id(user.id).name == "Filed", "the file owns the name")
		assert(land(source, came("2", { preferred_username = "named" })).id == user.id)
		everything.users[#everything.users] = { label = "filed", name = "Filed", groups = {}, attributes = {}, _at = "t.lua:1", identities = {} }
		apply {}
		refused("not_enrolled", source, came "1")
		refused("not_enrolled", source, came("2", { preferred_username = "named" }))
	end,
	["kinds know their addresses, and Entra its tenants"] = function()
		local tenant = "8a7c0000-0000-0000-0000-000000000001"
		local one = declare { kind = "entra", tenants = { tenant:upper() } }
		assert(one.tenants[1] == tenant and one.token_url:find(tenant .. "/oauth2/v2.0/token", 1, true) and not one.groups)
		-- Seed 004's forms.
		local pasted = declare { kind = "entra", authorization_url = "https://login.microsoftonline.com/" .. tenant .. "/oauth2/v2.0/authorize",
			token_url = "https://login.microsoftonline.com/" .. tenant .. "/oauth2/v2.0/token", profile_url = "https://graph.microsoft.com/v1.0/me",
			jwks_url = "https://login.microsoftonline.com/" .. tenant .. "/discovery/v2.0/keys",
			scopes = { "https://graph.microsoft.com/GroupMember.Read.All" } }
		assert(pasted.tenants[1] == tenant and pasted.groups and #pasted.scopes == 5)
		local many = declare { kind = "entra", tenants = { tenant, "8a7c0000-0000-0000-0000-000000000002" } }
		assert(many.authorization_url:find("/organizations/", 1, true))
		local us = declare { kind = "entra", authorization_url = "https://login.microsoftonline.us/common/oauth2/v2.0/authorize",
			profile_url = "https://graph.microsoft.us/v1.0/me", tenants = { tenant } }
		assert(us.extra.graph == "https://graph.microsoft.us" and us.issuer == "https://login.microsoftonline.us/{tenantid}/v2.0")
		for _, wrong in ipairs { {}, { tenants = { "contoso.com" } },
			{ authorization_url = "https://login.microsoftonline.com/common/oauth2/v2.0/authorize" } } do
			wrong.kind = "entra"
			assert(not pcall(declare, wrong))
		end
		local ghe = declare { kind = "github", issuer = "https://ghe.example.org/", groups = true }
		assert(ghe.profile_url == "https://ghe.example.org/api/v3/user" and ghe.scopes[3] == "read:org" and ghe.enrolment)
		assert(not declare({ kind = "github" }).enrolment, "everybody on earth has an account there")
		local bare = config_sources.complete({ label = "bare", kind = "google", client_id = "g" }, error)
		assert(bare.issuer == "https://accounts.google.com" and not bare.enrolment)
	end,
	["Akkess's documents are read tolerantly, and what is wrong is named by its field (C5 1, 3)"] = function()
		local function read(text) return akkess.of_file(text) end
		local misspelt = OAUTH2:gsub("adapterConfigOauth2", "adapterConfigOuath2"):gsub('"visibility"', '"visibiltiy"')
		local one, other = read(OAUTH2), read(misspelt)
		assert(json.encode(one) == json.encode(other), "one stored object, whichever way it is spelled")
		assert(one.more.akkess.adapterConfigOauth2 and one.more.akkess.visibility == "PUBLIC")
		local cases = {
			{ '{"adapter":"OIDC","visibility":"PUBLIC"}', "adapterConfigOidc" },
			{ (OAUTH2:gsub("adapterConfigOauth2", "adapterConfigOidc")), "adapterConfigOauth2" },
			{ (OIDC:gsub('"OIDC"', '"SAML"')), "adapter" }, { (OIDC:gsub('"PUBLIC"', '"SECRET"')), "visibility" },
			{ (OIDC:gsub('"ONCE"', '"TWICE"')), "syncOption" }, { (OIDC:gsub('"audience"', '"audiance"')), "audience" },
			{ (OAUTH2:gsub('"tokenUrl"', '"tokenurl"')), "tokenUrl" }, { (OIDC:gsub('"attribute": "email"', '"x": "y"')), "attribute" },
			{ (OIDC:gsub('"visibility"', '"visibiltiy": "HIDDEN", "visibility"')), "visibility" }, { "[]", "" }, { '{"visibility":"PUBLIC"}', "adapter" },
		}
		for index, case in ipairs(cases) do
			local settings, why, field = read(case[1])
			assert(not settings and why and (field or ""):find(case[2], 1, true), ("case %d: %s %s"):format(index, tostring(why), tostring(field)))
		end
		local kept = read((OIDC:gsub('"adapter"', '"auditInfo": {"by": "x", "list": []}, "adapter"')))
		assert(kept.more.akkess.auditInfo.by == "x", "what we do not know is kept")
		local hidden = read '{"adapter":"IAM_BASIC_IDP","visibility":"HIDDEN","name":null,"key":"test"}'
		assert(hidden.kind == "basic" and hidden.visibility == "hidden" and not hidden.name)
	end,
}

-- In whatever order they run, the tables are there.
local out = {}
for name, case in pairs(cases) do
	out[name] = function()
		assert(database.migrate())
		case()
	end
end
return out
