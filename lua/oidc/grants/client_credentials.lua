-- oidc/grants/client_credentials.lua: a program speaks for itself, for the person whose app password it has, or with the token of
-- another application or of a source (RFC 6749 4.4; authentik's variants: see oidc/grants/credentials).
local credentials = require "oidc/grants/credentials"
local derived     = require "oidc/grants/derived"
local err         = require "kit/err"
local service_accounts = require "auth/service_accounts"

local function service(req, form, application)
	local grant, user = service_accounts.speak(application, req)
	-- CVE-2025-64521: who switched the account off meant it.
	err.need(grant, "invalid_grant", "The service account of the application is switched off.")
	return credentials.answer(req, form, application, { user = user, grant = grant })
end

return function(req, form, application)
	local speaker = form.speaker
	if speaker.kind == "service" then return service(req, form, application) end
	if speaker.kind == "federated" then return derived.federated(req, form, application, speaker.token) end
	if speaker.kind == "machine" then return require("oidc/grants/machine")(req, form, application, speaker.token) end
	local grant, user, expires_at = credentials.person(req, application, speaker)
	return credentials.answer(req, form, application, { user = user, grant = grant, expires_at = expires_at })
end
