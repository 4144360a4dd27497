-- config/load.lua: a configuration file → plain data for the broker and a few lines for the master; or all that is wrong.
local banner = require "config/banner"
local language = require "config/language"
local nearest = require "config/nearest"
local references = require "config/references"
local settings = require "config/settings"
local types = require "config/types"
local warnings = require "config/warnings"

local function place(declaration)
	return ("%s:%d"):format(declaration.file, declaration.line)
end

-- One declared object, checked and completed; nil when something is wrong with it.
local function object(state, kind, declaration)
	local module, right = language.KINDS[kind], true
	local function report(field, message)
		right = false
		language.report(state, declaration.file,
			language.field_line(state, declaration.file, declaration.line, field),
			("%s \"%s\": %s"):format(kind, declaration.label, message))
	end
	local why = module.label(declaration.label)
	if why then
		report(nil, why)
	end
	local given, beside = declaration.given, nil
	if module.prepare then
		given, beside = module.prepare(given, function(path) return language.read_beside(state, path, declaration) end, report)
	end
	local out = types.check(module.schema, given, report, nearest)
	for name, value in pairs(beside or {}) do
		out[name] = value
	end
	if not right then
		return nil
	end
	out.label, out._at = declaration.label, place(declaration)
	if module.finish then
		module.finish(out, report)
	else
		module.complete(out, report)
	end
	if right and module.script then
		local text, problem = language.read_script(state, out, declaration)
		if not text then
			report("script", problem)
		end
		out.source = text
	end
	if right and (module.script or module.cases) then
		out.cases, out.cases_file, out.cases_at = language.read_cases(state, out.script or out.rules, declaration)
	end
	return right and out or nil
end

local function collect(state)
	local data, origin, broken = { settings = state.settings, files = state.files }, {}, false
	for kind, module in pairs(language.KINDS) do
		local list = {}
		data[module.list] = list
		for _, declaration in ipairs(state.declared[kind] or {}) do
			local made = object(state, kind, declaration)
			if made then
				list[#list + 1] = made
				origin[made] = { kind = kind, declaration = declaration }
			else
				broken = true
			end
		end
	end
	return data, origin, broken
end

-- What is right but dangerous, as "file:line: text".
local function warned(state, data, origin)
	local list = {}
	warnings.find(data, function(made, field, message)
		local from = made and origin[made]
		if from then
			local at = from.declaration
			list[#list + 1] = ("%s:%d: %s \"%s\": %s"):format(at.file, language.field_line(state, at.file, at.line, field), from.kind,
				at.label, message)
		elseif state.set_at[field] then
			list[#list + 1] = ("%s: %s"):format(state.set_at[field], message)
		end
	end)
	return list
end

local function for_master(data)
	local s = data.settings
	local out = { "data=" .. s.data, "public_url=" .. s.public_url }
	if s.run_as then
		out[#out + 1] = "run_as=" .. s.run_as
	end
	if s.tls then
		out[#out + 1] = "certificate=" .. s.tls.certificate
		out[#out + 1] = "key=" .. s.tls.key
		out[#out + 1] = "name=" .. s.public_url:lower():match("^%a+://%[?([^/%]]-)%]?:?%d*$")
		for _, host in ipairs(data.github_hosts) do
			out[#out + 1] = "name=" .. host.label
			out[#out + 1] = "name=api." .. host.label
		end
	end
	for _, each in ipairs(s.listen) do
		out[#out + 1] = ("listen=%s %s %d"):format(each.scheme, each.host, each.port)
	end
	out[#out + 1] = ("connections=%d %d"):format(s.connections.total, s.connections.per_address)
	if s.lab then
		out[#out + 1] = "lab=true"
		out[#out + 1] = "banner=" .. banner(data)
	end
	return out
end

return function(path)
	local state = language.new()
	language.evaluate(state, path)
	local data, origin, broken = collect(state)
	settings.complete(data.settings, function(name, message)
		-- a file that stopped half-way may have set it further down
		if not state.set_at[name] and (name ~= "public_url" or #state.errors == 0) or name == "tls" then
			local file, line = (state.set_at[name] or path .. ":1"):match("^(.*):(%d+)$")
			language.report(state, file, tonumber(line), message)
		end
	end)
	-- With a broken object its name would be missing everywhere: one cause, many complaints.
	if not broken and #state.errors == 0 then
		references(data, function(made, field, message)
			local from = origin[made]
			local at = from.declaration
			language.report(state, at.file, language.field_line(state, at.file, at.line, field),
				("%s \"%s\": %s"):format(from.kind, at.label, message))
		end)
	end
	if #state.errors > 0 then
		return nil, state.errors
	end
	data.warnings = warned(state, data, origin)
	return data, for_master(data)
end
