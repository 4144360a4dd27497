-- config/source_mappings.lua: source_mapping "entra" { script = "mappings/entra.lua" }: who somebody from a source is here. With of =
-- "group" it is asked for each group that the source names.
local may = require "config/may"
local types = require "config/types"

local source_mappings = { list = "source_mappings", script = true }

source_mappings.schema = { script = types.text { max = 1000 }, of = types.one_of("user", "group"), may = may }

function source_mappings.label(text)
	if #text > 100 or not utf8.len(text) or text:find("%c") then
		return "a source mapping's name has at most 100 characters"
	end
end

function source_mappings.complete(mapping, report)
	mapping.name, mapping.of = mapping.label, mapping.of or "user"
	if not mapping.script then
		report("script", "script is missing: the file that says who somebody is")
	end
	return mapping
end

return source_mappings
