// GitHub's authorization endpoint: what clients of GitHub send, and where they are answered. One broker serves all cases.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, authorizeUrl as oidcUrl, obtainCode, pkce, tokenRequest } from '../harness/browser.mjs';
import { authorize, authorizeUrl, clients, connect, exchange, objects } from '../harness/github.mjs';

const broker = await Broker.start({ objects: `${objects}
policy "staff" { script = "staff.lua" }
application "guarded" {
  client_id = "guarded", client_secret = "guarded-secret", redirect_uris = { "https://guarded.example.org/callback" }, consent = "implicit",
  policies = { "staff" }, github = {},
}
`, files: { 'staff.lua': 'return is_member(user, "staff"), "Staff only."' } });
clients.guarded = { client_id: 'guarded', client_secret: 'guarded-secret', redirect_uri: 'https://guarded.example.org/callback' };

const alice = new Browser(broker);
await alice.signIn(await alice.get('/signin'));

test('the_answer_has_code_and_state_and_nothing_else', async () => {
	const { away, answered } = await authorize(broker, 'forge', { state: 'a b&c=ü/?', login: 'alice', allow_signup: 'false', access_type: 'offline' });
	assert.equal(`${away.origin}${away.pathname}`, 'https://forge.example.org/users/auth');
	assert.deepEqual(Object.keys(answered), ['code', 'state']);
	assert.equal(answered.state, 'a b&c=ü/?');
	const without = await authorize(broker, 'forge', { state: undefined }, { browser: alice });
	assert.deepEqual(Object.keys(without.answered), ['code']);
});

test('login_fills_the_name_in', async () => {
	const { page } = await new Browser(broker).open(authorizeUrl('forge', { login: 'octocat' }));
	assert.match(page.text, /value="octocat"/);
});

test('redirect_uri_may_be_left_out_where_one_is_registered', async () => {
	const { away } = await authorize(broker, 'jenkins', { redirect_uri: undefined }, { browser: alice });
	assert.ok(away.href.startsWith(`${clients.jenkins.redirect_uri}?code=`), away.href);
});

test('S18_sub_paths_of_a_registered_address_and_nothing_else', async () => {
	for (const good of ['https://forge.example.org/users/auth', 'https://forge.example.org/users/auth/github/callback',
		'https://FORGE.example.org/users/auth/x?y=1', 'https://forge.example.org/users/%61uth/x', 'https://forge.example.org/users/auth/a;b/..c/%C3%A9%20x', 'https://forge.example.org/second?tenant=1',
		'https://forge.example.org/second?tenant=1&more=2']) {
		const { away } = await authorize(broker, 'forge', { redirect_uri: good }, { browser: alice });
		assert.ok(away.searchParams.get('code'), good);
	}
	for (const bad of ['http://forge.example.org/users/auth', 'https://forge.example.org/users/authority', 'https://forge.example.org/users',
		'https://forge.example.org/users/auth/../../evil', 'https://forge.example.org/users/auth/%2e%2e/evil', 'https://forge.example.org/users/auth/..%2fevil',
		'https://forge.example.org/users/auth/%2E./evil', 'https://forge.example.org/users/auth/..;/evil', 'https://forge.example.org/users/auth/%2e%2e%3Bx=1/evil', 'https://forge.example.org/users/auth/%252e%252e/evil', 'https://forge.example.org/users/auth/..%252fevil',
		'https://forge.example.org/users/auth/x%0d%0ay', 'https://forge.example.org/users/auth/%00', 'https://forge.example.org/users/auth/%c0%ae%c0%ae/evil', 'https://forge.example.org/users/auth\\..\\evil', 'https://forge.example.org:444/users/auth', 'https://evil@forge.example.org/users/auth',
		'https://forge.example.org.evil.example/users/auth', 'https://sub.forge.example.org/users/auth', 'https://forge.example.org/users/auth#x',
		'https://forge.example.org/second', 'https://forge.example.org/second?tenant=12', 'https://forge.example.org/second?x=1&tenant=1', 'javascript:alert(1)', '//forge.example.org/users/auth']) {
		const page = await alice.get(authorizeUrl('forge', { redirect_uri: bad }));
		assert.equal(page.status, 400, bad);
		assert.equal(page.headers.location, undefined, bad);
	}
});

test('S18_a_public_client_is_answered_at_exact_addresses_with_any_port_on_loopback', async () => {
	const { challenge } = pkce();
	const tool = (redirect_uri) => alice.get(authorizeUrl('tool', { redirect_uri, code_challenge: challenge, code_challenge_method: 'S256' }));
	assert.equal((await tool('http://127.0.0.1:5123/callback')).status, 302);
	for (const bad of ['http://127.0.0.1:5123/callback/below', 'http://localhost:5123/callback', 'http://127.0.0.2/callback']) assert.equal((await tool(bad)).status, 400, bad);
});

test('S16_an_application_without_a_github_side_is_unknown', async () => {
	for (const client_id of ['web', 'nobody', undefined]) {
		const page = await alice.get(authorizeUrl('forge', { client_id }));
		assert.equal(page.status, 404, client_id);
		assert.match(page.headers['content-type'], /^text\/html/);
	}
});

test('S16_codes_and_requests_are_good_on_their_own_side_only', async () => {
	const { code } = await authorize(broker, 'asking', {}, { browser: alice });
	const oidc = await tokenRequest(broker, 'asking', { grant_type: 'authorization_code', code, redirect_uri: clients.asking.redirect_uri }, { authorization: 'Basic ' + Buffer.from('asking:asking-secret').toString('base64') });
	assert.equal(oidc.json.error, 'invalid_grant');
	const { code: other } = await obtainCode(broker, { client_id: 'asking', redirect_uri: clients.asking.redirect_uri, code_challenge: undefined, code_challenge_method: undefined });
	assert.equal((await exchange(broker, { ...clients.asking, code: other })).json.error, 'bad_verification_code');
	// A request in progress of one side does not go on at the other.
	const stranger = new Browser(broker);
	const sealed = new URL((await stranger.get(authorizeUrl('asking'))).headers.location, broker.url).searchParams.get('request');
	assert.equal((await stranger.get(`/application/o/authorize/?request=${encodeURIComponent(sealed)}`)).status, 400);
	const foreign = new URL((await stranger.get(oidcUrl(broker, { client_id: 'web' }))).headers.location, broker.url).searchParams.get('request');
	assert.equal((await stranger.get(`/login/oauth/authorize?request=${encodeURIComponent(foreign)}`)).status, 400);
});

test('consent_says_which_scopes_have_no_effect_and_is_remembered_for_this_side_alone', async () => {
	const browser = new Browser(broker);
	await browser.signIn(await browser.get('/signin'), 'root', 'root-of-all');
	let { page } = await browser.open(authorizeUrl('asking', { scope: 'user:email,repo read:org' }));
	assert.match(page.text, /Read your e-mail addresses/);
	assert.match(page.text, /repo \(has no effect on this server\)/);
	const refused = await browser.submit(page, { answer: 'deny' }, 'consent');
	assert.deepEqual(Object.fromEntries(refused.away.searchParams), { error: 'access_denied', error_description: 'The user has denied your application access.',
		error_uri: refused.away.searchParams.get('error_uri'), state: 'st-1', iss: `${broker.url}/login/oauth` });
	({ page } = await browser.open(authorizeUrl('asking', { scope: 'user:email,repo' })));
	const agreed = await browser.submit(page, { answer: 'allow' }, 'consent');
	assert.equal(agreed.away.searchParams.get('iss'), `${broker.url}/login/oauth`);
	assert.ok((await browser.open(authorizeUrl('asking', { scope: 'repo' }))).away, 'fewer scopes are not asked for again');
	assert.ok((await browser.open(authorizeUrl('asking', { scope: 'repo gist' }))).page, 'more are');
	assert.ok((await browser.open(oidcUrl(broker, { client_id: 'asking', redirect_uri: clients.asking.redirect_uri, scope: 'openid' }))).page, 'the other side asks for itself');
	// Without scopes: what has been granted.
	const { access_token, scope } = await connect(broker, 'asking', { scope: undefined }, { browser });
	assert.match(access_token, /^gho_/);
	assert.equal(scope, 'user:email,repo');
});

test('scopes_are_separated_by_commas_or_spaces_unknown_ones_are_dropped_and_contained_ones_too', async () => {
	for (const [asked, granted] of [['user,gist,user:email', 'user,gist'], ['user gist  repo:status', 'user,gist,repo:status'], ['repo,read:org,gist,workflow', 'repo,read:org,gist,workflow'],
		['nonsense,read:user', 'read:user'], ['site_admin admin:org', ''], ['openid profile', ''], ['', ''], ['read:org,write:org', 'write:org']]) {
		assert.equal((await connect(broker, 'forge', { scope: asked }, { browser: alice })).scope, granted, asked);
	}
	// Switch: some clients want back what they asked for, word for word.
	assert.equal((await connect(broker, 'asking', { scope: 'user,user:email' })).scope, 'user,user:email');
});

test('errors_are_told_at_the_redirect_uri', async () => {
	const errorOf = async (client, parameters, browser = alice) => (await browser.open(authorizeUrl(client, parameters))).away?.searchParams;
	assert.equal((await errorOf('forge', { response_type: 'token' })).get('error'), 'unsupported_response_type');
	assert.equal((await errorOf('forge', { response_type: 'token' })).get('state'), 'st-1');
	assert.equal((await errorOf('forge', { code_challenge: 'x'.repeat(43) })).get('error'), 'invalid_request');
	assert.equal((await errorOf('forge', { code_challenge: 'x', code_challenge_method: 'S256' })).get('error'), 'invalid_request');
	assert.equal((await errorOf('tool', {})).get('error'), 'invalid_request', 'a public client needs PKCE (S19)');
	assert.equal((await errorOf('forge', { prompt: 'none' }, new Browser(broker))).get('error'), 'login_required');
	assert.ok((await errorOf('forge', { prompt: 'nonsense', response_type: 'code' })).get('code'));
});

test('prompt_select_account_shows_the_choice', async () => {
	const { page } = await alice.open(authorizeUrl('forge', { prompt: 'select_account' }));
	assert.match(page.text, /name="choice"/);
	const { away } = await alice.submit(page, { choice: 'current' });
	assert.ok(away.searchParams.get('code'));
});

test('a_policy_that_refuses_is_a_page_and_then_an_error_for_the_client', async () => {
	assert.ok((await authorize(broker, 'guarded', {}, { browser: alice })).code);
	const bob = new Browser(broker);
	await bob.signIn(await bob.get('/signin'), 'bob', 'builder-bob');
	const page = await bob.get(authorizeUrl('guarded'));
	assert.equal(page.status, 403);
	assert.match(page.text, /Staff only\./);
	const back = /^10; url=(.*)$/.exec(page.headers.refresh)[1];
	const { away } = await bob.open(back);
	assert.equal(away.searchParams.get('error'), 'access_denied');
});

test('going_back_from_the_sign_in_page_is_access_denied', async () => {
	const browser = new Browser(broker);
	const { page } = await browser.open(authorizeUrl('forge'));
	const cancel = /href="(\/signin\/cancel[^"]*)"/.exec(page.text)[1].replaceAll('&amp;', '&');
	const { away } = await browser.open(cancel);
	assert.equal(away.searchParams.get('error'), 'access_denied');
});
