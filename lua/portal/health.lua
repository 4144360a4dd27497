-- portal/health.lua: /healthz says that the process serves; /readyz that the store answers too.
local reply    = require("kit/reply")
local settings = require("store/settings")

local health = {}

function health.alive()
	return reply.text("ok\n", 200)
end

function health.ready()
	local answer, code = settings.probe()
	if not answer then return reply.text("not ready: " .. code .. "\n", 503) end
	return reply.text("ready\n", 200)
end

return health
