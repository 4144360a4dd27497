-- config/may.lua: what a declaration lets its script ask of the world (S24): may = { http = { hosts }, users = true,
-- tokens_for = { applications }, sign = true, dns = true }. What is not said is not allowed.
local types = require "config/types"

local host = types.text { max = 253, pattern = "[%w%.%-_:%[%]]+", why = "is no host name" }

return types.record {
	http = types.list(host, 50),
	users = types.boolean,
	tokens_for = types.list(types.text { max = 100 }),
	sign = types.boolean,
	dns = types.boolean,
}
