// RFC 8628 at the wire: a device asks for a code, polls, and gets tokens once a person has agreed. One broker serves all cases.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, basic, claimsOf, tokenRequest } from '../harness/browser.mjs';
import { GRANT, answer, enter, connect, objects, poll, signedIn, start } from '../harness/device.mjs';

const broker = await Broker.start({ objects });

const refused = (response) => [response.status, response.json?.error];

test('rfc8628_3.2_the_answer_to_a_device', async () => {
	const response = await start(broker, 'tv', { scope: 'openid profile' });
	assert.equal(response.status, 200, response.text);
	assert.equal(response.headers['cache-control'], 'no-store');
	assert.equal(response.headers.pragma, 'no-cache');
	assert.match(response.headers['content-type'], /^application\/json/);
	const { device_code, user_code, ...rest } = response.json;
	assert.match(device_code, /^tld_[\w-]{43}$/);
	assert.match(user_code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
	assert.deepEqual(rest, { verification_uri: `${broker.url}/device`, verification_uri_complete: `${broker.url}/device?code=${user_code}`,
		expires_in: 600, interval: 5 });
});

test('test_device_backchannel_clients_good_and_bad_by_body_and_by_header', async () => {
	const ask = (body, headers) => new Browser(broker).post('/application/o/device/', body, { headers });
	for (const [body, headers, status] of [
		[{}, {}, 401],
		[{ client_id: 'nobody' }, {}, 401],
		[{ client_id: 'tv' }, {}, 401], // authentik does not look at the secret
		[{ client_id: 'tv', client_secret: 'wrong-secret' }, {}, 401],
		[{ client_id: 'tv', client_secret: '' }, {}, 401],
		[{}, basic('tv', 'wrong-secret'), 401],
		[{}, basic('nobody', 'x'), 401],
		[{ client_id: 'tv', client_secret: 'tv-secret' }, {}, 200],
		[{}, basic('tv', 'tv-secret'), 200],
		[{}, { authorization: 'Basic ' + Buffer.from('sign%3Aon:se%2Bcret%3A1').toString('base64') }, 200],
		[{ client_id: 'agent' }, {}, 200],
	]) {
		const response = await ask(body, headers);
		assert.equal(response.status, status, `${JSON.stringify([body, headers])}: ${response.text}`);
		if (status === 401) assert.equal(response.json.error, 'invalid_client');
	}
});

test('an_application_with_authentik_errors_gets_authentiks_statuses', async () => {
	const wrong = await new Browser(broker).post('/application/o/device/', {}, { headers: basic('lenient', 'wrong-secret') });
	assert.deepEqual(refused(wrong), [400, 'invalid_client']);
	assert.equal(wrong.headers['www-authenticate'], undefined);
	assert.equal((await new Browser(broker).post('/application/o/device/', {}, { headers: basic('lenient', 'lenient-secret') })).status, 200);
});

test('test_device_backchannel_the_grant_must_be_allowed', async () => {
	assert.deepEqual(refused(await start(broker, 'web')), [400, 'unauthorized_client']);
	const polled = await tokenRequest(broker, 'web', { grant_type: GRANT, device_code: 'tld_' + 'a'.repeat(43) });
	assert.deepEqual(refused(polled), [400, 'unauthorized_client']);
});

test('test_device_backchannel_scopes_are_clipped_to_the_application_CVE-2024-52287', async () => {
	const more = await connect(broker, 'tv', { scope: 'openid admin goauthentik.io/api groups' });
	assert.equal(more.json.scope, 'openid');
	assert.deepEqual(refused(await start(broker, 'tv', { scope: 'admin' })), [400, 'invalid_scope']);
	assert.deepEqual(refused(await start(broker, 'tv', { scope: 'open"id' })), [400, 'invalid_scope']);
	// S20: none asked is the claim scopes, without offline_access.
	const none = await connect(broker, 'tv');
	assert.equal(none.json.scope, 'openid profile email');
	assert.equal(none.json.refresh_token, undefined);
});

test('test_token_device_unknown_code', async () => {
	for (const device_code of ['tld_' + 'a'.repeat(43), 'tlc_' + 'a'.repeat(43), 'x', 'tld_', "tld_' or 1=1 --".padEnd(47, 'a')]) {
		assert.deepEqual(refused(await poll(broker, 'tv', device_code)), [400, 'invalid_grant'], device_code);
	}
	assert.deepEqual(refused(await tokenRequest(broker, 'tv', { grant_type: GRANT }, basic('tv', 'tv-secret'))), [400, 'invalid_request']);
});

test('S1_the_user_code_and_other_secrets_are_no_device_codes', async () => {
	const { user_code, device_code } = (await start(broker, 'tv')).json;
	assert.deepEqual(refused(await poll(broker, 'tv', user_code)), [400, 'invalid_grant']);
	const asCode = await tokenRequest(broker, 'web', { grant_type: 'authorization_code', code: device_code, redirect_uri: 'https://web.example.org/callback' });
	assert.deepEqual(refused(asCode), [400, 'invalid_grant']);
	const asRefresh = await tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token: device_code });
	assert.deepEqual(refused(asRefresh), [400, 'invalid_grant']);
	const asBearer = await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${device_code}` } });
	assert.equal(asBearer.status, 401);
});

test('test_token_device_pending', async () => {
	const { device_code } = (await start(broker, 'tv')).json;
	const response = await poll(broker, 'tv', device_code);
	assert.deepEqual(refused(response), [400, 'authorization_pending']);
	assert.equal(response.headers['cache-control'], 'no-store');
});

test('test_token_device_no_client_auth', async () => {
	const { device_code } = (await start(broker, 'tv')).json;
	const ask = (body) => new Browser(broker).post('/application/o/token/', { grant_type: GRANT, device_code, ...body });
	for (const body of [{}, { client_id: 'tv' }, { client_id: 'tv', client_secret: '' }, { client_id: 'tv', client_secret: 'wrong' }]) {
		assert.deepEqual(refused(await ask(body)), [401, 'invalid_client']);
	}
});

test('test_token_device_success', async () => {
	const got = await connect(broker, 'tv', { scope: 'openid profile email offline_access' });
	assert.equal(got.status, 200, got.text);
	const { access_token, token_type, expires_in, scope, id_token, refresh_token, ...rest } = got.json;
	assert.deepEqual([token_type, expires_in, scope, rest], ['Bearer', 600, 'openid profile email offline_access', {}]);
	const id = claimsOf(id_token);
	assert.equal(id.aud, 'tv');
	assert.deepEqual(id.amr, ['pwd']);
	assert.ok(id.auth_time <= id.iat && id.auth_time > id.iat - 60);
	assert.equal(id.sid, undefined, 'the session is not the device\'s');
	assert.equal(id.email, 'alice@example.org');
	const userinfo = await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${access_token}` } });
	assert.equal(userinfo.json.preferred_username, 'alice');
	const refreshed = await tokenRequest(broker, 'tv', { grant_type: 'refresh_token', refresh_token }, basic('tv', 'tv-secret'));
	assert.equal(refreshed.status, 200, refreshed.text);
	assert.equal(claimsOf(refreshed.json.id_token).auth_time, id.auth_time);
});

test('test_token_device_scope_sent_while_polling_is_ignored', async () => {
	const got = await connect(broker, 'tv', { scope: 'openid' }, { polled: { scope: 'openid profile email offline_access' } });
	assert.equal(got.json.scope, 'openid');
	assert.equal(got.json.refresh_token, undefined);
});

test('security_cases_17_a_code_is_bound_to_its_client', async () => {
	const { device_code } = (await start(broker, 'tv')).json;
	assert.deepEqual(refused(await poll(broker, 'agent', device_code)), [400, 'invalid_grant']);
	assert.deepEqual(refused(await poll(broker, 'tv', device_code)), [400, 'authorization_pending']);
});

test('rfc8628_3.5_polling_too_early_costs_five_seconds_more', async () => {
	const { device_code } = (await start(broker, 'tv')).json;
	const next = async (seconds) => { await broker.advance(seconds); return (await poll(broker, 'tv', device_code)).json.error; };
	assert.equal(await next(0), 'authorization_pending', 'the first may come at once');
	assert.equal(await next(5), 'authorization_pending');
	assert.equal(await next(4), 'authorization_pending', 'nearly a second early is jitter');
	assert.equal(await next(2), 'slow_down'); // 10 from now on
	assert.equal(await next(6), 'slow_down'); // 15
	assert.equal(await next(15), 'authorization_pending');
	assert.equal(await next(10), 'slow_down', 'this and all subsequent requests');
});

test('rfc8628_3.5_an_answer_is_given_however_early_the_device_asks', async () => {
	const { device_code, user_code } = (await start(broker, 'tv')).json;
	for (let n = 0; n < 4; n++) await poll(broker, 'tv', device_code);
	assert.equal((await poll(broker, 'tv', device_code)).json.error, 'slow_down');
	const browser = await signedIn(broker);
	await answer(browser, await enter(browser, user_code), 'allow');
	assert.equal((await poll(broker, 'tv', device_code)).status, 200);
});

test('rfc8628_3.5_refused_by_the_person', async () => {
	const { device_code, user_code } = (await start(broker, 'tv')).json;
	const browser = await signedIn(broker);
	const page = await answer(browser, await enter(browser, user_code), 'deny');
	assert.match(page.text, /refused/);
	for (let n = 0; n < 2; n++) assert.deepEqual(refused(await poll(broker, 'tv', device_code)), [400, 'access_denied']);
	const events = await broker.events('--kind', 'device_denied');
	assert.ok(events.some((event) => event.user === 'alice' && event.request_id));
});

test('rfc8628_3.5_an_old_code_has_expired_approved_or_not', async () => {
	const [waiting, approved] = [(await start(broker, 'tv')).json, (await start(broker, 'tv')).json];
	const browser = await signedIn(broker);
	await answer(browser, await enter(browser, approved.user_code), 'allow');
	await broker.advance(601);
	for (const { device_code } of [waiting, approved]) assert.deepEqual(refused(await poll(broker, 'tv', device_code)), [400, 'expired_token']);
	const late = await enter(browser, waiting.user_code);
	assert.equal(late.status, 410);
	assert.match(late.text, /expired/);
});

test('security_cases_12_fifty_polls_at_once_get_one_answer', async () => {
	const { device_code, user_code } = (await start(broker, 'tv')).json;
	const browser = await signedIn(broker);
	await answer(browser, await enter(browser, user_code), 'allow');
	const answers = await Promise.all(Array.from({ length: 50 }, () => poll(broker, 'tv', device_code)));
	assert.equal(answers.filter((one) => one.status === 200).length, 1);
	for (const one of answers.filter((each) => each.status !== 200)) assert.deepEqual(refused(one), [400, 'invalid_grant']);
	assert.deepEqual(refused(await poll(broker, 'tv', device_code)), [400, 'invalid_grant'], 'and a later one none');
});

test('discovery_says_where_devices_ask', async () => {
	const document = async (slug) => (await new Browser(broker).get(`/application/o/${slug}/.well-known/openid-configuration`)).json;
	const tv = await document('tv');
	assert.equal(tv.device_authorization_endpoint, `${broker.url}/application/o/device/`);
	assert.ok(tv.grant_types_supported.includes(GRANT));
	const web = await document('web');
	assert.equal(web.device_authorization_endpoint, undefined);
	assert.ok(!web.grant_types_supported.includes(GRANT));
});

test('rfc8707_a_device_may_name_the_resource_that_its_token_is_for', async () => {
	const got = await connect(broker, 'tv', { scope: 'openid', resource: 'https://films.example.org/' });
	assert.equal(got.status, 200, got.text);
	assert.equal(claimsOf(got.json.access_token).aud, 'https://films.example.org/');
	assert.deepEqual(refused(await start(broker, 'tv', { resource: 'https://other.example.org/' })), [400, 'invalid_target']);
	const grown = await connect(broker, 'tv', { scope: 'openid', resource: 'https://films.example.org/' }, { polled: { resource: 'https://music.example.org/' } });
	assert.deepEqual(refused(grown), [400, 'invalid_target']);
});

test('app_show_prints_the_address', async () => {
	const { out } = await broker.command('app', 'show', 'tv');
	assert.ok(out.includes(`${broker.url}/application/o/device/`), out);
});

test('the_endpoint_answers_posts_of_forms_only', async () => {
	const got = await new Browser(broker).get('/application/o/device/');
	assert.deepEqual([got.status, got.headers.allow], [405, 'POST']);
	const json = await new Browser(broker).post('/application/o/device/', '{"client_id":"agent"}', { headers: { 'content-type': 'application/json' } });
	assert.deepEqual(refused(json), [400, 'invalid_request']);
	const twice = await new Browser(broker).post('/application/o/device/', 'client_id=agent&client_id=agent', { headers: { 'content-type': 'application/x-www-form-urlencoded' } });
	assert.deepEqual(refused(twice), [400, 'invalid_request']);
});
