-- oidc/response_type.lua: what the authorization endpoint is asked to hand out (OAuth 2.0 Multiple Response Type Encoding
-- Practices), and the way it travels: query, fragment, or a form that posts itself (Form Post Response Mode).
local response_type = {}

-- By their words in order, since the order of words says nothing: what each hands out; `front` when tokens pass through the browser.
local known = {
	["code"]                = { code = true },
	["id_token"]            = { id_token = true, front = true },
	["id_token token"]      = { id_token = true, token = true, front = true },
	["code id_token"]       = { code = true, id_token = true, front = true },
	["code token"]          = { code = true, token = true, front = true },
	["code id_token token"] = { code = true, id_token = true, token = true, front = true },
}
for name, kind in pairs(known) do kind.name = name end

-- { name, code, id_token, token, front } of a request's text, or nil.
function response_type.read(text)
	local words = {}
	for word in text:gmatch("[^ ]+") do words[#words + 1] = word end
	table.sort(words)
	return known[table.concat(words, " ")]
end

local function front(text)
	for word in (text or ""):gmatch("%S+") do
		if word == "token" or word == "id_token" then return true end
	end
	return false
end

-- The mode for the texts of response_mode and response_type (either may be nil). Always a mode: where the asked one cannot be had
-- there is a reason beside it, and the error travels the way that the response type has by itself.
function response_type.mode(text, kind, redirect_uri)
	local default = front(kind) and "fragment" or "query"
	if not text or text == default or text == "fragment" then return text or default end
	if text == "form_post" then
		if redirect_uri:find("^https?://") then return text end
		return default, "The response mode form_post needs a redirect_uri that is http or https."
	end
	-- S19: a query stands in logs and in Referer fields.
	if text == "query" then return default, "The response mode query does not carry tokens." end
	return default, "The response mode is not supported."
end

return response_type
