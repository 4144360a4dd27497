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

-- The decoded body of such an answer, its headers, and its bytes; or nil as above. Waits.
function api.get(source, address, token, headers)
	local answer, kind, why, status = api.ask(source, address, token, headers)
	if not answer then return nil, kind, why, status end
	local value = json.decode(answer.body)
	if type(value) ~= "table" then return nil, "unusable", failure(address, answer) .. ", but what came is no JSON" end
	return value, answer.headers, #answer.body
end

-- ---- pages ----

-- Of all pages together; nobody's browser waits longer than the seconds.
local MOST_PAGES, MOST_ITEMS, MOST_BYTES_OF_ALL, LONGEST = 100, 20000, 8 * MOST_BYTES, 30

local function same_origin(a, b)
	local one, other = url.parse(a), url.parse(b)
	return one and other and one.origin == other.origin
end

-- What must not be asked any further: kind of problem and why; or nil. got: { pages, items, bytes, ends }.
local function too_much(got)
	if time.mono() > got.ends then return "unreachable", ("the pages take longer than %d seconds"):format(LONGEST) end
	if got.pages >= MOST_PAGES then return "unusable", ("there are more than %d pages"):format(MOST_PAGES) end
	if got.items > MOST_ITEMS or got.bytes > MOST_BYTES_OF_ALL then return "unusable", "the pages hold more than can be taken" end
end

local function wrong_turn(following, first, seen)
	if not same_origin(following, first) then return "unbelieved", "the next page is on another host" end
	if seen[following] then return "unusable", "the pages lead in a circle" end
end

-- All items of a list that comes in pages. items_of(answer, headers) → list, address of the next page or nil; it must be on the
-- first one's origin: a token is shown to nobody else. nil, kind of problem, why, status. Waits.
function api.pages(source, address, token, headers, items_of)
	local out, seen, at = {}, {}, address
	local got = { pages = 0, items = 0, bytes = 0, ends = time.mono() + LONGEST }
	repeat
		local kind, why = too_much(got)
		if kind then return nil, kind, why end
		local answer, given, bytes, status = api.get(source, at, token, headers)
		if not answer then return nil, given, bytes, status end
		local items, following = items_of(answer, given)
		if type(items) ~= "table" then return nil, "unusable", failure(address, { status = 200 }) .. ", but what came is no list" end
		table.move(items, 1, #items, #out + 1, out)
		got.pages, got.items, got.bytes, seen[at] = got.pages + 1, #out, got.bytes + bytes, true
		if following then
			kind, why = wrong_turn(following, address, seen)
			if kind then return nil, kind, why end
		end
		at = following
	until not at
	return out
end

return api
