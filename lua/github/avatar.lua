-- github/avatar.lua: a picture for every number, of a team's after "t/", made of the number alone: it tells nothing of who has it, or
-- whether anybody has.
local err   = require "kit/err"
local reply = require "kit/reply"

local SIZE, CELLS = 80, 5

-- Five by five cells, the left half mirrored, as people know them from GitHub.
local function picture(number)
	local bytes, out = crypto.sha256("avatar " .. number), {}
	local colour = ("#%02x%02x%02x"):format(64 + bytes:byte(1) // 2, 64 + bytes:byte(2) // 2, 64 + bytes:byte(3) // 2)
	for x = 0, CELLS - 1 do
		for y = 0, CELLS - 1 do
			if bytes:byte(4 + math.min(x, CELLS - 1 - x) * CELLS + y) % 2 == 0 then
				out[#out + 1] = ('<path d="M%d %dh14v14h-14z"/>'):format(5 + x * 14, 5 + y * 14)
			end
		end
	end
	return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 80 80">'):format(SIZE, SIZE)
		.. '<path fill="#f0f0f0" d="M0 0h80v80H0z"/><g fill="' .. colour .. '">' .. table.concat(out) .. "</g></svg>"
end

local avatar = { kind = "plain" }

function avatar.GET(_, number)
	err.need(#number <= 12, "not_found")
	return reply.text(picture(number), 200, {
		["content-type"] = "image/svg+xml", ["cache-control"] = "public, max-age=86400", ["content-security-policy"] = "default-src 'none'",
	})
end

return avatar
