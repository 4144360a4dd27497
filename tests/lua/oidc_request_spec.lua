-- S20: which scopes and claims an authorization request gets.
local claims_parameter = require "oidc/claims_parameter"
local scopes           = require "oidc/scopes"

local application = { slug = "a", name = "A", client_id = "a",
	scopes = { "openid", "profile", "email", "offline_access", "goauthentik.io/api", "read:user" } }

local function text(list) return list and table.concat(list, " ") end

local function read(value, acr) return claims_parameter.read(value, application, acr or "level") end

return {
	["S20 no scope asked is the claim scopes, never the special ones"] = function()
		assert(text(scopes.asked(nil, application)) == "openid profile email")
		assert(text(scopes.asked("", application)) == "openid profile email")
	end,
	["unknown scopes are dropped, unknown ones alone are refused"] = function()
		assert(text(scopes.asked("email unheard openid", application)) == "email openid")
		assert(not scopes.asked("unheard", application))
		assert(not scopes.asked('openid "x"', application))
	end,
	["offline_access comes when it is named"] = function()
		assert(text(scopes.asked("openid offline_access", application)) == "openid offline_access")
	end,
	["the claims parameter selects what the application's scopes make, and says which scopes"] = function()
		local got = read '{"userinfo":{"name":null,"iss":null,"secret":{"essential":true}},"id_token":{"email":{"essential":true}}}'
		assert(text(got.userinfo) == "name" and text(got.id_token) == "email" and text(got.scopes) == "email profile")
	end,
	["a malformed claims parameter is refused"] = function()
		for _, value in ipairs { "", "x", "[1]", '"x"', "1", '{"userinfo":1}', '{"id_token":"x"}' } do
			local got, why = read(value)
			assert(got == nil and why, value)
		end
	end,
	["an essential acr must be one that we give"] = function()
		assert(read('{"id_token":{"acr":{"essential":true,"values":["other"]}}}').unmet_acr)
		assert(not read('{"id_token":{"acr":{"essential":true,"values":["other","level"]}}}').unmet_acr)
		assert(not read('{"id_token":{"acr":{"values":["other"]}}}').unmet_acr)
		assert(not read('{"id_token":{"acr":{"essential":true}}}').unmet_acr)
	end,
	["a sub asked for is kept"] = function()
		assert(read('{"id_token":{"sub":{"value":"248289"}}}').subject == "248289")
	end,
}
