-- github/sight.lua: what a token may see of people, organisations and teams: its person, and what the mapping of its application gives
-- him. Everything else is nil, as if it were not there; what cannot be known now raises temporarily_unavailable, since an answer that
-- leaves somebody out takes rights away.
--
-- A view is what one token sees: { me = identity (github/identity) or nil, live = the token (auth/github_tokens) or nil, req,
-- everyone = bool, scopes = list }. Organisations and teams are as in an identity; names may be asked for in any case. Lists come in
-- pages: { offset, limit } of an options table, and the number of all.
local identity = require "github/identity"
local scope    = require "kit/scope"

local sight = {}

-- Of these a token needs one to see organisations, teams and whom he shares them with.
sight.ORGANIZATIONS = { "admin:org", "read:org", "repo", "user", "write:org" }

-- live: of auth/github_tokens.live, nil for nobody.
function sight.of(live, req)
	local me = live and identity.of(live.user, live.application, req) or nil
	return { me = me, live = live, req = req, everyone = false, scopes = live and live.scopes or {} }
end

-- May the token see organisations at all?
function sight.reads_organizations(view)
	for _, name in ipairs(sight.ORGANIZATIONS) do
		if scope.has(view.scopes, name) then return true end
	end
	return false
end

local function page_of(list, options)
	local first = (options.offset or 0) + 1
	return table.move(list, first, math.min(#list, first + (options.limit or #list) - 1), 1, {}), #list
end

local function is(name, wanted) return name:lower() == wanted:lower() end

-- ---- organisations ----

-- Those of a person that the token sees.
function sight.organizations(view, person)
	return sight.reads_organizations(view) and person == view.me and person.organizations or {}
end

local function organization_where(view, fits)
	for _, each in ipairs(view.me and sight.organizations(view, view.me) or {}) do
		if fits(each) then return each end
	end
end

function sight.organization(view, login)
	return organization_where(view, function(each) return is(each.login, login) end)
end

function sight.organization_numbered(view, number)
	return organization_where(view, function(each) return each.number == number end)
end

-- ---- people ----

function sight.user(view, login)
	return view.me and is(view.me.login, login) and view.me or nil
end

-- People and organisations have their numbers from one sequence: "user" and an identity, "organization" and one, or nil.
function sight.account(view, number)
	if view.me and view.me.number == number then return "user", view.me end
	local organization = sight.organization_numbered(view, number)
	if organization then return "organization", organization end
end

-- options: offset, limit, role = "admin" or "member" or nil. Identities and how many there are.
function sight.members(view, organization, options)
	local mine = sight.organization_numbered(view, organization.number)
	local fits = mine and (not options.role or options.role == mine.role)
	return page_of(fits and { view.me } or {}, options)
end

-- What a person is in an organisation or a team: { role, identity }, or nil.
function sight.membership(view, place, login)
	local person = sight.user(view, login)
	local list = person and (place.organization and person.teams or sight.organizations(view, person)) or {}
	for _, each in ipairs(list) do
		if each.number == place.number then return { role = each.role, identity = person } end
	end
end

-- ---- teams ----

local function teams_where(view, fits)
	local out = {}
	for _, each in ipairs(view.me and sight.reads_organizations(view) and view.me.teams or {}) do
		if fits(each) then out[#out + 1] = each end
	end
	return out
end

function sight.team(view, organization, slug)
	return teams_where(view, function(each) return each.organization.number == organization.number and is(each.slug, slug) end)[1]
end

function sight.team_numbered(view, number)
	return teams_where(view, function(each) return each.number == number end)[1]
end

-- options: offset, limit, parent = the team that they are directly inside of, user_logins = only those that one of these is in, query =
-- a part of the name.
function sight.teams(view, organization, options)
	local wanted = options.query and options.query:lower()
	local mine = not options.user_logins
	for _, login in ipairs(options.user_logins or {}) do mine = mine or view.me and is(view.me.login, login) end
	return page_of(teams_where(view, function(each)
		return mine and each.organization.number == organization.number
			and (not options.parent or each.parent and each.parent.number == options.parent.number)
			and (not wanted or each.slug:find(wanted, 1, true) or each.name:lower():find(wanted, 1, true))
	end), options)
end

-- options: offset, limit, role = "maintainer" or "member" or nil, membership = "all" (nil), "immediate" or "child_team".
function sight.team_members(view, team, options)
	local mine = sight.team_numbered(view, team.number)
	local fits = mine and (not options.role or options.role == mine.role) and options.membership ~= "child_team"
	return page_of(fits and { view.me } or {}, options)
end

-- ---- search ----

-- options: text = part of a login or a name, kind = "user" or "organization" or nil for both, offset, limit. A list of
-- { kind, thing } and how many there are.
function sight.search(view, options)
	local found, text = {}, options.text:lower()
	local function look(kind, thing)
		if (options.kind or kind) ~= kind then return end
		if thing.login:lower():find(text, 1, true) or (thing.name or ""):lower():find(text, 1, true) then
			found[#found + 1] = { kind = kind, thing = thing }
		end
	end
	if view.me then look("user", view.me) end
	for _, each in ipairs(view.me and sight.organizations(view, view.me) or {}) do look("organization", each) end
	return page_of(found, options)
end

return sight
