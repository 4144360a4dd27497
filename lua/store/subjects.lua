-- store/subjects.lua: pairwise subjects (OpenID Connect Core 8.1): applications of different sectors cannot tell that two of their
-- subjects are one person. The salt is the installation's, stored sealed; a configured one comes first, so that the subjects of
-- another installation survive a move (S11).
local conf = require "kit/conf"
local secrets = require "kit/secrets"
local settings = require "store/settings"

local subjects = {}

local LABEL = "subject salt"
local own

local function stored()
	if not own then
		local sealed = settings.get(LABEL)
			or settings.once(LABEL, base64.encode(crypto.seal(secrets.key(LABEL), crypto.random(32), LABEL)))
		own = assert(crypto.unseal(secrets.key(LABEL), base64.decode(sealed), LABEL), "the subject salt cannot be opened")
	end
	return own
end

-- The subject of the person with this uid in a sector (a host name). May wait for the store, the first time.
function subjects.pairwise(uid, sector)
	local salt = conf.settings().subject_salt or stored()
	return hex.encode(crypto.sha256(("%s\n%s\n%s"):format(sector, uid, salt)))
end

return subjects
