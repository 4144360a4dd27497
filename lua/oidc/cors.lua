-- oidc/cors.lua: which browser applications may read our answers (Fetch, CORS protocol): those whose origin the application
-- named, by default the origins of its redirect URIs. Never with credentials (S14).
local cors = {}

-- Origins by application; applications are frozen tables that are replaced when they change.
local known = setmetatable({}, { __mode = "k" })

-- The set of them.
local function origins(application)
	local set = known[application]
	if set then return set end
	set = {}
	for _, origin in ipairs(application.origins or {}) do set[origin] = true end
	known[application] = set
	return set
end
cors.origins = origins

-- Adds what the browser needs to `response`, when the request came from one of the application's origins.
function cors.add(req, response, application)
	local origin = req.headers.origin
	if not origin then return response end
	response.headers.vary = "Origin"
	if application and origins(application)[origin] then
		response.headers["access-control-allow-origin"] = origin
		response.headers["access-control-expose-headers"] = "WWW-Authenticate, X-Request-Id"
	end
	return response
end

-- What a page asks to send is granted, as authentik does: libraries add fields of their own, for tracing for instance, and none of
-- them opens anything here.
local function fields(req)
	local asked = req.headers["access-control-request-headers"] or ""
	return #asked <= 1000 and asked:find("^[%w%-_][%w%-_, ]*$") and asked or "Authorization, Content-Type"
end

-- A preflight names no client, so it is granted to any origin; the answer itself is judged by cors.add.
function cors.preflight(req, methods)
	local origin = req.headers.origin
	if not origin or #origin > 300 then return { status = 204, headers = { allow = methods }, body = "" } end
	return {
		status = 204, body = "",
		headers = {
			vary = "Origin, Access-Control-Request-Headers",
			["access-control-allow-origin"] = origin,
			["access-control-allow-methods"] = methods,
			["access-control-allow-headers"] = fields(req),
			["access-control-max-age"] = "600",
		},
	}
end

return cors
