-- command/check.lua: tidelock check: is the configuration right, do its scripts compile, and what would a reload change?
-- The configuration itself has been evaluated and checked before we are asked.
local args = require "command/args"
local client_keys = require "auth/client_keys"
local declared = require "store/declared"
local fetch = require "kit/fetch"
local print_ = require "command/print"
local script = require "mapping/script"

local check = {}

local function script_errors(config)
	local out = {}
	for _, list in ipairs { config.scope_mappings or {}, config.policies or {}, config.github_mappings or {},
		config.source_mappings or {} } do
		for _, entry in ipairs(list) do
			local _, why = script.compile(entry)
			out[#out + 1] = why
		end
	end
	for _, entry in ipairs(config.conversion_rules or {}) do
		out[#out + 1] = require("mapping/conversions").problem(entry)
	end
	local broken, count = require("mapping/cases").of(config)
	table.move(broken, 1, #broken, #out + 1, out)
	return out, count
end

local function plain(changes)
	local out = json.array {}
	for index, item in ipairs(changes) do
		out[index] = { kind = item.kind, name = item.name, change = item.change }
	end
	return out
end

function check.run(argv, first, body)
	local options = args.parse(argv, first, { usage = "check" })
	local errors, cases = script_errors(body.config)
	local changes = declared.diff(body.config)
	local clash = declared.clashes(changes)
	errors[#errors + 1] = clash
	for _, problem in ipairs(client_keys.problems(body.config)) do
		errors[#errors + 1] = problem
	end
	local _, unusable = fetch.usable(body.config)
	errors[#errors + 1] = unusable
	local warnings = body.config.warnings or {}
	if options.json then
		return { status = #errors > 0 and 1 or 0, out = print_.json(json.object {
			valid = #errors == 0, errors = json.array(errors), warnings = json.array(warnings), changes = plain(changes),
			cases = cases,
		}) }
	end
	if #errors > 0 then
		return { status = 1, err = table.concat(errors, "\n") .. "\n" }
	end
	local lines = { "the configuration is valid" }
	if cases > 0 then lines[1] = ("the configuration is valid, and %d cases come out as they say"):format(cases) end
	for _, text in ipairs(warnings) do lines[#lines + 1] = "warning: " .. text end
	for _, item in ipairs(changes) do
		lines[#lines + 1] = ("a reload: %s %s is %s"):format(item.kind, item.name, item.change)
	end
	if #changes == 0 then
		lines[#lines + 1] = "a reload changes nothing"
	end
	return { out = table.concat(lines, "\n") .. "\n" }
end

return check
