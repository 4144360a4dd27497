-- github/catalogue/calls.lua: calls that many programs share.
local calls = {}

local function with(call, more)
	for name, value in pairs(more or {}) do call[name] = value end
	return call
end

-- reads: fields, as the entry's program reads them.
function calls.user(reads, more) return with({ "/user", reads = reads or "id! login! name email" }, more) end

function calls.emails(takes, more) return with({ "/user/emails", reads = "email! primary verified", takes = takes, shows = "{email}" },
	more) end

-- Only when the profile had no address.
function calls.emails_if_none(takes, more) return calls.emails(takes, with({ when = "no email" }, more)) end

function calls.organizations(pages, more)
	return with({ "/user/orgs?per_page=100", pages = pages, reads = "login!", shows = "{login}", lists = "organizations" }, more)
end

function calls.teams(pages, shows, more)
	return with({ "/user/teams?per_page=100", pages = pages, reads = "slug! organization.login!",
		shows = shows or "{organization.login}/{slug}", lists = "teams" }, more)
end

-- 204, or 404 and nothing else: programs let people in by the status alone.
calls.member = { "/orgs/{org}/members/{login}", each = "organization", expects = { 204, 404 } }
calls.team_membership = { "/orgs/{org}/teams/{team}/memberships/{login}", each = "team", expects = { 200, 404 }, reads = "state! role" }

return calls
