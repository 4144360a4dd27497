-- github/catalogue.lua: what programs that know GitHub Enterprise do with it, one entry a program: how they ask for a token, the calls
-- that they make, in their order, and what they read. `tidelock try github --as NAME` goes through it (command/rehearsal).
--
-- An entry:
--   title; callback = the path of its redirect URI, where * is what its administrator chose; scope = as it asks; flow = "web" (nil),
--   "device" or "personal" (somebody types a personal token into it); authorize = further parameters, no_redirect = it sends no
--   redirect_uri, pkce = it sends a challenge
--   token = how it redeems a code: "go" (x/oauth2: Basic, then the body), "body", "basic", "query" (all in the URL) or "json";
--   accept = "json" where it asks for JSON; bare = neither grant_type nor redirect_uri; reads_form = nothing else
--   api = how it shows the token: "token" (nil), "Bearer" or "query"; prefix = of its paths (nil: /api/v3); calls
--   needs, wants = { email, organizations, teams = what becomes of somebody who has none }: needs break it
--   scopes = "literal": it looks for each scope that it asked for in the answer; port = false: its form takes a host without port
--   renews = it knows tokens that expire; preset = of config/presets; hints = what its administrator has to know
-- A call:
--   [1] = path, with {login}, {number}, and of what `each` names ("organization", "team"): {org}, {org_number}, {team}, {team_number}
--   graphql = a query in place of a path, with <login>, <org>, <alias>; anonymous = without the token
--   reads = fields; ! after one: null breaks the program. shows = what it makes of each item
--   pages = how it goes on: "next" (the Link), "next+last" (only where both stand), "empty" (until a page is); nil: it reads one page
--   takes = which address: "primary", "verified" (primary and verified), "first"; when = "no email": only then
--   expects = statuses that it can read (nil: 200); 204 says that somebody is a member
--   lists = what its items are: "organizations" or "teams"; optional = what to do where this call fails, which breaks nothing else
--   granted = scopes that it looks for in X-OAuth-Scopes, each one or a list of which one will do
--   header = a field that must be there
local catalogue = {}

local PARTS = { "gateways", "platforms", "builders", "servers", "tools" }

local function all()
	local out = {}
	for _, part in ipairs(PARTS) do
		for name, entry in pairs(require("github/catalogue/" .. part)) do out[name] = entry end
	end
	return out
end

-- The entry, or nil.
function catalogue.find(name) return all()[name] end

-- All names, sorted.
function catalogue.names()
	local out = {}
	for name in pairs(all()) do out[#out + 1] = name end
	table.sort(out)
	return out
end

return catalogue
