-- command/main.lua: what the command line does, over the same store and rules as the web. run answers
-- { status, out, err, again }: 0 done, 1 refused or failed, 2 wrong usage (product.md).
local conf = require "kit/conf"
local declared = require "store/declared"
local err = require "kit/err"
local keys = require "auth/keys"

local main = {}

-- Loaded when the first of its commands comes: a broker that serves has no memory to give for them.
local GROUPS = { check = true, user = true, group = true, app = true, token = true, source = true, key = true, try = true, events = true }

local USAGE = "usage: tidelock check|user|group|app|source|token|key|try|events …\n"

local function choose(body)
	-- Over files alone, with no configuration (which has `files` too).
	if (body.config or {}).unread then
		return function() return require("command/rules").run(body) end
	end
	local word = body.argv[1]
	if not GROUPS[word or ""] then
		return nil, (word and ("unknown command " .. word .. "\n") or "") .. USAGE
	end
	local group = require("command/" .. word)
	if group.run then
		return function() return group.run(body.argv, 2, body) end
	end
	local verb = group.verbs[body.argv[2] or ""]
	if not verb then
		return nil, (body.argv[2] and ("unknown word " .. body.argv[2] .. "\n") or "") .. "usage: tidelock " .. group.usage .. "\n"
	end
	return function() return verb(body.argv, 3, body) end
end

-- Without a running broker a command finds the database as the last start left it: what the file says now comes first, but
-- for check, which tells what would change.
local function prepare(word)
	if declared.applied or word == "check" then
		return
	end
	local ok, why = declared.apply(conf.data())
	if not ok then
		err.raise("refused", why)
	end
	keys.ensure()
end

-- body = { argv = the words after the program's name, stdin = text or nil, config = what the configuration says }.
function main.run(body)
	local action, wrong = choose(body)
	if not action then
		return { status = 2, out = "", err = wrong }
	end
	-- The boundary of a command: it answers with a status and words, not with a page.
	local ok, result = pcall(function()
		if not (body.config or {}).unread then prepare(body.argv[1]) end
		return action()
	end)
	if ok then
		return { status = result.status or 0, out = result.out or "", err = result.err or "", again = result.again,
			record = result.record }
	end
	if err.is(result) then
		local text = result.description or result.oauth
		if result.cause then
			text = text .. " (" .. tostring(result.cause) .. ")"
		end
		return { status = result.exit or 1, out = "", err = text .. "\n" }
	end
	error(result, 0)
end

return main
