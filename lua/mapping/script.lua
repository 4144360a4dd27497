-- mapping/script.lua: one call of an owner's script in the jail, and what is told of one that failed. An entry is { name,
-- script = its path, source, may = see config/may, label }.
local err = require "kit/err"

local script = {}

-- Is it Lua at all? True, or nil and "path:line: text".
function script.compile(entry)
	local path = entry.script or entry.label
	local ok, why = jail.compile { name = entry.name or entry.label, chunk = "=" .. path, source = entry.source }
	if ok then return true end
	return nil, ("%s:%s: %s"):format(path, why.line or "?", why.message)
end

-- S24: what every script sees of an application and of a request. Named values only; no cookies, no Authorization, no secrets.
function script.application(application)
	application = application or {}
	return { slug = application.slug, name = application.name, client_id = application.client_id }
end

function script.request(request)
	request = request or {}
	return { client_ip = request.client_ip, path = request.path }
end

-- What the failing script was given, for the event: enough to find the case again, without the attributes' values.
local function excerpt(given)
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

-- What is known of a failure: { name, script, line, kind, message, log, saw, given }.
function script.failure(entry, given, why)
	return {
		name = entry.name, script = entry.script, line = why.line, kind = why.kind, message = why.message,
		log = why.log or {}, saw = why.saw or {}, given = excerpt(given),
	}
end

-- Runs one script; exact counts every instruction, for trying. Returns { result, second, instructions, memory, ms, log }, or nil
-- and the failure.
function script.run(entry, given, exact)
	local answer, why = jail.run {
		name = entry.name, chunk = "=" .. entry.script, source = entry.source, given = given, exact = exact,
	}
	if answer then return answer end
	if why.kind == "busy" then err.raise("temporarily_unavailable", "every script runner is at work; try again") end
	return nil, script.failure(entry, given, why)
end

return script
