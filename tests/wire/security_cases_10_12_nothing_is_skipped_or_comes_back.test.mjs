// security-cases 10, 12 and 16: no step of signing in can be left out or put before another, what was used or ended stays so when the
// power fails, and a text that is SQL is a text.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, authorizeUrl, basic, formOf, obtainCode, obtainTokens, redirectUri, tokenRequest } from '../harness/browser.mjs';
import { GRANT, answer, enter, objects as devices, signedIn, start } from '../harness/device.mjs';

const broker = await Broker.start({ objects: `${devices}\nuser "keyless" { name = "Nobody's password" }` });
const origin = { origin: broker.url };
const userinfo = async (token) => (await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } })).status;
const redeem = (got) => tokenRequest(broker, 'web', { grant_type: 'authorization_code', code: got.code, redirect_uri: redirectUri.web, code_verifier: got.verifier });
const refresh = (refresh_token) => tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token });
const refused = (response, what) => {
	if (response.status === 303) return assert.match(response.headers.location, /^\/signin\?/, what);
	assert.ok([400, 401, 403, 405, 422].includes(response.status), `${what}: ${response.status}`);
	assert.doesNotMatch(`${response.headers.location} ${response.headers.refresh}`, /code=|request=/, what);
};

test('security_cases_10_no_step_of_signing_in_is_skipped_by_an_empty_form_or_another_order', async () => {
	const browser = new Browser(broker);
	const { page } = await browser.open(authorizeUrl(broker, { client_id: 'careful' }));
	const { csrf, request } = formOf(page.text, 'signin').fields;
	// Without a session there is nothing to go on with, whatever form is sent (CVE-2026-49443: an empty one).
	for (const path of ['/signin', '/consent', '/signin/account', '/device', '/device/answer', '/password', '/sessions/end', '/app-passwords']) {
		for (const form of [{}, { csrf }, { csrf, request }, { csrf, request, answer: 'allow', choice: 'current' }, { csrf, request, username: '', password: '' }, { csrf, request, username: 'alice' }, { csrf, request, password: 'wonderland' }, { csrf, request, username: 'alice', password: '' },
			{ csrf, request, username: 'keyless', password: '' }, { csrf, request, username: 'keyless', password: ' ' }, { csrf, request, username: 'keyless', password: 'null' }]) refused(await browser.post(path, form, { headers: origin }), `${path} ${JSON.stringify(Object.keys(form))}`);
	}
	// Continuing shows the sign-in page again; so does the consent page's own address.
	for (const path of ['/application/o/authorize/', '/consent']) {
		const at = await browser.open(`${path}?request=${encodeURIComponent(request)}`);
		assert.match(at.page?.text ?? String(at.away), /id="signin"/, path);
	}
	// Signed in, consent is still to be given: by the word for it and nothing else.
	const { page: consent } = await browser.signIn((await browser.open(authorizeUrl(broker, { client_id: 'careful' }))).page);
	const fields = formOf(consent.text, 'consent').fields;
	for (const word of [undefined, '', 'ALLOW', 'yes', 'allow ', 'allow,deny', 'true']) {
		refused(await browser.post('/consent', Object.fromEntries(Object.entries({ ...fields, answer: word }).filter(([, value]) => value !== undefined)), { headers: origin }), `consent ${word}`);
	}
	refused(await browser.post('/consent', `${new URLSearchParams(fields)}&answer=allow&answer=deny`, { headers: { ...origin, 'content-type': 'application/x-www-form-urlencoded' } }), 'both');
	assert.match((await browser.open(`/application/o/authorize/?request=${encodeURIComponent(fields.request)}`)).page.text, /id="consent"/);
	assert.ok(!(await broker.events()).some((event) => event.kind === 'consent_given'));
	assert.ok((await browser.submit(consent, { answer: 'allow' }, 'consent')).away.searchParams.get('code'));
});

test('security_cases_12_what_was_used_or_ended_stays_so_after_a_power_cut_CVE-2026-9802', async () => {
	const offline = { scope: 'openid offline_access' };
	const { browser } = await obtainTokens(broker);
	const [used, rotated, revoked, dead] = [await obtainTokens(broker, offline, { browser }), await obtainTokens(broker, offline, { browser }), await obtainTokens(broker, offline, { browser }), await obtainTokens(broker, offline, { browser })];
	const pending = await obtainCode(broker, {}, { browser });
	const second = (await refresh(rotated.refresh_token)).json, third = (await refresh(second.refresh_token)).json;
	await new Browser(broker).post('/application/o/revoke/', { token: revoked.access_token }, { headers: basic('web') });
	await new Browser(broker).post('/application/o/revoke/', { token: dead.refresh_token }, { headers: basic('web') });
	const burnt = await obtainCode(broker, {}, { browser });
	for (let i = 0; i < 5; i++) await redeem({ ...burnt, verifier: 'x'.repeat(43) });
	const left = await obtainTokens(broker);
	const cookies = new Map(left.browser.cookies);
	await left.browser.submit(await left.browser.get('/signout'), {}, 'signout');
	const denied = (await start(broker, 'tv')).json;
	const person = await signedIn(broker);
	await answer(person, await enter(person, denied.user_code), 'deny');
	await broker.killHard();
	await broker.serve();
	assert.equal((await redeem(used)).json.error, 'invalid_grant', 'a used code');
	assert.equal(await userinfo(used.access_token), 401, 'and what it had opened, since it came again');
	assert.equal((await redeem(burnt)).json.error, 'invalid_grant', 'a code that was guessed at');
	assert.equal(await userinfo(revoked.access_token), 401, 'a revoked token');
	assert.equal((await refresh(dead.refresh_token)).json.error, 'invalid_grant', 'a revoked line');
	assert.equal(await userinfo(left.access_token), 401, 'what hung on a session');
	const stale = new Browser(broker);
	stale.cookies = cookies;
	assert.equal((await stale.get('/')).status, 302, 'the session itself');
	assert.equal((await tokenRequest(broker, 'tv', { grant_type: GRANT, device_code: denied.device_code }, basic('tv', 'tv-secret'))).json.error, 'access_denied', 'a refused device');
	assert.equal((await redeem(pending)).status, 200, 'what was good is good');
	assert.equal((await refresh(rotated.refresh_token)).json.error, 'invalid_grant', 'a refresh token of long ago');
	assert.equal((await refresh(third.refresh_token)).json.error, 'invalid_grant', 'whose line that ends');
	assert.equal(await userinfo(third.access_token), 401);
});

test('security_cases_16_what_looks_like_sql_is_a_text_wherever_it_comes', async () => {
	const { browser, access_token, refresh_token } = await obtainTokens(broker, { scope: 'openid offline_access' });
	const texts = ["' or '1'='1", "'; drop table users; --", '" or ""="', "\\' or 1=1 --", "1) or (1=1", '%', '_', "x' union select keyed from codes --", '$1', '?1', ':name', "admin'/*", '*/'];
	const tryToSignIn = async (text, from) => {
		const stranger = new Browser(broker);
		const page = await stranger.get('/signin');
		assert.ok([403, 400, 429].includes((await stranger.post('/signin', { ...formOf(page.text, 'signin').fields, username: text, password: text }, { headers: origin, from })).status), text);
	};
	const signIns = [];
	let n = 0;
	for (const text of texts) {
		const from = `127.4.0.${++n}`;
		const post = (path, form, headers) => new Browser(broker).post(path, form, { headers, from });
		const answers = [await post('/application/o/token/', { grant_type: 'authorization_code', code: `tlc_${text}`, redirect_uri: text, code_verifier: text }, basic('web')), await post('/application/o/token/', { grant_type: 'refresh_token', refresh_token: `tlr_${text}` }, basic('web')),
			await post('/application/o/token/', { grant_type: 'refresh_token', refresh_token: refresh_token.replace(/^tlr_\w+/, `tlr_${text}`) }, basic('web')), await post('/application/o/token/', { grant_type: 'refresh_token', refresh_token: 'tlr_x' }, basic(text, text)),
			await post('/application/o/introspect/', { token: text }, basic('tv', text)), await post('/application/o/userinfo/', { access_token: `tla_${text}` }), await post('/application/o/device/', { client_id: text, scope: text }),
			await browser.get(authorizeUrl(broker, { client_id: text, redirect_uri: text })), await browser.get(`/application/o/${encodeURIComponent(text)}/jwks/`)];
		for (const [index, one] of answers.entries()) assert.ok([400, 401, 404].includes(one.status), `${text} ${index}: ${one.status} ${one.text}`);
		assert.deepEqual((await post('/application/o/introspect/', { token: text }, basic('web'))).json, { active: false });
		signIns.push(tryToSignIn(text, from));
		assert.notEqual((await broker.command('user', 'show', '--', text)).status, 0, text);
	}
	await Promise.all(signIns);
	assert.equal(await userinfo(access_token), 200);
	assert.equal((await broker.json('user', 'show', 'alice')).username, 'alice');
	assert.doesNotMatch(broker.log, /syntax error|SQL logic|no such column/);
});
