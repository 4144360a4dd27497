// S31, S2: each thing that matters leaves an event with the request id that the answer showed; failures that repeat are one row a
// minute; and no secret stands in an event, in the log, in the database or in an answer that is not its owner's.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { Broker, configuration, eventually } from '../harness/broker.mjs';
import { Browser, authorizeUrl, basic, formOf, obtainCode, obtainTokens, redirectUri, tokenRequest } from '../harness/browser.mjs';

const refresh = (broker, refresh_token, headers) => tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token }, headers);
const one = async (broker, kind, requestId) => eventually(async () => (await broker.events('--kind', kind)).find((event) => !requestId || event.request_id === requestId));

test('S31_each_kind_of_event_carries_the_request_id_that_the_answer_showed', async () => {
	const broker = await Broker.start({ objects: `scope_mapping "broken" { scope = "broken", script = "broken.lua" }
application "mapped" { client_id = "mapped", client_secret = "mapped-secret", redirect_uris = { "https://web.example.org/callback" }, scopes = { "openid", "broken" }, consent = "implicit" }`, files: { 'broken.lua': 'error("on purpose")' } });
	const seen = {};
	const browser = new Browser(broker);
	const page = await browser.get('/signin');
	const post = async (target, form, headers = {}) => browser.post(target, form, { headers: { origin: broker.url, ...headers } });
	const wrong = await post('/signin', { ...formOf(page.text, 'signin').fields, username: 'alice', password: 'not hers' });
	seen.sign_in_failed = wrong;
	seen.sign_in = await post('/signin', { ...formOf(wrong.text, 'signin').fields, username: 'alice', password: 'wonderland' });
	const asked = (await browser.open(authorizeUrl(broker, { client_id: 'careful' }))).page;
	seen.consent_given = await post('/consent', { ...formOf(asked.text, 'consent').fields, answer: 'allow' });
	const got = await obtainTokens(broker, { scope: 'openid offline_access' }, { browser });
	seen.token_issued = got.answer;
	seen.token_refreshed = await refresh(broker, got.refresh_token);
	await broker.advance(31);
	seen.refresh_reused = await refresh(broker, got.refresh_token);
	const code = await obtainCode(broker, {}, { browser });
	const form = { grant_type: 'authorization_code', code: code.code, redirect_uri: redirectUri.web, code_verifier: code.verifier };
	await tokenRequest(broker, 'web', form);
	seen.code_reused = await tokenRequest(broker, 'web', form);
	const burnt = await obtainCode(broker, {}, { browser });
	for (let i = 0; i < 5; i++) seen.code_burnt = await tokenRequest(broker, 'web', { ...form, code: burnt.code, code_verifier: 'x'.repeat(43) });
	seen.client_failed = await refresh(broker, 'tlr_x', basic('web', 'guess'));
	const mapped = await obtainCode(broker, { client_id: 'mapped', redirect_uri: redirectUri.web, scope: 'openid broken' }, { browser });
	seen.script_failed = await tokenRequest(broker, 'mapped', { ...form, code: mapped.code, code_verifier: mapped.verifier }, basic('mapped', 'mapped-secret'));
	assert.equal(seen.script_failed.status, 200, seen.script_failed.text);
	const home = await browser.get('/');
	const csrfOf = (action) => new RegExp(`action="${action}"[^>]*>\\s*<input type="hidden" name="csrf" value="([^"]+)"`).exec(home.text)?.[1];
	seen.consent_withdrawn = await post('/consent/withdraw', { csrf: csrfOf('/consent/withdraw'), application: 'careful' });
	seen.password_changed = await post('/password', { ...formOf(home.text, 'password-form').fields, current: 'wonderland', new: 'a new password', repeat: 'a new password' });
	seen.sign_out = await post('/signout', formOf((await browser.get('/signout')).text, 'signout').fields);
	const known = new Set((await eventually(async () => { const list = await broker.events(); return list.some((event) => event.kind === 'sign_out') && list; })).map((event) => event.kind));
	for (const [kind, answer] of Object.entries(seen)) {
		assert.match(answer.headers['x-request-id'], /^[0-9a-f]{16}$/);
		const event = await one(broker, kind, answer.headers['x-request-id']).catch(() => assert.fail(`no event ${kind} of this request; there are ${[...known]}`));
		assert.equal(event.address, '127.0.0.1', kind);
		if (!['sign_in', 'sign_in_failed', 'password_changed', 'sign_out'].includes(kind)) assert.ok(event.application, kind);
		if (kind !== 'client_failed') assert.equal(event.user, 'alice', kind);
		assert.ok(broker.log.includes(answer.headers['x-request-id']), `${kind}: the log has the request too`);
		if (answer.status >= 400 && /html/.test(answer.headers['content-type'])) assert.ok(answer.text.includes(answer.headers['x-request-id']), `${kind}: the page shows it`);
	}
	await broker.command('user', 'disable', 'bob');
	await broker.command('key', 'rotate');
	await broker.configure({ config: (b) => configuration({ port: b.port, dir: b.dir, objects: 'user "new" {}' }) });
	assert.equal((await broker.overControl('POST', '/reload')).status, 200);
	for (const kind of ['user_changed', 'key_rotated', 'configuration_changed']) assert.ok(await one(broker, kind), kind);
});

test('S31_failures_that_repeat_are_one_row_a_minute', async () => {
	const broker = await Broker.start();
	for (let i = 0; i < 15; i++) await refresh(broker, 'tlr_x', basic('web', `wrong-${i}`));
	const rows = await eventually(async () => { const list = await broker.events('--kind', 'client_failed'); return list.length && list.reduce((sum, event) => sum + event.count, 0) === 15 && list; });
	assert.ok(rows.length <= 2, `${rows.length} rows`);
	await broker.advance(61);
	await refresh(broker, 'tlr_x', basic('web', 'again'));
	await eventually(async () => (await broker.events('--kind', 'client_failed')).length > rows.length);
});

async function everythingWritten(broker) {
	const data = path.join(broker.dir, 'data');
	const files = await Promise.all((await readdir(data)).filter((name) => /^tidelock\.db/.test(name)).map(async (name) => [name, await readFile(path.join(data, name), 'latin1')]));
	return [...files, ['the log', broker.log], ['the events', JSON.stringify(await broker.events())]];
}

test('S2_S31_no_secret_is_written_anywhere (security_cases_20)', async () => {
	const broker = await Broker.start({ objects: `scope_mapping "talks" { scope = "talks", script = "talks.lua" }
application "talker" { client_id = "talker", client_secret = "talker-secret", redirect_uris = { "https://web.example.org/callback" }, scopes = { "openid", "talks" }, consent = "implicit" }`,
	files: { 'talks.lua': 'log("request", request and json.encode(request) or "none", json.encode(session or {}), json.encode(token or {})) error("saw " .. json.encode(request or {}))' } });
	const got = await obtainTokens(broker, { scope: 'openid profile offline_access', state: 'the-state-of-the-client' });
	const rotated = (await refresh(broker, got.refresh_token)).json;
	const unused = await obtainCode(broker, {}, { browser: got.browser });
	const talker = await obtainCode(broker, { client_id: 'talker', redirect_uri: redirectUri.web, scope: 'openid talks' }, { browser: got.browser });
	await tokenRequest(broker, 'talker', { grant_type: 'authorization_code', code: talker.code, redirect_uri: redirectUri.web, code_verifier: talker.verifier }, basic('talker', 'talker-secret'));
	for (const token of [got.access_token, rotated.access_token]) await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } });
	// Where secrets are put by mistake: as names, in queries, in the wrong fields.
	const stranger = new Browser(broker);
	await stranger.signIn(await stranger.get('/signin'), 'my-password-typed-as-a-name', 'typed-in-vain');
	await stranger.get('/application/o/userinfo/?access_token=a-token-in-the-query');
	await stranger.get('/signin?password=a-password-in-the-query');
	await stranger.post('/application/o/token/', { grant_type: 'authorization_code', code: unused.code, client_id: 'web', client_secret: 'a-wrong-secret-in-the-form' });
	await tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token: `${rotated.refresh_token}x` }, basic('web', 'a-wrong-secret-in-the-header'));
	await stranger.get('/', { headers: { cookie: 'tidelock=tls_a-made-up-cookie', 'user-agent': 'agent' } });
	await stranger.get('/application/o/authorize/?client_id=web&redirect_uri=x&state=a-state-in-the-query');
	await got.browser.get('/');
	const secrets = {
		'a password': 'wonderland', 'a client secret': 'web-secret', 'another client secret': 'talker-secret', code: got.code, 'an unused code': unused.code, 'a refresh token': got.refresh_token, 'its successor': rotated.refresh_token,
		'an access token': got.access_token.split('.')[2], 'an ID token': got.id_token.split('.')[2], verifier: got.verifier, session: got.browser.cookies.get('tidelock'), browser: got.browser.cookies.get('tidelock-browser'),
		typed: 'my-password-typed-as-a-name', 'typed password': 'typed-in-vain', query: 'a-token-in-the-query', 'query password': 'a-password-in-the-query', form: 'a-wrong-secret-in-the-form', header: 'a-wrong-secret-in-the-header',
		cookie: 'tls_a-made-up-cookie', 'state of a query': 'a-state-in-the-query', 'basic credentials': basic('web').authorization.slice(6),
		'the password of root': 'root-of-all', 'state': 'the-state-of-the-client',
	};
	await new Promise((r) => setTimeout(r, 50));
	const written = await everythingWritten(broker);
	assert.ok(written.some(([name, text]) => name.startsWith('tidelock.db') && text.includes('alice@example.org')), 'the database was read');
	for (const [place, text] of written) {
		for (const [name, secret] of Object.entries(secrets)) assert.ok(!text.includes(secret), `${name} stands in ${place}`);
		assert.doesNotMatch(text, /PRIVATE KEY|"d":"/, place);
	}
	const key = await readFile(path.join(broker.dir, 'data', 'master.key'));
	for (const [place, text] of await everythingWritten(broker)) assert.ok(!text.includes(key.toString('latin1')) && !text.includes(key.toString('hex')) && !text.includes(key.toString('base64')), `the master key stands in ${place}`);
	const failed = (await broker.events('--kind', 'script_failed'))[0];
	assert.ok(failed, 'the script ran');
	assert.doesNotMatch(failed.reason, /[Cc]ookie|[Aa]uthorization|client_secret|code_verifier/);
});

test('security_cases_19_nobody_writes_lines_into_the_log_or_the_terminal', async () => {
	const broker = await Broker.start();
	const browser = new Browser(broker);
	for (const bad of ['%0a2026-01-01T00:00:00Z%20info%20forged', '%0d%0aforged', '%1b[31mred', '%22%20status=200%20x=%22']) await browser.get(`/${bad}`);
	await browser.get('/', { headers: { 'user-agent': 'a\tb"c' } });
	const page = await browser.get('/signin');
	await browser.post('/signin', { ...formOf(page.text, 'signin').fields, username: 'a\nforged line\x1b[2J', password: 'x' }, { headers: { origin: broker.url } });
	assert.doesNotMatch(broker.log, /^(?!\d{4}-\d\d-\d\dT).*forged/m);
	assert.doesNotMatch(broker.log, /\x1b|\r/);
	for (const line of broker.log.trim().split('\n')) assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z (debug|info|warn|error) /);
	const shown = await broker.command('events');
	assert.doesNotMatch(shown.out, /\x1b|\r/);
});

test('S31_who_goes_back_without_signing_in_leaves_an_event_that_names_the_application', async () => {
	const broker = await Broker.start();
	const browser = new Browser(broker);
	const { page } = await browser.open(authorizeUrl(broker));
	const cancel = /href="(\/signin\/cancel[^"]*)"/.exec(page.text)[1].replaceAll('&amp;', '&');
	const at = await browser.open(broker.url + cancel);
	assert.equal(at.away.searchParams.get('error'), 'access_denied');
	const event = await eventually(async () => (await broker.events('--kind', 'sign_in_cancelled'))[0], 3);
	assert.equal(event.application, 'web');
});
