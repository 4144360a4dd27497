-- github/device.lua: where a program without a browser asks GitHub's side for a code that a person types at /login/device
-- (RFC 8628 3.1). Ids of such programs are known to everybody, and there is no secret: portal/device shows what asks, and from where.
local devices       = require "auth/devices"
local err           = require "kit/err"
local github_scopes = require "auth/github_scopes"
local links         = require "github/links"
local oauth_answer  = require "github/oauth_answer"
local parameters    = require "github/parameters"

local device = { kind = "github_oauth" }

-- No verification_uri_complete, as at GitHub: a code that is typed was not sent as a link by somebody else.
function device.POST(req)
	local application, form = parameters.read(req)
	err.need(application.github.device_flow, "device_flow_disabled", nil, { status = 400 })
	local device_code, user_code = devices.start {
		application = application, scopes = github_scopes.asked(form.scope, application), anonymous = true, side = "github", req = req,
	}
	return oauth_answer.send(req, {
		{ "device_code", device_code }, { "user_code", user_code }, { "verification_uri", links.of(req).web .. "/login/device" },
		{ "expires_in", devices.LIFETIME }, { "interval", devices.INTERVAL },
	})
end

return device
