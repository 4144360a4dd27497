// Requests of the broker's own to others: who the peer is must be proven, and a peer that behaves badly costs those who asked it
// and nobody else.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker, eventually } from '../harness/broker.mjs';
import { Browser } from '../harness/browser.mjs';
import { authority, peer, rawPeer } from '../harness/peers.mjs';
import { clientsOf, keySet, leaves, notReached, reached } from '../harness/asking.mjs';

const ours = authority(), theirs = authority('Another authority');
const asked = [];
const serve = (request, response) => { asked.push(`${request.socket.servername || ''} ${request.method} ${request.url}`); response.setHeader('content-type', 'application/json'); response.end(keySet); };
const good = await peer(serve, ours.certificate(['peer.test', '127.0.0.1']));
const rsa12 = await peer(serve, { ...ours.certificate(['peer.test'], { type: 'rsa' }), maxVersion: 'TLSv1.2' });
const tls11 = await peer(serve, { ...ours.certificate(['peer.test']), minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' });
const expired = await peer(serve, ours.certificate(['peer.test'], { from: -10, until: -1 }));
const early = await peer(serve, ours.certificate(['peer.test'], { from: 2, until: 10 }));
const unknown = await peer(serve, theirs.certificate(['peer.test']));
const wildcard = await peer(serve, ours.certificate(['*.test']));
const plain = await peer(serve);
const silent = await rawPeer(() => {});
const trickling = await rawPeer((socket) => { const timer = setInterval(() => socket.write('x'), 50); socket.write('HTTP/1.1 200 OK\r\nX: '); socket.on('close', () => clearInterval(timer)); });
const twice = await rawPeer((socket) => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}`));
const both = await rawPeer((socket) => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`));
const cut = await rawPeer((socket) => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n${keySet}`));
const endless = await rawPeer((socket) => { socket.write('HTTP/1.1 200 OK\r\n\r\n'); const more = () => { while (!socket.destroyed && socket.write('x'.repeat(65536))); }; socket.on('drain', more); more(); });
const heads = await rawPeer((socket) => { socket.write('HTTP/1.1 200 OK\r\n'); const more = () => { while (!socket.destroyed && socket.write('X-Y: zzzzzzzzzzzzzzzz\r\n'.repeat(1000))); }; socket.on('drain', more); more(); });
const unending = (how) => peer((request) => { request.socket.write(`HTTP/1.1 200 OK\r\n\r\n${keySet}`, () => request.socket[how]()); }, ours.certificate(['peer.test']));
const ended = await unending('end'), truncated = await unending('destroy');
const open = new Set();
let most = 0;
const crowded = await peer((request, response) => setTimeout(() => serve(request, response), 10));
crowded.server.on('connection', (socket) => { most = Math.max(most, open.add(socket).size); socket.on('close', () => open.delete(socket)); });
const crowd = Array.from({ length: 100 }, (_, i) => `crowd${i}`);
const redirect = await peer((request, response) => { response.writeHead(302, { location: `http://127.0.0.1:${plain.port}/` }); response.end(); });

const url = (at, scheme = 'https', host = 'peer.test') => `${scheme}://${host}:${at.port}/jwks`;
const broker = await Broker.start({
	files: { 'ca.pem': ours.pem },
	settings: 'outgoing = { allow = { "peer.test", "deep.peer.test", "127.0.0.1" }, ca_file = "ca.pem" }',
	objects: clientsOf({
		good: url(good), address: url(good, 'https', '127.0.0.1'), rsa12: url(rsa12), tls11: url(tls11), expired: url(expired), early: url(early), unknown: url(unknown),
		misnamed: url(wildcard, 'https', 'deep.peer.test'), wildcard: url(wildcard), ipless: url(rsa12, 'https', '127.0.0.1'), plain_as_tls: url(plain), tls_as_plain: url(good, 'http'),
		silent: url(silent, 'http'), trickling: url(trickling, 'http'), twice: url(twice, 'http'), both: url(both, 'http'), cut: url(cut, 'http'), endless: url(endless, 'http'), heads: url(heads, 'http'), redirect: url(redirect, 'http'),
		...Object.fromEntries(crowd.map((name) => [name, `${url(crowded, 'http')}?${name}`])), ended: url(ended), truncated: url(truncated),
		closed: 'http://127.0.0.1:1/', later: url(good), hanging: `${url(silent, 'http')}?2`, left: `${url(silent, 'http')}?3`,
	}),
});
await broker.debug({ name: 'peer.test', addresses: '127.0.0.1' });
await broker.debug({ name: 'deep.peer.test', addresses: '127.0.0.1' });

test('an_authority_of_the_owners_is_believed_for_names_and_addresses', async () => {
	await reached(broker, 'good');
	await reached(broker, 'rsa12');
	await reached(broker, 'wildcard');
	asked.length = 0;
	await reached(broker, 'address');
	assert.deepEqual(asked, [' GET /jwks'], 'RFC 6066 3: no address in the server name indication');
});

test('a_peer_that_does_not_prove_its_name_is_told_nothing', async () => {
	asked.length = 0;
	await notReached(broker, 'misnamed', /tls the certificate is for another name/);
	await notReached(broker, 'ipless', /tls the certificate is for another name/);
	await notReached(broker, 'expired', /tls the certificate has expired/);
	await notReached(broker, 'early', /tls the certificate is not valid yet/);
	await notReached(broker, 'unknown', /tls the certificate is of no trusted authority/);
	await notReached(broker, 'tls11', /tls the (handshake failed|peer ended)/);
	await notReached(broker, 'plain_as_tls', /tls |closed /);
	assert.deepEqual(asked, []);
});

test('an_answer_that_could_be_read_two_ways_is_none', async () => {
	await notReached(broker, 'twice', /protocol more than one Content-Length/);
	await notReached(broker, 'both', /protocol Transfer-Encoding beside Content-Length/);
	await notReached(broker, 'cut', /closed /);
	await reached(broker, 'ended');
	await notReached(broker, 'truncated', /closed /); // without a good-bye, somebody may have cut it off
	await notReached(broker, 'tls_as_plain', /protocol |closed |status 400/);
	await notReached(broker, 'closed', /connect /);
});

test('what_is_too_large_is_not_read_to_its_end (security_cases_8)', async () => {
	await notReached(broker, 'endless', /too_large/);
	await notReached(broker, 'heads', /too_large/);
	await notReached(broker, 'redirect', /status 302/);
});

test('a_slow_peer_is_waited_for_so_long_and_delays_nobody_else', async () => {
	const began = performance.now();
	const slow = Promise.all([notReached(broker, 'silent', /timeout while waiting for the answer/), notReached(broker, 'trickling', /timeout/)]);
	for (let i = 0; i < 5; i++) {
		const browser = new Browser(broker);
		assert.equal((await browser.signIn(await browser.get('/signin'))).page.status, 200);
	}
	await reached(broker, 'later');
	assert.ok(performance.now() - began < 4000, 'others were served meanwhile');
	await slow;
	const took = performance.now() - began;
	assert.ok(took > 4500 && took < 12000, `a total deadline, however the bytes trickle: ${took}`);
});

test('a_hundred_requests_share_eight_connections', async () => {
	await Promise.all(crowd.map((client) => reached(broker, client)));
	assert.ok(most > 1 && most <= 8, `${most} connections at once`);
});

test('nothing_is_left_of_requests_that_are_over', async () => {
	await eventually(async () => {
		const counters = await broker.debug({ counters: true });
		return counters.calls === 0 && counters.jobs === 0;
	});
	const { upstreams } = await broker.debug({ counters: true });
	assert.ok(upstreams > 0 && upstreams <= 64, `${upstreams} connections are kept`);
});

test('a_reload_or_a_client_that_leaves_in_the_middle_of_a_request', async () => {
	const waiting = notReached(broker, 'hanging');
	await eventually(async () => (await broker.debug({ counters: true })).calls > 0);
	const reloaded = await broker.overControl('POST', '/reload');
	assert.equal(reloaded.status, 200, reloaded.text);
	await reached(broker, 'good');
	const gone = leaves(broker, 'left');
	await eventually(async () => (await broker.debug({ counters: true })).calls > 1);
	gone.abort();
	await waiting;
});
