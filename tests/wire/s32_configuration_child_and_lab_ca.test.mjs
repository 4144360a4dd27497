// S32, S36, D13: the configuration runs sealed, the lab CA vouches for our names only, and a reload loses nobody's request.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { execFile, spawn } from 'node:child_process';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { promisify } from 'node:util';
import { Broker, configuration, eventually, program } from '../harness/broker.mjs';
import { Browser, obtainTokens, tokenRequest } from '../harness/browser.mjs';

const sealed = !process.env.TIDELOCK_UNSEALED;

test('S32_the_process_of_the_configuration_is_sealed_and_its_endless_loop_ends', { skip: !sealed }, async () => {
	const broker = await Broker.start();
	await writeFile(broker.file, 'while true do end\n');
	const child = spawn(program, ['check', '-c', broker.file], { stdio: ['ignore', 'pipe', 'pipe'] });
	let said = '';
	child.stdout.on('data', (chunk) => { said += chunk; });
	child.stderr.on('data', (chunk) => { said += chunk; });
	const ended = new Promise((resolve) => child.once('close', resolve));
	const status = await eventually(async () => {
		for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
			const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
			const text = line.includes('--role=config') && (await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''));
			if (text && text.includes(`PPid:\t${child.pid}\n`) && /^Seccomp:\t2$/m.test(text)) return text;
		}
		return null;
	});
	assert.match(status, /^NoNewPrivs:\t1$/m);
	assert.equal(await ended, 1);
	assert.match(said, /5 seconds|ended by signal/);
});

test('S32_the_configuration_reaches_files_and_environment_and_nothing_else', async () => {
	const broker = await Broker.start({ files: { 'one.txt': 'from a file\n' } });
	const check = async (text, env = {}) => {
		await writeFile(broker.file, `${configuration({ port: broker.port, dir: broker.dir })}\n${text}\n`);
		const { stdout, stderr, code } = await promisify(execFile)(program, ['check', '-c', broker.file], { env: { ...process.env, ...env } }).catch((error) => error);
		return { status: code ?? 0, text: stdout + stderr };
	};
	assert.equal((await check('user "x" { name = file "one.txt" }')).status, 0);
	assert.equal((await check('user "x" { name = env "A_NAME_OF_OURS" }', { A_NAME_OF_OURS: 'y' })).status, 0);
	for (const [text, message] of [['io.open("/etc/passwd")', /io/], ['os.execute("id")', /os/], ['load("return 1")()', /load/], ['require "os"', /require/], ['local x = string.rep("x", 1e10)', /memory|large/], ['local t = {} while true do t[#t + 1] = ("x"):rep(1e5) .. #t end', /memory|signal/],
		['user "x" { name = file "absent.txt" }', /absent\.txt/], ['user "x" { name = env "SURELY_NOT_SET" }', /SURELY_NOT_SET/], ['user "x" { name = file "/dev/zero" }', /zero/], ['error("stop")', /stop/], ['include "absent/*.lua"\nlocal x = nil .. "y"', /:\d+:/],
		['user "x" { name = 5 }', /name/], ['user "x" { nmae = "y" }', /nmae.*name/], ['user "x" {} user "x" {}', /x/], ['setmetatable(_G, nil)', /_G|setmetatable/]]) {
		const answer = await check(text);
		assert.equal(answer.status, 1, `${text}: ${answer.text}`);
		assert.match(answer.text, message, text);
		if (!/while true/.test(text)) assert.match(answer.text, /tidelock\.lua:\d+/, text);
	}
	assert.equal((await new Browser(broker).get('/healthz')).status, 200);
});

test('S36_the_lab_ca_is_for_our_names_and_for_nothing_else', async () => {
	const broker = await Broker.start({ tls: true });
	const ca = new X509Certificate(await readFile(broker.caFile));
	assert.ok(ca.ca);
	const shown = (await promisify(execFile)('openssl', ['x509', '-in', broker.caFile, '-noout', '-text'])).stdout;
	assert.match(shown, /CA:TRUE, pathlen:0/);
	assert.match(shown, /Name Constraints:(?! critical)[\s\S]*Permitted:[\s\S]*DNS:localhost/);
	assert.doesNotMatch(shown, /DNS:(\s|$)|DNS:\.?(com|org)\b/m);
	const answer = await new Browser(broker).get('/signin');
	assert.equal(answer.status, 200);
	assert.equal(answer.headers['strict-transport-security'], undefined, 'a lab CA locks no browser out');
	// Its key is in the database, sealed; nothing else in the folder holds one.
	for (const name of await readdir(path.join(broker.dir, 'data'))) {
		if (name === 'control.sock') continue;
		assert.ok(!(await readFile(path.join(broker.dir, 'data', name), 'latin1')).includes('PRIVATE KEY'), name);
	}
	const before = ca.fingerprint256;
	await broker.stop();
	await broker.serve();
	assert.equal(new X509Certificate(await readFile(broker.caFile)).fingerprint256, before, 'the same CA after a restart');
});

test('D13_reloads_under_load_lose_no_request', async () => {
	const broker = await Broker.start();
	const got = await obtainTokens(broker, { scope: 'openid offline_access' });
	const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
	const ask = (target, headers = {}) => new Promise((resolve, reject) => {
		http.get(broker.url + target, { agent, headers }, (response) => { response.resume(); response.on('end', () => resolve(response.statusCode)); }).on('error', reject);
	});
	let over = false;
	const statuses = [];
	const load = Array.from({ length: 4 }, async (_, i) => {
		while (!over) statuses.push(await ask(i % 2 ? '/application/o/userinfo/' : '/signin', i % 2 ? { authorization: `Bearer ${got.access_token}` } : {}));
	});
	let token = got.refresh_token;
	const refreshing = (async () => {
		while (!over) {
			const answer = await tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token: token });
			assert.equal(answer.status, 200, answer.text);
			token = answer.json.refresh_token;
		}
	})();
	for (let i = 0; i < 4; i++) {
		await broker.configure({ objects: `user "reloaded-${i}" {}` });
		assert.equal((await broker.overControl('POST', '/reload')).status, 200);
		await writeFile(broker.file, 'this is no configuration');
		assert.equal((await broker.overControl('POST', '/reload')).status, 409);
	}
	over = true;
	await Promise.all([...load, refreshing]);
	agent.destroy();
	assert.ok(statuses.length > 20);
	assert.deepEqual([...new Set(statuses)], [200]);
	await broker.configure({});
	assert.equal((await broker.json('user', 'show', 'reloaded-3')).active, true);
});

test('D4_sigterm_lets_what_was_asked_finish', async () => {
	const broker = await Broker.start({ atRest: false });
	const browser = new Browser(broker);
	const page = await browser.get('/signin');
	// A sign-in waits for its hash and, when it fails, for the floor: long enough to be overtaken by the signal.
	const answering = browser.submit(page, { username: 'alice', password: 'wrong' }, 'signin');
	await eventually(async () => (await broker.debug({ counters: true })).tasks >= 2);
	broker.signal('SIGTERM');
	assert.equal((await answering).page.status, 403);
	assert.deepEqual(await broker.exited, { code: 0, signal: null });
});
