-- sources/proof.lua: an application that wants its person to sign in anew, or lately, wants it of the upstream too (S28): it is asked
-- for, and believed when the ID token proves it.
local scope = require "kit/scope"

local proof = {}

local SKEW = 60

local function anew(opened) return scope.has(opened.prompt or {}, "login") or opened.max_age == 0 end

-- What the request in progress (nil: none) asks, as parameters of ours (OpenID Connect Core 3.1.2.1), appended to list.
function proof.add(list, opened)
	if not opened then return list end
	list[#list + 1] = { "login_hint", opened.login_hint }
	if anew(opened) then
		list[#list + 1] = { "prompt", "login" }
		list[#list + 1] = { "max_age", "0" }
	else
		if scope.has(opened.prompt or {}, "select_account") then list[#list + 1] = { "prompt", "select_account" } end
		if opened.max_age then list[#list + 1] = { "max_age", tostring(opened.max_age) } end
	end
	return list
end

-- Since when the person must have signed in at the upstream, in seconds; nil when that does not matter.
local function since(opened)
	if anew(opened) then return opened.started_ms // 1000 - SKEW end
	return opened.max_age and time.now() - opened.max_age - SKEW
end

-- When the person signed in there as far as that is proven, in seconds, or nil. claims: of the ID token.
function proof.proven_at(source, claims)
	if source.reauthenticate == "trust" then return time.now() end
	local at = claims.auth_time
	return type(at) == "number" and math.floor(math.max(0, math.min(at, time.now()))) or nil
end

-- Did the person sign in there as lately as the application wants? claims: of the ID token, or nil.
function proof.given(source, opened, claims)
	local oldest = opened and since(opened)
	if not oldest or source.reauthenticate == "trust" then return true end
	local at = claims and claims.auth_time
	return type(at) == "number" and at >= oldest
end

return proof
