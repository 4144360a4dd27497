-- config/references.lua: what objects say of each other. report(object, field, message).
local nearest = require "config/nearest"
local source_references = require "config/source_references"

-- Scopes that work without a declared mapping, and those that open something beyond claims (S20).
local BUILT_IN = {}
for name in ([[openid email profile groups entitlements offline_access goauthentik.io/api user user:email read:user read:org
	write:org admin:org repo public_repo gist workflow]]):gmatch("%S+") do
	BUILT_IN[name] = true
end

local function by_label(list)
	local out = {}
	for _, object in ipairs(list) do
		out[object.label] = object
	end
	return out
end

local function dangling(object, field, names, known, what, report)
	for _, name in ipairs(names or {}) do
		if not known[name] then
			local near = nearest(name, known)
			report(object, field, ("%s names %s \"%s\", which is not declared%s"):format(field, what, name,
				near and (", did you mean \"%s\"?"):format(near) or ""))
		end
	end
end

-- A group is not its own ancestor.
local function check_cycles(list, groups, report)
	local state = {}
	local function visit(group)
		if state[group] == "open" then
			return true
		end
		if state[group] then
			return false
		end
		state[group] = "open"
		for _, name in ipairs(group.parents) do
			if groups[name] and visit(groups[name]) then
				state[group] = "done"
				report(group, "parents", ("the group \"%s\" is among its own ancestors"):format(group.label))
				return false
			end
		end
		state[group] = "done"
		return false
	end
	for _, group in ipairs(list) do
		visit(group)
	end
end

local function check_application(a, all, report)
	dangling(a, "scopes", a.scopes, all.scopes, "the scope", report)
	dangling(a, "policies", a.policies, all.policies, "the policy", report)
	dangling(a, "sources", a.sources, all.sources, "the source", report)
	dangling(a, "federated", a.federated, all.applications, "the application", report)
	dangling(a, "conversion_rules", { a.conversion_rules }, all.conversion_rules, "the rules", report)
	if a.github then
		dangling(a, "github", { a.github.mapping }, all.github_mappings, "the GitHub mapping", report)
		dangling(a, "github", { a.github.host }, all.hosts, "the host", report)
	end
	local other = all.client_ids[a.client_id]
	if other then
		report(a, "client_id", ("client_id \"%s\" is the application \"%s\"'s already"):format(a.client_id, other.label))
	end
	all.client_ids[a.client_id] = a
end

-- S21: a token for one application must not be good at another.
local function check_audiences(list, client_ids, report)
	for _, a in ipairs(list) do
		for _, audience in ipairs(a.audiences) do
			local other = client_ids[audience]
			if other and other ~= a then
				report(a, "audiences", ("audiences names the client_id of the application \"%s\""):format(other.label))
			end
		end
	end
end

-- There is one global issuer, and it ends one way.
local function check_global_issuer(list, report)
	local first
	for _, a in ipairs(list) do
		if a.issuer_mode == "global" then
			first = first or a
			if a.issuer_slash ~= first.issuer_slash then
				report(a, "issuer_slash", ("issuer_slash differs from the application \"%s\"'s, which shares the global issuer")
					:format(first.label))
			end
		end
	end
end

-- What one certificate of our own can name, with public_url and loopback.
local MOST_HOSTS = 30

-- S17: each name is one thing.
local function check_github_hosts(data, hosts, report)
	if #data.github_hosts > MOST_HOSTS and not data.settings.tls then
		report(data.github_hosts[MOST_HOSTS + 1], nil, ("more than %d hosts need a certificate of yours: tls"):format(MOST_HOSTS))
	end
	local public = (data.settings.public_url or ""):lower():match("^%a+://([^:/]+)")
	for _, host in ipairs(data.github_hosts) do
		local api = "api." .. host.label
		if hosts[api] then
			report(hosts[api], nil, ("this is the api. name of the github_host \"%s\" already"):format(host.label))
		elseif api == public then
			report(host, nil, "its api. name is public_url's host")
		end
	end
end

return function(data, report)
	local groups = by_label(data.groups)
	local all = {
		scopes = {}, policies = by_label(data.policies), applications = by_label(data.applications),
		hosts = by_label(data.github_hosts), github_mappings = by_label(data.github_mappings), client_ids = {},
		conversion_rules = by_label(data.conversion_rules),
	}
	all.sources = source_references.check(data, dangling, report)
	for name in pairs(BUILT_IN) do
		all.scopes[name] = true
	end
	for _, mapping in ipairs(data.scope_mappings) do
		all.scopes[mapping.scope] = true
	end
	for _, user in ipairs(data.users) do
		dangling(user, "groups", user.groups, groups, "the group", report)
	end
	for _, group in ipairs(data.groups) do
		dangling(group, "parents", group.parents, groups, "the group", report)
	end
	check_cycles(data.groups, groups, report)
	check_github_hosts(data, all.hosts, report)
	for _, application in ipairs(data.applications) do
		check_application(application, all, report)
	end
	for _, list in ipairs { data.policies, data.scope_mappings, data.source_mappings } do
		for _, script in ipairs(list) do
			dangling(script, "tokens_for", script.may and script.may.tokens_for, all.applications, "the application", report)
		end
	end
	check_audiences(data.applications, all.client_ids, report)
	check_global_issuer(data.applications, report)
end
