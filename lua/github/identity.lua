-- github/identity.lua: who somebody is to GitHub's clients: what the mapping says (mapping/github), with numbers and names that last
-- (github/numbers). Remembered under the version of the directory, so that a change of groups reaches the next answer.
local err     = require "kit/err"
local mapping = require "mapping/github"
local numbers = require "github/numbers"
local report_failures = require "auth/failures"
local users   = require "store/users"

local identity = {}

local REMEMBERED = 500
local known, known_count = {}, 0

-- Where there is no row yet.
local NOBODY = { names = {} }

local function team_key(organization, team) return organization.number .. " " .. team.key end

-- ---- from a profile to an identity ----

-- What numbers.allot is to know of a profile: of the person and the organisations, and, once those have numbers, of the teams.
local function add_account_wishes(wishes, user, profile)
	wishes[#wishes + 1] = { kind = "user", key = user.id, wanted = profile.login, id = profile.id }
	for _, each in ipairs(profile.organisations) do
		wishes[#wishes + 1] = { kind = "organization", key = each.key, wanted = each.login, id = each.id }
	end
end

local function add_team_wishes(wishes, profile, organizations)
	for index, organization in ipairs(organizations) do
		for _, team in ipairs(organization.number and profile.organisations[index].teams or {}) do
			wishes[#wishes + 1] = { kind = "team", key = team_key(organization, team), wanted = team.slug, base = team.slug, id = team.id,
				below = organization.number .. "/" }
		end
	end
end

-- A profile with the rows that there are for it; without a row, number and created_at are nil and the name is the wish.
local function organizations_of(profile, rows)
	local out = {}
	for index, each in ipairs(profile.organisations) do
		local row = (rows.organization or {})[each.key] or NOBODY
		out[index] = { number = row.number, login = row.names[each.login] or each.login, name = each.name, description = each.description,
			role = each.role, created_at = row.created_at }
	end
	return out
end

local function teams_of(profile, organizations, rows)
	local out, made = {}, {}
	for index, organization in ipairs(organizations) do
		for _, team in ipairs(profile.organisations[index].teams) do
			local row = organization.number and (rows.team or {})[team_key(organization, team)] or NOBODY
			-- Administrators of an organisation maintain its teams.
			local role = organization.role == "admin" and "maintainer" or team.role
			made[team] = { number = row.number, slug = row.names[team.slug] or team.slug, name = team.name, description = team.description,
				organization = organization, parent = made[team.parent], role = role, direct = team.direct, created_at = row.created_at }
			out[#out + 1] = made[team]
		end
	end
	return out
end

local function made_of(user, profile, organizations, teams, rows)
	local row = (rows.user or {})[user.id] or NOBODY
	local active = user.active
	return {
		user_id = user.id, number = row.number, login = row.names[profile.login] or profile.login, name = profile.name,
		company = profile.company, location = profile.location, bio = profile.bio, created_at = user.created_at, emails = profile.emails,
		-- Who is switched off is in nothing.
		organizations = active and organizations or {}, teams = active and teams or {},
		suspended_at = not active and user.valid_from or nil,
	}
end

-- Looks with `ask` at the rows of profiles, a list of { user, profile }: numbers.allot, or a look that changes nothing. One look for
-- all of them, however many.
local function complete(list, ask)
	local accounts, teams, organizations = {}, {}, {}
	for _, each in ipairs(list) do add_account_wishes(accounts, each.user, each.profile) end
	local rows = ask("account", accounts)
	for index, each in ipairs(list) do
		organizations[index] = organizations_of(each.profile, rows)
		add_team_wishes(teams, each.profile, organizations[index])
	end
	local team_rows, out = ask("team", teams), {}
	for index, each in ipairs(list) do
		out[index] = made_of(each.user, each.profile, organizations[index], teams_of(each.profile, organizations[index], team_rows), rows)
	end
	return out
end

-- Of { { user, profile }, … } (mapping.profile), numbers allotted where there are none; raises as numbers.allot does.
function identity.all_of(list) return complete(list, numbers.allot) end

-- The same of one profile as it would be now, for `tidelock try`: what has no number yet gets none.
function identity.preview(user, profile)
	return complete({ { user = user, profile = profile } }, function(_, wishes) return numbers.look(wishes) end)[1]
end

-- ---- of one person, remembered ----

-- What a script may have seen of somebody, but for the groups.
local function seen(user)
	return table.concat({ user.username, user.name, user.email, tostring(user.email_verified), user.type, user.last_login_at or "",
		tostring(user.active), user.valid_from, next(user.attributes) and json.encode(user.attributes) or "" }, "\n")
end

local function remember(key, user, made)
	if not known[key] then
		if known_count >= REMEMBERED then known, known_count = {}, 0 end
		known_count = known_count + 1
	end
	known[key] = { directory = user.directory, seen = seen(user), identity = made }
	return made
end

-- user: a row of store/users; application: nil for a key that is no application's. Returns { user_id, number, login, name, company,
-- location, bio, created_at, suspended_at or nil, emails = { { email, primary, verified, visibility } }, organizations = { { number,
-- login, name, description, role, created_at } }, teams = { { number, slug, name, description, organization, parent, role, direct,
-- created_at } } }, borrowed by all who ask.
-- A mapping that fails leaves an event and raises temporarily_unavailable: never an empty list, which would take rights away.
function identity.of(user, application, req)
	local tried = req and req.tried
	if tried and tried.user_id == user.id then return tried.identity end
	local key = user.id .. " " .. (mapping.print(application) or { fingerprint = "" }).fingerprint
	local entry = known[key]
	if entry and entry.directory == user.directory and entry.seen == seen(user) then return entry.identity end
	local profile, failure = mapping.profile(users.view(user), application)
	if not profile then
		report_failures({ user = user, application = application, req = req }, { failure })
		err.raise("temporarily_unavailable", nil, { cause = "the GitHub mapping failed" })
	end
	return remember(key, user, identity.all_of { { user = user, profile = profile } }[1])
end

-- The same with numbers for what has none yet, from the end of their range, and the time: endpoints can show it (command/rehearsal).
-- made_up says that there are such.
function identity.rehearsed(user, profile)
	local who, last = identity.preview(user, profile), 2 ^ 31 | 0
	local function complete_one(thing)
		if not thing.number then
			last = last - 1
			thing.number, who.made_up = last, true
		end
		thing.created_at = thing.created_at or time.now()
	end
	complete_one(who)
	for _, list in ipairs { who.organizations, who.teams } do
		for _, each in ipairs(list) do complete_one(each) end
	end
	return who
end

return identity
