-- boot/outage.lua: remembers that writes were refused because the disk was full, and leaves an event once there is space to
-- write one.
local err    = require "kit/err"
local events = require "auth/events"

local outage = {}

local since, refused = nil, 0

-- Looks at what a request raised.
function outage.notice(raised)
	if err.is(raised) and type(raised.cause) == "string" and raised.cause:find("full", 1, true) then
		since = since or time.now()
		refused = refused + 1
	end
end

-- Called every minute, after the housekeeping has written.
function outage.over()
	if not since then return end
	local ok = db.batch { events.statement {
		kind = "disk_full", reason = ("writes were refused from %s to %s: %d requests"):format(time.iso(since), time.iso(time.now()), refused),
	} }
	if ok then since, refused = nil, 0 end
end

return outage
