-- kit/encoded_hash.lua: is this text a password hash that can be checked here: argon2id in PHC form, or Django's
-- pbkdf2_sha256? The bounds are those of core/crypto/password.c.
local ARGON2ID = "^%$argon2id%$v=19%$m=(%d+),t=(%d+),p=(%d+)%$[%w+/]+%$[%w+/]+$"
local PBKDF2 = "^pbkdf2_sha256%$(%d+)%$[^%$]+%$" .. ("[%w+/]"):rep(43) .. "=$"

local function between(text, low, high)
	local number = #text < 12 and tonumber(text)
	return number and number >= low and number <= high
end

-- true, or nil and what is wrong with it.
return function(text)
	local memory, passes, lanes = text:match(ARGON2ID)
	if memory then
		if between(memory, 8, 1048576) and between(passes, 1, 64) and between(lanes, 1, 16) then
			return true
		end
		return nil, "the hash costs more memory (m), passes (t) or lanes (p) than are accepted"
	end
	local iterations = text:match(PBKDF2)
	if iterations then
		if between(iterations, 1, 4000000) then
			return true
		end
		return nil, "the hash has more iterations than the 4,000,000 that are accepted"
	end
	return nil, "the hash is neither $argon2id$v=19$m=…,t=…,p=…$salt$hash nor pbkdf2_sha256$iterations$salt$hash"
end
