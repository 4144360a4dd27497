-- args_spec.lua: the words of a command line.
local args = require "command/args"

local SPEC = { usage = "key retire KID", positional = { "KID" }, options = { alg = "value" } }

return {
	["a key's id that begins with a hyphen is no option"] = function()
		local kid = "-bBkCCrOzXXHRbmwniKog0TriDnMwHb7f_ZChUQUY30"
		assert(args.parse({ "key", "retire", kid }, 3, SPEC).KID == kid)
		local both = args.parse({ "-" .. kid:sub(2, 42) .. "-", "--alg", "ES256" }, 1, SPEC)
		assert(both.KID:sub(1, 1) == "-" and both.alg == "ES256")
	end,

	["other words that begin with one are options, known or refused"] = function()
		for _, word in ipairs { "-x", "--no-such", "-" .. ("a"):rep(41) } do
			local ok, why = pcall(args.parse, { word }, 1, SPEC)
			assert(not ok and why.description:find("unknown option " .. word, 1, true), word)
		end
	end,
}
