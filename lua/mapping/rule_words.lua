-- mapping/rule_words.lua: what happened with conversion rules, in words: for `tidelock try rules --explain` and the event of a refusal.
local rule_words = {}

local function quoted(list)
	local out = {}
	for index, each in ipairs(list or {}) do out[index] = ("%q"):format(each):gsub("\\\n", "\\n") end
	return table.concat(out, ", ")
end

local function condition_line(each)
	if not each.values then return ("%s is absent: the rule does not apply"):format(each.attribute) end
	local what = ("%s = %s"):format(each.attribute, quoted(each.values))
	if each.condition == "value" then return what end
	what = what .. ": " .. each.condition .. (each.holds and " holds" or " does not hold: the rule does not apply")
	return each.gives and what .. ", gives " .. (#each.gives > 0 and quoted(each.gives) or "nothing") or what
end

-- Adds to the list of lines what happened rule by rule (the trace of mapping/rules).
function rule_words.explain(trace, lines)
	for _, rule in ipairs(trace) do
		lines[#lines + 1] = ("rule %d %s"):format(rule.rule, rule.applies and "applies" or "does not apply")
		for _, each in ipairs(rule.remote or {}) do lines[#lines + 1] = "    " .. condition_line(each) end
		for index, values in ipairs(rule.values or {}) do lines[#lines + 1] = ("    {%d} is %s"):format(index - 1, quoted(values)) end
	end
	return lines
end

return rule_words
