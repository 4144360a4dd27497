// S1, S3-S7: what a token is good for, and what ends it at once.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker, configuration } from '../harness/broker.mjs';
import { Browser, authorizeUrl, basic, claimsOf, formOf, obtainCode, obtainTokens, redirectUri, secretOf, tokenRequest } from '../harness/browser.mjs';

const userinfo = (broker, token) => new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } });
const refresh = (broker, refresh_token, client = 'web') => tokenRequest(broker, client, { grant_type: 'refresh_token', refresh_token });
const redeem = (broker, got, client = 'web') => tokenRequest(broker, client, { grant_type: 'authorization_code', code: got.code, redirect_uri: redirectUri.web, code_verifier: got.verifier });
const offline = { scope: 'openid profile offline_access' };
const bob = { username: 'bob', password: 'builder-bob' };
const made = ['--redirect-uri', redirectUri.web, '--scope', 'openid', '--scope', 'offline_access', '--consent', 'implicit'];

// Everything one person can hold at an application.
async function everything(broker, parameters = {}, person = {}) {
	const bound = await obtainTokens(broker, parameters, person);
	const kept = await obtainTokens(broker, { ...parameters, ...offline, ...(parameters.scope ? { scope: parameters.scope } : {}) }, { browser: bound.browser });
	const pending = await obtainCode(broker, parameters, { browser: bound.browser });
	return { bound, kept, pending, browser: bound.browser };
}
async function allDead(broker, held, client = 'web') {
	assert.equal((await userinfo(broker, held.bound.access_token)).status, 401, 'the access token');
	assert.equal((await userinfo(broker, held.kept.access_token)).status, 401, 'the offline access token');
	const [refreshed, redeemed] = [await refresh(broker, held.kept.refresh_token, client), await redeem(broker, held.pending, client)];
	assert.ok(['invalid_grant', 'invalid_client'].includes(refreshed.json.error), refreshed.text);
	assert.ok(['invalid_grant', 'invalid_client'].includes(redeemed.json.error), redeemed.text);
}

test('S4_a_new_password_ends_all_that_the_old_one_opened', async () => {
	const broker = await Broker.start();
	const alice = await everything(broker);
	const other = await everything(broker, {}, bob);
	await broker.advance(2);
	const set = await broker.command('user', 'password', 'alice', '--password-stdin', { input: 'a new password\n' });
	assert.equal(set.status, 0, set.err);
	await allDead(broker, alice);
	assert.equal((await alice.browser.get('/')).status, 302, 'the session');
	assert.equal((await userinfo(broker, other.bound.access_token)).status, 200, 'nobody else is touched');
	await broker.advance(2);
	assert.equal((await userinfo(broker, (await obtainTokens(broker, {}, { password: 'a new password' })).access_token)).status, 200);
});

test('S4_a_disabled_person_holds_nothing_and_enabling_gives_nothing_back', async () => {
	const broker = await Broker.start();
	const held = await everything(broker);
	assert.equal((await broker.command('user', 'disable', 'alice')).status, 0);
	await allDead(broker, held);
	const { page } = await new Browser(broker).open(authorizeUrl(broker));
	const browser = new Browser(broker);
	const refused = await browser.signIn((await browser.open(authorizeUrl(broker))).page);
	assert.equal(refused.page.status, 403);
	assert.match(refused.page.text, /switched off/);
	const wrong = await browser.submit(refused.page, { username: 'alice', password: 'not it' }, 'signin');
	assert.doesNotMatch(wrong.page.text, /switched off/, 'only who knows the password is told');
	assert.ok(page);
	await broker.advance(2);
	assert.equal((await broker.command('user', 'enable', 'alice')).status, 0);
	await allDead(broker, held);
	assert.equal((await userinfo(broker, (await obtainTokens(broker)).access_token)).status, 200);
});

test('S4_a_deleted_application_and_its_secrets_are_gone_at_once', async () => {
	const broker = await Broker.start();
	const { client_id, client_secret } = await broker.json('app', 'add', 'shop', ...made);
	Object.assign(secretOf, { [client_id]: client_secret });
	const parameters = { client_id, redirect_uri: redirectUri.web, scope: 'openid offline_access' };
	const held = await everything(broker, parameters);
	assert.equal((await userinfo(broker, held.bound.access_token)).status, 200);
	// A second secret is good beside the first until the first is retired.
	const { client_secret: second } = await broker.json('app', 'secret', 'shop');
	const bySecond = () => tokenRequest(broker, client_id, { grant_type: 'refresh_token', refresh_token: 'tlr_x' }, basic(client_id, second));
	assert.equal((await bySecond()).json.error, 'invalid_grant');
	assert.equal((await refresh(broker, 'tlr_x', client_id)).json.error, 'invalid_grant');
	assert.equal((await broker.command('app', 'secret', 'shop', '--retire')).status, 0);
	assert.equal((await refresh(broker, 'tlr_x', client_id)).json.error, 'invalid_client');
	secretOf[client_id] = second;
	assert.equal((await broker.command('app', 'delete', 'shop')).status, 0);
	await allDead(broker, held, client_id);
	const page = await new Browser(broker).get(authorizeUrl(broker, parameters));
	assert.equal(page.status, 400);
	const again = await broker.command('app', 'add', 'shop', ...made);
	assert.equal(again.status, 1, 'S11: the name is never given again');
	assert.match(again.err, /never given again/);
	delete secretOf[client_id];
});

test('S5_what_hangs_on_a_session_ends_with_it_however_it_ends', async () => {
	const broker = await Broker.start({ objects: 'application "long" { client_id = "long", client_secret = "long-secret", redirect_uris = { "https://web.example.org/callback" }, scopes = { "openid", "profile", "offline_access" }, consent = "implicit", access_token_lifetime = "10d" }' });
	secretOf.long = 'long-secret';
	const parameters = { client_id: 'long', redirect_uri: redirectUri.web };
	const signedOut = await everything(broker, parameters);
	await signedOut.browser.submit(await signedOut.browser.get('/signout'), {}, 'signout');
	assert.equal((await userinfo(broker, signedOut.bound.access_token)).status, 401);
	assert.equal((await redeem(broker, signedOut.pending, 'long')).json.error, 'invalid_grant');
	assert.equal((await userinfo(broker, signedOut.kept.access_token)).status, 200, 'offline_access outlives it');
	const idle = await everything(broker, parameters);
	await broker.advance(13 * 3600);
	assert.equal((await idle.browser.get('/')).status, 302);
	assert.equal((await userinfo(broker, idle.bound.access_token)).status, 401, 'an idle session has ended');
	assert.equal((await userinfo(broker, idle.kept.access_token)).status, 200);
	const elsewhere = await everything(broker, parameters);
	const other = await obtainCode(broker);
	const csrf = /action="\/sessions\/end"><input type="hidden" name="csrf" value="([^"]+)"/.exec((await other.browser.get('/')).text)[1];
	await other.browser.post('/sessions/end', { csrf, session: 'others' }, { headers: { origin: broker.url } });
	assert.equal((await userinfo(broker, elsewhere.bound.access_token)).status, 401);
	assert.equal((await refresh(broker, elsewhere.kept.refresh_token, 'long')).status, 200);
	delete secretOf.long;
});

test('S5_withdrawn_consent_ends_the_grants_of_that_application_only', async () => {
	const broker = await Broker.start();
	const careful = await obtainTokens(broker, { client_id: 'careful', scope: 'openid' });
	const web = await obtainTokens(broker, offline, { browser: careful.browser });
	const home = await careful.browser.get('/');
	const csrf = /action="\/consent\/withdraw"><input type="hidden" name="csrf" value="([^"]+)"/.exec(home.text)[1];
	assert.equal((await careful.browser.post('/consent/withdraw', { csrf, application: 'careful' }, { headers: { origin: broker.url } })).status, 303);
	assert.equal((await userinfo(broker, careful.access_token)).status, 401);
	assert.equal((await userinfo(broker, web.access_token)).status, 200);
});

test('S6_what_fails_before_the_end_leaves_the_code', async () => {
	const broker = await Broker.start();
	const got = await obtainCode(broker);
	const form = { grant_type: 'authorization_code', code: got.code, redirect_uri: redirectUri.web, code_verifier: got.verifier };
	assert.equal((await tokenRequest(broker, 'web', form, basic('web', 'wrong'))).status, 401);
	assert.equal((await tokenRequest(broker, 'web', { ...form, redirect_uri: `${redirectUri.web}/` })).status, 400);
	await broker.debug({ fault: 'disk_full', n: 1, forever: true });
	assert.equal((await tokenRequest(broker, 'web', form)).status, 503);
	await broker.debug({ fault: 'disk_full', n: 0 });
	const answers = await Promise.all([tokenRequest(broker, 'other', form), tokenRequest(broker, 'web', form)]);
	assert.deepEqual(answers.map((answer) => answer.status), [400, 200]);
});

test('S7_an_older_token_another_client_and_time_end_a_line', async () => {
	const broker = await Broker.start();
	const older = await obtainTokens(broker, offline);
	const first = (await refresh(broker, older.refresh_token)).json;
	const second = (await refresh(broker, first.refresh_token)).json;
	assert.equal((await refresh(broker, older.refresh_token)).json.error, 'invalid_grant', 'two generations back, within the grace');
	assert.equal((await refresh(broker, second.refresh_token)).json.error, 'invalid_grant', 'the line has ended');
	assert.equal((await userinfo(broker, second.access_token)).status, 401, 'and the grant');
	const stolen = await obtainTokens(broker, offline);
	assert.equal((await refresh(broker, stolen.refresh_token, 'other')).json.error, 'invalid_grant');
	const alive = await refresh(broker, stolen.refresh_token);
	assert.equal(alive.status, 200, 'another client cannot end it');
	await broker.advance(29 * 86400);
	const late = await refresh(broker, alive.json.refresh_token);
	assert.equal(late.status, 200, late.text);
	await broker.advance(31 * 86400);
	assert.equal((await refresh(broker, late.json.refresh_token)).json.error, 'invalid_grant');
	for (const bad of [`${late.json.refresh_token}x`, late.json.refresh_token.replace(/\.\d+\./, '.9.'), late.json.refresh_token.replace('tlr_', 'tlc_'), 'tlr_', 'tlr_..']) {
		assert.equal((await refresh(broker, bad)).json.error, 'invalid_grant', bad);
	}
});

test('S7_within_the_grace_the_successor_itself_goes_on_and_the_line_stays_one', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, offline);
	const lost = (await refresh(broker, got.refresh_token)).json;
	await broker.advance(29);
	const repeated = (await refresh(broker, got.refresh_token)).json;
	assert.equal(repeated.refresh_token, lost.refresh_token);
	assert.equal((await userinfo(broker, lost.access_token)).status, 200);
	assert.equal((await refresh(broker, lost.refresh_token)).status, 200);
	assert.equal((await userinfo(broker, repeated.access_token)).status, 200);
});

test('S7_policies_of_now_hold_at_each_refresh', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, { scope: 'openid profile email groups offline_access' });
	await broker.configure({ config: (b) => configuration({ port: b.port, dir: b.dir }).replace('"openid", "profile", "email", "groups", "offline_access" }, consent = "implicit"', '"openid", "offline_access" }, consent = "implicit"') });
	const reload = await broker.overControl('POST', '/reload');
	assert.equal(reload.status, 200, reload.text);
	const answer = await refresh(broker, got.refresh_token);
	assert.equal(answer.json.scope, 'openid offline_access');
	assert.equal(claimsOf(answer.json.id_token).name, undefined);
});

test('S1_every_secret_is_refused_at_every_place_of_another', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, offline);
	const code = await obtainCode(broker, {}, { browser: got.browser });
	const [session, browser] = ['tidelock', 'tidelock-browser'].map((name) => got.browser.cookies.get(name));
	const sealed = formOf((await new Browser(broker).open(authorizeUrl(broker))).page.text, 'signin').fields.request;
	const secrets = { id: got.id_token, access: got.access_token, refresh: got.refresh_token, code: code.code, session, browser, sealed, secret: 'web-secret' };
	for (const [name, value] of Object.entries(secrets)) {
		if (name !== 'access') assert.equal((await userinfo(broker, value)).status, 401, `${name} at userinfo`);
		if (name !== 'refresh') assert.equal((await refresh(broker, value)).status, 400, `${name} as refresh token`);
		if (name !== 'code') assert.equal((await redeem(broker, { ...code, code: value })).status, 400, `${name} as code`);
		if (name !== 'session') assert.equal((await new Browser(broker).get('/', { headers: { cookie: `tidelock=${value}` } })).status, 302, `${name} as session`);
		if (name !== 'id') {
			const hinted = await got.browser.get(authorizeUrl(broker, { prompt: 'none', id_token_hint: value }));
			assert.match(hinted.headers.location, /error=invalid_request/, `${name} as id_token_hint`);
		}
		if (name !== 'secret') assert.equal((await tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token: 'tlr_x' }, basic('web', value))).status, 401, `${name} as client secret`);
		assert.equal((await got.browser.get(`/application/o/authorize/?request=${encodeURIComponent(value)}`)).status, 400, `${name} as request`);
	}
	assert.equal((await redeem(broker, code)).status, 200, 'none of it harmed the code');
});

test('S8_opaque_tokens_are_sealed_and_die_like_the_others', async () => {
	const broker = await Broker.start({ objects: 'application "opaque" { client_id = "opaque", client_secret = "opaque-secret", redirect_uris = { "https://web.example.org/callback" }, scopes = { "openid", "profile" }, consent = "implicit", access_token = "opaque", access_token_lifetime = "2d" }' });
	secretOf.opaque = 'opaque-secret';
	const got = await obtainTokens(broker, { client_id: 'opaque', redirect_uri: redirectUri.web });
	assert.match(got.access_token, /^tla_/);
	assert.equal((await userinfo(broker, got.access_token)).json.sub, claimsOf(got.id_token).sub);
	for (const bad of [got.access_token.slice(0, -2), got.access_token.replace(/tla_(\d+)/, (_, day) => `tla_${Number(day) + 1}`), got.access_token.replace('tla_', 'tlr_'), 'tla_1_AAAA', 'tla_']) {
		assert.equal((await userinfo(broker, bad)).status, 401, bad);
	}
	await got.browser.submit(await got.browser.get('/signout'), {}, 'signout');
	assert.equal((await userinfo(broker, got.access_token)).status, 401);
	delete secretOf.opaque;
});
