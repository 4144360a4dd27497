// D13: SIGHUP applies a whole configuration or nothing of it; the one who asks over the control socket gets the result.
import test from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker, configuration, eventually, freePort } from '../harness/broker.mjs';

const status = (port, target) => new Promise((resolve, reject) => {
	http.get({ host: '127.0.0.1', port, path: target, agent: false }, (r) => { r.resume(); resolve(r.statusCode); }).on('error', reject);
});

test('a good configuration is applied, also its listeners', async () => {
	const broker = await Broker.start();
	const second = await freePort();
	const text = configuration({ port: broker.port, dir: broker.dir, objects: 'user "dora" { password = "explorer" }' })
		.replace(/^listen = .*$/m, `listen = { "http://127.0.0.1:${broker.port}", "http://127.0.0.1:${second}" }`);
	await writeFile(broker.file, text);
	broker.signal('SIGHUP');
	await eventually(async () => (await status(second, '/healthz')) === 200);
	assert.equal(await status(broker.port, '/healthz'), 200);
	assert.match((await broker.command('user', 'show', 'dora')).out, /dora/);
	await broker.configure({});
	const answer = await broker.overControl('POST', '/reload');
	assert.equal(answer.status, 200, answer.text);
	await assert.rejects(status(second, '/healthz'));
	assert.equal(await status(broker.port, '/healthz'), 200);
});

test('an error anywhere changes nothing and says file and line', async () => {
	const broker = await Broker.start({ files: { 'bad.lua': 'return (' } });
	const good = configuration({ port: broker.port, dir: broker.dir });
	const wrong = [
		['unknown_setting = 1\n', /tidelock\.lua:\d+: there is no setting "unknown_setting"/],
		['user "eve" { groups = { "nobody-knows" } }\n', /tidelock\.lua:\d+: user "eve": groups names/],
		['policy "x" { script = "bad.lua" }\n', /bad\.lua:1/],
		['directory_sync "x" {}\n', /this version of Tidelock has no directory syncs/],
		['source "x" { kind = "github" }\n', /tidelock\.lua:\d+: source "x": client_id is missing/],
		['scope_mapping "m" { scope = "m", script = "bad.lua" }\n', /bad\.lua:1/],
		['tls = { certificate = "absent.pem", key = "absent.key" }\n', /absent\.pem/],
		['while true do end\n', /longer than 5 seconds|ended by signal/],
	];
	for (const [line, message] of wrong) {
		await writeFile(broker.file, good + 'user "mallory" {}\n' + line);
		const answer = await broker.overControl('POST', '/reload');
		assert.equal(answer.status, 409, line);
		assert.match(answer.text, message);
		if (line.startsWith('while')) continue; // once is slow enough
		const check = await broker.command('check');
		assert.equal(check.status, 1, line);
		assert.match(check.err + check.out, message);
	}
	await writeFile(broker.file, good);
	assert.equal((await broker.command('user', 'show', 'mallory')).status, 1);
	assert.match(broker.log, /reload refused/);
	assert.equal(await status(broker.port, '/healthz'), 200);
});

test('a taken port is an error that names it', async () => {
	const broker = await Broker.start();
	const other = net.createServer().listen(0, '127.0.0.1');
	await new Promise((r) => other.once('listening', r));
	const { port } = other.address();
	try {
		await writeFile(broker.file, configuration({ port: broker.port, dir: broker.dir })
			.replace(/^listen = .*$/m, `listen = { "http://127.0.0.1:${broker.port}", "http://127.0.0.1:${port}" }`));
		const answer = await broker.overControl('POST', '/reload');
		assert.equal(answer.status, 409);
		assert.match(answer.text, new RegExp(`http://127\\.0\\.0\\.1:${port}: the port is taken`));
	} finally {
		other.close();
	}
	assert.equal(await status(broker.port, '/healthz'), 200);
});

test('open connections live through a reload', async () => {
	const broker = await Broker.start();
	const socket = net.connect(broker.port, '127.0.0.1');
	const ask = () => new Promise((resolve) => {
		socket.once('data', (d) => resolve(d.toString()));
		socket.write(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${broker.port}\r\n\r\n`);
	});
	assert.match(await ask(), /^HTTP\/1\.1 200/);
	assert.equal((await broker.overControl('POST', '/reload')).status, 200);
	assert.match(await ask(), /^HTTP\/1\.1 200/);
	socket.destroy();
});
