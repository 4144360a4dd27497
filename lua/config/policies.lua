-- config/policies.lua: policy "staff" { script = "policies/staff.lua", may = { … } }
local may = require "config/may"
local types = require "config/types"

local policies = { list = "policies", script = true }

policies.schema = { script = types.text { max = 1000 }, may = may }

function policies.label(text)
	if #text > 100 or not utf8.len(text) or text:find("%c") then
		return "a policy's name has at most 100 characters"
	end
end

function policies.complete(policy, report)
	policy.name = policy.label
	if not policy.script then
		report("script", "script is missing: the file that decides")
	end
	return policy
end

return policies
