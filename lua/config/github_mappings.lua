-- config/github_mappings.lua: github_mapping "default" { script = "mappings/github.lua" }. It has no `may`: what it says of a person
-- is remembered until the person or a group changes, so it can depend on nothing else.
local types = require "config/types"

local github_mappings = { list = "github_mappings", script = true }

github_mappings.schema = { script = types.text { max = 1000 } }

function github_mappings.label(text)
	if #text > 100 or not utf8.len(text) or text:find("%c") then
		return "a GitHub mapping's name has at most 100 characters"
	end
end

function github_mappings.complete(mapping, report)
	mapping.name = mapping.label
	if not mapping.script then
		report("script", "script is missing: the file that says who somebody is to GitHub's clients")
	end
	return mapping
end

return github_mappings
