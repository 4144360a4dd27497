-- config/users.lua: user "alice" { … }
local encoded_hash = require "kit/encoded_hash"
local reserved = require "kit/reserved"
local types = require "config/types"

local users = { list = "users" }

users.schema = {
	name = types.text(),
	email = types.text { max = 254, pattern = "[^@%s]+@[^@%s]+", why = "is not an e-mail address" },
	email_verified = types.boolean,
	groups = types.list(types.text { max = 100 }),
	type = types.one_of("internal", "external", "service_account"),
	attributes = types.data,
	password = types.text { max = 1000 },
	password_hash = types.text { pattern = "[%w$,=+/._%-]+", why = "is not an encoded hash" },
	identities = types.list(types.data, 50),
	active = types.boolean,
}

-- A name is what people type at sign-in.
function users.label(text)
	if #text > 150 or not utf8.len(text) or text:find("[%c%s]") then
		return "a user's name has at most 150 characters and no spaces"
	end
	if reserved[text:lower()] then
		return ("\"%s\" is a word of the broker's own addresses and cannot be a name"):format(text)
	end
end

function users.complete(user, report)
	user.name = user.name or user.label
	user.email_verified = user.email_verified or false
	user.groups = user.groups or {}
	user.type = user.type or "internal"
	user.attributes = user.attributes or {}
	if user.active == nil then
		user.active = true
	end
	if user.password and user.password_hash then
		report("password_hash", "password and password_hash exclude each other")
	end
	if user.password_hash then
		local fine, why = encoded_hash(user.password_hash)
		if not fine then
			report("password_hash", why)
		end
	end
	if user.type == "service_account" and (user.password or user.password_hash) then
		report("type", "a service account has no password: make it an app password with tidelock token")
	end
	if user.password and #user.password < 4 then
		report("password", "password is shorter than 4 characters")
	end
	return user
end

return users
