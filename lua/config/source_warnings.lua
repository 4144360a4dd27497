-- config/source_warnings.lua: what sources may be but their owner should know of. report(object, field, message).
local address = require "config/address"

local URLS = { "issuer", "authorization_url", "token_url", "profile_url", "jwks_url" }

local function is_open(url)
	local parsed = url and url:find("^http:") and address.url(url)
	return parsed and not address.is_loopback(parsed.host)
end

local function of_source(source, say)
	for _, name in ipairs(URLS) do
		if is_open(source[name]) then say(name, ("%s is plain http: whoever is on the way signs in as anybody"):format(name)) end
	end
	if source.matching == "email_link" then
		say("matching", "whoever can have somebody's address verified there becomes that person here")
	end
	if source.matching == "username_link" then
		say("matching", "whoever can choose a user name there becomes the user of that name here")
	end
	if source.adapter == "basic" then say("kind", "it believes everybody who they say they are: for testing alone") end
	if source.open_to_all and source.enrolment then
		say("enrolment", "anybody on earth can have an account there, and gets one here")
	end
	if source.reauthenticate == "trust" then
		say("reauthenticate", "that somebody signed in again just now is believed without proof")
	end
end

-- Akkess's subjectPoolKey alone joins no pool (S26): who meant it should know.
local function pools(data, report)
	local pooled, by_key = {}, {}
	for _, pool in ipairs(data.subject_pools) do
		for _, name in ipairs(pool.sources) do pooled[name] = true end
	end
	for _, source in ipairs(data.sources) do
		local key = not pooled[source.label] and source.extra.pool_key
		local other = key and by_key[key]
		if other then
			report(source, "file", ("its subjectPoolKey is that of \"%s\"; only subject_pool \"%s\" { sources = { … } } lets them share people")
				:format(other, key))
		end
		if key then by_key[key] = other or source.label end
	end
end

return function(data, report)
	for _, source in ipairs(data.sources) do
		of_source(source, function(field, message) report(source, field, message) end)
	end
	pools(data, report)
end
