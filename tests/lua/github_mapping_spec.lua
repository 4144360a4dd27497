-- Who somebody is to GitHub's clients: what a script may say.
local github = require "mapping/github"

local function group(name, attributes) return { name = name, pk = 1, uuid = "g-" .. name, attributes = attributes or {} } end

local function person(fields)
	local user = {
		username = "alice", name = "Alice Liddell", email = "alice@example.org", email_verified = true, uid = "u", uuid = "i", pk = 1,
		is_active = true, type = "internal", attributes = {}, groups = {}, all_groups = { group "staff", group("Web Team", { github_id = 77 }) },
	}
	for name, value in pairs(fields or {}) do user[name] = value end
	return user
end

local application = { slug = "grafana", name = "Grafana", client_id = "grafana" }

-- What a script makes of a user; nil and the failure.
local function made_by(source, user)
	assert(github.declare({ { name = "default", script = "github.lua", source = source } }, true))
	local profile, failure = github.profile(user or person(), application)
	assert(github.declare({}))
	return profile, failure
end

local function refused(source, words)
	local profile, failure = made_by(source)
	assert(not profile, "a result that means nothing was taken")
	assert((failure.message or ""):find(words, 1, true), tostring(failure.message) .. " does not say " .. words)
end

return {
	["without a script there is one organisation with a team per group"] = function()
		local profile = github.profile(person(), nil)
		assert(profile.login == "alice" and profile.name == "Alice Liddell" and #profile.organisations == 1)
		local teams = profile.organisations[1].teams
		assert(#teams == 2 and teams[2].slug == "web-team" and teams[2].key == "g-Web Team" and teams[2].id == 77)
		assert(#profile.emails == 1 and profile.emails[1].primary and profile.emails[1].verified)
	end,
	["an address that is not verified is nobody's"] = function()
		assert(#github.profile(person { email_verified = false }, nil).emails == 0)
		assert(#github.profile(person { email = "" }, nil).emails == 0)
		local profile = made_by [[return { emails = { { email = "a@x.org", primary = true }, { email = "b@x.org", verified = true },
			{ email = "c@x.org", verified = "yes" } } }]]
		assert(#profile.emails == 1 and profile.emails[1].email == "b@x.org" and profile.emails[1].primary)
	end,
	["the primary address comes first and is the only one"] = function()
		local profile = made_by [[return { emails = { { email = "a@x.org", verified = true }, { email = "b@x.org", verified = true, primary = true } } }]]
		assert(profile.emails[1].email == "b@x.org" and profile.emails[1].primary and not profile.emails[2].primary)
		refused([[return { emails = { { email = "a@x.org", verified = true, primary = true }, { email = "b@x.org", primary = true } } }]],
			"two that are primary")
	end,
	["teams are nested and whoever is inside is around"] = function()
		local profile = made_by [[return { organisations = { { login = "acme", role = "admin", teams = {
			{ name = "Web", teams = { { name = "Mobile", role = "maintainer" } } } } } } }]]
		local teams = profile.organisations[1].teams
		assert(#teams == 2 and teams[2].parent == teams[1] and teams[2].role == "maintainer" and teams[1].role == "member")
	end,
	["what is misspelt or of another shape fails"] = function()
		refused("return nil", "the result is no table")
		refused("return { organizations = {} }", "organizations")
		refused("return { login = 7 }", "login is no text")
		refused("return { id = 2147483648 }", "no number from 1")
		refused("return { id = 0 }", "no number from 1")
		refused([[return { organisations = { { name = "x" } } }]], "login is missing")
		refused([[return { organisations = { { login = "x", role = "owner" } } }]], "neither")
		refused([[return { organisations = { { login = "x" }, { login = "X" } } }]], "was there before")
		refused([[return { organisations = { { login = "x", teams = { { name = "a" }, { name = "b", key = "a" } } } } }]], "another team")
		refused([[return { emails = { a = 1 } }]], "no list")
		refused([[local t = {} for i = 1, 9 do t = { { name = "t" .. i, teams = t } } end
			return { organisations = { { login = "x", teams = t } } }]], "deep")
	end,
	["a script that fails, or that nobody declared, is a failure and no empty answer"] = function()
		local profile, failure = made_by("return user.nothing.there")
		assert(not profile and failure.what == "GitHub mapping" and failure.script == "github.lua")
		local missing, why = github.profile(person(), { slug = "x", github = { mapping = "gone" } })
		assert(not missing and why.kind == "missing")
	end,
	["a mapping never sees the request"] = function()
		local profile = made_by [[return { name = tostring(request) .. tostring(session) .. tostring(token) }]]
		assert(profile.name == "nilnilnil", profile.name)
	end,
}
