-- command/args.lua: the words of a command line against what the command takes. Wrong usage is told with the usage line
-- and exit status 2.
local err = require "kit/err"

local args = {}

local function wrong(spec, text)
	err.raise("usage", text .. "\nusage: tidelock " .. spec.usage, { exit = 2 })
end
args.wrong = wrong

local function store(spec, out, name, value)
	local kind = spec.options and spec.options[name]
	if kind == "list" then
		out[name] = out[name] or {}
		table.insert(out[name], value)
	elseif out[name] ~= nil then
		wrong(spec, "--" .. name .. " is given twice")
	elseif kind == "number" then
		out[name] = math.tointeger(tonumber(value)) or wrong(spec, "--" .. name .. " takes a number")
	else
		out[name] = value
	end
end

local function option(spec, out, words, at)
	local name, value = words[at]:match("^%-%-([%w%-]+)=(.*)$")
	name = name or words[at]:match("^%-%-([%w%-]+)$")
	local kind = name == "json" and "flag" or name and spec.options and spec.options[name]
	if not kind then
		wrong(spec, "unknown option " .. words[at])
	end
	if kind == "flag" then
		if value then
			wrong(spec, "--" .. name .. " takes no value")
		end
		out[name] = true
		return at
	end
	if not value then
		at = at + 1
		value = words[at] or wrong(spec, "--" .. name .. " needs a value")
	end
	store(spec, out, name, value)
	return at
end

-- A key's id may begin with a hyphen (RFC 7638: 43 characters of base64url), and is no option.
local function is_option(word) return word:find("^%-") and not (#word == 43 and word:find("^[%w_%-]+$")) end

-- spec: { usage, positional = { "NAME", "[ALG]" }, options = { name = "value"|"list"|"flag"|"number" } }. Reads words from
-- `first` on; the result has options by name and positional words by theirs (NAME, ALG).
function args.parse(words, first, spec)
	local out, plain, at, options_end = {}, {}, first, false
	while at <= #words do
		local word = words[at]
		if not options_end and word == "--" then
			options_end = true
		elseif not options_end and is_option(word) then
			at = option(spec, out, words, at)
		else
			plain[#plain + 1] = word
		end
		at = at + 1
	end
	local wanted = spec.positional or {}
	for index, name in ipairs(wanted) do
		local optional = name:match("^%[(.+)%]$")
		if not plain[index] and not optional then
			wrong(spec, name .. " is missing")
		end
		out[optional or name] = plain[index]
	end
	if #plain > #wanted then
		wrong(spec, "too many words: " .. plain[#wanted + 1])
	end
	return out
end

return args
