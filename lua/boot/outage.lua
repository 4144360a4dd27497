-- boot/outage.lua: remembers that writes were refused because the disk was full, and leaves an event once there is space to
-- write one.
local err    = require "kit/err"
local events = require "auth/events"

local outage = {}

local since, refused, tried = nil, 0, 0

-- Looks at what a request raised.
function outage.notice(raised)
	if err.is(raised) and type(raised.cause) == "string" and raised.cause:find("full", 1, true) then
		since = since or time.now()
		refused = refused + 1
	end
end

local function tell()
	local told = db.batch { events.statement {
		kind = "disk_full",
		reason = ("writes were refused from %s to %s: %d requests"):format(time.iso(since), time.iso(time.now()), refused),
	} }
	if told then since, refused = nil, 0 end
end

-- Called at the end of each request; tries once a second, beside it.
function outage.over()
	if not since or time.mono() - tried < 1 then return end
	tried = time.mono()
	task.spawn(tell)
end

return outage
