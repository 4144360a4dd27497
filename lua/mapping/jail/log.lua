-- mapping/jail/log.lua: log.info("text", { key = value }) and its like; the lines come back with the result.
local core = ...

local levels = { debug = 0, info = 1, warning = 2, error = 3 }
log = {}

-- A table is shown as JSON, where it can be.
local function shown(value)
	if type(value) ~= "table" then return tostring(value) end
	local ok, text = pcall(json.encode, value)
	return ok and text or tostring(value)
end

local function line(level)
	return function(message, values)
		local out = { shown(message) }
		local names = {}
		for name in pairs(values or {}) do names[#names + 1] = tostring(name) end
		table.sort(names)
		for _, name in ipairs(names) do
			out[#out + 1] = name .. "=" .. shown(values[name])
		end
		core.log(level, table.concat(out, " "))
	end
end

for name, level in pairs(levels) do log[name] = line(level) end
log.warn  = log.warning
ak_logger = log

-- What the person is told when the policy refuses.
function ak_message(text) core.log(4, tostring(text)) end

function print(...)
	local out = table.pack(...)
	for i = 1, out.n do out[i] = shown(out[i]) end
	log.info(table.concat(out, "\t"))
end
