-- kit/html.lua: text made harmless in HTML text and in quoted attribute values.
local html = {}

local ENTITY = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

function html.escape(text)
	text = tostring(text)
	-- Nearly all, and the long ones: sealed requests, and links with them.
	if text:find("^[%w_%-/?=.: ]*$") then
		return text
	end
	return (text:gsub("[&<>\"']", ENTITY))
end

return html
