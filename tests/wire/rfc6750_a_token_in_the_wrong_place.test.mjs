// RFC 6750 2, S1, S3: one token in one right place; and using it writes nothing.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, basic, obtainTokens, rawExchange, statusOf } from '../harness/browser.mjs';

const path = '/application/o/userinfo/';

test('a_token_in_query_cookie_both_places_or_two_fields_is_refused', async () => {
	const broker = await Broker.start();
	const { access_token: token, refresh_token } = await obtainTokens(broker, { scope: 'openid offline_access' });
	const browser = new Browser(broker);
	const header = { authorization: `Bearer ${token}` };
	const table = [
		['in the query', await browser.get(`${path}?access_token=${token}`), 400], ['in the query and the header', await browser.get(`${path}?access_token=${token}`, { headers: header }), 400],
		['in the query of a POST', await browser.post(`${path}?access_token=${token}`, {}), 400], ['in header and body', await browser.post(path, { access_token: token }, { headers: header }), 400],
		['twice in the body', await browser.post(path, `access_token=${token}&access_token=${token}`, { headers: { 'content-type': 'application/x-www-form-urlencoded' } }), 400],
		['in a JSON body', await browser.post(path, JSON.stringify({ access_token: token }), { headers: { 'content-type': 'application/json' } }), 401],
		['in a cookie', await browser.get(path, { headers: { cookie: `access_token=${token}; tidelock=${token}` } }), 401], ['as Basic', await browser.get(path, { headers: { authorization: `Basic ${token}` } }), 401],
		['as the password of Basic', await browser.get(path, { headers: basic('web', token) }), 401], ['under another name', await browser.post(path, { token }), 401],
		['without scheme', await browser.get(path, { headers: { authorization: token } }), 401], ['with something behind', await browser.get(path, { headers: { authorization: `Bearer ${token} x` } }), 400],
		['two tokens in one field', await browser.get(path, { headers: { authorization: `Bearer ${token}, Bearer ${token}` } }), 400], ['an empty one', await browser.get(path, { headers: { authorization: 'Bearer ' } }), 400],
		['quoted', await browser.get(path, { headers: { authorization: `Bearer "${token}"` } }), 401],
	];
	for (const [name, answer, status] of table) {
		assert.equal(answer.status, status, `${name}: ${answer.text}`);
		assert.match(answer.headers['www-authenticate'], /^Bearer realm="tidelock"/, name);
		assert.doesNotMatch(answer.text, /alice/i, name);
	}
	const fields = (...lines) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${lines.join('\r\n')}\r\n\r\n`;
	const line = `Authorization: Bearer ${token}`;
	assert.equal(statusOf(await rawExchange(broker, fields(line))), 200);
	for (const second of [line, 'Authorization: Bearer x', `authorization: ${basic('web').authorization}`, 'AUTHORIZATION:']) {
		assert.equal(statusOf(await rawExchange(broker, fields(line, second))), 400, second);
		assert.equal(statusOf(await rawExchange(broker, fields(second, line))), 400, second);
	}
	const tokenEndpoint = (...lines) => `POST /application/o/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n${lines.join('\r\n')}\r\nContent-Length: ${`grant_type=refresh_token&refresh_token=${refresh_token}`.length}\r\n\r\ngrant_type=refresh_token&refresh_token=${refresh_token}`;
	const mine = `Authorization: ${basic('web').authorization}`;
	assert.equal(statusOf(await rawExchange(broker, tokenEndpoint(mine, mine))), 400);
	assert.equal(statusOf(await rawExchange(broker, tokenEndpoint(mine, 'Content-Type: application/x-www-form-urlencoded'))), 400);
	assert.equal(statusOf(await rawExchange(broker, tokenEndpoint(line))), 401, 'a bearer is no client');
	assert.equal(statusOf(await rawExchange(broker, tokenEndpoint(mine))), 200, 'and the token was not spent by any of it');
});

test('S3_using_an_access_token_writes_nothing', async () => {
	const broker = await Broker.start();
	const { access_token } = await obtainTokens(broker);
	const use = () => new Browser(broker).get(path, { headers: { authorization: `Bearer ${access_token}` } });
	assert.equal((await use()).status, 200);
	const { commits } = await broker.debug({ counters: true });
	for (let i = 0; i < 20; i++) assert.equal((await use()).status, 200);
	assert.equal((await broker.debug({ counters: true })).commits, commits);
});

test('the_scheme_is_Bearer_in_any_case_and_each_refusal_has_its_challenge', async () => {
	const broker = await Broker.start();
	const { access_token: token } = await obtainTokens(broker, { scope: 'profile' });
	const { access_token: open } = await obtainTokens(broker);
	const ask = (authorization) => new Browser(broker).get(path, { headers: authorization ? { authorization } : {} });
	for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) assert.equal((await ask(`${scheme} ${open}`)).status, 200, scheme);
	const table = [
		[undefined, 401, 'Bearer realm="tidelock"'], [`token ${open}`, 401, 'Bearer realm="tidelock"'],
		['Bearer x', 401, 'Bearer realm="tidelock", error="invalid_token", error_description="The access token is not valid."'],
		[`Bearer ${token}`, 403, 'Bearer realm="tidelock", error="insufficient_scope", error_description="The access token lacks the scope openid.", scope="openid"'],
		['Bearer', 400, 'Bearer realm="tidelock", error="invalid_request", error_description="The Authorization header is malformed."'],
	];
	for (const [authorization, status, challenge] of table) {
		const answer = await ask(authorization);
		assert.deepEqual([answer.status, answer.headers['www-authenticate']], [status, challenge], authorization);
		assert.equal(answer.headers['cache-control'], 'no-store');
	}
});
