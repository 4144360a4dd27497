-- github/credentials.lua: POST /credentials/revoke: whoever finds tokens in public ends them. Nobody proves anything but that he has
-- them, and everybody hears the same.
local answer        = require "github/answer"
local err           = require "kit/err"
local github_tokens = require "auth/github_tokens"
local guesses       = require "auth/guesses"

local credentials = { kind = "github", OPTIONS = answer.preflight }

-- GitHub takes a thousand; each costs a look-up.
local MOST = 1000

-- What guesses are counted by: no application is called so.
local PLACE = "credentials revoke"

local function list_of(req)
	local body = json.decode(req.body or "")
	if type(body) ~= "table" then err.raise("invalid_request", nil, { status = 400, message = "Problems parsing JSON" }) end
	local list = body.credentials
	local right = type(list) == "table" and #list >= 1 and #list <= MOST
	for _, text in ipairs(right and list or {}) do right = right and type(text) == "string" end
	if not right then err.raise("invalid_request", nil, { status = 422 }) end
	return list
end

function credentials.POST(req)
	local list, ended = list_of(req), false
	-- S30: a list in which there is nothing was a guess.
	guesses.refuse(PLACE, req)
	task.detach()
	for _, text in ipairs(list) do ended = github_tokens.found(text, req) or ended end
	if not ended then guesses.count(PLACE, req) end
	local response = answer.json(req, json.object {}, { ["cache-control"] = "no-store" })
	response.status = 202
	return response
end

return credentials
