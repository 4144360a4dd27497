-- kit/html.lua: text made harmless in HTML text and in quoted attribute values.
local html = {}

local ENTITY = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

function html.escape(text)
	return (tostring(text):gsub("[&<>\"']", ENTITY))
end

return html
