// RFC 6749 2.3 and 5.2, security-cases 13: secrets, how they come, and what a client hears that is not believed. authentik's
// test_secret and the client's side of test_token.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker, configuration } from '../harness/broker.mjs';
import { Browser, redirectUri, secretOf, tokenRequest } from '../harness/browser.mjs';

const strange = { client_id: 'https://client.example.org/a:b%2F', client_secret: 'p+q %2B:a/=&?' };
const app = (name, more) => `application "${name}" { redirect_uris = { "${redirectUri.web}" }, scopes = { "openid", "profile", "offline_access" }, consent = "implicit", ${more} }\n`;
const objects = app('strange', `client_id = "${strange.client_id}", client_secret = "${strange.client_secret}"`)
	+ app('plus', 'client_id = "plus", client_secret = "one+two+three"') + app('percent', 'client_id = "percent", client_secret = "100%sure of it"')
	+ app('basic-only', 'client_id = "basic-only", client_secret = "basic-only-secret", token_endpoint_auth_method = "client_secret_basic"')
	+ app('post-only', 'client_id = "post-only", client_secret = "post-only-secret", token_endpoint_auth_method = "client_secret_post"')
	+ app('old', 'client_id = "old", client_secret = "old-secret", authentik_errors = true');
secretOf.old = 'old-secret';
const broker = await Broker.start({ objects });

const header = (id, secret) => ({ authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` });
let asked = 0;
const ask = (form = {}, headers = {}, where = 'introspect') => new Browser(broker).post(`/application/o/${where}/`, { token: 'x', grant_type: 'refresh_token', refresh_token: 'tlr_x', ...form }, { headers, from: `127.2.${++asked >> 8}.${asked & 255}` });
const believed = async (form, headers, what) => { const answer = await ask(form, headers); assert.equal(answer.status, 200, `${what}: ${answer.text}`); };
const refused = async (form, headers, what) => {
	for (const where of ['introspect', 'token', 'revoke', 'device']) {
		const answer = await ask(form, headers, where);
		assert.deepEqual([answer.status, answer.json.error], [401, 'invalid_client'], `${what} at ${where}`);
		assert.equal(answer.headers['www-authenticate'], 'Basic realm="tidelock", charset="UTF-8"');
		assert.equal(answer.headers['cache-control'], 'no-store');
		assert.equal(answer.json.request_id, answer.headers['x-request-id']);
	}
};

test('test_token_Basic_is_percent_decoded_and_a_raw_plus_stays', async () => {
	const { client_id, client_secret } = strange;
	await believed({}, header(encodeURIComponent(client_id), encodeURIComponent(client_secret)), 'encoded as RFC 6749 2.3.1 asks');
	await believed({ client_id, client_secret }, {}, 'in the form');
	await believed({}, header('plus', 'one+two+three'), 'raw');
	await believed({}, header('plus', 'one%2Btwo%2bthree'), 'encoded');
	await refused({}, header('plus', 'one two three'), 'a plus is no space');
	await refused({}, header('plus', 'one%20two%20three'), 'nor the other way round');
	await believed({}, header('percent', '100%25sure+of+it'), 'a plus where a form has a space');
	await believed({}, header('percent', '100%sure of it'), 'what cannot be decoded was not encoded');
	await believed({}, header('percent', '100%25sure%20of%20it'), 'encoded');
	for (const scheme of ['basic', 'BASIC', 'bAsIc']) await believed({}, { authorization: header('web', 'web-secret').authorization.replace('Basic', scheme) }, scheme);
	await refused({}, header('strange', client_secret), 'the name is not the client_id');
});

test('security_cases_13_empty_missing_wrong_and_malformed_credentials', async () => {
	const cases = { empty: header('web', ''), 'no colon': { authorization: `Basic ${Buffer.from('web').toString('base64')}` }, 'no id': header('', 'web-secret'), 'not base64': { authorization: 'Basic !!!!' }, nothing: { authorization: 'Basic' }, 'unpadded': { authorization: header('web', 'web-secre').authorization.replace(/=+$/, '') }, 'another scheme': { authorization: 'Digest x' },
		'case of the secret': header('web', 'Web-secret'), 'a beginning': header('web', 'web-secre'), 'something behind': header('web', 'web-secret\n'), 'a NUL': header('web', 'web-secret\0'), 'case of the id': header('Web', 'web-secret'), 'the secret of another': header('web', 'other-secret'), 'null': header('web', 'null'), 'long': header('web', 'x'.repeat(5000)), 'a public client with a secret': header('native', 'x') };
	for (const [what, headers] of Object.entries(cases)) await refused({}, headers, what);
	for (const [what, form] of Object.entries({ nothing: {}, 'the id alone': { client_id: 'web' }, 'an empty secret': { client_id: 'web', client_secret: '' }, 'an empty id': { client_id: '', client_secret: 'web-secret' }, 'the secret alone': { client_secret: 'web-secret' }, 'a wrong one': { client_id: 'web', client_secret: 'x' }, 'in the query only': {} })) await refused(form, {}, what);
	const query = await new Browser(broker).post('/application/o/introspect/?client_id=web&client_secret=web-secret', { token: 'x' });
	assert.equal(query.status, 401, 'S18: never in the query');
	for (const pair of [['client_id', 'web'], ['client_secret', 'web-secret']]) {
		const twice = new URLSearchParams([['token', 'x'], ['client_id', 'web'], ['client_secret', 'web-secret'], pair]).toString();
		assert.equal((await new Browser(broker).post('/application/o/introspect/', twice, { headers: { 'content-type': 'application/x-www-form-urlencoded' } })).status, 400);
	}
	await refused({ client_secret: 'web-secret' }, header('web', 'web-secret'), 'two methods at once');
	await refused({ client_id: 'other' }, header('web', 'web-secret'), 'two clients at once');
	await believed({ client_id: 'web' }, header('web', 'web-secret'), 'the same client_id beside');
});

test('a_wrong_method_is_refused', async () => {
	for (const [client, right, wrong] of [['basic-only', 'header', 'form'], ['post-only', 'form', 'header']]) {
		const secret = `${client}-secret`, given = { header: [{}, header(client, secret)], form: [{ client_id: client, client_secret: secret }, {}] };
		await believed(...given[right], client);
		await refused(...given[wrong], client);
	}
	for (const way of [[{}, header('web', 'web-secret')], [{ client_id: 'web', client_secret: 'web-secret' }, {}]]) await believed(...way, 'both where nothing is registered');
	const answer = await tokenRequest(broker, 'native', { grant_type: 'refresh_token', refresh_token: 'tlr_x' });
	assert.equal(answer.json.error, 'invalid_grant', 'none is the method of public clients');
});

test('two_secrets_are_good_until_the_old_one_is_retired', async () => {
	const first = await broker.json('app', 'add', 'rotating', '--redirect-uri', redirectUri.web);
	const second = await broker.json('app', 'secret', 'rotating');
	for (const one of [first, second]) await believed({}, header(first.client_id, one.client_secret), 'both');
	assert.match((await broker.command('app', 'secret', 'rotating')).err, /retire the old one first/);
	await broker.json('app', 'secret', 'rotating', '--retire');
	await refused({}, header(first.client_id, first.client_secret), 'the retired one');
	await believed({}, header(first.client_id, second.client_secret), 'the new one');
});

test('test_secret_what_a_secret_may_be', async () => {
	for (const secret of ['short', 'tab\\there it is', 'line\\nbreak in it', 'umlaut-ä-in-here', 'x'.repeat(1001)]) {
		await broker.configure({ config: (b) => configuration({ port: b.port, dir: b.dir, objects: `${objects}application "fresh" { client_secret = "${secret}" }` }) });
		const answer = await broker.command('check');
		assert.equal(answer.status, 1, secret);
		assert.match(answer.err, /client_secret/);
	}
	await broker.configure({ config: (b) => configuration({ port: b.port, dir: b.dir, objects: `${objects}application "fresh" { client_secret = "only thirty-one characters here", token_endpoint_auth_method = "client_secret_jwt" }` }) });
	assert.match((await broker.command('check')).err, /32 characters/);
	for (const [more, why] of [['jwks = "no json"', /jwks is not a key set/], ['jwks = [[{"keys":[]}]]', /jwks has no key/], ['jwks = [[{"keys":[{"kty":"oct","k":"AAAA"}]}]]', /private key/], ['jwks_uri = "https://x.example/", jwks = [[{"keys":[]}]]', /not given together/], ['name = "x"', /needs jwks or jwks_uri/]]) {
		await broker.configure({ config: (b) => configuration({ port: b.port, dir: b.dir, objects: `${objects}application "fresh" { token_endpoint_auth_method = "private_key_jwt", ${more} }` }) });
		const answer = await broker.command('check');
		assert.equal(answer.status, 1, more);
		assert.match(answer.err + answer.out, why);
		assert.match(answer.err + answer.out, /tidelock\.lua:\d+/);
	}
	await broker.configure({ config: undefined, objects });
	assert.match((await broker.command('app', 'add', 'keyless', '--token-endpoint-auth-method', 'private_key_jwt', '--jwks', '{"keys":[]}')).err, /jwks has no key/);
});

test('authentik_errors_gives_authentiks_statuses_and_no_challenge', async () => {
	for (const given of [[{}, header('old', 'wrong')], [{ client_id: 'old' }, {}], [{ client_id: 'old', client_secret: 'x' }, {}]]) {
		for (const where of ['token', 'device']) {
			const answer = await ask(...given, where);
			assert.deepEqual([answer.status, answer.json.error, answer.headers['www-authenticate']], [400, 'invalid_client', undefined]);
			assert.deepEqual([answer.headers['cache-control'], answer.headers.pragma], ['no-store', 'no-cache']);
			assert.deepEqual(Object.keys(answer.json).sort(), ['error', 'error_description', 'request_id']);
		}
		assert.equal((await ask(...given, 'revoke')).status, 401, 'authentik too');
		assert.deepEqual((await ask(...given)).json, { active: false });
	}
	const grant = await ask({}, header('old', 'old-secret'), 'token');
	assert.deepEqual([grant.status, grant.json.error], [400, 'invalid_grant']);
	const unknown = await ask({}, header('nobody', 'x'), 'token');
	assert.equal(unknown.status, 401, 'nobody asked for it there');
});
