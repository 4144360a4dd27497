# Applications in Ruby: omniauth-github in a Rack application (as GitLab and Discourse have it) and octokit.rb. One question a line on
# standard input, [what, …], one answer a line on standard output.
require 'json'
require 'rack'
require 'rack/mock'
require 'omniauth-github'
require 'octokit'

WEB = ENV.fetch('WEB')
Octokit.configure do |c|
  c.api_endpoint = "#{WEB}/api/v3/"
  c.web_endpoint = "#{WEB}/"
end
OmniAuth.config.allowed_request_methods = [:get]
OmniAuth.config.silence_get_warning = true
OmniAuth.config.path_prefix = '/users/auth'
OmniAuth.config.logger = Logger.new(nil)
OmniAuth.config.failure_raise_out_environments = []

APPLICATION = Rack::Builder.new do
  use Rack::Session::Cookie, secret: 'a session of this application ' * 3
  use OmniAuth::Builder do
    provider :github, ENV.fetch('CLIENT_ID'), ENV.fetch('CLIENT_SECRET'), scope: 'user:email,read:org',
      client_options: { site: "#{WEB}/api/v3", authorize_url: "#{WEB}/login/oauth/authorize", token_url: "#{WEB}/login/oauth/access_token" }
  end
  run lambda { |env|
    auth = env['omniauth.auth']
    body = auth ? { uid: auth.uid, info: auth.info, scope: auth.extra.scope, token: auth.credentials.token, emails: auth.extra.all_emails } : { at: env['PATH_INFO'], query: env['QUERY_STRING'] }
    [200, { 'Content-Type' => 'application/json' }, [JSON.generate(body)]]
  }
end.to_app

# The application under its public name; the cookie is the browser's.
def visit(path, cookie = nil)
  answer = Rack::MockRequest.new(APPLICATION).get("#{ENV.fetch('SITE')}#{path}", cookie ? { 'HTTP_COOKIE' => cookie } : {})
  { status: answer.status, location: answer['Location'], cookie: answer['Set-Cookie']&.split(';')&.first, body: answer.body }
end

def client(token, more = {}) = Octokit::Client.new({ access_token: token }.merge(more))

def application = client(nil, client_id: ENV.fetch('CLIENT_ID'), client_secret: ENV.fetch('CLIENT_SECRET'))

def known(token)
  it = client(token, auto_paginate: true, per_page: 10)
  org, team, login = it.organizations.first, it.user_teams.first, it.user.login
  { login: login, id: it.user.id, emails: it.emails.map(&:to_h), scopes: it.scopes, organizations: it.organizations.map(&:login),
    teams: it.user_teams.map(&:slug), member: it.organization_member?(org.login, login), stranger: it.organization_member?(org.login, 'nobody'),
    in_team: it.team_member?(team.id, login), organization: it.organization(org.login).id == org.id, state: it.organization_membership(org.login).state,
    limit: it.rate_limit.remaining }
end

def held(token)
  { login: application.check_token(token).user.login }
end

def ended(token)
  { ended: application.delete_app_token(token) }
end

ACTIONS = {
  'authorize' => ->(given) { { url: client(nil).authorize_url(ENV.fetch('CLIENT_ID'), scope: given[0]) } },
  'visit' => ->(given) { visit(*given) }, 'known' => ->(given) { known(*given) }, 'held' => ->(given) { held(*given) },
  'ended' => ->(given) { ended(*given) }, 'exchange' => ->(given) { client(nil).exchange_code_for_token(given[0], ENV.fetch('CLIENT_ID'), given[1]).to_h },
}

$stdout.sync = true
while (line = $stdin.gets)
  action, *given = JSON.parse(line)
  begin
    puts JSON.generate(ACTIONS.fetch(action).call(given))
  rescue Octokit::Error => e
    puts JSON.generate(error: e.class.name, message: e.message)
  end
end
