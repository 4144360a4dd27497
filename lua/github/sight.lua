-- github/sight.lua: what a token may see of people, organisations and teams: its person, what the mapping of its application gives him,
-- and whom he shares an organisation with. Other people need a token of a service account that holds read_directory. Everything else is
-- nil, as if it were not there; what cannot be known now raises temporarily_unavailable, since an answer that leaves somebody out takes
-- rights away.
--
-- A view is what one token sees: { me = identity (github/identity) or nil, live = the token (auth/github_tokens) or nil, req,
-- everyone = bool, scopes = list }. Organisations and teams are as in an identity; names may be asked for in any case. Of others than me
-- an identity has in `emails` only what they show to everybody, organizations are for sight.organizations to tell, and in a list `role`
-- is that in what was listed. Lists come in pages, { offset, limit } of an options table, with the number of all.
local conf     = require "kit/conf"
local err      = require "kit/err"
local from     = require "github/index_rows"
local identity = require "github/identity"
local index    = require "github/index"
local permissions = require "auth/permissions"
local places   = require "store/github_places"
local scope    = require "kit/scope"
local store    = require "store/github"
local users    = require "store/users"

local sight = {}

-- Of these a token needs one to see organisations, teams and whom he shares them with. Not repo, which opens them at GitHub: here it is
-- granted to whoever insists on it, and people are told that it opens nothing.
sight.ORGANIZATIONS = { "admin:org", "read:org", "user", "write:org" }

-- live: of auth/github_tokens.live, nil for nobody.
function sight.of(live, req)
	local user = live and live.user
	return {
		me = live and identity.of(user, live.application, req) or nil, live = live, req = req, scopes = live and live.scopes or {},
		everyone = live ~= nil and users.is_service(user) and permissions.has(user, "read_directory"),
	}
end

-- May the token see organisations at all?
function sight.reads_organizations(view)
	for _, name in ipairs(sight.ORGANIZATIONS) do
		if scope.has(view.scopes, name) then return true end
	end
	return false
end

-- ---- from the index ----

local function application_of(view) return view.live and view.live.application or nil end
local function lens_of(view) return index.whole(application_of(view)) end
-- `tidelock try` looks as its person alone: nothing is written for it, and so the index is not asked (command/rehearsal).
local function rehearsed(view) return view.req ~= nil and view.req.tried ~= nil end

-- What is looked up by name or number: it is there whoever the mapping fails for; that it is not there is known of all or of none.
local function place_of(view, look, ...)
	if rehearsed(view) then return nil end
	local found = index.of(application_of(view))
	local row = look(found.number, ...)
	if row or found.failed == 0 then return row end
	return err.raise("temporarily_unavailable", nil, { cause = "the GitHub mapping failed for somebody" })
end

-- ---- people ----

local function is(name, wanted) return name:lower() == wanted:lower() end

local function shares(view, person)
	local mine = {}
	for _, each in ipairs(view.me and view.me.organizations or {}) do mine[each.number] = true end
	for _, each in ipairs(person.organizations) do
		if mine[each.number] then return true end
	end
	return false
end

-- Whom the mapping fails for is seen as before; where nothing is known of him nobody can say who sees him.
local function complete(view, user)
	local ok, made = pcall(identity.of, user, application_of(view), view.req)
	if ok then return made end
	if view.everyone or not err.is(made) then error(made, 0) end
	local found = index.of(application_of(view))
	if places.in_one_of(found.number, user.id, view.me.organizations) == false then return nil end
	error(made, 0)
end

local function others_emails(person)
	local out = {}
	for _, each in ipairs(person.emails) do
		if each.visibility == "public" then out[#out + 1] = each end
	end
	return out
end

-- The identity of a row of store/users, as far as the token sees it.
local function seen(view, user)
	if not user then return nil end
	if view.live and view.live.user.id == user.id then return view.me end
	if user.type == "internal_service_account" or not (view.everyone or user.active) then return nil end
	local person = complete(view, user)
	if not person or not (view.everyone or shares(view, person)) then return nil end
	return setmetatable({ emails = others_emails(person) }, { __index = person })
end

-- Who is in nothing shares it with nobody.
local function sees_others(view) return view.everyone or sight.reads_organizations(view) and #view.me.organizations > 0 end

local function holder(login)
	local found = store.holder(login:lower())
	return found and found.kind == "user" and users.by_id(found.key) or nil
end

local function visible(view, login)
	local person = seen(view, holder(login))
	return person and is(person.login, login) and person or nil
end

-- Somebody new, or under a new name, has it as soon as he is in the index. As long as somebody's name is not known, nobody knows that
-- this one is nobody's; and it looks the same when it is that of somebody who is not to be seen.
function sight.user(view, login)
	if view.me and is(view.me.login, login) then return view.me end
	if not view.me or not sees_others(view) then return nil end
	local person = visible(view, login)
	if person or rehearsed(view) then return person end
	if index.of(application_of(view)).nameless == 0 then return visible(view, login) end
	return err.raise("temporarily_unavailable", nil, { cause = "the GitHub mapping failed for somebody whose name is not known" })
end

local function user_numbered(view, number)
	if view.me and view.me.number == number then return view.me end
	local found = view.me and sees_others(view) and store.of_number("account", number)
	return found and found.kind == "user" and seen(view, users.by_id(found.key)) or nil
end

-- ---- organisations ----

-- Those of a person that the token sees.
function sight.organizations(view, person)
	if not sight.reads_organizations(view) then return {} end
	local list = person.organizations
	if not list then list = (seen(view, users.by_id(person.user_id)) or { organizations = {} }).organizations end
	if person == view.me or view.everyone then return list end
	local out = {}
	for _, each in ipairs(list) do
		if sight.organization_numbered(view, each.number) then out[#out + 1] = each end
	end
	return out
end

local function mine_where(view, fits)
	for _, each in ipairs(view.me and sight.reads_organizations(view) and view.me.organizations or {}) do
		if fits(each) then return each end
	end
end

function sight.organization(view, login)
	local mine = mine_where(view, function(each) return is(each.login, login) end)
	if mine or not (view.everyone and sight.reads_organizations(view)) then return mine end
	return from.organization(place_of(view, places.named, "organization", 0, login:lower()))
end

function sight.organization_numbered(view, number)
	local mine = mine_where(view, function(each) return each.number == number end)
	if mine or not (view.everyone and sight.reads_organizations(view)) then return mine end
	return from.organization(place_of(view, places.numbered, "organization", number))
end

-- What an owner shows of organisations to anybody: that one is there, and its number.
function sight.open() return conf.settings().github_anonymous_organizations or false end

function sight.open_organization(view, login)
	if not sight.open() then return nil end
	for _, each in ipairs(rehearsed(view) and view.req.tried.identity.organizations or {}) do
		if is(each.login, login) then return each end
	end
	return from.organization(place_of(view, places.named, "organization", 0, login:lower()))
end

-- People and organisations have their numbers from one sequence: "user" and an identity, "organization" and one, or nil.
function sight.account(view, number)
	local person = user_numbered(view, number)
	if person then return "user", person end
	local organization = sight.organization_numbered(view, number)
	if organization then return "organization", organization end
end

local function page_of(list, options)
	return table.move(list, options.offset + 1, math.min(#list, options.offset + options.limit), 1, {}), #list
end

local function members(view, kind, number, options)
	if rehearsed(view) then return page_of({ view.me }, options) end
	local lens = lens_of(view)
	local place = places.numbered(lens, kind, number)
	if not place then return {}, 0 end
	local list, count = places.members(lens, kind, number, place.members, options)
	return from.all(list, from.person), count
end

-- options: offset, limit, role = "admin" or "member" or nil. Identities and how many there are.
function sight.members(view, organization, options) return members(view, "organization", organization.number, options) end

-- What a person is in an organisation or a team: { role, identity }, or nil.
function sight.membership(view, place, login)
	local person = sight.user(view, login)
	for _, each in ipairs(person and (place.organization and person.teams or person.organizations) or {}) do
		if each.number == place.number then return { role = each.role, identity = person } end
	end
end

-- ---- teams: those of an organisation that one is in ----

local function my_team(view, fits)
	for _, each in ipairs(view.me and sight.reads_organizations(view) and view.me.teams or {}) do
		if fits(each) then return each end
	end
end

function sight.team(view, organization, slug)
	return my_team(view, function(each) return each.organization.number == organization.number and is(each.slug, slug) end)
		or from.team(place_of(view, places.named, "team", organization.number, slug:lower()))
end

function sight.team_numbered(view, number)
	local mine = my_team(view, function(each) return each.number == number end)
	if mine or not view.me or not sight.reads_organizations(view) then return mine end
	local team = from.team(place_of(view, places.numbered, "team", number))
	return team and sight.organization_numbered(view, team.organization.number) and team or nil
end

local function numbers_of(view, logins)
	local out = {}
	for _, login in ipairs(logins) do
		local person = sight.user(view, login)
		out[#out + 1] = person and person.number
	end
	return out
end

-- options: offset, limit, parent = the team that they are directly inside of, below = one that they are inside of, root = only those in
-- none, user_logins = only those that one of these is in, query = a part of the name.
function sight.teams(view, organization, options)
	local people = options.user_logins and numbers_of(view, options.user_logins)
	if people and #people == 0 then return {}, 0 end
	if rehearsed(view) then
		local mine = {}
		for _, each in ipairs(view.me.teams) do mine[#mine + 1] = each.organization.number == organization.number and each or nil end
		return page_of(mine, options)
	end
	local list, count = places.teams(lens_of(view), organization.number, { offset = options.offset, limit = options.limit,
		parent = options.parent and options.parent.number, below = options.below and options.below.number, root = options.root,
		query = options.query, people = people })
	return from.all(list, from.team), count
end

-- options: offset, limit, role = "maintainer" or "member" or nil, membership = "all" (nil), "immediate" or "child_team".
function sight.team_members(view, team, options)
	local direct
	if options.membership == "immediate" then direct = true elseif options.membership == "child_team" then direct = false end
	return members(view, "team", team.number, { offset = options.offset, limit = options.limit, role = options.role, direct = direct })
end

-- { number = how many are in it } of a list of teams. Nobody is kept from signing in while others are counted.
function sight.counts(view, teams)
	local numbers = {}
	for position, team in ipairs(teams) do numbers[position] = team.number end
	return #numbers > 0 and not rehearsed(view) and places.counts(index.soon(application_of(view)), numbers) or {}
end

-- ---- search ----

-- options: text = part of a login or a name, login_only = of a login, kind = "user" or "organization" or nil for both, organization =
-- the one that people are to be in, offset, limit. A list of { kind, thing } and how many there are.
function sight.search(view, options)
	local mine = {}
	for _, each in ipairs(view.me and sight.organizations(view, view.me) or {}) do mine[#mine + 1] = each.number end
	if rehearsed(view) then return {}, 0 end
	local lens, found, total = lens_of(view), {}, 0
	local function look(kind, ask, made)
		if (options.kind or kind) ~= kind then return end
		local list, count = ask(lens, { text = options.text, login_only = options.login_only, me = view.me and view.me.number,
			organizations = not view.everyone and mine or nil, of = options.organization and options.organization.number,
			offset = math.max(0, options.offset - total), limit = math.max(0, options.limit - #found) })
		for _, row in ipairs(list) do found[#found + 1] = { kind = kind, thing = made(row) } end
		total = total + count
	end
	look("user", places.people_with, from.person)
	if not options.organization and sight.reads_organizations(view) then
		look("organization", places.organizations_with, from.organization)
	end
	return found, total
end

return sight
