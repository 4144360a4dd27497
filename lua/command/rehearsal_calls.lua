-- command/rehearsal_calls.lua: a client's calls of GitHub's interface: what each asks, whether it can read what comes, and what it makes
-- of it. `run` is that of command/rehearsal.
local print_ = require "command/print"

local rehearsal_calls = {}

local MOST_EACH, MOST_SHOWN, MOST_PAGES, MOST_TEXT = 3, 12, 50, 200

-- ---- what is asked ----

local function expand(text, values, pattern)
	return (text:gsub(pattern, function(name) return values[name] and tostring(values[name]) end))
end

-- What `each` names, as values of places in paths; only the first few: more of the same tells nothing new.
local function places(run, each)
	local who, out = run.who, {}
	local list = each == "organization" and who.organizations or each == "team" and who.teams or { false }
	for index = 1, math.min(#list, MOST_EACH) do
		local thing = list[index]
		local organization = thing and (thing.organization or thing)
		out[index] = {
			login = who.login, number = who.number, org = organization and organization.login, org_number = organization and organization.number,
			team = each == "team" and thing.slug, team_number = each == "team" and thing.number,
			alias = organization and organization.login:gsub("[^%w]", "_"),
		}
	end
	return out
end

local function with_token(run, call, request)
	if call.anonymous then return end
	local style = run.client.api or "token"
	if style == "query" then
		request.query = (request.query and request.query .. "&" or "") .. "access_token=" .. run.token
	elseif style == "basic" then
		request.headers.authorization = "Basic " .. base64.encode(run.who.login .. ":" .. run.token)
	else
		request.headers.authorization = style .. " " .. run.token
	end
end

local function request_of(run, call, target)
	local path, query = target:match("^([^?]*)%??(.*)$")
	local request = { method = "GET", path = path, query = query ~= "" and query or nil,
		headers = { accept = "application/vnd.github.v3+json" } }
	if call.graphql then
		request.method, request.body, request.headers["content-type"] = "POST", json.encode { query = target }, "application/json"
		request.path, request.query = "/api/graphql", nil
	end
	with_token(run, call, request)
	return request
end

-- ---- what can be read ----

-- nil is null or missing: clients see no difference.
local function field(value, path)
	for name in path:gmatch("[^.]+") do
		if type(value) ~= "table" then return nil end
		value = value[name]
		if value == json.null then return nil end
	end
	return value
end

-- The first field that may not be null and is.
local function unreadable(call, value)
	for name in call.reads:gmatch("([^%s!]+)!") do
		if field(value, name) == nil then return name end
	end
end

local function plain(value)
	if type(value) == "table" then
		local text = json.encode(value)
		return #text <= MOST_TEXT and text or text:sub(1, utf8.offset(text, 0, MOST_TEXT) - 1) .. "…"
	end
	return value == nil and "null" or print_.plain(value)
end

local function object_text(call, value)
	local out = {}
	for name in call.reads:gmatch("[^%s!]+") do out[#out + 1] = name:match("[^.]+$") .. " " .. plain(field(value, name)) end
	return table.concat(out, ", ")
end

local function shown(call, item)
	return (call.shows or "{login}"):gsub("{([%l_.]+)}", function(name) return plain(field(item, name)) end)
end

local function list_text(call, items, pages)
	local out = {}
	for index = 1, math.min(#items, MOST_SHOWN) do out[index] = shown(call, items[index]) end
	if #items > MOST_SHOWN then out[#out + 1] = ("and %d more"):format(#items - MOST_SHOWN) end
	local many = pages > 1 and (" on %d pages"):format(pages) or ""
	return ("%d%s%s%s"):format(#items, many, #items > 0 and ": " or "", table.concat(out, ", "))
end

-- ---- pages ----

local function linked(headers, relation)
	return (headers.link or ""):match('<([^<>]+)>; rel="' .. relation .. '"')
end

-- The address of the next page as the client finds it: a path and query, or nil. number: of the page that was read.
local function next_page(call, target, response, items, number)
	if call.pages == "empty" then
		if #items == 0 then return nil end
		return (target:gsub("[?&]page=%d+$", "")) .. (target:find("?", 1, true) and "&" or "?") .. "page=" .. number + 1
	end
	local address = (call.pages ~= "next+last" or linked(response.headers, "last")) and linked(response.headers, "next")
	return address and address:match("^https?://[^/]+(/.*)$")
end

-- ---- one call ----

local ANSWERS = { [204] = "a member", [404] = "not found" }

-- Which scopes are missing, when the status says that some are; or nil.
local function lacking(run, response)
	local wanted, has = response.headers["x-accepted-oauth-scopes"] or "", response.headers["x-oauth-scopes"]
	if wanted == "" or (response.status ~= 403 and response.status ~= 404) or run.reaches(wanted) then return nil end
	return ("let it ask for one of: %s (it has: %s)"):format(wanted, has ~= "" and has or "none")
end

-- Why an answer of this status is none for the client, and what helps.
local function refusal(run, call, response)
	local said = (json.decode(response.body or "") or {}).message
	local by_query = run.client.api == "query" and response.status == 401 and "github = { query_token = true } in the application"
	return ("%d %s"):format(response.status, print_.plain(said or "")), call.optional or by_query or lacking(run, response)
end

local function good_status(call, status)
	for _, each in ipairs(call.expects or { 200 }) do
		if each == status then return true end
	end
	return false
end

local function has_scope(granted, wanted)
	if type(wanted) == "string" then return (", " .. granted .. ","):find(", " .. wanted .. ",", 1, true) ~= nil end
	for _, each in ipairs(wanted) do
		if has_scope(granted, each) then return true end
	end
	return false
end

local function check_headers(run, call, response)
	if call.header and not response.headers[call.header] then run.breaks(call, "the header " .. call.header .. " is missing") end
	for _, wanted in ipairs(call.granted or {}) do
		if not has_scope(response.headers["x-oauth-scopes"] or "", wanted) then
			run.breaks(call, "it looks for the scope " .. (type(wanted) == "table" and table.concat(wanted,
				" or ") or wanted) .. " in X-OAuth-Scopes")
		end
	end
end

local function check_item(run, call, value)
	local missing = unreadable(call, value)
	if missing then run.breaks(call, ("it cannot do without %s, which is null"):format(missing)) end
	return missing == nil
end

local function choose_email(run, call, items)
	for _, each in ipairs(items) do
		local fits = call.takes == "first" or each.primary == true and (call.takes == "primary" or each.verified == true)
		if fits then
			run.found.email = run.found.email or each.email
			return
		end
	end
end

-- What the client makes of a list that it has read in whole.
local function take_list(run, call, items, response, pages)
	for _, each in ipairs(items) do
		if not check_item(run, call, each) then break end
	end
	if call.takes then choose_email(run, call, items) end
	if call.lists then run.found[call.lists] = math.max(run.found[call.lists] or 0, #items) end
	if not call.pages and linked(response.headers, "next") then
		run.notes(("it reads only the first %d: the rest is nothing to it"):format(#items), nil, call)
	end
	return list_text(call, items, pages)
end

local function ask(run, call, target)
	local response = run.ask(request_of(run, call, target))
	return response, response.body and json.decode(response.body)
end

-- All pages of a list whose first is `items`; how many there were, and the last answer, if it was none.
local function rest_of(run, call, target, response, items)
	local all, pages = { table.unpack(items) }, 1
	while call.pages do
		target = next_page(call, target, response, items, pages)
		if not target then break end
		if pages >= MOST_PAGES then
			run.notes(("after %d pages try stops; the program goes on"):format(pages), nil, call)
			break
		end
		response, items = ask(run, call, target)
		if response.status ~= 200 or type(items) ~= "table" then return all, pages, response end
		table.move(items, 1, #items, #all + 1, all)
		pages = #items > 0 and pages + 1 or pages
		if #items == 0 then break end
	end
	return all, pages
end

local function is_list(value, body) return type(value) == "table" and body:find("^%s*%[") ~= nil end

-- GraphQL tells of its errors with status 200.
local function query_error(call, value)
	local first = call.graphql and type(value.errors) == "table" and value.errors[1]
	return first and first.message
end

-- What it reads, as text.
local function read(run, call, target, response, value)
	check_headers(run, call, response)
	if response.status ~= 200 then
		local scopes = lacking(run, response)
		if scopes then run.notes("404, since its token lacks the scope", scopes, call) end
		return ANSWERS[response.status] or ""
	end
	if type(value) ~= "table" then
		run.breaks(call, "the answer is no JSON")
		return ""
	elseif is_list(value, response.body) then
		local items, pages, failed = rest_of(run, call, target, response, value)
		if failed then run.breaks(call, "a further page is answered by " .. refusal(run, call, failed)) end
		return take_list(run, call, items, response, pages)
	elseif query_error(call, value) then
		run.breaks(call, query_error(call, value))
		return ""
	end
	if call.granted then return "scopes " .. (response.headers["x-oauth-scopes"] or "none") end
	check_item(run, call, value)
	if call[1] == "/user" then run.found.email = field(value, "email") end
	return object_text(call, value)
end

local function once(run, call, values)
	local target = call.graphql and expand(call.graphql, values, "<(%l+)>")
		or (run.client.prefix or "/api/v3") .. expand(call[1], values, "{([%l_]+)}")
	local response, value = ask(run, call, target)
	local good = good_status(call, response.status)
	local made = run.made(call.graphql and "POST" or "GET", call.graphql and "/api/graphql" or target, response.status)
	if good then
		made.reads = read(run, call, target, response, value)
		return
	end
	local why, advice = refusal(run, call, response)
	made.reads = why:match("^%d+ (.*)$")
	if call.optional then run.notes(why, advice, call) else run.breaks(call, "it cannot go on after " .. why, advice) end
end

function rehearsal_calls.run(run)
	for _, call in ipairs(run.client.calls) do
		if not (call.when == "no email" and run.found.email) then
			for _, values in ipairs(places(run, call.each)) do once(run, call, values) end
		end
	end
end

return rehearsal_calls
