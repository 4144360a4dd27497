// Where requests of the broker's own may go: not to its neighbours, whatever name, number or later answer of a name server says
// so, unless the owner names them; and through the owner's proxy, when there is one. (security-cases 8)
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker } from '../harness/broker.mjs';
import { Browser } from '../harness/browser.mjs';
import { authority, peer, proxy } from '../harness/peers.mjs';
import { clientsOf, keySet, notReached, reached } from '../harness/asking.mjs';

const ours = authority();
const asked = [];
const serve = (request, response) => { asked.push(`${request.headers.host} ${request.url}`); response.end(keySet); };
const plain = await peer(serve), secure = await peer(serve, ours.certificate(['upstream.test']));
const at = (host, port = plain.port) => `http://${host}:${port}/`;

test('private_addresses_are_refused_in_every_spelling (security_cases_8)', async () => {
	const hosts = ['127.0.0.1', '127.1.2.3', '10.0.0.1', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '192.0.2.1', '198.18.0.1', '224.0.0.1', '255.255.255.255',
		'[::1]', '[::]', '[fc00::1]', '[fe80::1]', '[ff02::1]', '[::ffff:127.0.0.1]', '[::127.0.0.1]', '[64:ff9b::127.0.0.1]', '[2002:7f00:1::]', '[2001:0:7f00:1::1]', '[2001:db8::1]'];
	const numbers = ['127.1', '0x7f.1', '0x7f000001', '2130706433', '0177.0.0.1', '127.0.0.1.', '017700000001', '1', '0'];
	const urls = {};
	hosts.forEach((host, i) => { urls[`host${i}`] = at(host); });
	numbers.forEach((host, i) => { urls[`number${i}`] = at(host); });
	const broker = await Broker.start({ objects: clientsOf(urls) });
	for (let i = 0; i < hosts.length; i++) await notReached(broker, `host${i}`, /blocked a private address/);
	for (let i = 0; i < numbers.length; i++) await notReached(broker, `number${i}`, /bad_url bad host/);
	assert.deepEqual(asked, []);
});

test('a_name_that_leads_to_a_private_address_is_refused_unless_the_owner_allows_it (security_cases_8)', async () => {
	const broker = await Broker.start({
		settings: 'outgoing = { allow = { "allowed.test", "127.0.0.0/24" } }',
		objects: clientsOf({ private: at('private.test'), mixed: at('mixed.test'), allowed: at('allowed.test'), network: at('network.test'), metadata: at('metadata.test'), mapped: at('mapped.test'), suffix: at('x.allowed.test'), nobody: at('nobody.test'), localhost: at('localhost') }),
	});
	const names = { 'private.test': '10.0.0.1 fd00::1', 'mixed.test': '192.168.0.1 127.0.0.1', 'allowed.test': '127.0.1.1 127.0.0.1', 'network.test': '127.0.0.1', 'metadata.test': '169.254.169.254', 'mapped.test': '::ffff:127.0.0.1', 'x.allowed.test': '127.0.1.1', 'nobody.test': '' };
	for (const [name, addresses] of Object.entries(names)) await broker.debug({ name, addresses });
	for (const client of ['private', 'metadata', 'mapped', 'suffix']) await notReached(broker, client, /blocked the name leads to private addresses only/);
	await notReached(broker, 'nobody', /dns the name has no address/);
	for (const client of ['mixed', 'allowed', 'network', 'localhost']) await reached(broker, client);
});

test('a_name_that_changes_its_mind_is_judged_again (security_cases_8: DNS rebinding)', async () => {
	const broker = await Broker.start({ settings: 'outgoing = { allow = { "127.0.0.1" } }', objects: clientsOf({ rebinding: at('rebinding.test') }) });
	await broker.debug({ name: 'rebinding.test', addresses: '127.0.0.1' });
	await reached(broker, 'rebinding');
	await broker.debug({ name: 'rebinding.test', addresses: '127.0.0.2' });
	await broker.advance(86500); // keys and the name are forgotten
	plain.server.closeIdleConnections();
	await notReached(broker, 'rebinding', /blocked/);
});

test('slow_name_servers_delay_nobody_who_does_not_ask_for_those_names', async () => {
	const slow = Array.from({ length: 8 }, (_, i) => `slow${i}`);
	const broker = await Broker.start({ settings: 'outgoing = { allow = { "127.0.0.1" } }', objects: clientsOf({ ...Object.fromEntries(slow.map((name) => [name, at(`${name}.test`)])), quick: at('127.0.0.1') }) });
	for (const name of slow) await broker.debug({ name: `${name}.test`, addresses: '127.0.0.1', delay_ms: 3000 });
	const began = performance.now();
	const waiting = slow.map((client) => reached(broker, client));
	await new Promise((resolve) => setTimeout(resolve, 100));
	for (let i = 0; i < 5; i++) {
		const browser = new Browser(broker);
		assert.equal((await browser.signIn(await browser.get('/signin'))).page.status, 200, 'passwords are checked');
	}
	await reached(broker, 'quick');
	assert.ok(performance.now() - began < 2500);
	await Promise.all(waiting);
});

test('everything_goes_through_the_owners_proxy', async () => {
	const through = await proxy(() => target, { refuse: (place) => place.startsWith('forbidden.') });
	let target = plain.port;
	const broker = await Broker.start({
		files: { 'ca.pem': ours.pem },
		settings: `outgoing = { proxy = "http://127.0.0.1:${through.port}", ca_file = "ca.pem" }`,
		objects: clientsOf({ plain: 'http://upstream.test/keys', secure: 'https://upstream.test/keys', misnamed: 'https://other.test/keys', forbidden: 'https://forbidden.test/keys', literal: at('10.0.0.1') }),
	});
	asked.length = 0;
	await reached(broker, 'plain');
	assert.deepEqual(through.seen.splice(0), ['GET http://upstream.test/keys']);
	target = secure.port;
	await reached(broker, 'secure');
	assert.deepEqual(through.seen.splice(0), ['CONNECT upstream.test:443'], 'and TLS with the peer itself inside');
	assert.deepEqual(asked, ['upstream.test /keys', 'upstream.test /keys']);
	await notReached(broker, 'misnamed', /tls the certificate is for another name/);
	await notReached(broker, 'forbidden', /connect the proxy answered 403/);
	await notReached(broker, 'literal', /blocked/);
});

test('the_configuration_says_where_it_is_wrong', async () => {
	const broker = await Broker.start();
	const check = async (settings) => {
		await broker.configure({ settings });
		const answer = await broker.command('check', '-c', broker.file);
		return answer.out + answer.err;
	};
	await writeFile(path.join(broker.dir, 'not.pem'), 'not a certificate');
	await writeFile(path.join(broker.dir, 'broken.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
	assert.match(await check('outgoing = { ca_file = "absent.pem" }'), /tidelock\.lua:5: outgoing\.ca_file: .*absent\.pem: No such file/);
	assert.match(await check('outgoing = { ca_file = "not.pem" }'), /tidelock\.lua:5: .*not\.pem: holds no certificate in PEM/);
	assert.match(await check('outgoing = { ca_file = "broken.pem" }'), /tidelock\.lua:5: outgoing\.ca_file: .*broken\.pem: its certificates cannot be read/);
	const reloaded = await broker.overControl('POST', '/reload');
	assert.equal(reloaded.status, 409);
	assert.match(reloaded.text, /broken\.pem/);
	assert.match(await check('outgoing = { allow = { "10.0.0.0/33" } }'), /tidelock\.lua:5: outgoing \.allow item 1 "10\.0\.0\.0\/33" is neither/);
	assert.match(await check('outgoing = { allow = { "0x7f.1" } }'), /is neither a host name nor a network/);
	assert.match(await check('outgoing = { allow = { "http://x" } }'), /is neither a host name nor a network/);
	assert.match(await check('outgoing = { proxy = "https://proxy.example" }'), /must be like "http:\/\/proxy/);
	assert.match(await check('outgoing = { proxy = "http://u:p@proxy.example:3128" }'), /must be like "http:\/\/proxy/);
	assert.match(await check('outgoing = { ca = "x" }'), /knows no "ca"/);
});
