// S17: names that are ours; and forwarded headers, which count only from trusted proxies.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import https from 'node:https';
import { readFileSync } from 'node:fs';
import { Broker } from '../harness/broker.mjs';
import { Browser, authorizeUrl, rawExchange, statusOf } from '../harness/browser.mjs';

const raw = (broker, path, host, more = '') => rawExchange(broker, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${more}\r\n`);

test('S17_an_undeclared_host_is_421_but_for_health', async () => {
	const broker = await Broker.start();
	const name = `127.0.0.1:${broker.port}`;
	assert.equal(statusOf(await raw(broker, '/signin', name)), 200);
	for (const host of ['evil.example', `evil.example:${broker.port}`, '127.0.0.1.evil.example', 'localhost']) {
		assert.equal(statusOf(await raw(broker, '/signin', host)), 421, host);
		assert.equal(statusOf(await raw(broker, '/application/o/web/.well-known/openid-configuration', host)), 421, host);
		assert.equal(statusOf(await raw(broker, '/healthz', host)), 200, host);
	}
});

test('S17_an_undeclared_server_name_in_the_handshake_is_421', async () => {
	const broker = await Broker.start({ tls: true });
	const asked = (servername) => new Promise((resolve, reject) => {
		https.get({ host: '127.0.0.1', port: broker.port, servername, path: '/signin', agent: false, ca: readFileSync(broker.caFile), checkServerIdentity: () => undefined,
			headers: { host: `localhost:${broker.port}` } }, (answer) => { answer.resume(); resolve(answer.statusCode); }).on('error', reject);
	});
	assert.equal(await asked('localhost'), 200);
	assert.equal(await asked('evil.example'), 421);
});

test('what_the_control_socket_answers_is_not_answered_to_the_network (security_cases_20)', async () => {
	const broker = await Broker.start();
	const browser = new Browser(broker);
	for (const path of ['/debug', '/command', '/reload']) assert.equal((await browser.post(path, '{}')).status, 404, path);
	assert.equal((await broker.overControl('GET', '/signin')).status, 404);
});

test('links_use_the_declared_name_whatever_the_headers_say (security_cases_2)', async () => {
	const broker = await Broker.start();
	const answer = await new Browser(broker).get('/application/o/web/.well-known/openid-configuration', { headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', forwarded: 'host=evil.example' } });
	assert.equal(answer.json.issuer, broker.issuer('web'));
	assert.doesNotMatch(answer.text, /evil/);
});

test('security_cases_15_a_malformed_forwarded_header_of_a_trusted_proxy_is_400_never_200', async () => {
	const broker = await Broker.start({ settings: 'trusted_proxies = { "127.0.0.0/8" }' });
	const browser = new Browser(broker);
	for (const headers of [{ 'x-forwarded-for': 'unknown' }, { 'x-forwarded-for': '1.2.3.4,' }, { 'x-forwarded-for': '<script>' }, { 'x-forwarded-proto': 'gopher' }, { 'x-forwarded-host': 'a b' }]) {
		for (const path of ['/', '/signin', '/application/o/userinfo/', new URL(authorizeUrl(broker)).pathname]) {
			assert.equal((await browser.get(path, { headers })).status, 400, `${path} ${JSON.stringify(headers)}`);
		}
	}
});

test('every_answer_carries_its_request_id_and_the_page_shows_it', async () => {
	const broker = await Broker.start();
	const answer = await new Browser(broker).get('/nothing');
	assert.equal(answer.status, 404);
	assert.match(answer.headers['x-request-id'], /^[0-9a-f]{16}$/);
	assert.ok(answer.text.includes(answer.headers['x-request-id']));
	assert.ok(!broker.log.includes('secret'));
});
