-- oidc/device.lua: the device authorization endpoint (RFC 8628 3.1): a device without a browser asks for a code that a person
-- types elsewhere. The client authenticates as it is registered; it gets no scope that the application has not.
local check     = require "kit/check"
local clients   = require "auth/clients"
local conf      = require "kit/conf"
local devices   = require "auth/devices"
local err       = require "kit/err"
local reply     = require "kit/reply"
local resources = require "oidc/resources"
local scope     = require "kit/scope"
local scopes    = require "oidc/scopes"
local token     = require "oidc/token"

local device = { kind = "oauth", compatible = token.compatible }

local schema = { scope = { max = 2000 }, resource = { max = 2000, list = true } }
for name, rule in pairs(clients.FORM) do schema[name] = rule end

function device.POST(req)
	local form = check.form(req, schema)
	local application, method = clients.authenticate(req, form)
	if not scope.has(application.grant_types, devices.GRANT) then
		err.raise("unauthorized_client", "The application may not use the device flow.")
	end
	local list, why = scopes.asked(form.scope, application)
	err.need(list, "invalid_scope", why)
	local named
	named, why = resources.asked(form.resource, application)
	if named == false then err.raise("invalid_target", why) end
	local device_code, user_code = devices.start {
		application = application, scopes = list, resources = named, anonymous = method == "none", req = req,
	}
	local page = conf.link("/device")
	return reply.json({
		device_code = device_code, user_code = user_code, verification_uri = page,
		verification_uri_complete = page .. "?code=" .. user_code, expires_in = devices.LIFETIME, interval = devices.INTERVAL,
	}, 200, { pragma = "no-cache" })
end

return device
