-- kit/slug.lua: words for paths.
local slug = {}

-- Lower-case letters, digits and single hyphens; what is not ASCII falls away.
function slug.of(text)
	local word = text:lower():gsub("[^%w%s_%-]", ""):gsub("[%s_%-]+", "-")
	return (word:gsub("^%-+", ""):gsub("%-+$", ""))
end

function slug.is(text)
	return #text > 0 and #text <= 100 and text:find("^[%w][%w_%-]*$") ~= nil
end

return slug
