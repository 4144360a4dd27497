-- oidc/resources.lua: resource indicators (RFC 8707): for whom an access token is. An application may name what its `audiences` list,
-- and the client_id of an application that lists it in `federated`: no one else's tokens can be asked for (S21).
local clients = require "auth/clients"
local err     = require "kit/err"
local scope   = require "kit/scope"

local resources = {}

local MOST = 10

-- RFC 8707 2: an absolute URI without a fragment.
local function is_resource(text)
	return #text <= 2000 and text:find("^%a[%w+.%-]*:[^%c%s\"#<>\\^`{|}\x80-\xff]+$") ~= nil
end

local function permitted(name, application)
	local owner = clients.find(name)
	if owner then
		return owner.id == application.id or scope.has(owner.federated or {}, application.slug)
	end
	return scope.has(application.audiences or {}, name)
end

-- The list of a request's `resource` parameters without repetition, nil when there are none; or false and what is wrong
-- (the error is invalid_target).
function resources.asked(list, application)
	if not list or #list == 0 then return nil end
	local out = {}
	for _, name in ipairs(list) do
		if not is_resource(name) then return false, "A resource is an absolute URI without a fragment." end
		if not permitted(name, application) then return false, "The application may not ask for tokens for this resource." end
		if not scope.has(out, name) then out[#out + 1] = name end
	end
	if #out > MOST then return false, ("More than %d resources were asked for."):format(MOST) end
	return out
end

local function need(list, why)
	if list == false then err.raise("invalid_target", why) end
	return list
end

-- What an access token is for at the token endpoint: what the form names, within what was granted at authorization (nil: nothing
-- was named there); without a word of the form all of that. What the application has lost since is not given again.
function resources.at_token(form, granted, application)
	local asked = need(resources.asked(form.resource, application))
	if not granted or #granted == 0 then return asked end
	if asked and not scope.contains_all(granted, asked) then
		err.raise("invalid_target", "The resource was not part of the authorization.")
	end
	return asked or need(resources.asked(granted, application))
end

return resources
