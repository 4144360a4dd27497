-- mapping/script.lua: one call of an owner's script in the jail: what it asks for on the way is judged and done here (S24), and what is
-- told of one that failed. An entry is { name, what = "policy" …, script = its path, source, may = see config/may, pure = it may
-- ask for nothing at all }.
local err = require "kit/err"

local script = {}

-- S23, S24: of one call.
local QUESTIONS = 50
local WAITING = 5
local DEEPEST = 3

-- By name: function(about, entry, …) → true and a value, or false and why not. Modules to the left hand theirs over.
local helpers = {}

function script.provide(more)
	for name, helper in pairs(more) do helpers[name] = helper end
end

-- Is it Lua at all? True, or nil and "path:line: text".
function script.compile(entry)
	local path = entry.script or entry.label
	local ok, why = jail.compile { name = entry.name or entry.label, chunk = "=" .. path, source = entry.source }
	if ok then return true end
	return nil, ("%s:%s: %s"):format(path, why.line or "?", why.message)
end

-- The configuration's scripts of one kind by name, each as `entry_of` makes it; with `compile` the jail is asked whether they are Lua
-- at all. nil and "path:line: text" for the first that is none.
function script.declared(list, compile, entry_of)
	local declared = {}
	for _, each in ipairs(list or {}) do
		local ok, why = true, nil
		if compile then ok, why = script.compile(each) end
		if not ok then return nil, why end
		declared[each.name] = entry_of(each)
	end
	return declared
end

-- S24: what every script sees of an application and of a request. Named values only; no cookies, no Authorization, no secrets.
function script.application(application)
	application = application or {}
	return { slug = application.slug, name = application.name, client_id = application.client_id }
end

function script.request(request)
	request = request or {}
	return { client_ip = request.client_ip, path = request.path, method = request.method, user_agent = request.user_agent }
end

-- What script.request takes, of a request that came in.
function script.of_request(req)
	req = req or {}
	local agent = (req.headers or {})["user-agent"]
	return { client_ip = req.peer, path = req.path, method = req.method, user_agent = agent and agent:sub(1, 200) }
end

local function names_of(value)
	local out = {}
	for name in pairs(value or {}) do
		if #out < 40 then out[#out + 1] = tostring(name) end
	end
	table.sort(out)
	return json.array(out)
end

-- What the failing script was given, for the event: enough to find the case again, without the attributes' values.
local function excerpt(given)
	if given.source then
		return json.encode { source = given.source.name, info = names_of(given.info), claims = names_of(given.claims), group_id = given.group_id }
	end
	local groups, attributes = {}, {}
	for _, group in ipairs(given.user.groups or {}) do
		if #groups < 10 then groups[#groups + 1] = group.name end
	end
	for name in pairs(given.user.attributes or {}) do
		if #attributes < 20 then attributes[#attributes + 1] = tostring(name) end
	end
	table.sort(attributes)
	return json.encode {
		username = given.user.username,
		groups = json.array(groups),
		attributes = json.array(attributes),
		application = given.application.slug,
		scopes = json.array((given.token or {}).scopes or (given.context or {}).oauth_scopes or {}),
	}
end

-- What is known of a failure: { name, what, script, line, kind, message, log, saw, given }.
function script.failure(entry, given, why)
	return {
		name = entry.name, what = entry.what, script = entry.script, line = why.line, kind = why.kind, message = why.message,
		log = why.log or {}, saw = why.saw or {}, given = excerpt(given),
	}
end

-- ---- what a script asks for ----

-- In a case the world is what the case says of it (mapping/cases).
local function rehearsed(answers, question)
	local answer = table.remove(answers, 1)
	if not answer or answer.ask ~= question[1] then return false, "the case has no answer to it" end
	return true, answer.gets ~= json.null and answer.gets or nil
end

local function judged(entry, about, question)
	if about.answers then return rehearsed(about.answers, question) end
	local helper = helpers[question[1]]
	about.questions = (about.questions or 0) + 1
	if about.questions > QUESTIONS then return false, "asks more than " .. QUESTIONS .. " times" end
	if not helper then return false, "there is no such helper here" end
	if entry.pure then return false, ("a %s sees the person and his groups, and nothing else"):format(entry.what) end
	-- A script may say anything: a helper that chokes on it fails the script, and the request goes on. What the helper itself raises
	-- (no database, no free runner) is the request's.
	local done, ok, value = pcall(helper, about, entry, question[2], question[3], question[4], question[5])
	if done then return ok, value end
	if err.is(ok) then error(ok, 0) end
	log.warn("a helper failed", { name = question[1], script = entry.script, error = tostring(ok) })
	return false, "cannot do this with what it was given"
end

-- Seconds that the call may still wait.
function script.left(about) return math.max(0, about.deadline - time.mono()) end

-- Answers one question; returns as jail.run does. However this ends, the jail does not wait for ever.
local function go_on(entry, about, answer)
	local paused <close> = answer.call
	about.deadline = about.deadline or time.mono() + WAITING
	local ok, value = judged(entry, about, answer.asks)
	if script.left(about) > 0 then
		if not ok then value = ("%s: %s"):format(answer.asks[1], value) end
		return paused:reply(ok, value)
	end
	return nil, { kind = "timeout", message = ("waited longer than %d s, last for %s"):format(WAITING, answer.asks[1]) }
end

-- What the script says goes into the broker's log; debug lines are for trying.
local function tell(entry, about, lines)
	local write = { info = log.info, warning = log.warn, error = log.error }
	for _, line in ipairs(lines or {}) do
		if write[line.level] then
			write[line.level]("script", { name = entry.name, script = entry.script, text = line.text, id = about.req and about.req.id })
		end
	end
end

-- Runs one script. about: what its helpers need to know, none of it the script's: { person = user row or nil, user, application,
-- scopes, req, login, session_id, depth, failures }; exact counts every instruction, for trying. Returns { result, second,
-- instructions, memory, ms, log } (with exact: given too), or nil and the failure.
function script.run(entry, given, about, exact)
	if (about.depth or 0) > DEEPEST then
		return nil, script.failure(entry, given, { kind = "depth", message = "scripts call each other more than " .. DEEPEST .. " deep" })
	end
	about = setmetatable({}, { __index = about })
	-- What is remembered until people change may not depend on the clock.
	if entry.what ~= "GitHub mapping" then given.now = given.now or time.now() end
	if given.request then given.request.obj = { name = entry.name } end
	local answer, why = jail.run {
		name = entry.name, chunk = "=" .. entry.script, source = entry.source, given = given, exact = exact,
	}
	while answer and answer.asks do answer, why = go_on(entry, about, answer) end
	if not exact and not about.answers then tell(entry, about, (answer or why).log) end
	if answer then
		answer.given = exact and given or nil
		return answer
	end
	if why.kind == "busy" then err.raise("temporarily_unavailable", "every script runner is at work; try again") end
	return nil, script.failure(entry, given, why)
end

return script
