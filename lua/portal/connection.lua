-- portal/connection.lua: GitHub's address of what one application has of a person: what was agreed to, the tokens that it holds, and
-- the one button that takes all of it back. Clients link to it.
local clients       = require("auth/clients")
local consent       = require("auth/consent")
local csrf          = require("auth/csrf")
local err           = require("kit/err")
local github_tokens = require("auth/github_tokens")
local pages         = require("pages/pages")
local request       = require("auth/request")
local session       = require("auth/session")
local users         = require("store/users")

local connection = { kind = "page" }

local PATH = "/settings/connections/applications/"

local function day(seconds) return (time.iso(seconds):gsub("T", " "):gsub(":%d%dZ$", " UTC")) end

local function tokens_of(user, application)
	local out = {}
	for index, token in ipairs(github_tokens.list(user.id, application.id)) do
		out[index] = {
			scopes = token.scopes:gsub(" ", ", "), made = day(token.created_at), used = token.used_at and day(token.used_at),
			ends = token.expires_at and day(token.expires_at),
		}
	end
	return out
end

function connection.GET(req, client_id)
	local application = err.need(clients.find(client_id), "page_not_found")
	local current = session.current(req)
	if not current then return request.sign_in(req, PATH .. url.encode(client_id), "to see what an application may do") end
	local given, tokens = consent.list(current.user)[application.id], tokens_of(current.user, application)
	return pages.connection {
		application = application.name, slug = application.slug, name = users.shown(current.user), request_id = req.id,
		csrf = csrf.token(session.browser(req), current.id, "withdraw"), tokens = tokens,
		anything = given ~= nil or #tokens > 0,
		allowed = given and day(given.at), scopes = given and consent.describe(application, given.scopes),
	}
end

return connection
