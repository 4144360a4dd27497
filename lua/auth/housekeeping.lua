-- auth/housekeeping.lua: what boot's tick does each minute.
local events = require "auth/events"
local store = require "store/housekeeping"

local housekeeping = {}

function housekeeping.run()
	events.flush()
	store.sweep()
end

return housekeeping
