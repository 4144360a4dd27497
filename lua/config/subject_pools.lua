-- config/subject_pools.lua: subject_pool "google" { sources = { "google", "google-oauth" } }: these speak of the same people by the same
-- subjects. Nothing else puts two sources into one pool (S26): of what one of them says the other's people would be taken over.
local types = require "config/types"

local subject_pools = { list = "subject_pools" }

subject_pools.schema = { sources = types.list(types.text { max = 100 }) }

function subject_pools.label(text)
	if #text > 100 or not utf8.len(text) or text:find("%c") then
		return "a pool's name has at most 100 characters"
	end
end

function subject_pools.complete(pool, report)
	pool.name, pool.sources = pool.label, pool.sources or {}
	if #pool.sources == 0 then
		report("sources", "sources is missing: those that share the pool")
	end
	return pool
end

return subject_pools
