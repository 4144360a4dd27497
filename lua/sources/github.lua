-- sources/github.lua: who somebody is at GitHub or a GitHub Enterprise Server: no OpenID Connect, but its REST interface.
local api = require "sources/api"

local github = {}

-- GitHub answers nothing without a User-Agent; kit/fetch sends one.
local HEADERS = { accept = "application/vnd.github+json", ["x-github-api-version"] = "2022-11-28" }

-- RFC 8288: <https://…>; rel="next".
local function next_page(headers)
	for target, parameters in (headers.link or ""):gmatch("<([^>]*)>([^<]*)") do
		if parameters:find('rel="next"', 1, true) then return target end
	end
end

local function list_of(source, base, path, token)
	return api.pages(source, base .. path .. "?per_page=100", token, HEADERS, function(answer, headers)
		return json.is_array(answer) and answer, next_page(headers)
	end)
end

-- The one that is primary and verified; what stands in the profile is only what somebody shows. Without the scope for it (403, 404)
-- there is none.
local function add_email(info, list)
	info.emails, info.email_verified = list, false
	for _, each in ipairs(list) do
		if type(each) == "table" and each.primary == true and type(each.email) == "string" then
			info.email, info.email_verified = each.email, each.verified == true
		end
	end
end

-- Organisations as "name" and teams as "organisation/team", by what GitHub calls them in addresses.
local function groups_of(source, base, token)
	local organizations, kind, why = list_of(source, base, "/user/orgs", token)
	if not organizations then return nil, kind, why end
	local teams
	teams, kind, why = list_of(source, base, "/user/teams", token)
	if not teams then return nil, kind, why end
	local out = {}
	for _, each in ipairs(organizations) do
		if type(each) == "table" and type(each.login) == "string" then out[#out + 1] = { id = each.login, name = each.login } end
	end
	for _, each in ipairs(teams) do
		local organization = type(each) == "table" and type(each.organization) == "table" and each.organization.login
		if type(organization) == "string" and type(each.slug) == "string" then
			local id = organization .. "/" .. each.slug
			out[#out + 1] = { id = id, name = id }
		end
	end
	return out
end

-- The profile with its e-mail, or nil, kind of problem and why. Waits.
function github.profile(source, up, token)
	local info, kind, why = api.get(source, up.userinfo_endpoint, token, HEADERS)
	if not info then return nil, kind, why end
	local base = up.userinfo_endpoint:gsub("/user/?$", "")
	local list, problem, reason, status = list_of(source, base, "/user/emails", token)
	if not list and status ~= 403 and status ~= 404 then return nil, problem, reason end
	add_email(info, list or {})
	return info
end

-- Groups as auth/arrivals takes them, or nil and why they could not be read. Waits.
function github.groups(source, up, token)
	local out, _, why = groups_of(source, up.userinfo_endpoint:gsub("/user/?$", ""), token)
	return out, why
end

return github
