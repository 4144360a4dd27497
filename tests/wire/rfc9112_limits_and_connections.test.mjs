// Caps, total deadlines and the small print of connections: nobody holds what others need.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from 'node:events';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { readFile } from 'node:fs/promises';
import { Broker, eventually } from '../harness/broker.mjs';
import { Browser, rawExchange, statusOf } from '../harness/browser.mjs';

const host = 'Host: 127.0.0.1';
const head = (...fields) => ['GET /healthz HTTP/1.1', host, ...fields, '', ''].join('\r\n');

// A connection that keeps what it was told: { socket, text, closed }.
async function connected(broker) {
	const socket = net.connect(broker.port, '127.0.0.1');
	const held = { socket, text: '', closed: false };
	socket.on('data', (chunk) => { held.text += chunk; });
	socket.on('close', () => { held.closed = true; });
	socket.on('error', () => {});
	await once(socket, 'connect');
	return held;
}
const counters = (broker) => broker.debug({ counters: true });
const isServing = async (broker) => assert.equal((await new Browser(broker).get('/healthz')).status, 200);

test('line_header_fields_and_body_have_their_caps', async () => {
	const broker = await Broker.start();
	const close = 'Connection: close';
	const table = [
		[`GET /${'a'.repeat(8192)} HTTP/1.1\r\n${host}\r\n\r\n`, 414], [`GET /${'a'.repeat(100_000)}`, 414], [`GET /${'a'.repeat(8000)} HTTP/1.1\r\n${host}\r\n${close}\r\n\r\n`, 404],
		[head(`X-A: ${'b'.repeat(33_000)}`), 431], [head(...Array.from({ length: 33 }, (_, i) => `X-${i}: ${'b'.repeat(1000)}`)), 431],
		[head(...Array.from({ length: 100 }, (_, i) => `X-${i}: b`)), 431], [head(close, ...Array.from({ length: 98 }, (_, i) => `X-${i}: b`)), 200],
		[`POST /application/o/token/ HTTP/1.1\r\n${host}\r\nContent-Length: ${1024 * 1024 + 1}\r\n\r\n`, 413],
		[`POST /application/o/token/ HTTP/1.1\r\n${host}\r\nTransfer-Encoding: chunked\r\n\r\n${(1024 * 1024 + 1).toString(16)}\r\n`, 413],
		[`POST /application/o/token/ HTTP/1.1\r\n${host}\r\nTransfer-Encoding: chunked\r\n\r\n${`80000\r\n${'a'.repeat(0x80000)}\r\n`.repeat(3)}`, 413],
	];
	await Promise.all(table.map(async ([bytes, status]) => {
		assert.equal(statusOf(await rawExchange(broker, bytes)), status, bytes.slice(0, 60));
	}));
	// The whole megabyte is taken; what it means is the endpoint's business.
	const whole = await new Browser(broker).post('/application/o/token/', 'x'.repeat(1024 * 1024), { headers: { 'content-type': 'application/x-www-form-urlencoded' } });
	assert.equal(whole.status, 400);
});

test('ten_thousand_cookies_are_refused_or_read_and_harm_nobody', async () => {
	const broker = await Broker.start();
	const many = Array.from({ length: 10_000 }, (_, i) => `a${i}=b`).join('; ');
	assert.equal(statusOf(await rawExchange(broker, head(`Cookie: ${many}`))), 431);
	const short = 'a=;'.repeat(10_000);
	const begun = performance.now();
	assert.equal(statusOf(await rawExchange(broker, `GET /signin HTTP/1.1\r\n${host}\r\nConnection: close\r\nCookie: ${short}\r\n\r\n`)), 200);
	assert.ok(performance.now() - begun < 1000);
	const fields = Array.from({ length: 90 }, (_, i) => `Cookie: a${i}=b`);
	assert.equal(statusOf(await rawExchange(broker, `GET /signin HTTP/1.1\r\n${host}\r\nConnection: close\r\n${fields.join('\r\n')}\r\n\r\n`)), 200);
});

test('a_slow_header_has_ten_seconds_in_all_and_a_slow_body_thirty', async () => {
	const broker = await Broker.start();
	const [silent, dripping, body] = [await connected(broker), await connected(broker), await connected(broker)];
	dripping.socket.write('GET /healthz HTTP/1.1\r\n');
	body.socket.write(`POST /application/o/token/ HTTP/1.1\r\n${host}\r\nContent-Length: 100\r\n\r\nab`);
	await eventually(async () => (await counters(broker)).connections >= 4);
	await broker.advance(6);
	dripping.socket.write('X-A: b\r\n');
	await new Promise((r) => setTimeout(r, 20));
	await broker.advance(5);
	await eventually(() => silent.closed && dripping.closed);
	assert.equal(silent.text, '');
	assert.equal(statusOf(dripping.text), 408);
	assert.equal(body.closed, false);
	body.socket.write('cd');
	await broker.advance(20);
	await eventually(() => body.closed);
	assert.equal(statusOf(body.text), 408);
	await isServing(broker);
});

test('an_idle_connection_is_closed_and_so_is_one_that_reads_nothing', async () => {
	const broker = await Broker.start();
	const idle = await connected(broker);
	idle.socket.write(head());
	await eventually(() => statusOf(idle.text) === 200);
	const deaf = await connected(broker);
	deaf.socket.pause();
	// Answers that nobody fetches fill both kernels' buffers, then ours.
	for (let i = 0; i < 400; i++) deaf.socket.write(`GET /static/tidelock.css HTTP/1.1\r\n${host}\r\n\r\n`);
	await broker.advance(61);
	await eventually(() => idle.closed);
	await broker.advance(31);
	await eventually(async () => (await counters(broker)).connections <= 2);
	deaf.socket.destroy();
	await isServing(broker);
});

test('connections_of_one_address_and_of_all_are_limited_and_the_idle_make_room', async () => {
	const broker = await Broker.start({ settings: 'connections = { total = 10, per_address = 4 }' });
	const held = [];
	for (let i = 0; i < 4; i++) held.push(await connected(broker));
	await eventually(async () => (await counters(broker)).connections >= 5);
	const more = await connected(broker);
	more.socket.write(head());
	await eventually(() => more.closed);
	assert.equal(more.text, '');
	held[0].socket.destroy();
	await eventually(() => isServing(broker).then(() => true));
	const from = (address) => new Promise((resolve, reject) => {
		const socket = net.connect({ port: broker.port, host: '127.0.0.1', localAddress: address });
		socket.on('error', reject);
		socket.once('connect', () => resolve(socket));
	});
	// Seven more from other addresses: one of the idle makes room, those who wait are not forgotten.
	for (const one of held.slice(1)) one.socket.write(head());
	await eventually(() => held.slice(1).every((one) => statusOf(one.text) === 200));
	const others = [];
	for (let i = 0; i < 9; i++) others.push(await from(`127.0.0.${10 + i}`));
	await eventually(async () => (await counters(broker)).connections >= 10);
	others.at(-1).write(head('Connection: close'));
	const [answer] = await once(others.at(-1), 'data');
	assert.equal(statusOf(answer.toString()), 200);
	assert.equal((await broker.overControl('GET', '/readyz')).status, 200, 'the owner gets in');
	for (const one of [...held, ...others]) (one.socket ?? one).destroy();
	await eventually(() => isServing(broker).then(() => true));
});

test('without_descriptors_it_rests_and_recovers', async () => {
	const broker = await Broker.start({ settings: 'connections = { total = 1000, per_address = 1000 }' });
	const worker = await eventually(async () => {
		for (const pid of (await broker.processes()).slice(1)) if ((await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes('--role=worker')) return pid;
		return null;
	});
	const cpu = async () => (await readFile(`/proc/${worker}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ').slice(11, 13).reduce((sum, n) => sum + Number(n), 0);
	await promisify(execFile)('prlimit', ['--pid', String(worker), '--nofile=64:64']);
	const held = [];
	for (let i = 0; i < 80; i++) held.push(await connected(broker));
	await eventually(() => /no descriptors left/.test(broker.log));
	const before = await cpu();
	await new Promise((r) => setTimeout(r, 1000));
	assert.ok((await cpu()) - before < 20, `${(await cpu()) - before} ticks of a second`);
	assert.ok(broker.log.split('no descriptors left').length < 40, 'the log is not flooded');
	for (const one of held) one.socket.destroy();
	await eventually(() => isServing(broker).then(() => true));
});

test('pipelined_requests_are_answered_in_order_one_at_a_time', async () => {
	const broker = await Broker.start();
	const text = await rawExchange(broker, [
		`POST /application/o/token/ HTTP/1.1\r\n${host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5\r\n\r\na=b&c`,
		`HEAD /signin HTTP/1.1\r\n${host}\r\n\r\n`, `GET /healthz HTTP/1.1\r\n${host}\r\n\r\n`, `GET /nothing HTTP/1.1\r\n${host}\r\nConnection: close\r\n\r\n`, `GET /healthz HTTP/1.1\r\n${host}\r\n\r\n`,
	].join(''));
	assert.deepEqual([...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => match[1]), ['400', '200', '200', '404']);
});

test('hundred_continue_is_sent_to_those_who_wait_for_it', async () => {
	const broker = await Broker.start();
	const post = (more) => `POST /application/o/token/ HTTP/1.1\r\n${host}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n${more}\r\n\r\n`;
	const waiting = await connected(broker);
	waiting.socket.write(post('Expect: 100-continue\r\nContent-Length: 3'));
	await eventually(() => waiting.text === 'HTTP/1.1 100 Continue\r\n\r\n');
	waiting.socket.write('a=b');
	await eventually(() => waiting.closed);
	assert.match(waiting.text, /\r\n\r\nHTTP\/1\.1 400 /);
	assert.equal(statusOf(await rawExchange(broker, post(`Expect: 100-continue\r\nContent-Length: ${2 ** 21}`))), 413);
	assert.ok([400, 417].includes(statusOf(await rawExchange(broker, post('Expect: the-unexpected\r\nContent-Length: 0')))));
	assert.doesNotMatch(await rawExchange(broker, `${post('Expect: 100-continue\r\nContent-Length: 3').replace('HTTP/1.1', 'HTTP/1.0')}a=b`), /100 Continue/);
});

test('http_1_0_and_head_are_answered_as_they_expect', async () => {
	const broker = await Broker.start();
	const old = await rawExchange(broker, `GET /healthz HTTP/1.0\r\n${host}\r\n\r\n`);
	assert.equal(statusOf(old), 200);
	assert.match(old, /^connection: close/im);
	assert.doesNotMatch(old, /^transfer-encoding/im);
	assert.equal(statusOf(await rawExchange(broker, 'GET /healthz HTTP/1.0\r\n\r\n')), 200);
	const [got, headed] = [await rawExchange(broker, `GET /signin HTTP/1.1\r\n${host}\r\nConnection: close\r\n\r\n`), await rawExchange(broker, `HEAD /signin HTTP/1.1\r\n${host}\r\nConnection: close\r\n\r\n`)];
	assert.equal(headed.split('\r\n\r\n')[1], '');
	assert.equal(/^content-length: (\d+)/im.exec(headed)?.[1], /^content-length: (\d+)/im.exec(got)[1]);
});

test('clients_that_leave_at_any_moment_leave_nothing_behind', async () => {
	const broker = await Broker.start();
	const form = 'csrf=x&username=alice&password=wonderland';
	const whole = `POST /signin HTTP/1.1\r\n${host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\n\r\n${form}`;
	await Promise.all(Array.from({ length: 60 }, async (_, i) => {
		const held = await connected(broker);
		held.socket.write(whole.slice(0, Math.round((whole.length * (i + 1)) / 60)));
		await new Promise((r) => setTimeout(r, (i % 7) * 3));
		i % 2 ? held.socket.destroy() : held.socket.resetAndDestroy();
	}));
	await isServing(broker);
});
