// measure.mjs: what the benchmarks share: CPU and memory of process trees, a broker of the benchmark's own, load, and the limits
// of others on the same machine.
import { spawn, execFile, execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { freePort, eventually, root } from '../../harness/broker.mjs';
import { Browser, authorizeUrl, basic, pkce } from '../../harness/browser.mjs';

export const build = process.env.B ?? path.join(root, 'build');
export const program = process.env.TIDELOCK;
export const seconds = Number(process.env.BENCH_SECONDS ?? 4);
export const note = (what, measured, reach) => console.log(`${what.padEnd(62)} ${measured.padEnd(38)} ${reach}`);
export const us = (value) => `${value.toFixed(1)} µs`;
export const children = new Set();
process.on('exit', () => { for (const child of children) child.kill('SIGTERM'); });
const bareProgram = path.join(build, 'bench/bare');
// Microseconds of CPU of one bare call. Measured beside the broker, so that both share the machine in the same way.
export const bare = (...args) => new Promise((resolve, reject) => execFile(bareProgram, args.map(String), (error, out) => (error ? reject(error) : resolve(Number(out)))));

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
export function cpu(pid) {
	let total = 0;
	for (const one of family(pid)) {
		const fields = readFileSync(`/proc/${one}/stat`, 'latin1').split(') ').pop().split(' ');
		total += (Number(fields[11]) + Number(fields[12])) * 1e4;
	}
	return total;
}
export const pss = (pid) => family(pid).reduce((sum, one) => sum + Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${one}/smaps_rollup`, 'utf8'))[1]), 0);

// ---- a broker of its own, plain http on loopback unless tls -------------------------------------------------------------
export class BenchBroker {
	static async start(executable, { tls: secure = false, data, objects = '', settings = '', files = {} } = {}) {
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
application "web" { name = "Web", client_type = "confidential", client_id = "web", client_secret = "web-secret-0123456789", consent = "implicit",
	redirect_uris = { "https://web.example.org/callback" }, scopes = { "openid", "profile", "email", "offline_access" }, signing_alg = "ES256" }
application "compatible" { name = "Compatible", client_type = "confidential", client_id = "compatible", client_secret = "web-secret-0123456789", consent = "implicit",
	redirect_uris = { "https://web.example.org/callback" }, scopes = { "openid", "profile", "email", "offline_access" }, signing_alg = "RS256" }
${objects}`);
		for (const [name, text] of Object.entries(files)) writeFileSync(path.join(broker.dir, name), text);
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

// Requests in `time` seconds over 16 connections; with a body, POSTs of a form. `load` answers when it is over, wrk waits.
function wrkArguments(url, headers, { connections = 16, body, time = seconds }) {
	const script = path.join(os.tmpdir(), `wrk-${process.pid}.lua`);
	writeFileSync(script, body === undefined ? '' : `wrk.method = "POST"\nwrk.body = ${JSON.stringify(body)}\nwrk.headers["Content-Type"] = "application/x-www-form-urlencoded"\n`);
	return ['-t1', `-c${connections}`, `-d${time}s`, '-s', script, ...headers.flatMap((h) => ['-H', h]), url];
}
function requestsOf(out) {
	if (/Non-2xx/.test(out)) throw new Error(`wrk: ${out}`);
	return Number(/(\d+) requests in/.exec(out)[1]);
}
export const wrk = (url, headers = [], options = {}) => requestsOf(execFileSync('wrk', wrkArguments(url, headers, options), { encoding: 'utf8' }));
export const load = (url, headers = [], options = {}) => new Promise((resolve, reject) => {
	execFile('wrk', wrkArguments(url, headers, options), (error, out) => (error ? reject(error) : resolve(requestsOf(out))));
});
export function perRequest(pid, run) {
	const from = cpu(pid);
	const count = run();
	return (cpu(pid) - from) / count;
}

// Signs alice in through the pages; answers the token answer.
export async function wholeSignIn(broker, client, agentless = new Browser(broker)) {
	const { verifier, challenge } = pkce();
	let at = await agentless.open(authorizeUrl(broker, { client_id: client, redirect_uri: 'https://web.example.org/callback', scope: 'openid profile email offline_access', code_challenge: challenge, code_challenge_method: 'S256', nonce: 'n' }));
	at = await agentless.signIn(at.page);
	if (!at.away) throw new Error(`sign-in failed: ${at.page.status} ${at.page.text.slice(0, 300)}`);
	const answer = await agentless.post('/application/o/token/', { grant_type: 'authorization_code', code: at.away.searchParams.get('code'), redirect_uri: 'https://web.example.org/callback', code_verifier: verifier }, { headers: basic(client, 'web-secret-0123456789'), cookies: false });
	if (answer.status !== 200) throw new Error(answer.text);
	return answer.json;
}

// Keep-alive POSTs on 16 connections, as an application's server would send them.
export class Poster {
	constructor(broker, client) {
		this.agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
		this.options = { host: '127.0.0.1', port: broker.port, method: 'POST', path: '/application/o/token/', agent: this.agent, headers: { ...basic(client, 'web-secret-0123456789'), 'content-type': 'application/x-www-form-urlencoded' } };
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

export async function nginx(body) {
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

