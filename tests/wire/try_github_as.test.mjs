// tidelock try github --as: what a client of GitHub Enterprise would ask and read, before it is there, what would break it, and that
// nothing is left of it.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { secret, world } from '../harness/github_programs.mjs';
import { ask, personalToken } from '../harness/github_rest.mjs';

const programs = {
	grafana: { redirect_uri: 'https://grafana.example.org/login/github' },
	oidc: { redirect_uri: 'https://grafana.example.org/login/generic_oauth' },
	jenkins: { redirect_uri: 'https://ci.example.org/securityRealm/finishLogin' },
	gitlab: { redirect_uri: 'https://git.example.org/users/auth' },
	guarded: { redirect_uri: 'https://dex.example.org/callback', more: 'policies = { "nobody" }' },
	stripped: { redirect_uri: 'https://grafana.example.org/login/github', more: 'policies = { "stripped" }' },
	openshift: { redirect_uri: 'https://oauth.example.org/oauth2callback/corp', more: 'preset = "openshift"' },
	verdaccio: { redirect_uri: 'https://npm.example.org/-/' },
	strict: { redirect_uri: 'https://dex.example.org/callback', more: 'pkce = "required"' },
	expiring: { redirect_uri: 'https://keycloak.example.org/broker/github/endpoint', github: 'expiring = true, send_iss = true' },
	kratos: { redirect_uri: 'https://kratos.example.org/self-service/methods/oidc/callback/github' },
	narrow: { redirect_uri: 'https://rancher.example.org/verify-auth', github: 'mapping = "narrow"' },
};
const broker = await world(programs, `application "gh" { preset = "gh" }
application "gcm" { preset = "gcm" }
application "quiet" { client_id = "quiet", client_secret = "${secret}", github = {} }
application "plain" { client_secret = "${secret}" }
policy "nobody" { script = "nobody.lua" }
policy "stripped" { script = "stripped.lua" }
github_mapping "narrow" { script = "narrow.lua" }`, { settings: 'github_anonymous_organizations = true', files: { 'stripped.lua': 'return { scopes = { "user:email" } }', 'nobody.lua': 'return false, "Nobody may."', 'narrow.lua': 'return { login = user.username, emails = {}, organisations = {} }' } });

const tried = async (user, as, app, scope) => {
	const answer = await broker.command('try', 'github', '--user', user, '--as', as, ...(app ? ['--app', app] : []), ...(scope ? ['--scope', scope] : []), '--json');
	assert.equal(answer.err, '', `${as}: ${answer.err}`);
	const made = JSON.parse(answer.out);
	assert.equal(answer.status, made.works ? 0 : 1);
	return { ...made, breaks: made.findings.filter((each) => each.level === 'breaks'), notes: made.findings.filter((each) => each.level === 'note') };
};

test('who_was_never_here_is_shown_with_numbers_that_are_nobodys', async () => {
	const { works, notes, calls } = await tried('carol', 'rancher');
	assert.ok(works);
	assert.match(notes.map((each) => each.text).join(), /numbers .* are made up/);
	assert.match(calls.find((each) => each.path === '/api/v3/user').reads, /^id 2147483647,/);
	assert.equal((await broker.json('try', 'github', '--user', 'carol')).id, undefined, 'none was allotted');
});

test('it_shows_the_calls_in_order_and_what_is_read', async () => {
	const { status, out } = await broker.command('try', 'github', '--user', 'carol', '--app', 'grafana', '--as', 'grafana');
	assert.equal(status, 0, out);
	const at = ['Grafana as carol, application grafana', 'GET   /login/oauth/authorize?client_id=grafana&redirect_uri=https://grafana.example.org/login/github&response_type=code&scope=user:email+read:org',
		'302  the person signs in', 'POST  /login/oauth/access_token (Basic, then in the body)', '200  a token, scope user:email,read:org', 'GET   /api/v3/user\n', 'login carol, name Carol Danvers, email carol@example.org',
		'GET   /api/v3/user/teams?per_page=100', '@acme/mobile', 'GET   /api/v3/user/orgs?per_page=100', 'result  Grafana lets carol in'].map((text) => out.indexOf(text));
	assert.ok(at.every((place, index) => place >= 0 && (index === 0 || place > at[index - 1])), `${at}\n${out}`);
	assert.doesNotMatch(out, /gh[opu]_/);
	const many = await tried('many', 'sonarqube');
	assert.match(many.calls.find((each) => /teams/.test(each.path)).reads, /^102 on 2 pages: .*and 90 more$/);
	assert.match((await tried('many', 'oauth2-proxy')).calls.find((each) => /teams/.test(each.path)).reads, /^102 on 2 pages/);
	assert.match((await tried('many', 'nexus')).notes.map((each) => each.text).join(), /reads only the first 100/);
});

test('what_breaks_a_client_is_said_with_what_helps', async () => {
	const cases = [
		['carol', 'jenkins', 'jenkins', /gets no token: Not Found/, /query_secret = true/],
		['carol', 'grafana', 'oidc', /MUST match the registered callback URL/, /comes back at https:\/\/grafana\.example\.org\/login\/github/],
		['carol', 'dex', 'guarded', /policy nobody .*refuses: Nobody may\./],
		['carol', 'dex', 'strict', /PKCE is required/],
		['carol', 'grafana', 'quiet', /has no redirect_uris/, /login\/github/],
		['carol', 'gh', 'grafana', /no device flow/, /device_flow = true/],
		['carol', 'gh', 'gh', /takes a host name alone/, /port 443/],
		['carol', 'vscode', undefined, /no application has its client_id/, /application "vscode" \{ preset = "vscode" \}/],
		['carol', 'vouch', 'grafana', /MUST match/],
		['carol', 'kratos', 'kratos', null],
		['carol', 'verdaccio', 'verdaccio', /MUST match/, /register https:\/\/npm\.example\.org\/-\/oauth\/callback as it is/],
		['carol', 'gitlab', 'gitlab', null],
		['carol', 'openshift', 'openshift', null],
		['carol', 'grafana', 'stripped', /403 You need at least read:org/, /ask for one of: .*read:org.* \(it has: user:email\)/],
		['dave', 'oauth2-proxy', undefined, /dave has no verified address: it lets nobody in/],
		['erin', 'vault', undefined, /erin has no organizations: it refuses/],
		['erin', 'teleport', undefined, /erin has no teams/],
		['carol', 'sonarqube', 'narrow', /MUST match/],
	];
	for (const [user, as, app, why, help] of cases) {
		const { breaks } = await tried(user, as, app);
		const told = breaks.map((each) => `${each.text} ${each.advice ?? ''}`).join('\n');
		if (why) assert.match(told, why, as);
		else assert.equal(told, '', as);
		if (help) assert.match(told, help, as);
	}
	assert.match((await tried('carol', 'grafana', undefined, 'user:email')).breaks[0].advice, /read:org/);
	assert.deepEqual((await tried('carol', 'rancher', undefined, 'user')).breaks, []);
	const expiring = (await tried('carol', 'keycloak', 'expiring')).notes.map((each) => each.text).join('\n');
	assert.match(expiring, /send_iss is on/);
	assert.match(expiring, /ends after eight hours/);
	for (const [as, app, why] of [['dex', 'plain', /has no GitHub side/], ['vault', 'grafana', /personal tokens, which belong to no application/], ['nothing', 'grafana', /no client "nothing"; there are: .* grafana /]]) {
		const { status, err } = await broker.command('try', 'github', '--user', 'carol', '--app', app, '--as', as);
		assert.equal(status, 1);
		assert.match(err, why);
	}
});

test('those_of_the_catalogue_let_carol_in', async () => {
	assert.ok((await broker.json('try', 'github', '--as', 'help')).length > 50); // each one: tests/lua/github_catalogue_spec.lua
	for (const name of ['gh-token', 'gcm', 'grafana', 'keycloak', 'gitea', 'buildbot', 'oauth2-proxy']) {
		const { breaks, calls } = await tried('carol', name);
		assert.deepEqual(breaks.filter((each) => !/host name alone/.test(each.text)), [], name);
		assert.ok(calls.length > 0);
	}
});

test('the_network_answers_as_it_says', async () => {
	const token = await personalToken(broker, 'carol', 'user:email', 'read:org', 'repo');
	assert.equal((await ask(broker, '/user', { token })).status, 200); // from now on she has numbers
	for (const name of ['rancher', 'coder', 'jupyterhub', 'social-auth', 'woodpecker', 'jenkins', 'vault']) {
		const { calls } = await tried('carol', name);
		assert.ok(calls.length > 3);
		for (const each of calls.filter((call) => call.path.startsWith('/api/v3'))) {
			assert.equal((await ask(broker, each.path.slice(7), { token })).status, each.status, each.path);
		}
	}
});

test('nothing_is_left_of_it_and_a_mapping_is_tried_as_its_file_stands', async () => {
	const before = await broker.events();
	assert.equal((await tried('erin', 'rancher', 'narrow')).works, true);
	await writeFile(path.join(broker.dir, 'narrow.lua'), 'return { emails = { { email = "a@x.org", primary = true }, { email = "b@x.org", primary = true } } }');
	const failed = await broker.command('try', 'github', '--user', 'erin', '--app', 'narrow', '--as', 'rancher');
	assert.equal(failed.status, 1);
	assert.match(failed.err, /narrow\.lua.*two that are primary/);
	assert.deepEqual(await broker.events(), before);
	assert.deepEqual(await broker.json('token', 'list', '--user', 'erin'), []);
	// The same without a broker.
	await broker.stop();
	assert.equal((await broker.command('try', 'github', '--user', 'carol', '--app', 'grafana', '--as', 'grafana')).status, 0);
});
