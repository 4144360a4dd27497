-- github/oauth_answer.lua: how GitHub's OAuth endpoints answer: as a form unless JSON or XML is asked for, errors with status 200
-- and GitHub's own words, since most clients look at the body alone.
local html  = require "kit/html"
local reply = require "kit/reply"

local oauth_answer = {}

local function as_form(list)
	local out = {}
	for index, pair in ipairs(list) do
		out[index] = url.encode(pair[1]) .. "=" .. url.encode(tostring(pair[2]))
	end
	return table.concat(out, "&")
end

-- Members in the order in which GitHub has them.
local function as_json(list)
	local out = {}
	for index, pair in ipairs(list) do
		out[index] = json.encode(pair[1]) .. ":" .. json.encode(pair[2])
	end
	return "{" .. table.concat(out, ",") .. "}"
end

local function as_xml(list)
	local out = {}
	for index, pair in ipairs(list) do
		out[index] = ("<%s>%s</%s>"):format(pair[1], html.escape(tostring(pair[2])), pair[1])
	end
	return '<?xml version="1.0" encoding="UTF-8"?>\n<OAuth>' .. table.concat(out) .. "</OAuth>"
end

local function encoding(req)
	local accept = (req.headers.accept or ""):lower()
	if accept:find("application/json", 1, true) then
		return as_json, "application/json"
	elseif accept:find("application/xml", 1, true) and not accept:find("text/html", 1, true) then
		return as_xml, "application/xml"
	end
	return as_form, "application/x-www-form-urlencoded"
end

-- list: { { name, value }, … }; pairs without a value are left out.
function oauth_answer.send(req, list, status)
	local there = {}
	for _, pair in ipairs(list) do
		if pair[2] ~= nil then
			there[#there + 1] = pair
		end
	end
	local encode, kind = encoding(req)
	return reply.text(encode(there), status, { ["content-type"] = kind .. "; charset=utf-8", ["referrer-policy"] = "no-referrer",
		pragma = "no-cache", vary = "Accept" })
end

-- GitHub's words where it has some.
local DESCRIPTIONS = {
	incorrect_client_credentials = "The client_id and/or client_secret passed are incorrect.",
	bad_verification_code = "The code passed is incorrect or expired.",
	bad_refresh_token = "The refresh token passed is incorrect or expired.",
	redirect_uri_mismatch = "The redirect_uri MUST match the registered callback URL for this application.",
	unsupported_grant_type = "The grant_type is not supported.",
	authorization_pending = "The authorization request is still pending.",
	slow_down = "Too many requests have been made in the same timeframe.",
	expired_token = "This 'device_code' has expired.",
	incorrect_device_code = "The device_code provided is not valid.",
	access_denied = "The authorization request was denied.",
	device_flow_disabled = "Device Flow must be explicitly enabled for this application.",
}

-- Where GitHub explains its errors: what the words mean is the same here.
local EXPLAINED = "https://docs.github.com/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-"
local OF_REQUESTS = EXPLAINED .. "oauth-app-access-token-request-errors"
local OF_AUTHORIZATION = EXPLAINED .. "authorization-request-errors"

-- The error of an authorization request, for the application's address.
function oauth_answer.authorization_error(code, description)
	return { { "error", code }, { "error_description", description }, { "error_uri", OF_AUTHORIZATION } }
end

-- What an endpoint raised (boot/boundary). Only failures of ours, of speed and of the request's form have a status of their own.
function oauth_answer.failed(req, e, status)
	return oauth_answer.send(req, {
		{ "error", e.oauth }, { "error_description", DESCRIPTIONS[e.oauth] or e.description }, { "error_uri", OF_REQUESTS },
		{ "interval", e.interval },
	}, e.status or (status >= 500 and status) or 200)
end

return oauth_answer
