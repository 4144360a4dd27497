-- oidc/revoke.lua: RFC 7009. A client gives its own tokens back; of others' it learns nothing, and nothing happens to them (S9).
local check   = require "kit/check"
local clients = require "auth/clients"
local cors    = require "oidc/cors"
local reply   = require "kit/reply"
local tokens  = require "auth/tokens"

local revoke = { kind = "oauth", cors = true }

local schema = { token = { max = 16384, required = true } }
for name, rule in pairs(clients.FORM) do schema[name] = rule end

function revoke.POST(req)
	local form = check.form(req, schema)
	local application = clients.authenticate(req, form)
	task.detach()
	tokens.revoke(form.token, application, req)
	return reply.json("{}", 200, { pragma = "no-cache" })
end

function revoke.OPTIONS(req) return cors.preflight(req, "POST, OPTIONS") end

return revoke
