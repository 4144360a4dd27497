-- mapping/github.lua: who somebody is to GitHub's clients, as the owner's script says it: of a user and an application, never of a
-- request, so that it can be asked of anyone. Numbers, unique logins and slugs are not its affair (github/identity).
--
-- A script returns { login, name, company, location, bio, id, emails = { { email, primary, verified, visibility } }, organisations =
-- { { login, key, id, name, description, role, teams = { { name, slug, key, id, description, role, direct, teams = … } } } } }. `key` is
-- what stays when a name changes; `id` pins the number that an organisation, a team or a person had elsewhere.
local conf   = require "kit/conf"
local result = require "mapping/result"
local script = require "mapping/script"
local slug   = require "kit/slug"

local github = {}

local MOST_EMAILS, MOST_ORGANISATIONS, MOST_TEAMS, DEEPEST = 100, 1000, 2000, 8

-- By name; the configuration's, once a generation.
local by_name = {}
-- Fingerprints, by application and by what a command may change of it.
local prints, prints_count = {}, 0

-- pure: it is asked of anyone at any time and what it said is kept, so that it asks for nothing in its turn.
local function entry_of(declared)
	return { name = declared.name, what = "GitHub mapping", script = declared.script, source = declared.source, pure = true }
end

-- Takes the configuration's mappings (script.declared). Returns true, or nil and "file:line: text".
function github.declare(list, compile)
	local declared, why = script.declared(list, compile, entry_of)
	if not declared then return nil, why end
	by_name, prints, prints_count = declared, {}, 0
	return true
end

-- ---- without a script ----

-- The first label of the installation's name; an address has none.
local function installation()
	local label = conf.host():match("^(%a[%w%-]*)")
	return label or "tidelock"
end

-- One organisation, and a team in it for each group, also of those that a group is in.
local function builtin(user)
	local teams = {}
	for index, group in ipairs(user.all_groups or {}) do
		teams[index] = { name = group.name, key = group.uuid, id = group.attributes.github_id }
	end
	return {
		login = user.attributes.github_login, id = user.attributes.github_id,
		organisations = { { login = installation(), key = "installation", teams = teams } },
	}
end

-- ---- what a result means ----

-- What is wrong; caught in read(), which knows whose script it was.
local function wrong(text, ...) error({ wrong = text:format(...) }, 0) end

local function text(value, what, most)
	if value == nil or value == "" then return nil end
	if type(value) ~= "string" or not utf8.len(value) or value:find("%c") or #value > (most or 500) then
		wrong("%s is no text of at most %d bytes", what, most or 500)
	end
	return value
end

local function number(value, what)
	if value == nil then return nil end
	if math.type(value) ~= "integer" or value < 1 or value >= 2 ^ 31 then wrong("%s.id is no number from 1 to 2147483647", what) end
	return value
end

local function one_of(value, what, first, second)
	if value == nil then return first end
	if value ~= first and value ~= second then wrong("%s.role is neither \"%s\" nor \"%s\"", what, first, second) end
	return value
end

local function flag(value, what)
	if value ~= nil and type(value) ~= "boolean" then wrong("%s is neither true nor false", what) end
	return value
end

local function list(value, what, most)
	if value == nil then return {} end
	if not result.is_list(value) then wrong("%s is no list", what) end
	if #value > most then wrong("%s has more than %d entries", what, most) end
	return value
end

-- A misspelt field would leave something out without a word.
local function only(value, what, names)
	if type(value) ~= "table" then wrong("%s is no table", what) end
	for name in pairs(value) do
		if not (" " .. names .. " "):find(" " .. tostring(name) .. " ", 1, true) then wrong("%s has \"%s\"", what, tostring(name)) end
	end
	return value
end

-- Verified addresses only, exactly one of them primary, and that one first: clients take the first, or the primary, for the person.
local function emails_of(value, user)
	if value == nil then value = { { email = user.email, primary = true, verified = user.email_verified } } end
	local out, primary = {}, nil
	for index, each in ipairs(list(value, "emails", MOST_EMAILS)) do
		local what = ("emails[%d]"):format(index)
		only(each, what, "email primary verified visibility")
		local email = text(each.email, what .. ".email", 254)
		if each.primary == true and primary then wrong("emails has two that are primary") end
		primary = primary or each.primary == true
		if email and each.verified == true then
			local kept = { email = email, primary = each.primary == true, verified = true, visibility = text(each.visibility, what, 20) }
			table.insert(out, kept.primary and 1 or #out + 1, kept)
		end
	end
	if out[1] then out[1].primary = true end
	return out
end

-- Adds a team and those inside it to `out`: whoever is in a team is in those around it.
local function add_teams(out, value, what, around)
	if (around and around.depth or 0) >= DEEPEST then wrong("%s is more than %d deep", what, DEEPEST) end
	for index, each in ipairs(list(value, what, MOST_TEAMS)) do
		local at = ("%s[%d]"):format(what, index)
		only(each, at, "name slug key id description role direct teams")
		local name = text(each.name, at .. ".name", 100) or wrong("%s.name is missing", at)
		local word = slug.of(text(each.slug, at .. ".slug", 100) or name)
		local team = {
			name = name, slug = word ~= "" and word or "team", key = text(each.key, at .. ".key", 100) or name,
			id = number(each.id, at), description = text(each.description, at .. ".description"),
			role = one_of(each.role, at, "member", "maintainer"), parent = around, depth = (around and around.depth or 0) + 1,
			direct = flag(each.direct, at .. ".direct"),
		}
		-- Unless it is said: who is in a team inside is in this one by that.
		if team.direct == nil then team.direct = #list(each.teams, at .. ".teams", MOST_TEAMS) == 0 end
		if out.keys[team.key] then wrong("%s.key is that of another team of the organisation", at) end
		out.keys[team.key] = true
		out[#out + 1] = team
		if #out > MOST_TEAMS then wrong("%s has more than %d teams", what, MOST_TEAMS) end
		add_teams(out, each.teams, at .. ".teams", team)
	end
	return out
end

local function organisations_of(value)
	local out, keys = {}, {}
	for index, each in ipairs(list(value, "organisations", MOST_ORGANISATIONS)) do
		local at = ("organisations[%d]"):format(index)
		only(each, at, "login key id name description role teams")
		local login = text(each.login, at .. ".login", 100) or wrong("%s.login is missing", at)
		local key = text(each.key, at .. ".key", 100) or login:lower()
		if keys[key] then wrong("%s is an organisation that was there before", at) end
		keys[key] = true
		out[index] = {
			login = login, key = key, id = number(each.id, at), name = text(each.name, at .. ".name") or login,
			description = text(each.description, at .. ".description"), role = one_of(each.role, at, "member", "admin"),
			teams = add_teams({ keys = {} }, each.teams, at .. ".teams"),
		}
	end
	return out
end

local function profile(value, user)
	only(value, "the result", "login name company location bio id emails organisations")
	return {
		login = text(value.login, "login", 100) or user.username, id = number(value.id, "the result"),
		name = text(value.name, "name") or text(user.name, "name"), company = text(value.company, "company"),
		location = text(value.location, "location"), bio = text(value.bio, "bio"),
		emails = emails_of(value.emails, user), organisations = organisations_of(value.organisations),
	}
end

-- The profile, or nil and what is wrong with the value.
function github.read(value, user)
	local ok, made = pcall(profile, value, user)
	if ok then return made end
	if type(made) == "table" and made.wrong then return nil, made.wrong end
	error(made, 0)
end

-- ---- asking ----

-- Of an application's name for it, or "default". One that a command's application names and the configuration has not fails.
local function named(application, declared)
	local wanted = ((application or {}).github or {}).mapping
	local entry = (declared or by_name)[wanted or "default"]
	if entry or not wanted then return entry end
	return nil, { name = wanted, what = "GitHub mapping", script = "?" }
end

-- What an answer depends on beside the person: another fingerprint, another answer. READING: how results are read here.
local READING = 1

-- A script names what it looks at: it has no other way to it.
local function sees_application(entry)
	return entry and (entry.source:find("application", 1, true) or entry.source:find("_ENV", 1, true)) ~= nil
end

local function print_of(entry, application)
	local given = script.application(sees_application(entry) and application or nil)
	local seen = { READING, entry and entry.source or "built-in " .. installation(), given.slug or "", given.name or "",
		given.client_id or "" }
	return {
		fingerprint = hex.encode(crypto.sha256(table.concat(seen, "\n"))),
		mapping = (entry and entry.name or "") .. "\n" .. (given.slug or ""),
	}
end

-- { fingerprint, mapping = the same whatever the mapping's text is }; nil when the application names a mapping that is not there.
function github.print(application)
	local entry, missing = named(application)
	if missing then return nil end
	local key = application and table.concat({ application.id, application.slug, application.name or "", application.client_id,
		entry and entry.name or "" }, "\n") or ""
	if not prints[key] then
		if prints_count >= 1000 then prints, prints_count = {}, 0 end
		prints[key], prints_count = print_of(entry, application), prints_count + 1
	end
	return prints[key]
end

local function run(entry, user, application, exact)
	local given = { user = user, application = script.application(application) }
	local answer, failure = script.run(entry, given, { user = user, application = application }, exact)
	if not answer then return nil, failure end
	local made, why = github.read(answer.result, user)
	if made then return made, answer end
	return nil, script.failure(entry, given, { kind = "result", message = why, log = answer.log })
end

-- Who a user (users.view) is to an application (nil: to nobody's in particular). Returns { login, name, company, location, bio, id,
-- emails, organisations }, or nil and the failure. Raises temporarily_unavailable when no script can be run now.
function github.profile(user, application)
	local entry, missing = named(application)
	if entry then return run(entry, user, application) end
	if not missing then return github.read(builtin(user), user) end
	return nil, script.failure(missing, { user = user, application = script.application(application) }, {
		kind = "missing", message = "the application names this mapping, which is not declared",
	})
end

-- The same for `tidelock try github`; `declared`, the mappings of the configuration as the files stand now, comes before what this
-- generation runs. Returns the profile and { script, instructions, memory, ms, log }, or nil and the failure.
function github.try(user, application, declared)
	local now
	for _, each in ipairs(declared or {}) do
		now = now or {}
		now[each.name] = entry_of(each)
	end
	local entry = named(application, now)
	if not entry then
		local made, failure = github.profile(user, application)
		return made, failure or { script = "built-in" }
	end
	local made, cost = run(entry, user, application, true)
	if made then cost.script = entry.script end
	return made, cost
end

return github
