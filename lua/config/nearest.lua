-- config/nearest.lua: the known name that somebody who mistyped most likely meant.

-- Edits between two words, given up at `limit`.
local function distance(a, b, limit)
	if math.abs(#a - #b) > limit then
		return limit + 1
	end
	local before = {}
	for j = 0, #b do
		before[j] = j
	end
	for i = 1, #a do
		local now = { [0] = i }
		for j = 1, #b do
			local cost = a:byte(i) == b:byte(j) and 0 or 1
			now[j] = math.min(before[j] + 1, now[j - 1] + 1, before[j - 1] + cost)
		end
		before = now
	end
	return before[#b]
end

-- `known` is a map whose keys are the names, or a list of names. Nil when nothing is near.
return function(word, known)
	local best, found = 3, nil
	if type(word) ~= "string" or #word > 60 then
		return nil
	end
	for key, value in pairs(known) do
		local name = type(key) == "string" and key or value
		if type(name) == "string" then
			local edits = distance(word:lower(), name:lower(), best)
			if edits < best or (edits == best and found and name < found) then
				best, found = edits, name
			end
		end
	end
	return found
end
