-- config/language.lua: the environment in which the owner's file runs. Settings are assignments, objects are declarations;
-- what it may reach are env, file and include.
local nearest = require "config/nearest"
local settings = require "config/settings"

local language = {}

local KINDS = {
	user = require "config/users",
	group = require "config/groups",
	application = require "config/applications",
	scope_mapping = require "config/scope_mappings",
	policy = require "config/policies",
	github_mapping = require "config/github_mappings",
	github_host = require "config/github_hosts",
	source = require "config/sources",
	source_mapping = require "config/source_mappings",
	subject_pool = require "config/subject_pools",
	conversion_rules = require "config/conversion_rules",
}

-- Declarations of later versions. Ignoring one would leave a restriction out without a word.
local LATER = {
	proxy_application = "proxy applications", directory_sync = "directory syncs",
}

local INCLUDE_DEPTH = 16
local ERRORS_MAX = 50
local SCRIPT_MAX = 65536
local FILE_MAX = 1048576

local function folder(path)
	return path:match("^(.*)/[^/]*$") or "."
end

-- A path as the file `from` means it.
local function resolve(path, from)
	if path:sub(1, 1) == "/" then
		return path
	end
	path = path:gsub("^%./", "")
	local base = folder(from)
	while path:sub(1, 3) == "../" and base:find("/[^/.][^/]*$") do
		base, path = base:gsub("/[^/]*$", ""), path:sub(4)
	end
	return base .. "/" .. path
end

function language.new()
	return { errors = {}, settings = {}, set_at = {}, declared = {}, pending = {}, files = {}, lines = {}, depth = 0 }
end

function language.report(state, file, line, message)
	local text = ("%s:%d: %s"):format(file, line, message)
	for _, each in ipairs(state.errors) do
		if each == text then
			return
		end
	end
	if #state.errors < ERRORS_MAX then
		state.errors[#state.errors + 1] = text
	end
end

-- The line of `field = …` in the declaration that begins at `line`: people look there, not at the declaration's head.
function language.field_line(state, file, line, field)
	local lines = state.lines[file] or {}
	for i = line, math.min(line + 200, #lines) do
		if i > line and lines[i]:find("^%l[%l_]*%s*%(?%s*[\"']") then
			break -- the next declaration
		end
		if type(field) == "string" and lines[i]:find("%f[%w_]" .. field:gsub("%W", "%%%0") .. "%f[^%w_]%s*=") then
			return i
		end
	end
	return line
end

local function split_lines(text)
	local out = {}
	for line in (text .. "\n"):gmatch("(.-)\n") do
		out[#out + 1] = line
	end
	return out
end

local function read(state, path, max)
	local text, why = host.read(path, max)
	if text then
		state.files[#state.files + 1] = path
	end
	return text, why
end

-- Stops the file with a message; Lua puts nothing in front, we know better where we are.
local function stop(message)
	local file, line = host.where()
	error({ file = file, line = line, message = message }, 0)
end

local function need_text(value, what)
	if type(value) ~= "string" or value == "" then
		stop(what .. " wants a text")
	end
	return value
end

local function env(name, default)
	local value = host.env(need_text(name, "env"))
	if value == nil then
		value = default
	end
	if value == nil then
		stop(("the environment variable %s is not set"):format(name))
	end
	return value
end

local function reader(state)
	return function(path)
		local from = host.where()
		local full = resolve(need_text(path, "file"), from)
		local text, why = read(state, full, FILE_MAX)
		if not text then
			stop(("%s: %s"):format(full, why))
		end
		return (text:gsub("\r?\n$", "", 1))
	end
end

local function add_declaration(state, kind, label, given, file, line)
	local list = state.declared[kind]
	if not list then
		list = {}
		state.declared[kind] = list
	end
	for _, other in ipairs(list) do
		if other.label == label then
			language.report(state, file, line, ("%s \"%s\" is declared twice, first in %s:%d"):format(kind, label,
				other.file, other.line))
			return
		end
	end
	list[#list + 1] = { label = label, given = given, file = file, line = line }
end

local function declarer(state, kind)
	return function(label)
		local file, line = host.where()
		if type(label) ~= "string" or label == "" then
			stop(("%s wants a name: %s \"name\" { … }"):format(kind, kind))
		end
		local pending = { kind = kind, label = label, file = file, line = line }
		state.pending[pending] = true
		return function(given)
			state.pending[pending] = nil
			if type(given) ~= "table" then
				stop(("%s \"%s\" wants a table { … }"):format(kind, label))
			end
			add_declaration(state, kind, label, given, file, line)
		end
	end
end

local function refuser(state, kind)
	return function(label)
		local file, line = host.where()
		language.report(state, file, line, ("%s \"%s\": this version of Tidelock has no %s"):format(kind, tostring(label),
			LATER[kind]))
		return function() end
	end
end

local run

local function includer(state)
	return function(pattern)
		local from = host.where()
		local full = resolve(need_text(pattern, "include"), from)
		local place, name = full:match("^(.*)/([^/]+)$")
		if not name then
			stop("include wants a file or a pattern like \"conf.d/*.lua\"")
		end
		if place:find("[*?]") then
			stop("a pattern may stand in the last part of a path only")
		end
		if not name:find("[*?]") then
			return run(state, full)
		end
		local names, why = host.list(place, name)
		if not names then
			stop(("%s: %s"):format(place, why))
		end
		table.sort(names)
		for _, each in ipairs(names) do
			run(state, place .. "/" .. each)
		end
	end
end

local function copy_of(library, without)
	local out = {}
	for name, value in pairs(library) do
		out[name] = value
	end
	for _, name in ipairs(without or {}) do
		out[name] = nil
	end
	return out
end

-- The worker cannot open the file: it gets the text, as `ca`, and where the name stands, as `at`.
local function read_authorities(state, outgoing, file, line)
	outgoing.ca_file = resolve(outgoing.ca_file, file)
	local text, why = read(state, outgoing.ca_file, FILE_MAX)
	if text and not text:find("-----BEGIN CERTIFICATE-----", 1, true) then
		why = "holds no certificate in PEM"
	end
	if why then
		language.report(state, file, line, ("outgoing.ca_file: %s: %s"):format(outgoing.ca_file, why))
	end
	outgoing.ca, outgoing.at = text, ("%s:%d"):format(file, line)
end

local function assign(state, name, value)
	local file, line = host.where()
	local rule = settings.schema[name]
	if not rule then
		local near = nearest(name, settings.schema)
		language.report(state, file, line, ("there is no setting \"%s\"%s"):format(tostring(name),
			near and (", did you mean \"%s\"?"):format(near) or ""))
	elseif state.set_at[name] then
		language.report(state, file, line, ("%s is set twice, first in %s"):format(name, state.set_at[name]))
	elseif value ~= nil then
		local kept, why = rule(value)
		if kept == nil then
			language.report(state, file, line, ("%s %s"):format(name, why))
		end
		-- a wrong one counts as set, so that nothing complains that it is missing
		state.settings[name] = kept
		state.set_at[name] = ("%s:%d"):format(file, line)
		if name == "data" and kept then
			state.settings.data = resolve(kept, file)
		elseif name == "tls" and kept then
			for key, path in pairs(kept) do
				kept[key] = resolve(path, file)
			end
		elseif name == "outgoing" and kept and kept.ca_file then
			read_authorities(state, kept, file, line)
		end
	end
end

local function environment(state)
	local words = {
		env = env, file = reader(state), include = includer(state),
		ipairs = ipairs, pairs = pairs, tostring = tostring, tonumber = tonumber, type = type, select = select, next = next,
		error = error, assert = assert,
		table = copy_of(table), math = copy_of(math), utf8 = copy_of(utf8), string = copy_of(string, { "dump" }),
	}
	local known = copy_of(settings.schema)
	for kind in pairs(KINDS) do
		words[kind] = declarer(state, kind)
	end
	for kind in pairs(LATER) do
		words[kind] = refuser(state, kind)
	end
	for name in pairs(words) do
		known[name] = true
	end
	return setmetatable({}, {
		__index = function(_, name)
			if words[name] ~= nil then
				return words[name]
			end
			if settings.schema[name] then
				return state.settings[name]
			end
			local near = nearest(name, known)
			stop(("there is no \"%s\"%s"):format(tostring(name), near and (", did you mean \"%s\"?"):format(near) or ""))
		end,
		__newindex = function(_, name, value)
			if words[name] ~= nil then
				stop(("\"%s\" is a word of the configuration, not a setting"):format(name))
			end
			assign(state, name, value)
		end,
		__metatable = "the configuration",
	})
end

-- Runs one file. Its own errors end it and are kept; the others go on.
function run(state, path)
	if state.depth >= INCLUDE_DEPTH then
		stop("include is nested too deep")
	end
	local text, why = read(state, path, FILE_MAX)
	if not text then
		local file, line = host.where()
		language.report(state, file or path, line or 1, ("%s: %s"):format(path, why))
		return
	end
	state.lines[path] = split_lines(text)
	local chunk, message = host.load(text, "@" .. path, state.environment)
	if not chunk then
		-- Lua shortens long file names in front of its messages
		local line, what = message:match("^.-:(%d+): (.*)$")
		language.report(state, path, tonumber(line) or 1, what or message)
		return
	end
	state.depth = state.depth + 1
	-- One bad file must not hide the errors of the next.
	local ok, problem = pcall(chunk)
	state.depth = state.depth - 1
	if not ok then
		-- a declaration that was cut off by the error is no second error
		state.pending = {}
		if type(problem) == "table" and problem.message then
			language.report(state, problem.file or path, problem.line or 1, problem.message)
		else
			local line, what = tostring(problem):match("^.-:(%d+): (.*)$")
			language.report(state, path, tonumber(line) or 1, what or tostring(problem))
		end
	end
end

-- The script's text beside its path; the path is kept as the owner wrote it, for messages.
function language.read_script(state, object, declaration)
	local full = resolve(object.script, declaration.file)
	local text, why = read(state, full, SCRIPT_MAX)
	if not text then
		return nil, ("%s: %s"):format(full, why)
	end
	if not utf8.len(text) or text:sub(1, 1) == "\27" then
		return nil, full .. ": not a text in UTF-8"
	end
	return text
end

-- A file that a declaration names, relative to where it stands. The text, or nil and why.
function language.read_beside(state, path, declaration)
	return read(state, resolve(path, declaration.file), FILE_MAX)
end

-- The cases beside a script or rules ("groups.cases.json" beside "groups.lua"): text, name and where they are or would be.
function language.read_cases(state, path, declaration)
	local name = path:gsub("%.%w+$", "") .. ".cases.json"
	local full = resolve(name, declaration.file)
	return (read(state, full, FILE_MAX)), name, full
end

language.KINDS = KINDS

function language.evaluate(state, path)
	state.environment = environment(state)
	run(state, path)
	for pending in pairs(state.pending) do
		language.report(state, pending.file, pending.line, ("%s \"%s\" has no table { … }"):format(pending.kind, pending.label))
	end
end

return language
