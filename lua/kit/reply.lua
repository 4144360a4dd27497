-- kit/reply.lua: responses as boot.lua hands them to the server: { status, headers, body }; header names lower case.
local reply = {}

-- S15. A page that needs another policy passes its own header.
reply.POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
	.. "frame-ancestors 'none'; base-uri 'none'"

local function answer(status, body, content_type, defaults, headers)
	local out = { ["content-type"] = content_type }
	for name, value in pairs(defaults) do
		out[name] = value
	end
	for name, value in pairs(headers or {}) do
		-- `false` takes a default header away.
		out[name] = value or nil
	end
	return { status = status, headers = out, body = body }
end

local PRIVATE = { ["cache-control"] = "no-store", ["x-content-type-options"] = "nosniff" }

-- `value` is a table to encode, or text that is JSON already.
function reply.json(value, status, headers)
	local body = type(value) == "string" and value or json.encode(value)
	return answer(status or 200, body, "application/json", PRIVATE, headers)
end

function reply.text(text, status, headers)
	return answer(status or 200, text, "text/plain; charset=utf-8", PRIVATE, headers)
end

local PAGE = {
	["cache-control"] = "no-store",
	["x-content-type-options"] = "nosniff",
	["referrer-policy"] = "same-origin",
	["x-frame-options"] = "DENY",
	["content-security-policy"] = reply.POLICY,
}

function reply.html(html, status, headers)
	return answer(status or 200, html, "text/html; charset=utf-8", PAGE, headers)
end

local function redirect(status, url, headers)
	local defaults = { location = url, ["cache-control"] = "no-store", ["referrer-policy"] = "same-origin" }
	return answer(status, "", nil, defaults, headers)
end

function reply.redirect(url, headers)
	return redirect(302, url, headers)
end

function reply.see_other(url, headers)
	return redirect(303, url, headers)
end

-- Appends a set-cookie field.
function reply.cookie(response, text)
	local list = response.headers["set-cookie"] or {}
	list[#list + 1] = text
	response.headers["set-cookie"] = list
	return response
end

return reply
