-- github/applications.lua: what an application may ask about the tokens that it holds, with its client_id and secret as Basic: is one
-- good and whose is it, another in its place, its end. Of others' tokens it learns nothing (S9).
local answer        = require "github/answer"
local consent       = require "auth/consent"
local err           = require "kit/err"
local github_tokens = require "auth/github_tokens"
local identity      = require "github/identity"
local links         = require "github/links"
local objects       = require "github/objects"
local parameters    = require "github/parameters"
local redirects     = require "github/redirects"
local urls          = require "kit/urls"

local applications = {}

local function not_found() err.raise("not_found", nil, { status = 404 }) end

-- The application of the path, which must have authenticated as itself.
local function authenticated(req, client_id)
	local application, secrets = parameters.by_basic(req)
	if not application or not parameters.has_secret(req, application, secrets) then
		err.raise("unauthorized", nil, { status = 401, message = "Bad credentials" })
	end
	req.application = application
	if application.client_id ~= client_id then not_found() end
	return application
end

local function token_of(req)
	local body = json.decode(req.body or "")
	if type(body) ~= "table" then err.raise("invalid_request", nil, { status = 400, message = "Problems parsing JSON" }) end
	if type(body.access_token) ~= "string" then err.raise("invalid_request", nil, { status = 422 }) end
	return body.access_token
end

-- The Authorization object of GitHub's schema.
local function authorization(req, token, text)
	local application, at, names = token.application, time.iso(token.created_at), links.of(req)
	return answer.json(req, {
		id = token.number, url = names.api .. "/authorizations/" .. token.number, token = text,
		app = { client_id = application.client_id, name = application.name,
			url = urls.origin(redirects.default(application) or "") or names.web .. "/" },
		hashed_token = hex.encode(crypto.sha256(text)), token_last_eight = text:sub(-8), note = json.null, note_url = json.null,
		created_at = at, updated_at = at, scopes = json.array(token.scopes), fingerprint = json.null,
		expires_at = token.expires_at and time.iso(token.expires_at) or json.null,
		user = objects.simple_user(names, identity.of(token.user, application, req)),
	}, { ["cache-control"] = "no-store" })
end

-- Good as the REST interface would find it, policies included, and this application's.
local function live(req, text, application)
	local token = github_tokens.live(text, req)
	if not token or not token.application or token.application.id ~= application.id then not_found() end
	return token
end

local token = { kind = "github" }

function token.POST(req, client_id)
	local application, text = authenticated(req, client_id), token_of(req)
	return authorization(req, live(req, text, application), text)
end

function token.PATCH(req, client_id)
	local application, text = authenticated(req, client_id), token_of(req)
	local found = live(req, text, application)
	task.detach()
	local fresh = github_tokens.replace(found, req)
	if not fresh then not_found() end
	return authorization(req, found, fresh)
end

-- One that is dead already is as GitHub has it: unprocessable. Policies do not stand in the way of an end.
local function ending(req, client_id)
	local application = authenticated(req, client_id)
	local found = err.need(github_tokens.of(token_of(req), application), "invalid_request", nil, { status = 422 })
	task.detach()
	return found, application
end

function token.DELETE(req, client_id)
	github_tokens.revoke(ending(req, client_id), req)
	return answer.empty(req)
end

-- The person's whole authorization: every token, and what was agreed to.
local grant = { kind = "github" }

function grant.DELETE(req, client_id)
	local found, application = ending(req, client_id)
	consent.withdraw(found.user, application, req)
	return answer.empty(req)
end

-- The address of before 2020. Some servers try whether their secret is right here: 401, or 404.
local of_before = { kind = "github" }

function of_before.GET(req, client_id)
	authenticated(req, client_id)
	not_found()
end

local endpoints = { token = token, grant = grant }

-- The endpoint of a path and the client_id in it, or nil.
function applications.find(path)
	local client_id, rest = (path:gsub("^/api/v3", "")):match("^/applications/([^/]+)/(.+)$")
	if not client_id then return nil end
	if rest:find("^tokens/[^/]+$") then return of_before, client_id end
	return endpoints[rest], client_id
end

return applications
