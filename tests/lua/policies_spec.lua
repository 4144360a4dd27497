-- What a policy's result means (authentik: policies/expression/tests), how several agree, and what the configuration may say of them.
local policies = require "mapping/policies"
local script   = require "mapping/script"

local alice = { username = "alice", name = "Alice", email = "", uid = "u", uuid = "i", pk = 1, attributes = {}, groups = {}, all_groups = {} }
local asked_scopes = { "openid", "email", "admin" }

-- Decides for alice by policies with these sources, named p1, p2 …
local function decide(sources, mode, more)
	local list, names = {}, {}
	for index, source in ipairs(sources) do
		list[index] = { name = "p" .. index, script = "p" .. index .. ".lua", source = source }
		names[index] = "p" .. index
	end
	assert(policies.declare(list, true))
	local asked = {
		user = alice, application = { slug = "a", name = "A", client_id = "a", policies = names, policy_mode = mode or "all" },
		scopes = asked_scopes, grant_type = "authorization_code", request = { client_ip = "192.0.2.1", path = "/x" },
	}
	for key, value in pairs(more or {}) do asked[key] = value end
	local decision = policies.decide(asked)
	assert(policies.declare({}))
	return decision
end

local function scopes(decision) return table.concat(decision.scopes, " ") end

local function refuses(source, kind, message)
	local decision = decide { source }
	assert(decision.allowed == false and #decision.scopes == 0, source)
	local failure = decision.failures[1]
	assert(failure and failure.kind == kind, source .. ": " .. tostring(failure and failure.kind))
	if message then assert(failure.message:find(message, 1, true), failure.message) end
end

return {
	["true allows, false refuses, both say why"] = function()
		local yes, no = decide { "return true" }, decide { "ak_message('first') return false, 'second'" }
		assert(yes.allowed and yes.message == nil and scopes(yes) == "openid email admin" and #yes.failures == 0)
		assert(not no.allowed and no.message == "first\nsecond" and no.by == "p1 (p1.lua)" and #no.failures == 0)
	end,
	["no other value is taken for a yes"] = function()
		refuses("local x = 1", "nothing", "returned nothing")
		refuses("return nil", "nothing")
		refuses("return 1", "result", "returned a number")
		refuses("return 'yes'", "result", "returned a string")
		refuses("return {}", "result", "neither allow nor scopes")
		refuses("return { 'openid' }", "result", '"1"')
		refuses("return { allow = 1 }", "result", "no boolean")
		refuses("return { scopes = 'openid' }", "result", "no table")
		refuses("return { scopes = { openid = true } }", "result", "no list")
		refuses("return { allowed = true }", "result", '"allowed"')
		refuses("return print", "result")
		refuses("error('no')", "error", "no")
		refuses("return nosuchthing", "error", "undefined name")
	end,
	["a table allows, refuses, and says which scopes are left"] = function()
		assert(scopes(decide { "return { scopes = { 'admin', 'openid', 'more' } }" }) == "openid admin")
		assert(scopes(decide { "return { allow = true, scopes = {} }" }) == "")
		local no = decide { "return { allow = false, message = 'no', scopes = { 'openid' } }" }
		assert(not no.allowed and no.message == "no" and scopes(no) == "")
	end,
	["all must agree, and what each leaves is left"] = function()
		local keep = "return { scopes = { 'openid', '%s' } }"
		assert(scopes(decide { keep:format("email"), "return true" }) == "openid email")
		assert(scopes(decide { keep:format("email"), keep:format("admin") }) == "openid")
		local no = decide { "return true", "return false, 'p2 says no'", "return x.y" }
		assert(not no.allowed and no.message == "p2 says no" and #no.failures == 0)
	end,
	["any one may agree, and that one's scopes are left"] = function()
		local yes = decide({ "return false", "return x.y", "return { scopes = { 'openid' } }", "return true" }, "any")
		assert(yes.allowed and scopes(yes) == "openid" and #yes.failures == 1 and yes.by == "p3 (p3.lua)")
		assert(not decide({ "return false", "return false" }, "any").allowed)
	end,
	["a policy that is not declared refuses"] = function()
		local decision = decide({ "return true" }, "all", { application = { slug = "a", policies = { "gone" } } })
		assert(not decision.allowed and decision.failures[1].kind == "missing")
	end,
	["seed 003: scopes can be asked as Python's `in` does, and walked as a list"] = function()
		local seed = [[
			if request.context["oauth_scopes"]["admin"] then return ak_is_group_member(request.user, { name = "admins" }) end
			return true]]
		assert(not decide { seed }.allowed)
		assert(decide({ seed }, "all", { scopes = { "openid" } }).allowed)
		assert(decide { [[
			local count = 0
			for _, name in ipairs(context.oauth_scopes) do count = count + (context.oauth_scopes[name] and 1 or 0) end
			return count == 3 and #context.oauth_scopes == 3 and not context.oauth_scopes.other and context.oauth_scopes[4] == nil
				and json.encode(context.oauth_scopes) == '["openid","email","admin"]']] }.allowed)
	end,
	["what helpers need is none of the script's"] = function()
		local seen = decide({ "return false, json.encode({ context, request.path, application })" }, "all", {
			person = { id = "internal", password = "hash" }, req = { headers = { cookie = "secret" } }, session_id = "session" })
		assert(not seen.message:find("internal", 1, true) and not seen.message:find("secret", 1, true)
			and not seen.message:find("session", 1, true), seen.message)
	end,
	["S24 a helper that is not there, that refuses, or that chokes is an error of the script's line"] = function()
		script.provide { resolve_dns = function(_, _, host)
			if host == "refused" then return false, "not you" end
			return true, { host, host:upper() }
		end }
		assert(decide { "return resolve_dns('a')[2] == 'A'" }.allowed)
		refuses("return true and\nresolve_dns('refused')", "error", "resolve_dns: not you")
		refuses("return resolve_dns(nil)", "error", "cannot do this")
		refuses("return reverse_dns('x')", "error", "no such helper")
		assert(decide { "local ok, why = pcall(resolve_dns, 'refused') return not ok and why == 'resolve_dns: not you'" }.allowed)
	end,
	["S23 recursion ends, and a call asks a bounded number of times"] = function()
		refuses("return ak_call_policy('p1').passing", "depth")
		refuses("for i = 1, 60 do ak_call_policy('p1') end return true", "depth")
		local decision = decide { "for i = 1, 60 do ak_call_policy('p2') end return true", "return true" }
		assert(not decision.allowed and decision.failures[1].message:find("more than 50 times", 1, true))
	end,
	["a script that is no Lua is told with its line"] = function()
		local ok, why = policies.declare({ { name = "x", script = "policies/x.lua", source = "return true\nif then" } }, true)
		assert(not ok and why:find("^policies/x%.lua:2: "), why)
	end,
}
