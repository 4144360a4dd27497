-- sources/profile.lua: what a source says of the person whose token we hold: profile, groups, and by what it knows them.
local api = require "sources/api"
local came = require "auth/arrived"
local entra = require "sources/entra"
local github = require "sources/github"
local id_token = require "sources/id_token"

local profile = {}

local KINDS = { entra = entra, github = github }
local SUBJECTS = { "sub", "id" }

-- ---- userinfo (OpenID Connect Core 5.3) ----

-- Signed, it is a token of the source's for us (5.3.2).
local function opened(source, up, answer)
	local kind = (answer.headers["content-type"] or ""):lower()
	if not kind:find("^application/jwt") then
		local value = json.decode(answer.body)
		if type(value) == "table" and not json.is_array(value) then return value end
		return nil, "unusable", "the userinfo endpoint's answer is no JSON object"
	end
	local claims, why = id_token.open(source, up, answer.body)
	why = not claims and why or id_token.check_audience(source, claims)
	if why then return nil, "unbelieved", "the userinfo endpoint's signed answer: " .. why end
	return claims
end

local function userinfo(source, up, token, claims)
	local answer, kind, why = api.ask(source, up.userinfo_endpoint, token, { accept = "application/json, application/jwt" })
	if not answer then return nil, kind, why end
	local info
	info, kind, why = opened(source, up, answer)
	if not info then return nil, kind, why end
	-- 5.3.2: another sub, or none, is another person.
	if claims and info.sub ~= claims.sub then
		return nil, "unbelieved", info.sub == nil and "the userinfo endpoint's answer has no sub"
			or "the userinfo endpoint tells of another sub than the ID token"
	end
	return info
end

local function over(base, top)
	local out = {}
	for name, value in pairs(base or {}) do out[name] = value end
	for name, value in pairs(top) do out[name] = value end
	return out
end

-- The profile; over the ID token's claims where there are any. nil, kind of problem, why. Waits.
local function info_of(source, up, token, claims)
	if not up.userinfo_endpoint or not token.access_token then return claims or {} end
	local ask = KINDS[source.kind] and KINDS[source.kind].profile or userinfo
	local info, kind, why = ask(source, up, token.access_token, claims)
	if not info then return nil, kind, why end
	return over(claims, info)
end

-- ---- subject ----

-- Numbers are written as they are; one that a double cannot hold exactly is none.
local function text_of(value)
	if math.type(value) == "integer" then return ("%d"):format(value) end
	return type(value) == "string" and value ~= "" and #value <= 255 and not value:find("%c") and value or nil
end

-- By what the source knows the person: text, or nil and what is missing. info: the profile; claims: of the ID token, or nil. Pure.
function profile.subject(source, info, claims)
	if source.kind == "entra" then return entra.subject(claims or {}) end
	if claims then return claims.sub end
	for _, path in ipairs(source.subject_attribute and { source.subject_attribute } or SUBJECTS) do
		local text = text_of(came.at(info, path))
		if text then return text end
	end
	return nil, "the profile does not say who it is: " .. (source.subject_attribute or "sub or id") .. " is missing"
end

-- ---- groups ----

-- Of a claim: names, or objects with id and name.
local function group_of(value)
	if type(value) == "table" then
		local id = text_of(value.id) or text_of(value.name)
		return id and { id = id, name = text_of(value.name) or id }
	end
	local text = text_of(value)
	return text and { id = text, name = text }
end

-- Groups that a token or a profile says, and whether those are all. An absent claim is nobody's membership: who lost the last group is
-- told so by many. Pure.
function profile.claimed_groups(source, info)
	if source.kind == "entra" and entra.withholds_groups(info) then return nil, false, "the token has no room for the groups" end
	local value = came.at(info, source.extra.groups_attribute or "groups")
	if value ~= nil and type(value) ~= "table" then value = { value } end
	local out = {}
	for _, each in ipairs(value or {}) do out[#out + 1] = group_of(each) end
	local cut_at = source.extra.groups_cut_at
	return out, not (cut_at and #out >= cut_at)
end

-- Groups, whether those are all, and why not.
local function groups_of(source, up, token, info, claims)
	if not source.groups then return nil, true end
	local ask = KINDS[source.kind] and KINDS[source.kind].groups
	if ask and token.access_token then
		local list, why = ask(source, up, token.access_token)
		return list, list ~= nil, why
	end
	return profile.claimed_groups(source, info)
end

-- What arrived (auth/arrivals), or nil, kind of problem and why. token: sources/tokens; claims: of the verified ID token, or nil. Waits.
function profile.arrived(source, up, token, claims)
	local info, kind, why = info_of(source, up, token, claims)
	if not info then return nil, kind, why end
	local subject, missing = profile.subject(source, info, claims)
	if not subject then return nil, "unusable", missing end
	local groups, complete, reason = groups_of(source, up, token, info, claims)
	return {
		subject = subject, issuer = claims and claims.iss, claims = claims, info = info, groups = groups, groups_complete = complete,
		groups_problem = reason, token = token,
	}
end

-- The same of an ID token that came alone: groups are those that it says; where it says none, nothing is known of them.
function profile.of_token(source, claims)
	local subject, missing = profile.subject(source, claims, claims)
	if not subject then return nil, "unusable", missing end
	local groups, complete = profile.claimed_groups(source, claims)
	local known = source.groups and (not complete or came.at(claims, source.extra.groups_attribute or "groups") ~= nil)
	if not known then groups, complete = nil, true end
	return { subject = subject, issuer = claims.iss, claims = claims, info = claims, groups = groups, groups_complete = complete, token = {} }
end

return profile
