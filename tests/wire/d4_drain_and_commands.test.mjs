// SIGTERM finishes what is open and exits 0; commands work with a running broker and without one (D4).
import test from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { Broker, eventually } from '../harness/broker.mjs';
import { Browser } from '../harness/browser.mjs';

test('SIGTERM answers what was asked, closes idle connections and exits 0', async () => {
	const broker = await Broker.start({ atRest: false });
	const idle = net.connect(broker.port, '127.0.0.1');
	await once(idle, 'connect');
	const slow = net.connect(broker.port, '127.0.0.1');
	await once(slow, 'connect');
	let got = '';
	slow.on('data', (d) => { got += d; });
	slow.write(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${broker.port}\r\n`);
	// the head is half-way: the broker must have read it before it is told to stop
	await eventually(async () => (await broker.debug({ counters: true })).connections >= 2);
	broker.signal('SIGTERM');
	await new Promise((r) => setTimeout(r, 50));
	slow.write('\r\n');
	const started = performance.now();
	assert.deepEqual(await broker.exited, { code: 0, signal: null });
	assert.ok(performance.now() - started < 11_000);
	idle.destroy();
	slow.destroy();
});

test('SIGTERM in the middle of a reload answers what was asked too', async () => {
	const broker = await Broker.start({ atRest: false, files: { 'm.lua': 'return 1' } });
	const browser = new Browser(broker);
	const page = await browser.get('/signin');
	// Enough for the worker to be at it for a while: each new password is hashed.
	await broker.configure({ objects: Array.from({ length: 40 }, (_, i) => `user "u${i}" { password = "pass-word-${i}" }`).join('\n') });
	const answering = browser.submit(page, { username: 'alice', password: 'wrong' }, 'signin');
	await eventually(async () => (await broker.debug({ counters: true })).tasks >= 2);
	broker.signal('SIGHUP');
	await new Promise((resolve) => setTimeout(resolve, 60));
	broker.signal('SIGTERM');
	assert.equal((await answering).page.status, 403);
	assert.deepEqual(await broker.exited, { code: 0, signal: null });
});

test('commands without a broker take the lock; with one they ask it', async () => {
	const broker = await Broker.start();
	const over = await broker.command('user', 'list', '--json');
	assert.equal(over.status, 0, over.err);
	await broker.stop();
	const local = await broker.command('user', 'list', '--json');
	assert.equal(local.status, 0, local.err);
	assert.deepEqual(JSON.parse(local.out).map((u) => u.username ?? u.name).sort(), JSON.parse(over.out).map((u) => u.username ?? u.name).sort());
	await broker.serve();
});

test('exit status: 2 for wrong usage, 1 for refusals', async () => {
	const broker = await Broker.start();
	assert.equal((await broker.command('nonsense')).status, 2);
	assert.equal((await broker.command()).status, 2);
	assert.equal((await broker.command('user', 'show', 'nobody')).status, 1);
	assert.equal((await broker.command('version')).status, 0);
	assert.equal((await broker.command('check')).status, 0);
	assert.equal((await broker.command('check', '-c', '/nonexistent.lua')).status, 1);
});
