-- boot.lua: where the core enters Lua: start, handle, command, tick, each run as a task. Holds the one error boundary and the
-- request log; decides nothing else.
local backchannel  = require "auth/backchannel"
local boundary     = require "boot/boundary"
local client_keys  = require "auth/client_keys"
local conf         = require "kit/conf"
local cors         = require "oidc/cors"
local database     = require "store/database"
local declared     = require "store/declared"
local err          = require "kit/err"
local fetch        = require "kit/fetch"
local gate         = require "boot/gate"
local github       = require "mapping/github"
local github_index = require "github/index"
local housekeeping = require "auth/housekeeping"
local keys         = require "auth/keys"
local mapping      = require "mapping/scopes"
local outage       = require "boot/outage"
local policies     = require "mapping/policies"
local reply        = require "kit/reply"
local routes       = require "boot/routes"
local script       = require "mapping/script"
local source_mappings = require "mapping/sources"
local commands     = require "command/main"

local boot = {}

-- RFC 6797, with a certificate of the owner's only: a lab CA must not lock browsers out of a name (S36).
local strict_transport = nil

local function needs_certificate(settings)
	if settings.tls then return false end
	for _, address in ipairs(settings.listen or {}) do
		if address.scheme == "https" then return true end
	end
	return false
end

local function open_lab(config)
	local lab = require "portal/lab"
	lab.open { dispatch = boot.handle, config = config }
	for path, endpoint in pairs(lab.routes) do routes.add(path, endpoint) end
end

local function has_cases(config)
	for _, list in pairs(config) do
		for _, each in ipairs(type(list) == "table" and list or {}) do
			if type(each) == "table" and each.cases then return true end
		end
	end
	return false
end

-- Makes this state ready for a configuration. mode: "serve", "reload", "command", "check", or
-- "detached" for a command over files alone. Returns what the core needs of
-- it, or nil and "file:line: text"; nothing of a failed start may be seen by anybody.
function boot.start(config, mode)
	if mode == "detached" then return {} end
	conf.use(config)
	local _, failure = database.migrate()
	if failure then return nil, failure end
	local problem = client_keys.problems(config)[1] or select(2, fetch.usable(config))
	if problem then return nil, problem end
	local serving = mode == "serve" or mode == "reload"
	script.provide(require "mapping/world")
	script.provide(require "auth/helpers")
	-- Loaded when a script asks: many brokers keep none.
	script.provide { source_token = function(...) return require("sources/kept").helpers.source_token(...) end }
	local ok, why = mapping.declare(config.scope_mappings, serving)
	if ok then ok, why = policies.declare(config.policies, serving) end
	if ok then ok, why = github.declare(config.github_mappings, serving) end
	if ok and #(config.conversion_rules or {}) > 0 then
		ok, why = require("mapping/conversions").declare(config.conversion_rules, serving)
	end
	if ok then ok, why = source_mappings.declare(config.source_mappings, serving) end
	if not ok then return nil, why end
	if serving then
		local broken = has_cases(config) and require("mapping/cases").of(config) or {}
		if broken[1] then return nil, broken[1] end
	end
	-- Commands apply the file themselves: `check` tells what would change.
	if not serving then return {} end
	-- What can fail comes before the database is made equal to the file: a refused reload changes nothing (D13).
	local tls = needs_certificate(conf.settings()) and keys.tls() or nil
	ok, why = declared.apply(config)
	if not ok then return nil, why end
	keys.ensure()
	gate.open(conf.settings())
	strict_transport = conf.settings().tls and "max-age=31536000" or nil
	if conf.settings().lab then open_lab(config) end
	return { tls = tls }
end

-- Asks of the control socket: the command line, whether we are ready, and in debug builds the tests.
local function control(req, endpoint)
	if req.path == "/readyz" or req.path == "/healthz" then return endpoint.GET(req) end
	if req.method == "POST" and req.path == "/command" then
		return reply.json(boot.command(sys.wire_decode(req.body)))
	end
	if req.method == "POST" and req.path == "/debug" and sys.debug then
		local asked = json.decode(req.body)
		if asked.tick then boot.tick() end
		return reply.json(json.object(sys.debug(asked) or {}))
	end
	err.raise("page_not_found")
end

-- One value, or the request could be read two ways.
local function refuse_repeated(req)
	for _, name in ipairs { "authorization", "content-type", "origin" } do
		if req.headers_repeated[name] then
			err.raise("invalid_request", "The header " .. name .. " came more than once.", { status = 400 })
		end
	end
end

local function dispatch(req, endpoint, slug)
	if req.headers_repeated then refuse_repeated(req) end
	if not endpoint then err.raise("page_not_found") end
	local run = endpoint[req.method] or (req.method == "HEAD" and endpoint.GET)
	if run then return run(req, slug) end
	local allow = routes.allow(endpoint)
	err.raise("invalid_request", "This address answers " .. allow .. ".", { status = 405, headers = { allow = allow } })
end

-- found.endpoint: what answers. By whose name a request came, the gate says.
local function serve(req, found)
	if req.control then return control(req, (routes.find(req.path))) end
	local refusal = gate.check(req)
	if refusal then return refusal end
	local slug
	found.endpoint, slug = routes.find(req.path, req.host)
	return dispatch(req, found.endpoint, slug)
end

-- The one catcher of the product: the answer of run(req, found), and what was raised in place of one.
local function answered(run, req, found)
	local ok, response = pcall(run, req, found)
	if ok then return response end
	outage.notice(response)
	return boundary.answer(req, found.endpoint, response), response
end

-- What a command asks of `endpoint` (nil: of the one at its path), answered as to the network, but for gate and log.
local function asked_by_command(req, endpoint)
	local found, slug = { endpoint = endpoint }, nil
	if not endpoint then found.endpoint, slug = routes.find(req.path, req.host) end
	return answered(function() return dispatch(req, found.endpoint, slug) end, req, found)
end

-- One request, one answer, one line in the log: never a query, which may hold codes.
function boot.handle(req)
	local began, found = time.mono(), {}
	local response = answered(serve, req, found)
	local endpoint = found.endpoint
	outage.over()
	backchannel.look()
	local headers = response.headers
	headers["x-request-id"] = req.id
	if req.secure then headers["strict-transport-security"] = strict_transport end
	if endpoint and endpoint.cors and req.headers.origin then cors.add(req, response, req.application) end
	log.info("request", {
		id = req.id, method = req.method, path = req.path, status = response.status, peer = req.peer,
		us = (time.mono() - began) * 1000000 // 1 | 0,
	})
	return response
end

-- { argv, stdin, config } → { status, out, err, again }.
function boot.command(body)
	body.ask = asked_by_command
	local ok, answer = pcall(commands.run, body)
	if ok then return answer end
	if err.is(answer) then
		return { status = 1, out = "", err = (answer.description or answer.oauth) .. "\n" }
	end
	log.error("command failed", { error = tostring(answer) })
	return { status = 1, out = "", err = "tidelock: this is a mistake of the program: " .. tostring(answer) .. "\n" }
end

function boot.tick()
	housekeeping.run()
	github_index.keep()
end

return boot
