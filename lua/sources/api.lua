-- sources/api.lua: asks an upstream for JSON, and the pages of it, with somebody's access token. Bounded in bytes, time and pages.
local fetch = require "kit/fetch"
local upstream = require "sources/upstream"

local api = {}

local TIMEOUT, MOST_BYTES = 10, 1048576

-- What is wrong with an answer, in words for the owner.
local function failure(address, answer, code, detail)
	local place = url.parse(address)
	place = place and place.origin .. place.path or address
	if not answer then return ("%s could not be asked: %s %s"):format(place, code, detail or "") end
	return ("%s answered with status %d"):format(place, answer.status)
end

-- Of kit/fetch's codes: nobody was there, or what came was no answer.
function api.kind_of(code)
	return (code == "too_large" or code == "protocol") and "unusable" or code == "busy" and "busy" or "unreachable"
end

-- The answer of a GET that went well; or nil, kind of problem, why, and the status. Waits.
function api.ask(source, address, token, headers)
	local how = upstream.how(source)
	local sent = { accept = "application/json", authorization = "Bearer " .. token }
	for name, value in pairs(headers or {}) do sent[name] = value end
	local answer, code, detail = fetch.get(address, { timeout = TIMEOUT, max = MOST_BYTES, ca = how.ca, allow = how.allow, headers = sent })
	if not answer then return nil, api.kind_of(code), failure(address, nil, code, detail) end
	if answer.status == 200 then return answer end
	local kind = answer.status == 429 and "busy" or answer.status >= 500 and "unreachable" or "unusable"
	return nil, kind, failure(address, answer), answer.status
end

-- The decoded body of such an answer and its headers; or nil as above. Waits.
function api.get(source, address, token, headers)
	local answer, kind, why, status = api.ask(source, address, token, headers)
	if not answer then return nil, kind, why, status end
	local value = json.decode(answer.body)
	if type(value) ~= "table" then return nil, "unusable", failure(address, answer) .. ", but what came is no JSON" end
	return value, answer.headers
end

-- ---- pages ----

local MOST_PAGES = 100

local function same_origin(a, b)
	local one, other = url.parse(a), url.parse(b)
	return one and other and one.origin == other.origin
end

-- All items of a list that comes in pages. items_of(answer, headers) → list, address of the next page or nil; it must be on the
-- first one's origin: a token is shown to nobody else. nil, kind of problem, why, status. Waits.
function api.pages(source, address, token, headers, items_of)
	local out, seen, at = {}, {}, address
	for _ = 1, MOST_PAGES do
		local answer, kind, why, status = api.get(source, at, token, headers)
		if not answer then return nil, kind, why, status end
		local items, following = items_of(answer, kind)
		if type(items) ~= "table" then return nil, "unusable", failure(address, { status = 200 }) .. ", but what came is no list" end
		table.move(items, 1, #items, #out + 1, out)
		if not following then return out end
		seen[at] = true
		if not same_origin(following, address) then return nil, "unbelieved", "the next page is on another host" end
		if seen[following] then return nil, "unusable", "the pages lead in a circle" end
		at = following
	end
	return nil, "unusable", ("there are more than %d pages"):format(MOST_PAGES)
end

return api
