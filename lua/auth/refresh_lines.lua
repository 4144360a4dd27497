-- auth/refresh_lines.lua: lines of refresh tokens (S7): which of a line's tokens was shown, and what follows. How a token is written
-- and proven is the affair of its side (auth/tokens, auth/github_refresh).
local events = require "auth/events"
local grants = require "store/grants"
local rows = require "store/rows"
local scope = require "kit/scope"

local refresh_lines = {}

-- A lost answer, or two tabs: for so many seconds the token of before gets the same successor again.
local GRACE = 30

-- Which place in the line has the generation that was shown? "current", "previous" (in time), or nil.
function refresh_lines.place(line, generation)
	if generation == line.generation then
		return "current"
	elseif generation == line.generation - 1 and time.now() - line.rotated_at <= GRACE then
		return "previous"
	end
end

local function end_line(line, application, req)
	local statements = grants.end_statements(line.grant.id, "refresh_reused")
	statements[#statements + 1] = events.statement {
		kind = "refresh_reused", user = line.user, application = application, req = req,
		reason = "an old refresh token came again; the grant has been ended",
	}
	rows.urgent(statements)
end

-- The line of a token that has been proven to be ours: { id, state, generation, shown, scopes, user, grant, application }, or nil and
-- why. A token older than the previous one, or too late, ends line and grant.
function refresh_lines.find(id, generation, application, req)
	local line = grants.line(id)
	if not line or line.grant.application_id ~= application.id then
		return nil, "unknown"
	end
	if not line.alive then
		return nil, "ended"
	end
	line.state = refresh_lines.place(line, generation)
	if not line.state then
		end_line(line, application, req)
		return nil, "reused"
	end
	line.shown, line.application = generation, application
	line.scopes = scope.split(line.scopes)
	line.grant.scopes = scope.split(line.grant.scopes)
	return line
end

-- Rotates with `statements`; from now it lasts so many seconds. Two at once get the same successor: the second finds the line one
-- further and in time. true, or nil and "dead".
function refresh_lines.rotate(line, lifetime, statements, req)
	if line.state == "previous" then
		return rows.batch(statements) and true or nil, "dead"
	end
	if rows.batch { grants.rotate_statement(line, lifetime), table.unpack(statements) } then
		return true
	end
	local now = grants.line(line.id)
	if now and now.alive then
		if refresh_lines.place(now, line.shown) == "previous" then
			return true
		end
		end_line(now, line.application, req)
	end
	return nil, "dead"
end

return refresh_lines
