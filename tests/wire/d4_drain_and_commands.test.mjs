// SIGTERM finishes what is open and exits 0; commands work with a running broker and without one (D4).
import test from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { Broker, eventually } from '../harness/broker.mjs';

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
