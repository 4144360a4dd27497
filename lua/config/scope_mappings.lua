-- config/scope_mappings.lua: scope_mapping "groups" { scope = …, script = … }
local may = require "config/may"
local types = require "config/types"

local scope_mappings = { list = "scope_mappings", script = true }

scope_mappings.schema = {
	scope = types.text { max = 100, pattern = "[^%c%s\"\\\x7f-\xff]+", why = "has characters that scopes cannot have" },
	description = types.text { empty = true },
	script = types.text { max = 1000 },
	may = may,
}

function scope_mappings.label(text)
	if #text > 100 or not utf8.len(text) or text:find("%c") then
		return "a mapping's name has at most 100 characters"
	end
end

function scope_mappings.complete(mapping, report)
	mapping.name = mapping.label
	mapping.scope = mapping.scope or mapping.label
	mapping.description = mapping.description or ""
	if not mapping.script then
		report("script", "script is missing: the file that says what the claim is")
	end
	return mapping
end

return scope_mappings
