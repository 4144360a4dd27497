// Applications that have a name of their own in the configuration: the programs that every GitHub Enterprise knows, and servers with
// habits of their own. One broker serves all cases.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { Broker } from '../harness/broker.mjs';
import { Browser, pkce } from '../harness/browser.mjs';
import { GRANT, answer } from '../harness/device.mjs';
import { authorize, authorizeUrl, clients, connect, exchange, json } from '../harness/github.mjs';
import { ask } from '../harness/github_rest.mjs';

const broker = await Broker.start({ objects: `
application "gh" { preset = "gh" }
application "gcm" { preset = "gcm", name = "Git on the laptop" }
application "vscode" { preset = "vscode", redirect_uris = { "https://vscode.dev/redirect" } }
application "ci" { preset = "jenkins", client_id = "ci", client_secret = "ci-secret-of-jenkins", redirect_uris = { "https://ci.example.org/securityRealm/finishLogin" }, consent = "implicit" }
application "old" { preset = "passport", client_secret = "old-secret-of-passport", redirect_uris = { "https://old.example.org/cb" }, consent = "implicit" }
application "teams" {
  client_secret = "secret-of-teams", redirect_uris = { "https://teams.example.org/cb" }, consent = "implicit",
  github = { callback_match = "github", implied_scopes = { "read:org" } },
}
` });
const gh = '178c6fc778ccc68e1d6a';
Object.assign(clients, {
	gh: { client_id: gh, redirect_uri: 'http://127.0.0.1:4711/callback' },
	gcm: { client_id: '0120e057bd645470c1ed', redirect_uri: 'http://localhost:4711/' },
	vscode: { client_id: '01ab8ac9400c4e429b23', redirect_uri: 'https://vscode.dev/redirect' },
	ci: { client_id: 'ci', client_secret: 'ci-secret-of-jenkins', redirect_uri: undefined },
	old: { client_id: 'old', client_secret: 'old-secret-of-passport', redirect_uri: 'https://old.example.org/cb' },
	teams: { client_id: 'teams', client_secret: 'secret-of-teams', redirect_uri: 'https://teams.example.org/cb' },
});
const alice = new Browser(broker);
await alice.signIn(await alice.get('/signin'));

test('gh_signs_in_with_its_own_client_id_by_the_device_flow', async () => {
	const started = new URLSearchParams((await new Browser(broker).post('/login/device/code', { client_id: gh, scope: 'repo read:org gist' })).text);
	const page = (await alice.submit((await alice.open('/login/device')).page, { code: started.get('user_code') }, 'device')).page;
	assert.match(page.text, /Connect a device to GitHub CLI/);
	assert.match(page.text, /If somebody sent you this code/);
	await answer(alice, page, 'allow');
	const form = new URLSearchParams((await exchange(broker, { client_id: gh, device_code: started.get('device_code'), grant_type: GRANT }, {})).text);
	assert.equal(form.get('scope'), 'repo,read:org,gist');
	const root = await ask(broker, '/', { token: form.get('access_token') });
	assert.equal(root.headers.get('x-oauth-scopes'), 'gist, read:org, repo', 'what `gh auth status` wants to see');
});

test('its_web_flow_has_no_verifier_and_does_not_repeat_the_address_with_the_code', async () => {
	for (const redirect_uri of ['http://127.0.0.1:4711/callback', 'http://localhost:40123/']) {
		const { code } = await authorize(broker, 'gh', { redirect_uri, scope: 'repo read:org gist' }, { browser: alice });
		const got = await exchange(broker, { client_id: gh, client_secret: 'published-in-its-source', code, state: 'st-1' });
		assert.match(got.json.access_token, /^gho_/, got.text);
	}
});

test('S18_a_person_is_asked_every_time_and_answered_at_home_alone', async () => {
	for (let again = 0; again < 2; again++) assert.match((await alice.open(authorizeUrl('gh'))).page.text, /Allow it only if you have just started GitHub CLI yourself[^]*id="consent"/);
	for (const redirect_uri of ['http://localhost.evil.org/', 'http://localhost:4711/x', 'http://127.0.0.1:4711/', 'https://localhost:4711/', 'http://127.0.0.2/callback', 'https://evil.org/']) {
		assert.equal((await alice.get(authorizeUrl('gh', { redirect_uri }))).status, 400, redirect_uri);
	}
	assert.ok((await broker.events()).some((event) => event.kind === 'redirect_refused'));
});

test('S19_where_the_answer_leaves_the_machine_the_verifier_is_wanted', async () => {
	assert.equal((await alice.open(authorizeUrl('vscode'))).away.searchParams.get('error'), 'invalid_request');
	const { verifier, challenge } = pkce();
	const { code } = await authorize(broker, 'vscode', { code_challenge: challenge, code_challenge_method: 'S256' }, { browser: alice });
	const query = new URLSearchParams({ client_id: clients.vscode.client_id, client_secret: 'x', code, code_verifier: verifier });
	assert.match((await new Browser(broker).post(`/login/oauth/access_token?${query}`, '', { headers: json })).json.access_token, /^gho_/);
});

test('vscode_asks_for_a_device_code_in_the_url', async () => {
	const query = new URLSearchParams({ client_id: clients.vscode.client_id, scope: 'read:user repo' });
	const started = (await new Browser(broker).post(`/login/device/code?${query}`, '', { headers: json })).json;
	const poll = new URLSearchParams({ client_id: clients.vscode.client_id, device_code: started.device_code, grant_type: GRANT });
	assert.equal((await new Browser(broker).post(`/login/oauth/access_token?${poll}`, '', { headers: json })).json.error, 'authorization_pending');
});

test('S16_such_a_program_has_no_openid_connect', async () => {
	const query = new URLSearchParams({ client_id: gh, redirect_uri: 'http://127.0.0.1:4711/callback', response_type: 'code', scope: 'openid', code_challenge: pkce().challenge, code_challenge_method: 'S256' });
	const { away } = await alice.open(`/application/o/authorize/?${query}`);
	assert.equal(away.searchParams.get('error'), 'unsupported_response_type');
	for (const grant_type of [GRANT, 'authorization_code', 'refresh_token']) {
		const got = await new Browser(broker).post('/application/o/token/', { grant_type, client_id: gh, code: 'x', device_code: 'x', refresh_token: 'x' });
		assert.equal(got.json.error, 'unauthorized_client', grant_type);
	}
	assert.equal((await new Browser(broker).post('/application/o/device/', { client_id: gh })).json.error, 'unauthorized_client');
});

test('a_server_has_the_switches_that_its_preset_says', async () => {
	const { code } = await authorize(broker, 'ci', { redirect_uri: undefined }, { browser: alice });
	const query = new URLSearchParams({ client_id: 'ci', client_secret: 'ci-secret-of-jenkins', code });
	assert.match((await new Browser(broker).post(`/login/oauth/access_token?${query}`, '')).text, /^access_token=gho_/);
	const { access_token } = await connect(broker, 'old', { scope: 'user:email' }, { browser: alice });
	assert.equal((await ask(broker, `/user/emails?access_token=${access_token}`)).status, 200);
	const shown = await broker.json('app', 'show', 'ci');
	assert.deepEqual([shown.preset, shown.name, shown.github.query_secret, shown.github.callback_match], ['jenkins', 'Jenkins', true, 'subpath']);
});

test('callback_match_github_takes_sub_domains_and_nothing_else', async () => {
	const status = async (redirect_uri) => (await alice.get(authorizeUrl('teams', { redirect_uri }))).status;
	for (const fine of ['https://teams.example.org/cb', 'https://teams.example.org/cb/x', 'https://eu.teams.example.org/cb', 'https://a.b.teams.example.org/cb/x?y=1']) assert.equal(await status(fine), 302, fine);
	for (const foreign of ['https://evilteams.example.org/cb', 'https://example.org/cb', 'https://teams.example.org.evil.org/cb', 'https://eu.teams.example.org:8443/cb', 'http://eu.teams.example.org/cb',
		'https://eu.teams.example.org/cbx', 'https://eu.teams.example.org/cb/../x', 'https://evil.org/.teams.example.org/cb', 'https://evil.org%2f.teams.example.org/cb', 'https://a@eu.teams.example.org/cb']) {
		assert.equal(await status(foreign), 400, foreign);
	}
	const redirect_uri = 'https://eu.teams.example.org/cb';
	const { code } = await authorize(broker, 'teams', { redirect_uri }, { browser: alice });
	const { client_id, client_secret } = clients.teams;
	assert.equal((await exchange(broker, { client_id, client_secret, code })).json.error, 'redirect_uri_mismatch', 'S18: the code needs its address again');
	assert.match((await exchange(broker, { client_id, client_secret, code, redirect_uri })).json.access_token, /^gho_/);
});

test('implied_scopes_are_granted_to_an_application_that_does_not_ask', async () => {
	assert.equal((await connect(broker, 'teams', { scope: 'user:email' }, { browser: alice })).scope, 'user:email,read:org');
	const { scope, access_token } = await connect(broker, 'teams', { scope: undefined }, { browser: alice });
	assert.equal(scope, 'read:org');
	assert.equal((await ask(broker, '/user/teams', { token: access_token })).status, 200);
});

test('what_the_program_has_in_its_source_cannot_be_said_otherwise', async () => {
	const config = await readFile(broker.file, 'utf8');
	const complaint = async (text) => {
		await writeFile(broker.file, config.replace('application "gh" { preset = "gh" }', text));
		return (await broker.command('check')).err;
	};
	assert.match(await complaint('application "gh" { preset = "gh", client_id = "mine" }'), /client_id is "178c6fc778ccc68e1d6a" with preset = "gh"/);
	assert.match(await complaint('application "gh" { preset = "gh", consent = "implicit" }'), /consent is "always" with preset = "gh"/);
	assert.match(await complaint('application "gh" { preset = "gh", client_secret = "published-secret" }'), /a public client has no secret/);
	for (const text of ['application "gh" { preset = "gh", github = { callback_match = "subpath" } }', 'application "gh" { client_type = "public", github = { callback_match = "github" } }']) {
		assert.match(await complaint(text), /a public client is answered at its redirect_uris exactly/, 'S18');
	}
	assert.match(await complaint('application "gh" { preset = "github" }'), /preset must be one of "gcm", "gh", /);
	assert.match(await complaint('application "gh" { preset = "gh" } application "again" { preset = "gh" }'), /client_id "178c6fc778ccc68e1d6a" is the application "gh"'s already/);
	await writeFile(broker.file, config);
	assert.match((await broker.command('check')).out + (await broker.command('check')).err, /query_token: tokens stand in URLs/);
});

test('a_command_makes_one_too', async () => {
	const other = await Broker.start();
	const made = await other.json('app', 'add', 'gh', '--preset', 'gh');
	assert.deepEqual([made.client_id, made.client_secret, made.client_type], [gh, undefined, 'public']);
	assert.equal((await other.command('app', 'set', 'gh', '--policy', '')).status, 0);
	assert.match((await other.command('app', 'set', 'gh', '--consent', 'implicit')).err, /consent is "always"/);
	const started = await new Browser(other).post('/login/device/code', { client_id: gh, scope: 'repo' }, { headers: json });
	assert.equal(started.status, 200, started.text);
});
