-- What scope mappings give, how results come together, and what no script may say (S21).
local mapping = require "mapping/scopes"
local result  = require "mapping/result"

local alice = {
	username = "alice", name = "Alice Liddell", email = "alice@example.org", email_verified = true, uid = "u", uuid = "i",
	pk = 1, is_active = true, type = "internal", attributes = {},
	groups = { { name = "staff", pk = 1, attributes = {} }, { name = "github-users", pk = 2, attributes = {} } },
	all_groups = {},
}
local grafana = { slug = "grafana", name = "Grafana", client_id = "grafana",
	scopes = { "openid", "profile", "email", "groups", "offline_access" } }

local function same(got, want)
	local a, b = json.encode(got), json.encode(want)
	assert(a == b, a .. " is not " .. b)
end

local function claims(scopes, application, user)
	return mapping.claims { user = user or alice, application = application or grafana, scopes = scopes }
end

-- Runs fn with these mappings declared, and without them afterwards.
local function with(list, fn)
	assert(mapping.declare(list, true))
	fn()
	assert(mapping.declare({}))
end

local function script(scope, source, name)
	return { name = name or scope, scope = scope, script = scope .. ".lua", source = source }
end

return {
	["the profile scope gives authentik's claims"] = function()
		same(claims { "profile" }, {
			name = "Alice Liddell", given_name = "Alice Liddell", preferred_username = "alice", nickname = "alice",
			groups = { "staff", "github-users" },
		})
	end,
	["the email scope tells whether the user's own address is verified"] = function()
		same(claims { "email" }, { email = "alice@example.org", email_verified = true })
	end,
	["a user without an address has no email claims"] = function()
		same(claims({ "email" }, nil, { username = "x", email = "", groups = {} }), {})
	end,
	["the groups scope is the list of names"] = function()
		same(claims { "groups" }, { groups = { "staff", "github-users" } })
	end,
	["openid, offline_access and unknown scopes add nothing"] = function()
		same(claims { "openid", "offline_access", "unheard" }, {})
	end,
	["entitlements are empty lists"] = function()
		assert(json.encode(claims { "entitlements" }) == '{"entitlements":[],"roles":[]}')
	end,
	["a standard claim belongs to its scope, also where nobody has it"] = function()
		local owner, names = mapping.claim_names { scopes = { "openid", "profile" }, script_claims = {} }
		assert(owner.family_name == "profile" and owner.name == "profile" and owner.phone_number == nil)
		for _, name in ipairs(names) do assert(name ~= "family_name") end
	end,
	["lists are united without duplicates"] = function()
		same(result.merge({ groups = { "a", "b" } }, { groups = { "b", "c" } }), { groups = { "a", "b", "c" } })
	end,
	["tables merge recursively and the later scalar wins"] = function()
		same(result.merge({ a = { x = 1, y = { 1 } }, b = 1 }, { a = { x = 2, y = { 2 } }, b = 2 }),
			{ a = { x = 2, y = { 1, 2 } }, b = 2 })
	end,
	["a list, a text, a number or a boolean is the claim named like the scope"] = function()
		same(result.claims("groups", { "a" }), { groups = { "a" } })
		same(result.claims("level", 3), { level = 3 })
		same(result.claims("level", "high"), { level = "high" })
		same(result.claims("level", false), { level = false })
	end,
	["an empty table is an empty list"] = function()
		assert(json.encode(result.claims("groups", {})) == '{"groups":[]}')
	end,
	["nil adds nothing"] = function() same(result.claims("groups", nil), {}) end,
	["a table of names and numbers means nothing"] = function()
		local made, why = result.claims("groups", { "a", b = 1 })
		assert(made == nil and why:find("both"))
	end,
	["S21 reserved claims are dropped, sub only where it is allowed"] = function()
		local made = { iss = "x", aud = "x", exp = 1, jti = "x", scope = "x", sub = "x", name = "kept" }
		same(result.drop_reserved(made), { "aud", "exp", "iss", "jti", "scope", "sub" })
		same(made, { name = "kept" })
		made = { sub = "x", amr = { "otp" } }
		same(result.drop_reserved(made, { "sub" }), { "amr" })
		same(made, { sub = "x" })
	end,
	["S21 script_claims never opens the provider's own claims"] = function()
		same(result.drop_reserved({ iss = "x", aud = "y" }, { "iss", "aud" }), { "aud", "iss" })
	end,
	["S21 what a script may set has the shape of OpenID Connect Core 2"] = function()
		local leave = { "sub", "acr", "amr", "auth_time" }
		for _, wrong in ipairs { { sub = 5 }, { sub = "" }, { sub = {} }, { sub = ("x"):rep(256) }, { acr = { "x" } }, { amr = "otp" }, { amr = { 1 } },
			{ amr = { otp = true } }, { auth_time = "1" }, { auth_time = -1 }, { auth_time = 1.5 } } do
			local name = next(wrong)
			same(result.drop_reserved(wrong, leave), { name })
		end
		same(result.drop_reserved({ sub = ("x"):rep(255), acr = "high", amr = { "otp", "pwd" }, auth_time = 0 }, leave), {})
	end,
	["a declared mapping replaces the built-in one of its scope"] = function()
		with({ script("groups", "return { 'only' }") }, function()
			same(claims { "groups" }, { groups = { "only" } })
		end)
	end,
	["the groups script of the product's description gives the names"] = function()
		with({ script("groups", [[
			local names = {}
			for _, group in ipairs(user.groups) do names[#names + 1] = group.name end
			return names
		]]) }, function()
			local made, provenance = claims { "groups" }
			same(made, { groups = { "staff", "github-users" } })
			assert(provenance.groups == "groups (groups.lua)")
		end)
	end,
	["two mappings of one scope both run, the later name wins"] = function()
		with({ script("x", "return { a = 1, l = { 1 } }", "one"), script("x", "return { a = 2, l = { 2 } }", "two") }, function()
			local made, provenance = claims { "x" }
			same(made, { a = 2, l = { 1, 2 } })
			assert(provenance.a == "one (x.lua), two (x.lua)")
		end)
	end,
	["a failing mapping drops its claims, the others stay, and the failure says script and line"] = function()
		with({ script("groups", "local x = user.missing\nreturn x.name") }, function()
			local made, _, failures = claims { "groups", "email" }
			same(made, { email = "alice@example.org", email_verified = true })
			assert(#failures == 1)
			assert(failures[1].script == "groups.lua" and failures[1].line == 2, json.encode(failures[1]))
			assert(failures[1].given:find('"alice"', 1, true) and not failures[1].given:find("example.org", 1, true))
		end)
	end,
	["S23 a script that loops, grows, recurses or returns a function is a failure, not an outage"] = function()
		local sources = {
			"while true do end", "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
			"local function f() return 1 + f() end return f()", "return function() end", "error('no')",
			"return ('a'):rep(28):find(('a?'):rep(28) .. ('a'):rep(29))", "return ('x'):rep(10000000)",
		}
		for _, source in ipairs(sources) do
			with({ script("groups", source) }, function()
				local made, _, failures = claims { "groups" }
				assert(next(made) == nil, source)
				assert(#failures == 1 and failures[1].message, source)
			end)
		end
	end,
	["S23 nothing survives a call"] = function()
		with({ script("x", "leak = (leak or 0) + 1 string.leak = 1 return leak") }, function()
			local first, _, failed = claims { "x" }
			local second, _, failed_again = claims { "x" }
			assert(json.encode(first) == json.encode(second) and #failed == #failed_again)
		end)
	end,
	["S24 a script sees the names of the product and no secrets"] = function()
		with({ script("x", [[
			local out = {}
			for name in pairs(application) do out[#out + 1] = name end
			table.sort(out)
			return { names = out, ip = request.client_ip, method = session.amr[1], asked = token.scopes[1] }
		]]) }, function()
			same((mapping.claims {
				user = alice, scopes = { "x" }, application = { slug = "a", name = "A", client_id = "c", client_secret = "s" },
				token = { scopes = { "x" } }, session = { amr = { "pwd" } }, request = { client_ip = "192.0.2.1" },
			}), { names = { "client_id", "name", "slug" }, ip = "192.0.2.1", method = "pwd", asked = "x" })
		end)
	end,
	["a script that is no Lua is refused with file and line"] = function()
		local ok, why = mapping.declare({ script("groups", "return {\n") }, true)
		assert(not ok and why:find("^groups%.lua:%d+:"), why)
		mapping.declare {}
	end,
}
