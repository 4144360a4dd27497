-- auth/bearer.lua: the token a request brings (RFC 6750): in the header, or in the body of a form; never in the query, and
-- never in two places.
local check = require "kit/check"
local err = require "kit/err"
local scope = require "kit/scope"
local tokens = require "auth/tokens"

local bearer = {}

local SCHEMA = { access_token = { max = 16384 } }

local function from_header(req)
	if (req.headers_repeated or {}).authorization then
		err.raise("invalid_request", "The Authorization header came more than once.")
	end
	local header = req.headers.authorization
	if not header then
		return nil
	end
	if header:sub(1, 6):lower() ~= "bearer" then
		return nil
	end
	local rest = header:match("^%s+()", 7)
	local text = rest and header:sub(rest)
	if not text or text == "" or text:find(" ", 1, true) then
		err.raise("invalid_request", "The Authorization header is malformed.")
	end
	return text
end

local function from_form(req)
	if req.method == "POST" and check.is_form(req) then
		return check.form(req, SCHEMA).access_token
	end
end

local function in_query(req)
	return req.query and req.query ~= "" and ("&" .. req.query):find("&access_token=", 1, true) ~= nil
end

-- The live token (see tokens.live) with `name` among its scopes. Raises what RFC 6750 3.1 answers.
function bearer.require(req, name)
	local header, form = from_header(req), from_form(req)
	if in_query(req) then
		err.raise("invalid_request", "A token in the address is not accepted: it would be written to logs.")
	end
	if header and form then
		err.raise("invalid_request", "The token came twice.")
	end
	local text = header or form
	if not text then
		err.raise("invalid_token", "There is no access token.", { status = 401, bare = true })
	end
	local live, why = tokens.live(text)
	if not live then
		err.raise("invalid_token", "The access token is not valid.", { status = 401, cause = why })
	end
	-- S8: what was made for another resource server opens nothing here.
	if live.foreign then
		err.raise("invalid_token", "The access token is for another resource.", { status = 401 })
	end
	if name and not scope.has(live.scopes, name) then
		err.raise("insufficient_scope", "The access token lacks the scope " .. name .. ".", { status = 403, scope = name })
	end
	return live
end

return bearer
