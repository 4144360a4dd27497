// GitHub's token endpoint: every way in which clients of GitHub send a code and read the answer. One broker serves all cases.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, obtainTokens, pkce } from '../harness/browser.mjs';
import { authorize, basic, checksum, clients, connect, exchange, json, objects } from '../harness/github.mjs';

const broker = await Broker.start({ objects: `${objects}
application "awkward" {
  client_id = "awkward+id", client_secret = "s e+c%41:x/=", redirect_uris = { "https://awkward.example.org/cb" }, consent = "implicit", github = { query_secret = true },
}
` });
clients.awkward = { client_id: 'awkward+id', client_secret: 's e+c%41:x/=', redirect_uri: 'https://awkward.example.org/cb' };
const alice = new Browser(broker);
await alice.signIn(await alice.get('/signin'));

const codeFor = async (client = 'forge', parameters) => (await authorize(broker, client, parameters, { browser: alice })).code;
const secret = ({ client_id, client_secret }) => ({ client_id, client_secret });
const forge = secret(clients.forge);

test('the_answer_is_a_form_unless_json_or_xml_is_asked_for', async () => {
	const form = await exchange(broker, { ...forge, code: await codeFor() }, {});
	assert.equal(form.status, 200);
	assert.equal(form.headers['content-type'], 'application/x-www-form-urlencoded; charset=utf-8');
	assert.equal(form.headers['cache-control'], 'no-store');
	assert.match(form.text, /^access_token=gho_[A-Za-z0-9]{36}&scope=read%3Auser&token_type=bearer$/);
	assert.match((await exchange(broker, { ...forge, code: await codeFor() }, { accept: '*/*' })).text, /^access_token=/);
	const asJson = await exchange(broker, { ...forge, code: await codeFor('forge', { scope: 'user:email,read:org' }) }, { accept: 'application/vnd.github+json, application/json' });
	assert.equal(asJson.headers['content-type'], 'application/json; charset=utf-8');
	assert.deepEqual(Object.keys(asJson.json), ['access_token', 'scope', 'token_type']);
	assert.equal(asJson.json.scope, 'user:email,read:org');
	const xml = await exchange(broker, { ...forge, code: await codeFor() }, { accept: 'application/xml' });
	assert.match(xml.text, /<OAuth><access_token>gho_\w{36}<\/access_token><scope>read:user<\/scope><token_type>bearer<\/token_type><\/OAuth>$/);
	// No scope is an empty one.
	assert.match((await exchange(broker, { ...forge, code: await codeFor('forge', { scope: undefined }) }, {})).text, /&scope=&token_type=bearer$/);
});

test('S1_a_token_has_githubs_form_and_check_digits', async () => {
	const { access_token } = await connect(broker, 'forge', {}, { browser: alice });
	assert.match(access_token, /^gho_[A-Za-z0-9]{36}$/);
	assert.equal(checksum(access_token.slice(4, 34)), access_token.slice(34));
});

test('every_encoding_of_the_request', async () => {
	const target = '/login/oauth/access_token';
	const { client_id, client_secret } = forge;
	const browser = new Browser(broker);
	const sends = {
		form: (code) => browser.post(target, { ...forge, code }, { headers: json }),
		'form with everything that clients send': (code) => browser.post(target, { ...forge, code, grant_type: 'authorization_code', redirect_uri: clients.forge.redirect_uri, state: 'st-1' }, { headers: json }),
		json: (code) => browser.post(target, JSON.stringify({ ...forge, code }), { headers: { ...json, 'content-type': 'application/json; charset=utf-8' } }),
		'json that is not called so': (code) => browser.post(target, JSON.stringify({ ...forge, code }), { headers: json }),
		'basic': (code) => browser.post(target, { code }, { headers: { ...json, ...basic(client_id, client_secret) } }),
		'basic in lower case, with client_id': (code) => browser.post(target, { code, client_id }, { headers: { ...json, authorization: basic(client_id, client_secret).authorization.replace('Basic', 'basic') } }),
		'basic and body': (code) => browser.post(target, { code, ...forge }, { headers: { ...json, ...basic(client_id, client_secret) } }),
	};
	for (const [name, send] of Object.entries(sends)) {
		const answer = await send(await codeFor());
		assert.match(answer.json?.access_token ?? '', /^gho_/, `${name}: ${answer.text}`);
	}
});

test('every_way_to_send_a_secret_that_is_hard_to_send_and_every_way_to_read_the_answer', async () => {
	const target = '/login/oauth/access_token';
	const { client_id, client_secret } = clients.awkward;
	const post = (headers, body, query = '') => new Browser(broker).post(target + query, body, { headers });
	const formed = (text) => new URLSearchParams({ x: text }).toString().slice(2);
	const sends = {
		form: (headers, code) => post(headers, { client_id, client_secret, code }),
		json: (headers, code) => post({ ...headers, 'content-type': 'application/json' }, JSON.stringify({ client_id, client_secret, code })),
		query: (headers, code) => post(headers, '', `?${new URLSearchParams({ client_id, client_secret, code })}`),
		'basic raw': (headers, code) => post({ ...headers, ...basic(client_id, client_secret) }, { code }),
		'basic escaped': (headers, code) => post({ ...headers, ...basic(formed(client_id), formed(client_secret)) }, { code }),
	};
	const reads = {
		none: [{}, (text) => new URLSearchParams(text).get('access_token')],
		json: [json, (text) => JSON.parse(text).access_token],
		xml: [{ accept: 'application/xml' }, (text) => /<access_token>(.*)<\/access_token>/.exec(text)?.[1]],
	};
	for (const [way, send] of Object.entries(sends)) {
		for (const [accept, [headers, read]] of Object.entries(reads)) {
			const answer = await send(headers, await codeFor('awkward'));
			assert.equal(answer.status, 200, `${way}, ${accept}`);
			assert.match(read(answer.text) ?? '', /^gho_\w{36}$/, `${way}, ${accept}: ${answer.text}`);
			assert.deepEqual([answer.headers['cache-control'], answer.headers['access-control-allow-origin'], answer.headers['referrer-policy']], ['no-store', undefined, 'no-referrer'], way);
			assert.ok(Math.abs(Date.parse(answer.headers.date) - Date.now() - broker.moved * 1000) < 60000, 'clients reckon with Date');
		}
	}
});

test('S18_parameters_in_the_url_are_read_where_the_application_asks_for_it', async () => {
	const query = (client, code) => `/login/oauth/access_token?${new URLSearchParams({ ...secret(clients[client]), code })}`;
	const empty = await new Browser(broker).post(query('jenkins', await codeFor('jenkins')), '');
	assert.match(empty.text, /^access_token=gho_/, empty.text);
	const refused = await new Browser(broker).post(query('forge', await codeFor()), '', { headers: json });
	assert.deepEqual([refused.status, refused.json.error], [404, 'Not Found']);
	assert.ok((await broker.events()).some((event) => event.kind === 'client_failed' && /query_secret/.test(event.reason)));
	assert.match((await new Browser(broker).get(query('jenkins', await codeFor('jenkins')))).text, /^access_token=gho_/, 'as some versions of ScribeJava send it');
	const got = await new Browser(broker).get(query('forge', await codeFor()), { headers: json });
	assert.deepEqual([got.status, got.json.error], [404, 'Not Found']);
	assert.doesNotMatch(broker.log, /jenkins-secret/);
});

test('an_unknown_client_is_not_found', async () => {
	for (const [form, headers] of [[{ client_id: 'nobody', client_secret: 'x', code: 'x' }], [{}], [{ client_id: 'web', client_secret: 'web-secret', code: 'x' }], [{ code: 'x' }, basic('nobody', 'x')]]) {
		const answer = await exchange(broker, form, { ...json, ...headers });
		assert.deepEqual([answer.status, answer.json.error], [404, 'Not Found']);
	}
});

const errorOf = async (form, headers) => {
	const answer = await exchange(broker, form, { ...json, ...headers });
	assert.equal(answer.status, 200, answer.text);
	assert.ok(answer.json.error_description && answer.json.error_uri, answer.text);
	return answer.json.error;
};

test('errors_have_status_200_and_githubs_words', async () => {
	assert.equal(await errorOf({ ...forge, code: 'tlc_' + 'x'.repeat(43) }), 'bad_verification_code');
	assert.equal(await errorOf({ ...forge }), 'bad_verification_code');
	assert.equal(await errorOf({ ...forge, code: 'x', grant_type: 'password' }), 'unsupported_grant_type');
	assert.equal(await errorOf({ client_id: forge.client_id, code: await codeFor() }), 'incorrect_client_credentials');
	assert.equal(await errorOf({ ...forge, client_secret: clients.jenkins.client_secret, code: await codeFor() }), 'incorrect_client_credentials');
	assert.equal(await errorOf({ ...secret(clients.asking), code: await codeFor() }), 'bad_verification_code');
	assert.equal(await errorOf({ ...forge, code: await codeFor(), redirect_uri: 'https://forge.example.org/users/auth/x' }), 'redirect_uri_mismatch');
	const reasons = (await broker.events()).filter((event) => event.kind === 'github_grant_refused').map((event) => event.reason);
	for (const reason of ['bad_verification_code: there is no such code', 'incorrect_client_credentials', 'redirect_uri_mismatch', 'bad_verification_code']) assert.ok(reasons.includes(reason), `${reason}: ${reasons}`);
	const form = await exchange(broker, { ...forge, code: 'x' }, {});
	assert.match(form.text, /^error=bad_verification_code&error_description=The%20code%20passed%20is%20incorrect%20or%20expired\.&error_uri=/);
	const xml = await exchange(broker, { ...forge, code: 'x' }, { accept: 'application/xml' });
	assert.match(xml.text, /<OAuth><error>bad_verification_code<\/error>/);
});

test('what_is_malformed_is_400', async () => {
	const post = (body, headers) => new Browser(broker).post('/login/oauth/access_token', body, { headers });
	for (const [body, type] of [['{', 'application/json'], ['[1', 'application/json'], ['"x"', 'application/json'], ['client_id=%zz', 'application/x-www-form-urlencoded'], ['code=a&code=b', 'application/x-www-form-urlencoded'],
		[`code=${'x'.repeat(3000)}`, 'application/x-www-form-urlencoded']]) {
		assert.equal((await post(body, { 'content-type': type })).status, 400, body.slice(0, 40));
	}
	assert.equal((await exchange(broker, { client_id: 'asking' }, basic(forge.client_id, forge.client_secret))).status, 400);
});

test('a_wrong_secret_leaves_the_code_until_the_fifth', async () => {
	const code = await codeFor();
	for (let tries = 0; tries < 4; tries++) assert.equal(await errorOf({ code }, basic(forge.client_id, 'wrong')), 'incorrect_client_credentials');
	assert.match((await exchange(broker, { ...forge, code })).json.access_token, /^gho_/);
	const burnt = await codeFor();
	for (let tries = 0; tries < 5; tries++) await errorOf({ code: burnt }, basic(forge.client_id, 'wrong'));
	assert.equal(await errorOf({ ...forge, code: burnt }), 'bad_verification_code');
});

test('S6_a_code_is_redeemed_once_and_its_second_use_by_the_right_client_ends_the_token', async () => {
	const { code, access_token } = await connect(broker, 'forge', {}, { browser: alice });
	assert.match(access_token, /^gho_/);
	assert.equal(await errorOf({ client_id: forge.client_id, client_secret: 'wrong', code }), 'incorrect_client_credentials');
	assert.ok(!(await broker.events()).some((event) => event.kind === 'code_reused'));
	assert.equal(await errorOf({ ...forge, code }), 'bad_verification_code');
	assert.ok((await broker.events()).some((event) => event.kind === 'code_reused'));
});

test('a_code_expires_and_ends_with_its_session', async () => {
	const expired = await codeFor();
	await broker.advance(61);
	assert.equal(await errorOf({ ...forge, code: expired }), 'bad_verification_code');
	const { code, browser } = await authorize(broker, 'forge');
	await browser.submit(await browser.get('/signout'));
	assert.equal(await errorOf({ ...forge, code }), 'bad_verification_code');
});

test('S18_a_code_sent_to_a_sub_path_needs_its_redirect_uri_or_its_verifier', async () => {
	const redirect_uri = 'https://forge.example.org/users/auth/github/callback';
	const code = await codeFor('forge', { redirect_uri });
	assert.equal(await errorOf({ ...forge, code }), 'redirect_uri_mismatch');
	assert.match((await exchange(broker, { ...forge, code, redirect_uri })).json.access_token, /^gho_/);
	const { verifier, challenge } = pkce();
	const proved = await codeFor('forge', { redirect_uri, code_challenge: challenge, code_challenge_method: 'S256' });
	assert.match((await exchange(broker, { ...forge, code: proved, code_verifier: verifier })).json.access_token, /^gho_/);
});

test('RFC7636_the_verifier_must_belong_to_the_challenge', async () => {
	const { verifier, challenge } = pkce();
	const asked = { code_challenge: challenge, code_challenge_method: 'S256' };
	assert.equal(await errorOf({ ...forge, code: await codeFor('forge', asked) }), 'bad_verification_code');
	assert.equal(await errorOf({ ...forge, code: await codeFor('forge', asked), code_verifier: pkce().verifier }), 'bad_verification_code');
	assert.equal(await errorOf({ ...forge, code: await codeFor('forge'), code_verifier: verifier }), 'bad_verification_code');
	assert.match((await exchange(broker, { ...forge, code: await codeFor('forge', asked), code_verifier: verifier })).json.access_token, /^gho_/);
});

test('a_public_client_proves_itself_by_its_verifier_whatever_secret_it_sends', async () => {
	for (const more of [{}, { client_secret: 'published-in-its-source' }]) {
		const { verifier, challenge } = pkce();
		const { code } = await authorize(broker, 'tool', { code_challenge: challenge, code_challenge_method: 'S256' });
		assert.match((await exchange(broker, { client_id: 'tool', code, code_verifier: verifier, ...more })).json.access_token, /^gho_/);
	}
});

test('S16_a_token_opens_nothing_of_openid_connect', async () => {
	const { access_token } = await connect(broker, 'forge', {}, { browser: alice });
	const userinfo = await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${access_token}` } });
	assert.equal(userinfo.status, 401);
	const { client_id, client_secret } = forge;
	const introspected = await new Browser(broker).post('/application/o/introspect/', { token: access_token }, { headers: basic(client_id, client_secret) });
	assert.deepEqual(introspected.json, { active: false });
});

test('S16_keys_of_other_kinds_open_nothing_of_github', async () => {
	const keys = {};
	for (const intent of ['api', 'app_password']) keys[intent] = (await broker.json('token', 'create', '--user', 'alice', '--intent', intent)).key;
	keys.jwt = (await obtainTokens(broker, { client_id: 'web' })).access_token;
	keys.code = await codeFor();
	for (const [kind, key] of Object.entries(keys)) {
		assert.ok(key, kind);
		for (const authorization of [`token ${key}`, `Bearer ${key}`, basic('alice', key).authorization, basic(key, 'x-oauth-basic').authorization]) {
			assert.equal((await new Browser(broker).get('/api/v3/user', { headers: { authorization } })).status, 401, `${kind}: ${authorization.slice(0, 6)}`);
		}
	}
});

test('what_x_oauth2_sends_first_basic_then_the_body', async () => {
	// Its probe: a secret that Basic would garble fails first, then the same code comes with the body.
	const code = await codeFor();
	const first = await exchange(broker, { grant_type: 'authorization_code', code, redirect_uri: clients.forge.redirect_uri }, basic(forge.client_id, 'other'));
	assert.equal(new URLSearchParams(first.text).get('access_token'), null);
	const second = await exchange(broker, { grant_type: 'authorization_code', code, redirect_uri: clients.forge.redirect_uri, ...forge }, {});
	assert.match(new URLSearchParams(second.text).get('access_token'), /^gho_/);
});
