-- auth/housekeeping.lua: what boot's tick does each minute.
local store = require "store/housekeeping"

local housekeeping = {}

function housekeeping.run()
	store.sweep()
end

return housekeeping
