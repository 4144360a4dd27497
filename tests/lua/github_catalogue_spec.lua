-- The clients of GitHub Enterprise that `tidelock try github --as` knows: each entry says nothing that nobody reads, and each client,
-- gone through call by call against the endpoints, lets in somebody who has all that one can have.
local boot      = require "boot"
local catalogue = require "github/catalogue"
local conf      = require "kit/conf"
local database  = require "store/database"
local mapping   = require "mapping/github"
local presets   = require "config/presets"
local rehearsal = require "command/rehearsal"

local ENTRY = [[title callback scope flow authorize no_redirect pkce token accept bare reads_form api prefix calls needs wants scopes port renews
	preset hints]]
local CALL = [[1 graphql each anonymous reads shows pages takes when expects lists optional granted header]]

local function words(text)
	local out = {}
	for word in text:gmatch("%S+") do out[word] = true end
	return out
end

local function only(value, known, what)
	for name in pairs(value) do assert(known[tostring(name)], ("%s: nobody reads %s"):format(what, name)) end
end

local function one_of(value, choices, what)
	assert(value == nil or words(choices)[value], ("%s: %s"):format(what, tostring(value)))
end

local function check_call(name, call)
	only(call, words(CALL), name)
	assert((call[1] ~= nil) ~= (call.graphql ~= nil) and (call.reads or call.expects), name)
	one_of(call.each, "organization team", name)
	one_of(call.pages, "next next+last empty", name)
	one_of(call.takes, "primary verified first", name)
	assert(call.each or not (call[1] or ""):find("{[ot][re][ga]"), name .. ": of which organisation or team?")
end

local GROUPS = { "web", "ops" }
local function profile()
	local teams = {}
	for index, name in ipairs(GROUPS) do teams[index] = { name = name } end
	local said = {
		emails = { { email = "carol@example.org", primary = true, verified = true } },
		organisations = { { login = "acme", teams = teams }, { login = "other", teams = teams } },
	}
	return assert(mapping.read(said, { username = "carol", name = "Carol", attributes = {} }))
end

local function tried(name, settings)
	conf.use { settings = settings or { public_url = "https://sso.example.org" }, github_hosts = {} }
	assert(database.migrate())
	-- What commands ask with.
	local body = { argv = {} }
	boot.command(body)
	local client = catalogue.find(name)
	local answer = rehearsal.run {
		name = name, client = client, scope = client.scope, profile = profile(), ask = body.ask, json = true,
		person = { id = "rehearsed-carol", username = "carol", type = "internal", active = true, created_at = 1, attributes = {} },
	}
	return answer, json.decode(answer.out)
end

return {
	["an entry says only what is read"] = function()
		assert(#catalogue.names() > 50)
		for _, name in ipairs(catalogue.names()) do
			local entry = catalogue.find(name)
			only(entry, words(ENTRY), name)
			one_of(entry.flow, "web device personal", name)
			one_of(entry.token, "go body basic query json", name)
			one_of(entry.api, "token Bearer query basic", name)
			assert(entry.title and entry.scope and #entry.calls > 0, name)
			assert(entry.flow or (entry.token and entry.callback), name .. ": how does it come by a token?")
			assert(not entry.preset or table.concat(presets.NAMES, " "):find(entry.preset, 1, true), name)
			for _, group in ipairs { entry.needs or {}, entry.wants or {} } do only(group, words "email organizations teams", name) end
			for _, call in ipairs(entry.calls) do check_call(name, call) end
		end
	end,
	["each client lets in whoever has everything"] = function()
		for _, name in ipairs(catalogue.names()) do
			local answer, made = tried(name)
			for _, each in ipairs(made.findings) do
				local own = presets.is_program(catalogue.find(name).preset) and each.text == "no application has its client_id"
				assert(each.level ~= "breaks" or own, ("%s: %s"):format(name, each.text))
			end
			assert(#made.calls > 0 and answer.status == (made.works and 0 or 1), name)
		end
	end,
	["a host with a port breaks those whose forms take none"] = function()
		local _, made = tried("gh-token", { public_url = "https://sso.example.org:8443" })
		assert(not made.works and made.findings[1].text:find("host name alone", 1, true))
		assert(select(2, tried("dex", { public_url = "https://sso.example.org:8443" })).works)
	end,
}
