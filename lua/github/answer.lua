-- github/answer.lua: how GitHub's REST interface answers: JSON whatever was accepted, its header fields on every answer, an error
-- object of three keys, pages by Link, 304 for what the asker has.
local answer = {}

-- The version whose schema the answers follow; clients choose their calls by it.
answer.VERSION = "3.19.0"

local DOCUMENTATION = "https://docs.github.com/enterprise-server@3.19/rest"
local EXPOSED = "ETag, Link, Location, Retry-After, X-GitHub-OTP, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Used, "
	.. "X-RateLimit-Resource, X-RateLimit-Reset, X-OAuth-Scopes, X-Accepted-OAuth-Scopes, X-GitHub-Request-Id"

-- Nobody is limited by these numbers; clients want to see some.
local LIMIT = 15000
function answer.limit()
	return { limit = LIMIT, remaining = LIMIT, used = 0, reset = (time.now() // 3600 + 1) * 3600 }
end

local function limit_fields(headers, name)
	local limit = answer.limit()
	headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"] = tostring(limit.limit), tostring(limit.remaining)
	headers["x-ratelimit-used"], headers["x-ratelimit-reset"] = tostring(limit.used), tostring(limit.reset)
	headers["x-ratelimit-resource"] = name
end

local function sorted(list)
	local out = { table.unpack(list) }
	table.sort(out)
	return table.concat(out, ", ")
end

-- req.github = { live = the token or nil, accepted = the scopes of which one would do, links, resource = what is counted (REST's "core")
-- } is what the endpoint found so far.
local function fields(req)
	local found = req.github or {}
	local headers = {
		["content-type"] = "application/json; charset=utf-8", ["x-content-type-options"] = "nosniff",
		["x-github-media-type"] = "github.v3; format=json", ["x-github-request-id"] = req.id,
		["x-github-enterprise-version"] = "enterprise-server@" .. answer.VERSION,
		["x-github-api-version-selected"] = (req.headers["x-github-api-version"] or ""):match("^%d%d%d%d%-%d%d%-%d%d$"),
		["access-control-allow-origin"] = "*", ["access-control-expose-headers"] = EXPOSED,
		["referrer-policy"] = "no-referrer", vary = "Accept, Authorization, Cookie, X-GitHub-OTP",
		-- Not GitHub's minute: who has left a group has left it at once.
		["cache-control"] = found.live and "private, no-cache" or "no-cache",
	}
	if found.live then
		headers["x-oauth-scopes"] = sorted(found.live.scopes)
		headers["x-accepted-oauth-scopes"] = sorted(found.accepted or {})
		local ends = found.live.expires_at
		headers["github-authentication-token-expiration"] = ends and time.iso(ends):gsub("T", " "):gsub("Z$", " UTC") or nil
		headers["x-oauth-client-id"] = found.live.application and found.live.application.client_id
	end
	limit_fields(headers, found.resource or "core")
	return headers
end

local function has_it(req, tag)
	local asked = req.headers["if-none-match"]
	if not asked then return false end
	for each in asked:gmatch('"[^"]*"') do
		if each == tag then return true end
	end
	return asked == "*"
end

-- `value` is encoded; `more`: further header fields.
function answer.json(req, value, more)
	local body, headers = json.encode(value), fields(req)
	for name, text in pairs(more or {}) do headers[name] = text end
	local tag = '"' .. hex.encode(crypto.sha256(body .. (headers.link or ""))) .. '"'
	headers.etag = "W/" .. tag
	if has_it(req, tag) then return { status = 304, headers = headers, body = "" } end
	return { status = 200, headers = headers, body = body }
end

-- JSON that is text already.
function answer.written(req, body) return { status = 200, headers = fields(req), body = body } end

function answer.empty(req) return { status = 204, headers = fields(req), body = "" } end

-- ---- lists ----

local function whole_number(text, default, most)
	if not text or not text:find("^%d+$") then return default end
	local number = #text <= 10 and math.tointeger(tonumber(text)) or most
	return number >= 1 and math.min(number, most) or default
end

-- The address of another page, under the name and prefix that the client used. Nothing of the query is repeated but what chooses the list.
local function address(req, at, query, page)
	local parts = {}
	for _, name in ipairs { "q", "state", "role", "sort", "order", "per_page" } do
		if query[name] then parts[#parts + 1] = name .. "=" .. url.encode(query[name]) end
	end
	parts[#parts + 1] = "page=" .. page
	return "<" .. req.github.links.called .. at.path .. "?" .. table.concat(parts, "&") .. ">"
end

-- Clients look for the exact text `; rel="next"`, and some go on only where "last" stands too.
local function link_of(req, at, query, page, last)
	if last <= 1 then return nil end
	local out = {}
	local function add(number, relation) out[#out + 1] = ('%s; rel="%s"'):format(address(req, at, query, number), relation) end
	if page > 1 then add(math.min(page - 1, last), "prev") end
	if page < last then
		add(page + 1, "next")
		add(last, "last")
	end
	if page > 1 then add(1, "first") end
	return table.concat(out, ", ")
end

-- A page, { offset, limit }, of a list of which everything is at hand, and how many there are.
function answer.slice(list, options)
	return table.move(list, options.offset + 1, math.min(#list, options.offset + options.limit), 1, {}), #list
end

-- The fields of a request's query; one that cannot be read has none.
function answer.query(req)
	local ok, query = url.form_parse(req.query or "")
	return ok and query or {}
end

-- One page, each item made by make(links, item). items: all of them, or function { offset, limit } → those and how many there are in
-- all. Past the end there is nothing. wrap(list, count) makes the answer where it is more than the list.
function answer.page(req, at, items, make, wrap)
	local query = answer.query(req)
	local per_page, page = whole_number(query.per_page, 30, 100), whole_number(query.page, 1, 1000000000)
	local options = { offset = (page - 1) * per_page, limit = per_page }
	local list, total
	if type(items) == "function" then list, total = items(options) else list, total = answer.slice(items, options) end
	local out = json.array {}
	for index, item in ipairs(list) do out[index] = make(req.github.links, item) end
	local link = link_of(req, at, query, page, (total + per_page - 1) // per_page)
	return answer.json(req, wrap and wrap(out, total) or out, { link = link })
end

-- ---- errors ----

local MESSAGES = {
	[400] = "Bad Request", [401] = "Requires authentication", [403] = "Forbidden", [404] = "Not Found", [422] = "Validation Failed",
	[429] = "API rate limit exceeded", [500] = "Server Error", [503] = "Service unavailable",
}

-- The answer to what was raised for the boundary: e.message is what is said, where the status alone says too little. GitHub knows no
-- 405: what a path does not take is not found.
function answer.error(req, e, status)
	if status == 405 then status = 404 end
	local headers = fields(req)
	headers["cache-control"] = "no-store"
	return { status = status, headers = headers, body = json.encode {
		message = e.message or MESSAGES[status] or "Error", documentation_url = DOCUMENTATION, status = tostring(status),
		errors = e.errors,
	} }
end

function answer.preflight(req)
	local headers = fields(req)
	headers["access-control-allow-methods"] = "GET, POST, PATCH, PUT, DELETE"
	headers["access-control-allow-headers"] = "Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, "
		.. "If-Unmodified-Since, Accept-Encoding, X-GitHub-OTP, X-Requested-With, User-Agent, GraphQL-Features, X-GitHub-Api-Version"
	headers["access-control-max-age"] = "86400"
	return { status = 204, headers = headers, body = "" }
end

return answer
