-- config/source_references.lua: what sources, pools and the identities of people say of each other. report(object, field, message).
local kinds = require "config/source_kinds"

local source_references = {}

-- The pool that each declared source is in, by its name: a declared one, else its own (S26).
function source_references.pools(data)
	local out = {}
	for _, source in ipairs(data.sources or {}) do out[source.label] = "source:" .. source.label end
	for _, pool in ipairs(data.subject_pools or {}) do
		for _, name in ipairs(pool.sources) do out[name] = "pool:" .. pool.label end
	end
	return out
end

local function check_pools(data, known, dangling, report)
	local taken = {}
	for _, pool in ipairs(data.subject_pools) do
		dangling(pool, "sources", pool.sources, known, "the source", report)
		for _, name in ipairs(pool.sources) do
			if taken[name] then
				report(pool, "sources", ("the source \"%s\" is in the pool \"%s\" already"):format(name, taken[name]))
			end
			taken[name] = pool.label
		end
	end
end

-- One identity is { source = "google", subject = "1234" }, or username = "…" until its owner comes the first time.
local function wrong_identity(each)
	if type(each) ~= "table" or type(each.source) ~= "string" then
		return "an identity is like { source = \"google\", subject = \"…\" }"
	end
	for name, value in pairs(each) do
		if name ~= "source" and name ~= "subject" and name ~= "username" then
			return ("an identity has source and subject or username, not \"%s\""):format(tostring(name))
		end
		if type(value) ~= "string" or value == "" or #value > 255 or value:find("%c") then
			return ("the %s of an identity is a text of at most 255 bytes"):format(name)
		end
	end
	if (each.subject ~= nil) == (each.username ~= nil) then
		return "an identity has either subject or username"
	end
end

local function check_identities(data, known, dangling, report)
	local pools, taken = source_references.pools(data), {}
	for _, user in ipairs(data.users) do
		for _, each in ipairs(user.identities or {}) do
			local why = wrong_identity(each)
			if why then
				report(user, "identities", why)
			elseif not known[each.source] then
				dangling(user, "identities", { each.source }, known, "the source", report)
			else
				local subject, problem
				if each.subject then subject, problem = kinds.subject(known[each.source], each.subject) end
				if problem then report(user, "identities", problem) end
				each.subject = subject or each.subject
				local key = ("%s\0%s\0%s"):format(pools[each.source], each.subject and "s" or "u", each.subject or each.username)
				if taken[key] then
					report(user, "identities", ("this identity at \"%s\" is the user \"%s\"'s already"):format(each.source, taken[key]))
				end
				taken[key] = user.label
			end
		end
	end
end

-- dangling is references' own.
function source_references.check(data, dangling, report)
	local known, mappings, conversion_rules = {}, {}, {}
	for _, source in ipairs(data.sources) do known[source.label] = source end
	for _, mapping in ipairs(data.source_mappings) do mappings[mapping.label] = mapping end
	for _, rules in ipairs(data.conversion_rules) do conversion_rules[rules.label] = rules end
	for _, source in ipairs(data.sources) do
		dangling(source, "mappings", source.mappings, mappings, "the source mapping", report)
		dangling(source, "conversion_rules", { source.conversion_rules }, conversion_rules, "the rules", report)
		if source.adapter == "basic" and not data.settings.allow_test_sources then
			report(source, "kind", "a source for testing, which believes everybody, needs allow_test_sources = true")
		end
	end
	check_pools(data, known, dangling, report)
	check_identities(data, known, dangling, report)
	return known
end

return source_references
