-- github/endpoint.lua: what all endpoints of GitHub's REST interface begin with: whose token it is, whether its scopes suffice, what the
-- links are to say, and what may be seen.
local answer = require "github/answer"
local caller = require "github/caller"
local err    = require "kit/err"
local events = require "auth/events"
local links  = require "github/links"
local scope  = require "kit/scope"
local sight  = require "github/sight"

local endpoint = {}

function endpoint.not_found() err.raise("not_found", nil, { status = 404 }) end

function endpoint.one_of(granted, wanted)
	for _, name in ipairs(wanted) do
		if scope.has(granted, name) then return true end
	end
	return #wanted == 0
end

local function refuse(req, live, needs)
	events.tally { kind = "github_scope_missing", user = live.user, application = live.application, req = req,
		reason = "asked for what needs " .. table.concat(needs.scopes, " or ") }
	if not needs.forbidden then endpoint.not_found() end
	err.raise("forbidden", nil, { status = 403, message = "You need at least read:org scope or user scope to " .. needs.forbidden })
end

-- handler(req, at, view). at = { path = as it was asked for, and what the path names, in lower case }; view: github/sight, nil with
-- `anonymous`. needs: anonymous = true; scopes = of which one must be granted, else 404, or 403 with `forbidden`; open = function() →
-- true when it needs neither token nor scope today. A bad token comes before all of this. The handler finds in req.github.links what
-- the answer calls things (github/links).
function endpoint.of(handler, needs)
	local function run(req, at)
		local live = caller.of(req)
		req.github = { live = live, accepted = needs.scopes, links = links.of(req) }
		local open = needs.anonymous or needs.open and needs.open()
		if not live and not open then err.raise("unauthorized", nil, { status = 401 }) end
		if live and not open and not endpoint.one_of(live.scopes, needs.scopes or {}) then refuse(req, live, needs) end
		return handler(req, at, not needs.anonymous and sight.of(live, req) or nil)
	end
	return { GET = run, OPTIONS = answer.preflight, kind = "github" }
end

-- One that shows organisations: without the scopes for it there are none.
function endpoint.of_organizations(handler) return endpoint.of(handler, { scopes = sight.ORGANIZATIONS }) end

return endpoint
