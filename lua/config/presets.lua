-- config/presets.lua: what well-known clients of GitHub Enterprise need, by name: application "gh" { preset = "gh" }.
local presets = {}

-- A program that has its client_id in its source, and knows it from every GitHub Enterprise: the id proves nothing, and a secret beside
-- it is no secret. So it is public, answered on the person's own machine or by the device flow, and the person is asked each time.
-- Whoever knows no PKCE is told on loopback alone (github/redirects). Of OpenID Connect it knows nothing.
local function program(name, client_id, redirect_uris, github)
	github.device_flow, github.callback_match = true, "exact"
	return {
		fixed = { client_id = client_id, client_type = "public", consent = "always", pkce = "optional" },
		defaults = { name = name, redirect_uris = redirect_uris, scopes = {}, grant_types = {}, response_types = {} }, github = github,
	}
end

local function server(name, github)
	return { defaults = { name = name }, github = github }
end

local all = {
	gh = program("GitHub CLI", "178c6fc778ccc68e1d6a", { "http://127.0.0.1/callback", "http://localhost/" }, {}),
	gcm = program("Git Credential Manager", "0120e057bd645470c1ed", { "http://localhost/", "http://127.0.0.1/" }, {}),
	-- With a GitHub Enterprise it takes the device flow, and sends everything in the URL. Its page at vscode.dev is for GitHub's own hosts.
	vscode = program("Visual Studio Code", "01ab8ac9400c4e429b23", { "http://127.0.0.1/", "http://localhost/" }, { query_secret = true }),
	jenkins = server("Jenkins", { query_secret = true }),
	openshift = server("OpenShift", { query_secret = true }),
	-- Old libraries that ask with ?access_token=: passport-github 1.1, goth (Gitea), Vouch, Quay, Sentry.
	passport = server("passport-github", { query_token = true }),
	gitea = server("Gitea", { query_token = true }),
	vouch = server("Vouch", { query_token = true }),
	quay = server("Quay", { query_token = true }),
	-- Both fail where the granted scopes are not the text that they asked for.
	kratos = server("Ory Kratos", { scope_echo = true }),
	oauthlib = server("requests-oauthlib", { scope_echo = true }),
}

presets.NAMES = {}
for name in pairs(all) do presets.NAMES[#presets.NAMES + 1] = name end
table.sort(presets.NAMES)

-- Is it a program whose client_id everybody knows? Such are answered on http://localhost as on loopback addresses (S18).
function presets.is_program(name)
	return name ~= nil and all[name] ~= nil and all[name].fixed ~= nil
end

-- The client_id that stands in the program, or nil.
function presets.client_id(name)
	return presets.is_program(name) and all[name].fixed.client_id or nil
end

-- Completes the application `a` before its defaults are filled in. report(field, message) where the owner contradicts what the
-- program has in its source.
function presets.apply(a, report)
	local preset = all[a.preset]
	if not preset then return end
	for name, value in pairs(preset.fixed or {}) do
		if a[name] ~= nil and a[name] ~= value then
			report(name, ('%s is "%s" with preset = "%s"'):format(name, value, a.preset))
		end
		a[name] = value
	end
	for name, value in pairs(preset.defaults) do
		if a[name] == nil then a[name] = type(value) == "table" and { table.unpack(value) } or value end
	end
	a.github = a.github or {}
	for name, value in pairs(preset.github) do
		if a.github[name] == nil then a.github[name] = value end
	end
end

return presets
