// What a person sees and takes back of GitHub's side: personal access tokens on the portal page, the page of one application, and what
// whoever finds a token does. One broker serves all cases.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker, root } from '../harness/broker.mjs';
import { Browser } from '../harness/browser.mjs';
import { authorize, clients, connect, exchange, objects } from '../harness/github.mjs';
import { ask, personalToken } from '../harness/github_rest.mjs';

const broker = await Broker.start({ objects: `${objects}
github_mapping "default" { script = "github.lua" }
user "deploy" { type = "service_account", name = "Deployments" }
application "brief" { name = "Brief", client_secret = "secret-of-brief", redirect_uris = { "https://brief.example.org/cb" }, consent = "implicit", github = { expiring = true } }
`, files: { 'github.lua': await readFile(path.join(root, 'etc/mappings/github.lua'), 'utf8') } });
clients.brief = { client_id: 'brief', client_secret: 'secret-of-brief', redirect_uri: 'https://brief.example.org/cb' };
const alice = new Browser(broker);
await alice.signIn(await alice.get('/signin'));
const status = async (token) => (await ask(broker, '/user', { token })).status;
const make = async (fields, browser = alice) => browser.submit(await browser.get('/'), fields, 'personal-token-form');
const shown = (page) => /id="personal-token">([^<]*)</.exec(page.text)?.[1];

test('a_person_makes_a_token_with_scopes_and_an_end', async () => {
	const { page } = await make({ description: 'gh on the laptop', expires: '30', scope: 'read:org' });
	assert.match(shown(page), /^ghp_\w{36}$/);
	assert.match(page.text, /read:org<br>made \d{4}-\d\d-\d\d, never used, expires/);
	assert.equal(page.headers['cache-control'], 'no-store');
	const seen = await ask(broker, '/user/orgs', { token: shown(page) });
	assert.deepEqual([seen.status, seen.headers.get('x-oauth-scopes')], [200, 'read:org']);
	assert.match(seen.headers.get('github-authentication-token-expiration'), / UTC$/);
	assert.equal((await ask(broker, '/user/emails', { token: shown(page) })).status, 404, 'what was not ticked');
	assert.ok(!(await alice.get('/')).text.includes(shown(page)), 'it is not shown again');
	await broker.advance(30 * 86400);
	assert.equal(await status(shown(page)), 401);
	await alice.signIn(await alice.get('/signin'));
	assert.match((await alice.get('/')).text, /gh on the laptop<br>.*<br>made [\d-]+, last used [\d-]+, expired/);
});

test('several_scopes_none_and_those_that_nobody_may_have', async () => {
	const form = /id="personal-token-form"[^]*?name="csrf" value="([^"]+)"/.exec((await alice.get('/')).text)[1];
	const post = (more) => alice.post('/personal-tokens', `csrf=${encodeURIComponent(form)}&description=x&expires=never&${more}`, { headers: { 'content-type': 'application/x-www-form-urlencoded', origin: broker.url } });
	const token = shown(await post('scope=repo&scope=read%3Aorg&scope=user%3Aemail'));
	assert.equal((await ask(broker, '/user', { token })).headers.get('x-oauth-scopes'), 'read:org, repo, user:email');
	assert.equal((await ask(broker, '/user', { token: shown(await post('')) })).headers.get('x-oauth-scopes'), '');
	for (const scope of ['admin%3Aorg', 'site_admin', 'everything', 'read_directory', 'nonsense']) {
		const refused = await post(`scope=${scope}`);
		assert.deepEqual([refused.status, shown(refused)], [422, undefined], scope);
	}
	assert.equal((await alice.post('/personal-tokens', { csrf: 'x', description: 'x', expires: 'never' }, { headers: { origin: broker.url } })).status, 403);
});

test('scopes_that_open_nothing_here_open_nothing', async () => {
	const token = await personalToken(broker, 'alice', 'repo', 'gist', 'workflow');
	const of = async (target) => (await ask(broker, target, { token })).status;
	assert.deepEqual(await Promise.all(['/user', '/user/emails', '/user/orgs', '/user/teams', '/orgs/example', '/orgs/example/members/alice'].map(of)), [200, 404, 403, 403, 404, 404]);
	assert.equal((await ask(broker, '/user', { token })).body.email, null);
	assert.ok((await broker.events()).some((event) => event.kind === 'github_scope_missing' && /needs user or user:email/.test(event.reason)));
});

test('one_that_is_revoked_is_dead_and_nobody_revokes_anothers', async () => {
	const { page } = await make({ description: 'short lived', expires: '365', scope: 'repo' });
	const form = /action="\/personal-tokens\/revoke">.*?name="csrf" value="([^"]+)".*?name="identifier" value="([^"]+)"/.exec(page.text);
	const bob = new Browser(broker);
	await bob.signIn(await bob.get('/signin'), 'bob', 'builder-bob');
	const bobs = /id="personal-token-form"[^]*?name="csrf" value="([^"]+)"/.exec((await bob.get('/')).text)[1];
	await bob.post('/personal-tokens/revoke', { csrf: bobs, identifier: form[2] }, { headers: { origin: broker.url } });
	assert.equal(await status(shown(page)), 200);
	const away = await alice.post('/personal-tokens/revoke', { csrf: form[1], identifier: form[2] }, { headers: { origin: broker.url } });
	assert.equal(away.headers.location, '/?done=personal_token');
	assert.equal(await status(shown(page)), 401);
});

test('scopes_that_administer_are_for_service_accounts_alone', async () => {
	for (const scope of ['admin:org', 'site_admin', 'admin:enterprise']) {
		assert.match((await broker.command('token', 'create', '--user', 'alice', '--intent', 'personal', '--scope', scope)).err, /for service accounts alone/);
	}
	const token = await personalToken(broker, 'deploy', 'site_admin', 'admin:org');
	const { body, headers } = await ask(broker, '/user', { token });
	assert.deepEqual([body.login, body.site_admin, headers.get('x-oauth-scopes')], ['deploy', true, 'admin:org, site_admin']);
	assert.equal((await ask(broker, '/user', { token: await personalToken(broker, 'alice', 'user') })).body.site_admin, false);
});

test('tokens_that_were_given_without_asking_are_on_the_page_and_can_be_taken_back', async () => {
	const { access_token } = await connect(broker, 'forge', { scope: 'read:org' }, { browser: alice });
	const { access_token: other } = await connect(broker, 'forge', { scope: 'repo' }, { browser: alice });
	assert.match((await alice.get('/')).text, /Forge<br><span class="soft">holds 2 GitHub tokens, never used/);
	assert.equal(await status(access_token), 200);
	const home = await alice.get('/');
	assert.match(home.text, /holds 2 GitHub tokens, last used \d{4}/);
	const review = /href="(\/settings\/connections\/applications\/0123456789abcdef0123)"/.exec(home.text)[1];
	const page = await alice.get(review);
	assert.match(page.text, /What Forge has of you/);
	assert.match(page.text, /<span class="grow">repo<br>[^]*<span class="grow">read:org<br>/);
	assert.ok(!page.text.includes(access_token) && !page.text.includes(access_token.slice(-8)));
	const { page: after } = await alice.submit(page, {}, 'withdraw');
	assert.match(after.text, /The application must ask you again/);
	assert.deepEqual([await status(access_token), await status(other)], [401, 401]);
	assert.match((await alice.get(review)).text, /Forge holds nothing of yours/);
});

test('the_page_of_an_application_asks_who_is_there_and_is_nobody_elses', async () => {
	const stranger = new Browser(broker);
	const { page } = await stranger.open('/settings/connections/applications/asking');
	assert.match(page.text, /id="signin"/);
	assert.ok(!/Asking/.test(page.text));
	const back = await stranger.signIn(page, 'bob', 'builder-bob');
	assert.match(back.page.text, /Asking holds nothing of yours/);
	assert.equal((await alice.get('/settings/connections/applications/nobody')).status, 404);
	await connect(broker, 'asking', { scope: 'user:email' }, { browser: alice });
	const own = await alice.get('/settings/connections/applications/asking');
	assert.match(own.text, /You allowed it \d{4}[^]*Read your e-mail addresses[^]*id="tokens"/);
	assert.equal((await alice.get('/settings/tokens')).headers.location, '/#github-tokens');
});

test('html_url_is_a_page_for_those_who_may_see_it', async () => {
	const token = await personalToken(broker, 'alice', 'read:org');
	const [user] = [(await ask(broker, '/user', { token })).body];
	const [team] = (await ask(broker, '/user/teams', { token })).body;
	const page = await alice.get(new URL(user.html_url).pathname);
	assert.match(page.text, /<h1 id="heading">Alice Liddell<\/h1>[^]*<code id="word">alice<\/code>[^]*href="\/example"/);
	assert.match((await alice.get(new URL(team.html_url).pathname)).text, new RegExp(`<code id="word">${team.organization.login}/${team.slug}</code>[^]*href="/alice"`));
	assert.match((await alice.get(new URL(team.organization.html_url).pathname)).text, /<h2>Teams<\/h2>/);
	const stranger = new Browser(broker);
	assert.equal((await stranger.get('/alice')).status, 404, 'nobody is told who there is');
	assert.match((await stranger.open(new URL(team.html_url).pathname)).page.text, /id="signin"/);
	for (const nothing of ['/nobody-of-this-name', '/orgs/example/teams/nothing', '/orgs/nothing/teams/x']) assert.equal((await alice.get(nothing)).status, 404, nothing);
	assert.equal((await alice.post('/alice', {})).status, 404);
});

test('a_personal_token_that_nobody_has_used_for_a_year_is_dead', async () => {
	const [used, unused] = [await personalToken(broker, 'bob', 'repo'), await personalToken(broker, 'bob', 'repo')];
	await broker.advance(200 * 86400);
	assert.equal(await status(used), 200);
	await broker.advance(166 * 86400);
	assert.deepEqual(await Promise.all([used, unused].map(status)), [200, 401]);
	assert.deepEqual((await broker.json('token', 'list', '--user', 'bob')).map((each) => each.state).sort(), ['good', 'unused']);
	await alice.signIn(await alice.get('/signin'));
});

test('whoever_finds_tokens_ends_them', async () => {
	const { access_token } = await connect(broker, 'forge', {}, { browser: alice });
	const personal = await personalToken(broker, 'alice', 'repo');
	const { code } = await authorize(broker, 'brief', {}, { browser: alice });
	const brief = (await exchange(broker, { client_id: 'brief', client_secret: 'secret-of-brief', code })).json;
	const kept = await personalToken(broker, 'alice', 'repo');
	const post = (body) => new Browser(broker).post('/api/v3/credentials/revoke', typeof body === 'string' ? body : JSON.stringify(body), { headers: { 'content-type': 'application/json' } });
	const done = await post({ credentials: [access_token, personal, brief.refresh_token, 'ghp_' + 'a'.repeat(36), 'x', 'ghr_' + 'a'.repeat(76)] });
	assert.deepEqual([done.status, done.json], [202, {}]);
	assert.deepEqual(await Promise.all([access_token, personal, brief.access_token, kept].map(status)), [401, 401, 401, 200]);
	assert.equal((await exchange(broker, { client_id: 'brief', client_secret: 'secret-of-brief', grant_type: 'refresh_token', refresh_token: brief.refresh_token })).json.error, 'bad_refresh_token');
	assert.ok((await broker.events()).some((event) => event.kind === 'token_revoked' && /found it/.test(event.reason)));
	for (const [body, code] of [['', 400], ['{', 400], [{}, 422], [{ credentials: [] }, 422], [{ credentials: 'x' }, 422], [{ credentials: [7] }, 422], [{ credentials: Array(1001).fill('x') }, 422]]) assert.equal((await post(body)).status, code, JSON.stringify(body).slice(0, 40));
	// S30: who only guesses waits.
	let last;
	for (let each = 0; each < 25 && last !== 429; each++) last = (await post({ credentials: ['ghp_' + 'a'.repeat(36)] })).status;
	assert.equal(last, 429);
});
