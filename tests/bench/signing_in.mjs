// signing_in.mjs: what a sign-in, its tokens and an idle broker cost, against the bare limit on the same machine in the same run.
// CPU is user + system of all the broker's processes; memory is the sum of their PSS. Prints ratios; decides nothing.
import { spawn, execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { freePort } from '../harness/broker.mjs';
import { BenchBroker, Poster, bare, build, cpu, nginx, note, perRequest, program, pss, seconds, us, wholeSignIn, wrk } from './lib/measure.mjs';

const staticProgram = path.join(build, 'static/tidelock');
const debugProgram = path.join(build, 'debug/tidelock');
const bareProgram = path.join(build, 'bench/bare');

// ---- the measurements -------------------------------------------------------------------------------------------------------
async function atRest(executable, name, reach) {
	if (!existsSync(executable)) return note(`memory at rest, ${name}`, 'not built', reach);
	const broker = await BenchBroker.start(executable);
	await wholeSignIn(broker, 'web');
	await new Promise((r) => setTimeout(r, 1500));
	note(`memory at rest (all processes, after a sign-in), ${name}`, `${(pss(broker.child.pid) / 1024).toFixed(2)} MB PSS`, reach);
	await broker.stop({ keep: true });
	const times = [];
	for (let i = 0; i < 5; i++) {
		await broker.serve(executable);
		times.push(broker.startedIn);
		await broker.stop({ keep: true });
	}
	times.sort((a, b) => a - b);
	note(`start to first answer, existing database, ${name}`, `${times[2].toFixed(0)} ms (median of 5)`, 'at most 60 ms');
	rmSync(broker.dir, { recursive: true, force: true });
}

async function requests() {
	const broker = await BenchBroker.start(program);
	const { pid } = broker.child;
	const discovery = `${broker.url}/application/o/web/.well-known/openid-configuration`;
	const file = await nginx(await (await fetch(discovery)).text());
	const reference = perRequest(file.child.pid, () => wrk(file.url));
	const document = perRequest(pid, () => wrk(discovery));
	note('nginx, the discovery document as a file', us(reference), '');
	note('discovery', `${us(document)} = ${(document / reference).toFixed(2)} x nginx`, 'at most 2 x nginx');
	const again = perRequest(file.child.pid, () => wrk(file.url));
	note('nginx again (the noise of this run)', us(again), '');
	file.end();

	const tokens = await wholeSignIn(broker, 'web');
	const userinfo = perRequest(pid, () => wrk(`${broker.url}/application/o/userinfo/`, [`Authorization: Bearer ${tokens.access_token}`]));
	note('userinfo', `${us(userinfo)} = discovery + ${us(userinfo - document)}`, 'discovery + 100 µs');

	for (const [client, alg] of [['web', 'ES256'], ['compatible', 'RS256']]) {
		const lines = [];
		for (let i = 0; i < 16; i++) lines.push((await wholeSignIn(broker, client)).refresh_token);
		const poster = new Poster(broker, client);
		const from = cpu(pid);
		let count = 0, signature = 0, over = false;
		const reference = bare('sign', alg, alg === 'RS256' ? 150 * seconds : 1000 * seconds).then((us) => { signature = us; over = true; });
		await Promise.all(lines.map(async (token) => { while (!over) { token = await poster.refresh(token); count++; } }));
		await reference;
		const each = (cpu(pid) - from) / count;
		poster.close();
		note(`token request (refresh, ${alg}, two signatures of ${us(signature)})`, `${us(each)} = signatures + ${us(each - 2 * signature)}`, 'signatures + 150 µs');
	}

	const from = cpu(pid);
	let count = 0, hash = 0, signature = 0, over = false;
	const references = (async () => {
		hash = await bare('hash', 7168, 5, 15 * seconds);
		signature = await bare('sign', 'ES256', 300 * seconds);
		over = true;
	})();
	for (; !over; count++) await wholeSignIn(broker, 'web');
	await references;
	const each = (cpu(pid) - from) / count;
	note(`sign-in, whole (hash ${us(hash)}, 2 signatures ${us(2 * signature)})`, `${us(each)} = those + ${us(each - hash - 2 * signature)}`, 'those + 3 ms');
	await broker.stop();
}

async function handshakes() {
	const broker = await BenchBroker.start(program, { tls: true });
	const count = (port) => {
		const out = spawnSync('openssl', ['s_time', '-connect', `127.0.0.1:${port}`, '-new', '-time', String(Math.max(2, seconds))], { encoding: 'utf8' });
		return Number(/(\d+) connections in \d+ real seconds/.exec(out.stdout)[1]);
	};
	const port = await freePort();
	const dir = mkdtempSync(path.join(os.tmpdir(), 'tidelock-bench-'));
	execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${dir}/key.pem`, '-out', `${dir}/cert.pem`, '-days', '2', '-subj', '/CN=localhost'], { stdio: 'ignore' });
	const reference = spawn(bareProgram, ['tls', String(port), `${dir}/cert.pem`, `${dir}/key.pem`], { stdio: 'ignore' });
	await new Promise((r) => setTimeout(r, 200));
	const limit = perRequest(reference.pid, () => count(port));
	const ours = perRequest(broker.child.pid, () => count(broker.port));
	reference.kill();
	rmSync(dir, { recursive: true, force: true });
	note('TLS full handshake, mbedTLS alone', us(limit), '');
	note('TLS full handshake', `${us(ours)} = ${(ours / limit).toFixed(2)} x mbedTLS`, 'at most 1.15 x mbedTLS');
	await broker.stop();
}

async function idleConnections() {
	const broker = await BenchBroker.start(program, { tls: true, settings: 'connections = { total = 2000, per_address = 2000 }' });
	await new Promise((r) => setTimeout(r, 500));
	const before = pss(broker.child.pid);
	const sockets = [];
	for (let made = 0; made < 1000; made += 50) {
		await Promise.all(Array.from({ length: 50 }, () => new Promise((resolve, reject) => {
			const socket = tls.connect({ host: '127.0.0.1', port: broker.port, servername: 'localhost', rejectUnauthorized: false }, resolve);
			socket.on('error', reject);
			sockets.push(socket);
		})));
	}
	await new Promise((r) => setTimeout(r, 1000));
	const after = pss(broker.child.pid);
	note('1,000 idle TLS connections', `${((after - before) / 1024).toFixed(1)} MB (${(after / 1024).toFixed(1)} in all)`, 'at most 40 MB');
	for (const socket of sockets) socket.destroy();
	await broker.stop();
}

async function groupCommit() {
	const broker = await BenchBroker.start(debugProgram);
	const lines = [];
	for (let i = 0; i < 50; i++) lines.push((await wholeSignIn(broker, 'web')).refresh_token);
	const poster = new Poster(broker, 'web');
	await broker.debug({ fault: 'flush_delay_ms', n: 10 });
	const before = await broker.debug({ counters: true });
	await Promise.all(lines.map(async (token) => { for (let i = 0; i < 4; i++) token = await poster.refresh(token); }));
	const after = await broker.debug({ counters: true });
	poster.close();
	const flushes = after.fsyncs - before.fsyncs;
	note('50 concurrent refreshes, flush delayed to 10 ms', `${(200 / flushes).toFixed(1)} writes per fsync (${flushes} for 200)`, 'at least 10');
	await broker.stop();
}

const size = (file) => (existsSync(file) ? `${(statSync(file).size / 1e6).toFixed(2)} MB` : 'not built');
note('what', 'measured', 'reach');
note('program, static musl, stripped', size(staticProgram), 'at most 3 MB');
await atRest(program, 'default build', 'at most 8 MB');
await atRest(staticProgram, 'static musl', 'at most 6 MB');
await requests();
await handshakes();
await idleConnections();
await groupCommit();
