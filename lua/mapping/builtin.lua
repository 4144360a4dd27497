-- mapping/builtin.lua: the scope mappings that need no script, with the claims that authentik's managed ones give. They
-- see the user as scripts do (users.view) and return claims, in a table of the caller's. A declared mapping replaces the
-- one of its scope.
local function names(groups)
	local out = {}
	for index, group in ipairs(groups or {}) do out[index] = group.name end
	return out
end

local function nothing() return {} end

-- OpenID Connect Core 5.3.2: a claim without a value is left out, not sent empty.
local function present(text)
	if text ~= "" then return text end
end

return {
	openid = { description = "", run = nothing },
	email = {
		description = "Email address",
		run = function(user)
			if not present(user.email) then return {} end
			return { email = user.email, email_verified = user.email_verified == true }
		end,
	},
	profile = {
		description = "General Profile Information",
		run = function(user)
			local name = present(user.name) or user.username
			return {
				name = name,
				given_name = name,
				preferred_username = user.username,
				nickname = user.username,
				groups = names(user.groups),
			}
		end,
	},
	groups = {
		description = "Your groups",
		run = function(user) return { groups = names(user.groups) } end,
	},
	entitlements = {
		description = "Application entitlements",
		-- There are no entitlements yet; a client that asks finds the claims that it looks for.
		run = function() return { entitlements = {}, roles = {} } end,
	},
	offline_access = {
		description = "Access to request new tokens without interaction",
		run = nothing,
	},
}
