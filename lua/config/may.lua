-- config/may.lua: what a declaration lets its script ask of the world (S24): may = { http = { hosts }, users = true,
-- tokens_for = { applications }, source_tokens = { sources }, sign = true, dns = true }. What is not said is not allowed.
local types = require "config/types"

local name = types.text { max = 253, pattern = "[%w%.%-_:]+", why = "is no host name" }

local function host(value)
	local kept, why = name(value)
	return kept and kept:lower(), why
end

return types.record {
	http = types.list(host, 50),
	users = types.boolean,
	tokens_for = types.list(types.text { max = 100 }),
	source_tokens = types.list(types.text { max = 100 }),
	sign = types.boolean,
	dns = types.boolean,
}
