-- github/catalogue/tools.lua: programs on people's own machines, which have their client_id in their source.
local calls = require "github/catalogue/calls"

local ORGANIZATIONS = { "read:org", "write:org", "admin:org" }

return {
	gh = {
		title = "GitHub CLI", flow = "device", preset = "gh", scope = "repo read:org gist", port = false,
		calls = {
			{ graphql = "query UserCurrent{viewer{login}}", reads = "data.viewer.login!" },
				{ "/", reads = "", granted = { "repo", ORGANIZATIONS } },
		},
	},
	["gh-token"] = {
		title = "GitHub CLI, with a personal token", flow = "personal", scope = "repo read:org", port = false,
		calls = { { "/", reads = "", granted = { "repo", ORGANIZATIONS } },
			{ graphql = "query UserCurrent{viewer{login}}", reads = "data.viewer.login!" } },
	},
	gcm = {
		title = "Git Credential Manager", flow = "device", preset = "gcm", scope = "repo gist workflow",
		calls = { { "/meta", anonymous = true, reads = "installed_version!" }, calls.user("login!") },
		hints = { "repositories are not here: it signs in, and has nothing to clone" },
	},
	vscode = {
		title = "Visual Studio Code", flow = "device", token = "query", accept = "json", preset = "vscode",
			scope = "read:user user:email repo workflow",
		calls = {
			{ "/meta", anonymous = true, reads = "installed_version!" }, { "/rate_limit", header = "x-github-request-id", reads = "" },
				calls.user("id! login!"),
		},
	},
	hub = { title = "hub", flow = "personal", scope = "repo", calls = { calls.user("login!") } },
}
