-- auth/housekeeping.lua: what boot's tick does each minute.
local backchannel = require "auth/backchannel"
local events = require "auth/events"
local session = require "auth/session"
local store = require "store/housekeeping"

local housekeeping = {}

function housekeeping.run()
	events.flush()
	session.expire()
	store.sweep()
	backchannel.run()
end

return housekeeping
