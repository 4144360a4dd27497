-- oidc/token.lua: the token endpoint (RFC 6749 3.2): who asks, and may it; each grant type is a file of oidc/grants/.
local check   = require "kit/check"
local clients = require "auth/clients"
local cors    = require "oidc/cors"
local credentials = require "oidc/grants/credentials"
local err     = require "kit/err"
local exchange = require "oidc/grants/token_exchange"
local reply   = require "kit/reply"
local scope   = require "kit/scope"

-- grant_types: which there are, for discovery.
local token = { kind = "oauth", cors = true, grant_types = {} }

-- By grant_type: function(req, form, application) → the answer's table.
local grants = {
	authorization_code = require "oidc/grants/authorization_code",
	refresh_token = require "oidc/grants/refresh_token",
	client_credentials = require "oidc/grants/client_credentials",
	password = require "oidc/grants/password",
	["urn:ietf:params:oauth:grant-type:token-exchange"] = exchange.run,
	["urn:ietf:params:oauth:grant-type:device_code"] = require "oidc/grants/device_code",
}

for name in pairs(grants) do token.grant_types[#token.grant_types + 1] = name end
table.sort(token.grant_types)

local schema = {
	grant_type = { max = 200, required = true },
	code = { max = 200 },
	device_code = { max = 200 },
	redirect_uri = { max = 2000 },
	code_verifier = { max = 1000, keep_empty = true },
	refresh_token = { max = 1000 },
	scope = { max = 2000 },
	resource = { max = 2000, list = true },
}
for _, more in ipairs { clients.FORM, credentials.FORM, exchange.FORM } do
	for name, rule in pairs(more) do schema[name] = rule end
end

-- How the client is believed where another secret than its own may speak for it.
local authenticate = { client_credentials = credentials.authenticate, password = credentials.authenticate }

function token.POST(req)
	local form = check.form(req, schema)
	local run = err.need(grants[form.grant_type], "unsupported_grant_type", "This grant type is not supported.")
	local application = (authenticate[form.grant_type] or clients.authenticate)(req, form)
	if not scope.has(application.grant_types, form.grant_type) then
		err.raise("unauthorized_client", "The application may not use this grant type.")
	end
	return reply.json(run(req, form, application), 200, { pragma = "no-cache" })
end

-- authentik: 400 for every code, invalid_client too, and no challenge.
function token.compatible(req, e)
	local body = { error = e.oauth, error_description = e.description, request_id = req.id }
	return reply.json(body, e.oauth == "access_denied" and 403 or 400, { pragma = "no-cache" })
end

function token.OPTIONS(req) return cors.preflight(req, "POST, OPTIONS") end

return token
