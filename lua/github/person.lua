-- github/person.lua: GitHub's REST interface below /user: the person whose token asks.
local answer   = require "github/answer"
local endpoint = require "github/endpoint"
local err      = require "kit/err"
local objects  = require "github/objects"
local scope    = require "kit/scope"
local sight    = require "github/sight"

local person = {}

local EMAILS = { "user", "user:email" }
local PROFILE = { "user", "user:email", "read:user" }
local KEYS = { "admin:public_key", "read:public_key", "user", "write:public_key", "admin:gpg_key", "read:gpg_key", "write:gpg_key" }

person.user = endpoint.of(function(req, _, view)
	local me, scopes = view.me, view.scopes
	local primary = endpoint.one_of(scopes, PROFILE) and me.emails[1] and me.emails[1].email or nil
	local out = (scope.has(scopes, "user") and objects.private_user or objects.user)(req.github.links, me, primary)
	out.user_view_type, out.site_admin = "private", scope.has(scopes, "site_admin")
	return answer.json(req, out)
end, {})

person.emails = endpoint.of(function(req, at, view)
	return answer.page(req, at, view.me.emails, objects.email)
end, { scopes = EMAILS })

-- Those that he shows to everybody.
person.public_emails = endpoint.of(function(req, at, view)
	local shown = {}
	for _, each in ipairs(view.me.emails) do
		if each.visibility == "public" then shown[#shown + 1] = each end
	end
	return answer.page(req, at, shown, objects.email)
end, { scopes = EMAILS })

person.organizations = endpoint.of(function(req, at, view)
	return answer.page(req, at, view.me.organizations, objects.simple_organization)
end, { scopes = sight.ORGANIZATIONS, forbidden = "list your organizations." })

person.teams = endpoint.of(function(req, at, view)
	local counts
	return answer.page(req, at, function(options)
		local list, total = answer.slice(view.me.teams, options)
		counts = sight.counts(view, list)
		return list, total
	end, function(links, team) return objects.team(links, team, counts[team.number]) end)
end, { scopes = sight.ORGANIZATIONS, forbidden = "list your teams." })

-- Nobody is invited here: all memberships are active.
person.memberships = endpoint.of(function(req, at, view)
	local pending = (req.query or ""):find("state=pending", 1, true)
	return answer.page(req, at, pending and {} or view.me.organizations, function(links, each)
		return objects.membership(links, each, view.me)
	end)
end, { scopes = sight.ORGANIZATIONS, forbidden = "list your memberships." })

person.membership = endpoint.of_organizations(function(req, at, view)
	for _, each in ipairs(view.me.organizations) do
		if each.login:lower() == at[1] then return answer.json(req, objects.membership(req.github.links, each, view.me)) end
	end
	endpoint.not_found()
end)

-- Nobody keeps keys here.
person.keys = endpoint.of(function(req, at) return answer.page(req, at, {}) end, { scopes = KEYS })
person.keys.POST = endpoint.of(function()
	err.raise("forbidden", nil, { status = 403, message = "This server keeps no keys." })
end, { scopes = KEYS }).GET

-- Repositories, stars and the like, which this is not about: clients ask for them on the way and want a list.
person.nothing = endpoint.of(function(req, at) return answer.page(req, at, {}) end, {})
person.installations = endpoint.of(function(req, at)
	return answer.page(req, at, {}, nil, function(list) return { total_count = 0, installations = list } end)
end, {})

return person
