-- github/caller.lua: whose token a request to GitHub's interface brings: Authorization: token or Bearer, or basic with the token as
-- password (or as the name, as old clients have it). In the query only where its application asks for that (S18).
local err    = require "kit/err"
local events = require "auth/events"
local github_tokens = require "auth/github_tokens"

local caller = {}

local function is_token(text) return text:find("^gh[opu]_%w+$") ~= nil and #text <= 255 end

local function of_basic(text)
	local decoded = base64.decode(text)
	local name, password = (decoded or ""):match("^([^:]*):(.*)$")
	if not name then return "" end
	return is_token(password) and password or is_token(name) and name or ""
end

-- What the field brings: a text, which may be no token at all, or nil when there is no field.
local function of_header(req)
	local header = req.headers.authorization
	if not header then return nil end
	local scheme, rest = header:match("^(%a+) +(%S+) *$")
	scheme = (scheme or ""):lower()
	if scheme == "token" or scheme == "bearer" then return rest end
	return scheme == "basic" and of_basic(rest) or ""
end

local function of_query(req)
	if not (req.query or ""):find("access_token=", 1, true) then return nil end
	local ok, fields = url.form_parse(req.query)
	return ok and fields.access_token or nil
end

local function bad(req, why)
	if not req.tried then events.tally { kind = "github_token_refused", req = req, reason = why } end
	err.raise("unauthorized", nil, { status = 401, message = "Bad credentials" })
end

-- `tidelock try` asks with a token that is kept nowhere (req.tried, command/rehearsal; never of a request from the network).
local function live_of(text, req)
	if not req.tried then return github_tokens.live(text, req) end
	return text == req.tried.token and req.tried.live or nil, "unknown"
end

-- { user, application or nil, scopes = list } of the token, or nil when there is none. A bad one is 401 whatever was asked.
function caller.of(req)
	local text, from_query = of_header(req), false
	if not text then text, from_query = of_query(req), true end
	if not text then return nil end
	local live, why = live_of(text, req)
	if live and from_query and not ((live.application or {}).github or {}).query_token then
		live, why = nil, "a token in the query"
	end
	return live or bad(req, why)
end

return caller
