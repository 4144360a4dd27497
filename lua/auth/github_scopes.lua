-- auth/github_scopes.lua: GitHub's scopes: which there are, which contains which, and what a person is told of them. Few mean
-- something here; the others are granted and shown since clients insist on having them, and open nothing.
local scope = require "kit/scope"

local github_scopes = {}

-- A scope and those that it contains.
local CONTAINS = {
	user = { "read:user", "user:email", "user:follow" },
	repo = { "repo:status", "repo_deployment", "public_repo", "repo:invite", "security_events" },
	["write:org"] = { "read:org" },
	["write:public_key"] = { "read:public_key" },
	["write:repo_hook"] = { "read:repo_hook" },
	["write:gpg_key"] = { "read:gpg_key" },
	["write:ssh_signing_key"] = { "read:ssh_signing_key" },
	["write:packages"] = { "read:packages" },
	project = { "read:project" },
	codespace = { "codespace:secrets" },
}

-- Those without parts.
local PLAIN = { "gist", "notifications", "workflow", "delete_repo", "delete:packages", "read:audit_log" }

local known = {}
for name, parts in pairs(CONTAINS) do
	known[name] = true
	for _, part in ipairs(parts) do
		known[part] = true
	end
end
for _, name in ipairs(PLAIN) do
	known[name] = true
end

-- All of them, sorted.
github_scopes.ALL = {}
for name in pairs(known) do
	github_scopes.ALL[#github_scopes.ALL + 1] = name
end
table.sort(github_scopes.ALL)

-- Those that no application and no person gets: for the tokens of service accounts alone.
github_scopes.OF_SERVICE_ACCOUNTS = { "admin:org", "admin:public_key", "admin:repo_hook", "admin:org_hook", "admin:gpg_key",
	"admin:ssh_signing_key", "admin:enterprise", "site_admin" }

local TEXTS = {
	[""] = "Know your name and number here",
	user = "Read your profile, your e-mail addresses, your organisations and who is in them",
	["read:user"] = "Read your profile",
	["user:email"] = "Read your e-mail addresses",
	["read:org"] = "Read your organisations and teams, and who is in them",
	["write:org"] = "Read your organisations and teams, and who is in them",
	["read:public_key"] = "Read your public keys",
}

-- GitHub's scope texts are separated by commas as well as spaces. Those that nobody knows are dropped.
local function parse(text)
	local list = {}
	for name in (text or ""):gmatch("[^,%s]+") do
		if known[name] and not scope.has(list, name) then
			list[#list + 1] = name
		end
	end
	return list
end

local function contained(list, name)
	for _, each in ipairs(list) do
		if scope.has(CONTAINS[each] or {}, name) then
			return true
		end
	end
	return false
end

-- Does one of `granted` give `wanted`?
function github_scopes.includes(granted, wanted)
	return scope.has(granted, wanted) or contained(granted, wanted)
end

-- Of applications that use more than they ask for (implied_scopes).
function github_scopes.implied(application)
	return parse(table.concat(application.github.implied_scopes or {}, " "))
end

-- What a request's text asks for, in its order. Those that another one contains are dropped as GitHub does, but for applications that
-- want to read again what they wrote (scope_echo).
function github_scopes.asked(text, application)
	local list, out = scope.union(parse(text), github_scopes.implied(application)), {}
	for _, name in ipairs(list) do
		if application.github.scope_echo or not contained(list, name) then
			out[#out + 1] = name
		end
	end
	return out
end

-- ---- in consents ----

-- What was agreed to on one side says nothing of the other (S16), and an application without scopes is agreed to as well.
local PREFIX = "github:"

function github_scopes.consent(list)
	local out = { PREFIX }
	for index, name in ipairs(list) do
		out[index + 1] = PREFIX .. name
	end
	return out
end

-- The GitHub scopes in a list of what was agreed to.
function github_scopes.consented(list)
	local out = {}
	for _, name in ipairs(list) do
		out[#out + 1] = name:match("^" .. PREFIX .. "(.+)$")
	end
	return out
end

-- What a scope opens, in words; nil when that is nothing.
function github_scopes.opens(name)
	return TEXTS[name]
end

-- What the consent page says, or nil for a scope of another side.
function github_scopes.describe(name)
	local own = name:match("^" .. PREFIX .. "(.*)$")
	return own and (TEXTS[own] or ("%s (has no effect on this server)"):format(own))
end

return github_scopes
