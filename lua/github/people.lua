-- github/people.lua: GitHub's REST interface about people by login or number.
local answer   = require "github/answer"
local endpoint = require "github/endpoint"
local err      = require "kit/err"
local objects  = require "github/objects"
local sight    = require "github/sight"

local people = {}

-- The address that somebody shows to everybody, if any.
local function shown_email(person)
	for _, each in ipairs(person.emails) do
		if each.visibility == "public" then return each.email end
	end
end

local function named(view, at) return sight.user(view, at[1]) or endpoint.not_found() end

people.user = endpoint.of(function(req, at, view)
	local person = named(view, at)
	return answer.json(req, objects.user(req.github.links, person, shown_email(person)))
end, {})

-- People and organisations have their numbers from one sequence, and some clients ask for either at the same address.
people.account = endpoint.of(function(req, at, view)
	local kind, thing = sight.account(view, math.tointeger(tonumber(at[1])) or 0)
	if not kind then endpoint.not_found() end
	return answer.json(req, objects[kind](req.github.links, thing, kind == "user" and shown_email(thing) or nil))
end, {})

people.organizations = endpoint.of(function(req, at, view)
	return answer.page(req, at, sight.organizations(view, named(view, at)), objects.simple_organization)
end, {})

-- Nobody keeps keys or repositories here, and nobody follows anybody.
people.nothing = endpoint.of(function(req, at, view)
	named(view, at)
	return answer.page(req, at, {})
end, {})

-- ---- search ----

-- What "octo type:user in:login org:acme" asks for. Qualifiers of other things than people and organisations are ignored, as those are.
local KINDS = { user = "user", org = "organization", organization = "organization" }

local function asked(text)
	local out, words = { login_only = false }, {}
	for word in text:gmatch("%S+") do
		local name, value = word:match("^(%l+):(.*)$")
		if not name then
			words[#words + 1] = word
		elseif name == "type" then
			out.kind = KINDS[value:lower()] or "none"
		elseif name == "in" then
			out.login_only = value:lower() == "login"
		elseif name == "org" or name == "user" then
			out[name] = value
		end
	end
	out.text = table.concat(words, " "):gsub('^"(.*)"$', "%1")
	return out
end

local function invalid(why)
	err.raise("invalid_request", nil, { status = 422, message = "Validation Failed",
		errors = json.array { { resource = "Search", field = "q", code = why } } })
end

-- GitHub shows no more of what it found.
local MOST = 1000

local function found(view, wanted)
	local organization = wanted.org and sight.organization(view, wanted.org)
	return function(options)
		if options.offset >= MOST then invalid "invalid" end
		if wanted.kind == "none" or (wanted.org and not organization) then return {}, 0 end
		if wanted.user then
			local one = sight.user(view, wanted.user)
			wanted.count = one and 1 or 0
			return options.offset == 0 and one and { { kind = "user", thing = one } } or {}, wanted.count
		end
		local list, total = sight.search(view, { text = wanted.text, login_only = wanted.login_only, kind = wanted.kind,
			organization = organization, offset = options.offset, limit = math.min(options.limit, MOST - options.offset) })
		wanted.count = total
		return list, math.min(total, MOST)
	end
end

local function item(links, each)
	local out = each.kind == "user" and objects.simple_user(links, each.thing) or objects.organization_account(links, each.thing)
	out.score = 1.0
	return out
end

people.search = endpoint.of(function(req, at, view)
	local text = answer.query(req).q or ""
	if text:find("^%s*$") then invalid "missing" end
	if #text > 256 or not utf8.len(text) then invalid "invalid" end
	local wanted = asked(text)
	return answer.page(req, at, found(view, wanted), item, function(list)
		return { total_count = wanted.count or 0, incomplete_results = false, items = list }
	end)
end, {})

return people
