-- kit/duration.lua: "90s", "10m", "1h", "28d", "4w" and sums of them ("1h30m").
local duration = {}

local UNIT = { s = 1, m = 60, h = 3600, d = 86400, w = 604800 }
local ORDER = { "w", "d", "h", "m", "s" }

-- Seconds; nil and what is wrong. A number is seconds already.
function duration.parse(text)
	if math.type(text) == "integer" and text >= 0 then
		return text
	end
	if type(text) ~= "string" or #text > 40 then
		return nil, "not a duration like \"10m\" or \"28d\""
	end
	local rest, total = text, 0
	repeat
		local count, unit, after = rest:match("^(%d+)([smhdw])(.*)$")
		if not count or #count > 9 then
			return nil, "not a duration like \"10m\" or \"28d\""
		end
		total, rest = total + math.tointeger(tonumber(count)) * UNIT[unit], after
	until rest == ""
	return total
end

-- The shortest exact text: 5400 is "1h30m".
function duration.text(seconds)
	local out = {}
	for _, unit in ipairs(ORDER) do
		local count = seconds // UNIT[unit]
		-- Weeks only where they are exact: "30d" reads better than "4w2d".
		if count > 0 and (unit ~= "w" or seconds % UNIT.w == 0) then
			out[#out + 1] = ("%d%s"):format(count, unit)
			seconds = seconds % UNIT[unit]
		end
	end
	return #out > 0 and table.concat(out) or "0s"
end

return duration
