-- github/profile.lua: the pages that html_url names: of a person, an organisation, a team. Clients show them as links and keep them as
-- names of groups; whoever follows one sees who that is, as far as the mapping lets him see it, and nothing when he is not signed in.
local err     = require "kit/err"
local pages   = require "pages/pages"
local request = require "auth/request"
local session = require "auth/session"
local sight   = require "github/sight"

local profile = {}

-- More than that is no page to look at; the interface has pages.
local MOST = 100
-- What a person may see here: as a token of his with these scopes.
local SCOPES = { "read:org", "read:user" }

local function view_of(req, current) return sight.of({ user = current.user, scopes = SCOPES }, req) end

local function link_of(thing)
	if not thing.organization then return "/" .. url.encode(thing.login) end
	return ("/orgs/%s/teams/%s"):format(url.encode(thing.organization.login), url.encode(thing.slug))
end

local function list_of(title, things)
	local items = {}
	for index, thing in ipairs(things) do
		items[index] = { link = link_of(thing), name = thing.name or thing.login, word = thing.slug or thing.login }
	end
	return { title = title, items = items }
end

local function show(req, values)
	values.request_id = req.id
	return pages.profile(values)
end

local function of_person(req, view, person)
	return show(req, {
		heading = person.name or person.login, word = person.login, picture = ("/avatars/u/%d"):format(person.number),
		text = person.bio, lists = { list_of("Organisations", sight.organizations(view, person)) },
	})
end

local function of_organization(req, view, organization)
	local teams = sight.teams(view, organization, { offset = 0, limit = MOST })
	return show(req, {
		heading = organization.name or organization.login, word = organization.login, text = organization.description,
		picture = ("/avatars/u/%d"):format(organization.number), lists = { list_of("Teams", teams) },
	})
end

-- People and organisations share their names.
local account = { kind = "page" }

function account.GET(req, at)
	local current = err.need(session.current(req), "page_not_found")
	local view = view_of(req, current)
	local person = sight.user(view, at[1])
	if person then return of_person(req, view, person) end
	return of_organization(req, view, err.need(sight.organization(view, at[1]), "page_not_found"))
end

-- A word that is nobody's takes nothing.
function account.POST() err.raise("page_not_found") end

local team = { kind = "page" }

function team.GET(req, at)
	local current = session.current(req)
	if not current then return request.sign_in(req, at.path, "to see a team") end
	local view = view_of(req, current)
	local organization = err.need(sight.organization(view, at[1]), "page_not_found")
	local found = err.need(sight.team(view, organization, at[2]), "page_not_found")
	local members = sight.team_members(view, found, { offset = 0, limit = MOST, membership = "all" })
	return show(req, {
		heading = found.name, word = found.organization.login .. "/" .. found.slug, text = found.description,
		lists = { list_of("Organisation", { found.organization }), list_of("Members", members) },
	})
end

-- The page of a path and what the path names, or nil.
function profile.find(path)
	local login, slug = path:match("^/orgs/(%w[%w%-]*)/teams/([%w%-_.]+)$")
	if login then return team, { path = path, login, slug } end
	login = path:match("^/(%w[%w%-]*)$")
	if login and #login <= 39 then return account, { path = path, login } end
end

return profile
