-- mapping/jail/texts.lua: small things to do with texts, lists and times.
local core = ...

-- A list becomes its first element (nil when empty), anything else stays.
function list_flatten(value)
	if type(value) ~= "table" then return value end
	if #value > 0 then return value[1] end
	if next(value) == nil then return nil end
	return value
end

-- The parts of a time in seconds (`now`, unless another is given), where this machine stands: { year, month, day, hour, minute, second,
-- weekday (1 is Monday), utc_offset }. A case may say where: given = { utc_offset = 3600 }.
local function said() return utc_offset end

function localtime(seconds)
	local ok, offset = pcall(said)
	return core.localtime(seconds or now, ok and offset or nil)
end

-- Letters with marks, as their plain ones. What is not here and not ASCII is left out, as in Django's slugify.
local plain = {}
for letters, to in pairs {
	["àáâãäåāăą"] = "a", ["çćĉċč"] = "c", ["ďđ"] = "d", ["èéêëēĕėęě"] = "e", ["ĝğġģ"] = "g", ["ĥħ"] = "h",
	["ìíîïĩīĭįı"] = "i", ["ĵ"] = "j", ["ķ"] = "k", ["ĺļľŀł"] = "l", ["ñńņňŉ"] = "n", ["òóôõöøōŏő"] = "o",
	["ŕŗř"] = "r", ["śŝşšș"] = "s", ["ţťŧț"] = "t", ["ùúûüũūŭůűų"] = "u", ["ŵ"] = "w", ["ýÿŷ"] = "y", ["źżž"] = "z",
	["ÀÁÂÃÄÅĀĂĄ"] = "a", ["ÇĆĈĊČ"] = "c", ["ĎĐ"] = "d", ["ÈÉÊËĒĔĖĘĚ"] = "e", ["ĜĞĠĢ"] = "g", ["ĤĦ"] = "h",
	["ÌÍÎÏĨĪĬĮİ"] = "i", ["Ĵ"] = "j", ["Ķ"] = "k", ["ĹĻĽĿŁ"] = "l", ["ÑŃŅŇ"] = "n", ["ÒÓÔÕÖØŌŎŐ"] = "o",
	["ŔŖŘ"] = "r", ["ŚŜŞŠȘ"] = "s", ["ŢŤŦȚ"] = "t", ["ÙÚÛÜŨŪŬŮŰŲ"] = "u", ["Ŵ"] = "w", ["ÝŶŸ"] = "y", ["ŹŻŽ"] = "z",
	["ß"] = "ss", ["æÆ"] = "ae", ["œŒ"] = "oe", ["þÞ"] = "th", ["ðÐ"] = "d",
} do
	for _, code in utf8.codes(letters) do plain[utf8.char(code)] = to end
end

-- "Große Hütte 7" → "grosse-hutte-7"
function slugify(text)
	text = tostring(text):gsub("[\xc2-\xf4][\x80-\xbf]+", function(character) return plain[character] or "" end)
	text = text:lower():gsub("[^%w%s_-]", ""):gsub("[%s-]+", "-")
	return (text:gsub("^[-_]+", ""):gsub("[-_]+$", ""))
end
