-- command/refuse.lua: ends a command with status 1 and a reason.
local err = require "kit/err"

local function refuse(text, ...)
	err.raise("refused", select("#", ...) > 0 and text:format(...) or text)
end

return refuse
