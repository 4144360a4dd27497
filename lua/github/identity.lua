-- github/identity.lua: who somebody is to GitHub's clients: what the mapping says (mapping/github), with numbers and names that last
-- (github/numbers). Remembered under the version of the directory, so that a change of groups reaches the next answer.
local err     = require "kit/err"
local mapping = require "mapping/github"
local numbers = require "github/numbers"
local report_failures = require "auth/failures"
local users   = require "store/users"

local identity = {}

-- A script may look at the clock: what it said is believed this long.
local AGE = 60
local REMEMBERED = 500
local known, known_count = {}, 0

-- Where there is no row yet.
local NOBODY = { names = {} }

local function team_key(organization, team) return organization.number .. " " .. team.key end

-- What numbers.allot is to know of a profile: of the person and the organisations, and, once those have numbers, of the teams.
local function account_wishes(user, profile)
	local wishes = { { kind = "user", key = user.id, wanted = profile.login, id = profile.id } }
	for index, each in ipairs(profile.organisations) do
		wishes[index + 1] = { kind = "organization", key = each.key, wanted = each.login, id = each.id }
	end
	return wishes
end

local function team_wishes(profile, organizations)
	local wishes = {}
	for index, organization in ipairs(organizations) do
		for _, team in ipairs(organization.number and profile.organisations[index].teams or {}) do
			wishes[#wishes + 1] = { kind = "team", key = team_key(organization, team), wanted = team.slug, base = team.slug, id = team.id,
				below = organization.number .. "/" }
		end
	end
	return wishes
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
				organization = organization, parent = made[team.parent], role = role, created_at = row.created_at }
			out[#out + 1] = made[team]
		end
	end
	return out
end

local function made_of(user, profile, rows, teams)
	local row = (rows.user or {})[user.id] or NOBODY
	return {
		number = row.number, login = row.names[profile.login] or profile.login, name = profile.name, company = profile.company,
		location = profile.location, bio = profile.bio, created_at = user.created_at, emails = profile.emails, teams = teams,
	}
end

-- Looks with `ask` at the rows of a profile: numbers.allot, or a look that changes nothing.
local function complete(user, profile, ask)
	local rows = ask("account", account_wishes(user, profile))
	local organizations = organizations_of(profile, rows)
	local teams = teams_of(profile, organizations, ask("team", team_wishes(profile, organizations)))
	local out = made_of(user, profile, rows, teams)
	out.organizations = organizations
	return out
end

-- What a script may have seen of somebody, but for the groups.
local function seen(user)
	return table.concat({ user.username, user.name, user.email, tostring(user.email_verified), user.type, user.last_login_at or "",
		next(user.attributes) and json.encode(user.attributes) or "" }, "\n")
end

local function remember(key, user, made)
	if not known[key] then
		if known_count >= REMEMBERED then known, known_count = {}, 0 end
		known_count = known_count + 1
	end
	known[key] = { directory = user.directory, seen = seen(user), until_ = time.mono() + AGE, identity = made }
	return made
end

-- user: a row of store/users; application: nil for a key that is no application's. Returns { number, login, name, company, location, bio,
-- created_at, emails = { { email, primary, verified, visibility } }, organizations = { { number, login, name, description, role,
-- created_at } }, teams = { { number, slug, name, description, organization, parent, role, created_at } } }, borrowed by all who ask.
-- A mapping that fails leaves an event and raises temporarily_unavailable: never an empty list, which would take rights away.
function identity.of(user, application, req)
	local tried = req and req.tried
	if tried and tried.user_id == user.id then return tried.identity end
	local key = user.id .. " " .. (application and application.id .. " " .. ((application.github or {}).mapping or "") or "")
	local entry = known[key]
	if entry and entry.directory == user.directory and entry.until_ > time.mono() and entry.seen == seen(user) then
		return entry.identity
	end
	local profile, failure = mapping.profile(users.view(user), application)
	if not profile then
		report_failures({ user = user, application = application, req = req }, { failure })
		err.raise("temporarily_unavailable", nil, { cause = "the GitHub mapping failed" })
	end
	return remember(key, user, complete(user, profile, numbers.allot))
end

-- The same of a profile as it would be now, for `tidelock try`: what has no number yet gets none.
function identity.preview(user, profile)
	return complete(user, profile, function(_, wishes) return numbers.look(wishes) end)
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
