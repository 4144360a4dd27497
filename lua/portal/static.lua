-- portal/static.lua: the style sheet, with a strong validator so that a browser asks for it once.
local sheet = sys.asset("pages/tidelock.css")
local tag   = '"' .. base64.url_encode(crypto.sha256(sheet)):sub(1, 22) .. '"'

local static = {}

function static.style(req)
	local headers = {
		["content-type"] = "text/css; charset=utf-8", ["cache-control"] = "public, max-age=3600", etag = tag,
		["x-content-type-options"] = "nosniff",
	}
	if req.headers["if-none-match"] == tag then return { status = 304, headers = headers, body = "" } end
	return { status = 200, headers = headers, body = sheet }
end

return static
