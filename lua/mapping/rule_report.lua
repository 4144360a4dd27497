-- mapping/rule_report.lua: what is found wrong on the way through a JSON document: { path = { names and numbers from 0 }, message }.
local rule_report = {}

-- What a value of decoded JSON is, in words.
function rule_report.kind_of(value)
	if value == json.null then return "null" end
	if type(value) == "table" then return json.is_array(value) and "list" or "object" end
	return ({ string = "text", number = "number", boolean = "boolean" })[type(value)]
end

local Report = {}
Report.__index = Report

function Report:add(message, ...)
	local path = table.move(self.path, 1, #self.path, 1, {})
	self.found[#self.found + 1] = { path = path, message = message:format(...) }
end

-- Goes one step down for as long as `look` runs.
function Report:within(step, look, ...)
	self.path[#self.path + 1] = step
	look(self, ...)
	self.path[#self.path] = nil
end

-- True when the value is of the kind; else that is reported.
function Report:is(value, kind)
	if rule_report.kind_of(value) == kind then return true end
	self:add("this is no %s but a %s", kind, rule_report.kind_of(value))
	return false
end

function Report:each(list, look, ...)
	if not self:is(list, "list") then return end
	for index, value in ipairs(list) do self:within(index - 1, look, value, ...) end
end

-- An object of these members: { name = look }. Others are mistakes.
function Report:object(value, members, required)
	if not self:is(value, "object") then return false end
	for name in (required or ""):gmatch("%S+") do
		if value[name] == nil then self:add("%q is missing", name) end
	end
	local names = {}
	for name in pairs(value) do names[#names + 1] = name end
	table.sort(names)
	for _, name in ipairs(names) do
		if not members[name] then self:add("%q is not known here", name) else self:within(name, members[name], value[name]) end
	end
	return true
end

-- Adds a finding at a path below where we are.
function Report:at(path, message)
	local whole = table.move(self.path, 1, #self.path, 1, {})
	self.found[#self.found + 1] = { path = table.move(path, 1, #path, #whole + 1, whole), message = message }
end

-- path: where to begin.
function rule_report.new(path)
	return setmetatable({ path = table.move(path or {}, 1, #(path or {}), 1, {}), found = {} }, Report)
end

return rule_report
