-- oidc/answer.lua: how the authorization endpoint answers a client: the parameters in query, fragment or a form that posts
-- itself, with state as it came and iss (RFC 9207). Errors take the same way.
--
-- A context is { application, redirect_uri, response_mode, state }: who is answered, once both have been checked.
local clients = require "auth/clients"
local err     = require "kit/err"
local pages   = require "pages/pages"
local reply   = require "kit/reply"
local urls    = require "kit/urls"

local answer = {}

-- `list` is { { name, value }, … }.
function answer.send(context, list)
	list[#list + 1] = { "state", context.state }
	if context.application.authorization_response_iss ~= false then
		list[#list + 1] = { "iss", clients.issuer(context.application) }
	end
	if context.response_mode == "form_post" then
		return pages.form_post { action = context.redirect_uri, fields = list, application = context.application.name }
	end
	if context.response_mode == "fragment" then
		return reply.redirect(urls.with_fragment(context.redirect_uri, list))
	end
	return reply.redirect(urls.with_query(context.redirect_uri, list))
end

-- Raises an error whose answer goes to the client (RFC 6749 4.1.2.1).
function answer.fail(context, code, description)
	err.raise(code, description, {
		response = answer.send(context, { { "error", code }, { "error_description", description } }),
	})
end

return answer
