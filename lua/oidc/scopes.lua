-- oidc/scopes.lua: which scopes an authorization request gets (S20).
local scope = require "kit/scope"

local scopes = {}

-- Only when named: they open something beyond claims.
local special = {}
for name in ([[offline_access goauthentik.io/api user user:email read:user read:org write:org admin:org repo public_repo gist
	workflow]]):gmatch("%S+") do
	special[name] = true
end

local function claim_scopes(application)
	local out = {}
	for _, name in ipairs(application.scopes) do
		if not special[name] then out[#out + 1] = name end
	end
	return out
end

-- The scopes that `text` asks for and the application has; unknown ones are dropped (RFC 6749 3.3), but a request of
-- unknown ones alone is nil and a reason.
function scopes.asked(text, application)
	local list, why = scope.parse(text)
	if not list then return nil, why end
	if #list == 0 then return claim_scopes(application) end
	local out = scope.intersect(list, application.scopes)
	if #out == 0 then return nil, "The application has none of the scopes that it asks for." end
	return out
end

return scopes
