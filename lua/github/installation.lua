-- github/installation.lua: what GitHub's REST interface says of the installation to anybody: where things are, its version, its limits.
local answer   = require "github/answer"
local endpoint = require "github/endpoint"
local reply    = require "kit/reply"

local installation = {}

-- Where things are: GitHub's names, as far as its schema wants them.
local ROOT = {
	current_user_url = "/user", current_user_authorizations_html_url = false, authorizations_url = "/authorizations",
	code_search_url = "/search/code?q={query}{&page,per_page,sort,order}",
	commit_search_url = "/search/commits?q={query}{&page,per_page,sort,order}", emails_url = "/user/emails", emojis_url = "/emojis",
	events_url = "/events", feeds_url = "/feeds", followers_url = "/user/followers", following_url = "/user/following{/target}",
	gists_url = "/gists{/gist_id}", hub_url = "/hub", issue_search_url = "/search/issues?q={query}{&page,per_page,sort,order}",
	issues_url = "/issues", keys_url = "/user/keys",
	label_search_url = "/search/labels?q={query}&repository_id={repository_id}{&page,per_page}",
	notifications_url = "/notifications", organization_url = "/orgs/{org}",
	organization_repositories_url = "/orgs/{org}/repos{?type,page,per_page,sort}", organization_teams_url = "/orgs/{org}/teams",
	public_gists_url = "/gists/public", rate_limit_url = "/rate_limit", repository_url = "/repos/{owner}/{repo}",
	repository_search_url = "/search/repositories?q={query}{&page,per_page,sort,order}",
	current_user_repositories_url = "/user/repos{?type,page,per_page,sort}", starred_url = "/user/starred{/owner}{/repo}",
	starred_gists_url = "/gists/starred", topic_search_url = "/search/topics?q={query}{&page,per_page}", user_url = "/users/{user}",
	user_organizations_url = "/user/orgs", user_repositories_url = "/users/{user}/repos{?type,page,per_page,sort}",
	user_search_url = "/search/users?q={query}{&page,per_page,sort,order}",
}

installation.root = endpoint.of(function(req)
	local names, out = req.github.links, {}
	for name, path in pairs(ROOT) do
		out[name] = path and names.api .. path or names.web .. "/settings/connections/applications{/client_id}"
	end
	return answer.json(req, out)
end, { anonymous = true })

installation.meta = endpoint.of(function(req)
	return answer.json(req, {
		verifiable_password_authentication = false, installed_version = answer.VERSION, packages = json.array {}, domains = json.object {},
	})
end, { anonymous = true })

installation.rate_limit = endpoint.of(function(req)
	local resources = {}
	for name in ([[core graphql search code_search source_import integration_manifest actions_runner_registration scim dependency_sbom
		code_scanning_autofix]]):gmatch("%S+") do
		resources[name] = answer.limit()
	end
	return answer.json(req, { resources = resources, rate = answer.limit() })
end, { anonymous = true })

-- Tools ask these to see whether somebody is there.
installation.zen = endpoint.of(function(req)
	local out = answer.json(req, "")
	out.body, out.headers.etag, out.headers["content-type"] = "Keep it logically awesome.", nil, "text/plain;charset=utf-8"
	return out
end, { anonymous = true })
installation.emojis = endpoint.of(function(req) return answer.json(req, json.object {}) end, { anonymous = true })

-- Load balancers in front of a GitHub Enterprise ask this.
installation.status = { kind = "plain", GET = function() return reply.text("alive\n", 200) end }

-- What there is not: but a bad token is told first.
installation.nothing = endpoint.of(endpoint.not_found, { anonymous = true })

return installation
