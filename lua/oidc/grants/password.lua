-- oidc/grants/password.lua: RFC 6749 4.3, for programs that know nothing newer: off unless the application lists it, and never a
-- person's own password (S19).
local credentials = require "oidc/grants/credentials"
local err         = require "kit/err"

return function(req, form, application)
	if form.speaker.kind ~= "app_password" then
		err.raise("invalid_request", "The parameters username and password are missing.")
	end
	local grant, user, expires_at = credentials.person(req, application, form.speaker)
	return credentials.answer(req, form, application, { user = user, grant = grant, expires_at = expires_at })
end
