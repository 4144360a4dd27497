// signing_in.mjs: what a sign-in, its tokens and an idle broker cost, against the bare limit on the same machine in the same run.
// CPU is user + system of all the broker's processes; memory is the sum of their PSS. Prints ratios; decides nothing.
import { spawn, execFile, execFileSync, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { freePort, eventually, root } from '../harness/broker.mjs';
import { Browser, authorizeUrl, basic, pkce } from '../harness/browser.mjs';

const program = process.env.TIDELOCK;
const build = process.env.B ?? path.join(root, 'build');
const staticProgram = path.join(build, 'static/tidelock');
const debugProgram = path.join(build, 'debug/tidelock');
const bareProgram = path.join(build, 'bench/bare');
const seconds = Number(process.env.BENCH_SECONDS ?? 4);
const note = (what, measured, reach) => console.log(`${what.padEnd(62)} ${measured.padEnd(38)} ${reach}`);
const children = new Set();
process.on('exit', () => { for (const child of children) child.kill('SIGTERM'); });
const us = (value) => `${value.toFixed(1)} µs`;
// Microseconds of CPU of one bare call. Measured beside the broker, so that both share the machine in the same way.
const bare = (...args) => new Promise((resolve, reject) => execFile(bareProgram, args.map(String), (error, out) => (error ? reject(error) : resolve(Number(out)))));

// ---- processes: CPU in microseconds and PSS in KiB of a process and all below it --------------------------------------
function family(pid) {
	const parents = new Map();
	for (const name of readdirSync('/proc')) {
		if (!/^\d+$/.test(name)) continue;
		try {
			const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
			parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
		} catch { /* gone */ }
	}
	const all = [pid];
	for (const one of all) for (const [child, parent] of parents) if (parent === one) all.push(child);
	return all;
}
function cpu(pid) {
	let total = 0;
	for (const one of family(pid)) {
		const fields = readFileSync(`/proc/${one}/stat`, 'latin1').split(') ').pop().split(' ');
		total += (Number(fields[11]) + Number(fields[12])) * 1e4;
	}
	return total;
}
const pss = (pid) => family(pid).reduce((sum, one) => sum + Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${one}/smaps_rollup`, 'utf8'))[1]), 0);

// ---- a broker of its own, plain http on loopback unless tls -------------------------------------------------------------
class BenchBroker {
	static async start(executable, { tls: secure = false, data, objects = '', settings = '' } = {}) {
		const broker = new BenchBroker();
		broker.dir = data ?? mkdtempSync(path.join(os.tmpdir(), 'tidelock-bench-'));
		broker.port = await freePort();
		broker.url = secure ? `https://localhost:${broker.port}` : `http://127.0.0.1:${broker.port}`;
		broker.file = path.join(broker.dir, 'tidelock.lua');
		writeFileSync(broker.file, `public_url = "${broker.url}"
listen = { "${secure ? 'https' : 'http'}://127.0.0.1:${broker.port}" }
data = "${broker.dir}/data"
${settings}
user "alice" { name = "Alice", email = "alice@example.org", password = "wonderland" }
application "web" { name = "Web", client_type = "confidential", client_id = "web", client_secret = "web-secret", consent = "implicit",
	redirect_uris = { "https://web.example.org/callback" }, scopes = { "openid", "profile", "email", "offline_access" }, signing_alg = "ES256" }
application "compatible" { name = "Compatible", client_type = "confidential", client_id = "compatible", client_secret = "web-secret", consent = "implicit",
	redirect_uris = { "https://web.example.org/callback" }, scopes = { "openid", "profile", "email", "offline_access" }, signing_alg = "RS256" }
${objects}`);
		await broker.serve(executable);
		return broker;
	}
	get caFile() { return path.join(this.dir, 'data', 'lab-ca.pem'); }
	async serve(executable) {
		const from = performance.now();
		// Into a file: nobody would read a pipe while the load runs.
		this.logFile = path.join(this.dir, 'log');
		const log = openSync(this.logFile, 'w');
		this.child = spawn(executable, ['serve', '-c', this.file], { stdio: ['ignore', log, log] });
		closeSync(log);
		children.add(this.child);
		const probe = () => new Promise((resolve) => {
			const socket = net.connect(path.join(this.dir, 'data/control.sock'), () => socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'));
			socket.on('data', (answer) => { socket.destroy(); resolve(answer.includes('HTTP/1.1 200')); });
			socket.on('error', () => resolve(false));
		});
		for (const end = from + 15000; !(await probe()); ) {
			if (performance.now() > end || this.child.exitCode !== null) throw new Error(`did not start:\n${readFileSync(this.logFile)}`);
			await new Promise((r) => setTimeout(r, 1));
		}
		this.startedIn = performance.now() - from;
	}
	debug(what) {
		return new Promise((resolve, reject) => {
			const body = JSON.stringify(what);
			const request = http.request({ socketPath: path.join(this.dir, 'data/control.sock'), method: 'POST', path: '/debug', agent: false, headers: { 'content-type': 'application/json', 'content-length': body.length } }, (response) => {
				let text = '';
				response.on('data', (chunk) => { text += chunk; });
				response.on('end', () => (response.statusCode === 200 ? resolve(JSON.parse(text)) : reject(new Error(text))));
			});
			request.on('error', reject);
			request.end(body);
		});
	}
	async stop({ keep = false } = {}) {
		const gone = new Promise((resolve) => this.child.once('exit', resolve));
		this.child.kill('SIGTERM');
		await gone;
		if (!keep) rmSync(this.dir, { recursive: true, force: true });
	}
}

function wrk(url, headers = [], connections = 16) {
	const out = execFileSync('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, ...headers.flatMap((h) => ['-H', h]), url], { encoding: 'utf8' });
	if (/Non-2xx/.test(out)) throw new Error(`wrk: ${out}`);
	return Number(/(\d+) requests in/.exec(out)[1]);
}
function perRequest(pid, run) {
	const from = cpu(pid);
	const count = run();
	return (cpu(pid) - from) / count;
}

// Signs alice in through the pages; answers the token answer.
async function wholeSignIn(broker, client, agentless = new Browser(broker)) {
	const { verifier, challenge } = pkce();
	let at = await agentless.open(authorizeUrl(broker, { client_id: client, redirect_uri: 'https://web.example.org/callback', scope: 'openid profile email offline_access', code_challenge: challenge, code_challenge_method: 'S256', nonce: 'n' }));
	at = await agentless.signIn(at.page);
	if (!at.away) throw new Error(`sign-in failed: ${at.page.status} ${at.page.text.slice(0, 300)}`);
	const answer = await agentless.post('/application/o/token/', { grant_type: 'authorization_code', code: at.away.searchParams.get('code'), redirect_uri: 'https://web.example.org/callback', code_verifier: verifier }, { headers: basic(client, 'web-secret'), cookies: false });
	if (answer.status !== 200) throw new Error(answer.text);
	return answer.json;
}

// Keep-alive POSTs on 16 connections, as an application's server would send them.
class Poster {
	constructor(broker, client) {
		this.agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
		this.options = { host: '127.0.0.1', port: broker.port, method: 'POST', path: '/application/o/token/', agent: this.agent, headers: { ...basic(client, 'web-secret'), 'content-type': 'application/x-www-form-urlencoded' } };
	}
	refresh(token) {
		const body = `grant_type=refresh_token&refresh_token=${token}`;
		return new Promise((resolve, reject) => {
			const request = http.request({ ...this.options, headers: { ...this.options.headers, 'content-length': body.length } }, (response) => {
				let text = '';
				response.on('data', (chunk) => { text += chunk; });
				response.on('end', () => (response.statusCode === 200 ? resolve(JSON.parse(text).refresh_token) : reject(new Error(text))));
			});
			request.on('error', reject);
			request.end(body);
		});
	}
	close() { this.agent.destroy(); }
}

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

async function nginx(body) {
	const dir = mkdtempSync(path.join(os.tmpdir(), 'nginx-'));
	const port = await freePort();
	writeFileSync(path.join(dir, 'document'), body);
	writeFileSync(path.join(dir, 'nginx.conf'), `daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log; ${process.getuid() === 0 ? 'user root;' : ''}
events { worker_connections 256; }
http { access_log off; keepalive_requests 1000000000; default_type application/json; server { listen 127.0.0.1:${port}; root ${dir}; } }`);
	const child = spawn('/usr/sbin/nginx', ['-p', dir, '-c', path.join(dir, 'nginx.conf')], { stdio: 'ignore' });
	const url = `http://127.0.0.1:${port}/document`;
	await eventually(() => fetch(url).then((r) => r.ok), 5);
	return { child, url, end: () => { child.kill('SIGTERM'); rmSync(dir, { recursive: true, force: true }); } };
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
