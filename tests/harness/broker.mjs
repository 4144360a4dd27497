// broker.mjs: starts a real broker on a free port in a folder of its own, and ends it. Every wire and flow test uses it.
import { spawn, execFile } from 'node:child_process';
import { mkdtemp, writeFile, mkdir, rm, readFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import assert from 'node:assert/strict';

export const root = path.resolve(import.meta.dirname, '../..');
export const program = path.resolve(root, process.env.TIDELOCK ?? 'build/debug/tidelock');

export function freePort() {
	return new Promise((resolve, reject) => {
		const probe = net.createServer();
		probe.once('error', reject);
		probe.listen(0, '127.0.0.1', () => {
			const { port } = probe.address();
			probe.close(() => resolve(port));
		});
	});
}

// Asks until fn answers something true, at most `seconds`; the last failure is the message.
export async function eventually(fn, seconds = 5) {
	const end = performance.now() + seconds * 1000;
	for (let last; ; ) {
		try {
			const value = await fn();
			if (value) return value;
			last = new Error(`still ${value}`);
		} catch (error) {
			last = error;
		}
		if (performance.now() > end) throw last;
		await new Promise((r) => setTimeout(r, 20));
	}
}

// The configuration most tests start from. Extra text is appended; `settings` comes before the objects.
export function configuration({ port, dir, tls = false, settings = '', objects = '' }) {
	const scheme = tls ? 'https' : 'http';
	const host = tls ? 'localhost' : '127.0.0.1';
	return `public_url = "${scheme}://${host}:${port}"
listen = { "${scheme}://127.0.0.1:${port}" }
data = "${dir}/data"
password = { memory_kib = 1024, passes = 1 }
${settings}
group "github-users" {}
group "staff" { parents = { "github-users" } }
group "admins" { permissions = { "everything" } }
user "alice" { name = "Alice Liddell", email = "alice@example.org", email_verified = true, password = "wonderland", groups = { "staff" } }
user "bob" { name = "Bob Baker", email = "bob@example.org", password = "builder-bob", groups = {} }
user "root" { name = "Root", password = "root-of-all", groups = { "admins" } }
application "web" {
  name = "Web application", client_type = "confidential", client_id = "web", client_secret = "web-secret",
  redirect_uris = { "https://web.example.org/callback" },
  scopes = { "openid", "profile", "email", "groups", "offline_access" }, consent = "implicit",
}
application "other" {
  name = "Other application", client_type = "confidential", client_id = "other", client_secret = "other-secret",
  redirect_uris = { "https://other.example.org/callback" },
  scopes = { "openid", "profile", "offline_access" }, consent = "implicit",
}
application "native" {
  name = "Native application", client_type = "public", client_id = "native",
  redirect_uris = { "http://127.0.0.1/callback", "org.example.native:/callback" },
  scopes = { "openid", "profile", "offline_access" },
}
application "careful" {
  name = "Careful application", client_type = "confidential", client_id = "careful", client_secret = "careful-secret",
  redirect_uris = { "https://careful.example.org/callback" },
  scopes = { "openid", "profile", "email" }, consent = "always",
}
${objects}
`;
}

export class Broker {
	// options: tls, url (where not on its port of loopback), settings, objects (text of the configuration), files ({ name: text } beside it), env, args, atRest (false: the
	// test ends with work under way on purpose)
	static async start(options = {}) {
		const broker = new Broker();
		broker.options = options;
		broker.dir = await mkdtemp(path.join(os.tmpdir(), 'tidelock-'));
		broker.port = options.port ?? (await freePort());
		for (const [name, text] of Object.entries(options.files ?? {})) {
			await mkdir(path.dirname(path.join(broker.dir, name)), { recursive: true });
			await writeFile(path.join(broker.dir, name), text);
		}
		await broker.configure(options);
		after(() => broker.end());
		await broker.serve();
		return broker;
	}

	get file() { return path.join(this.dir, 'tidelock.lua'); }
	get url() { return this.options.url ?? (this.options.tls ? `https://localhost:${this.port}` : `http://127.0.0.1:${this.port}`); }
	get caFile() { return path.join(this.dir, 'data', 'lab-ca.pem'); }
	issuer(application) { return `${this.url}/application/o/${application}/`; }

	async configure(options) {
		this.options = { ...this.options, ...options };
		const text = this.options.config?.(this) ?? configuration({ port: this.port, dir: this.dir, ...this.options });
		await writeFile(this.file, text);
	}

	async serve() {
		const args = ['serve', '-c', this.file, ...(process.env.TIDELOCK_UNSEALED ? ['--unsealed'] : []), ...(this.options.args ?? [])];
		this.log = '';
		this.moved = 0;
		this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...this.options.env } });
		const keep = (chunk) => { this.log += chunk; };
		this.child.stdout.on('data', keep);
		this.child.stderr.on('data', keep);
		this.exited = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve({ code, signal })));
		let gone;
		this.exited.then((status) => { gone = status; });
		await eventually(async () => {
			if (gone) throw new Error(`the broker ended (${JSON.stringify(gone)}):\n${this.log}`);
			return this.isReady();
		}, 15).catch((error) => {
			error.message += `\n${this.log}`;
			throw error;
		});
	}

	async isReady() {
		const answer = await this.overControl('GET', '/readyz');
		return answer.status === 200;
	}

	// One request over the control socket.
	overControl(method, target, body, type = 'application/json') {
		return new Promise((resolve, reject) => {
			const request = http.request({ socketPath: path.join(this.dir, 'data', 'control.sock'), method, path: target, agent: false,
				headers: { host: 'localhost', ...(body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) }) } }, (response) => {
				const chunks = [];
				response.on('data', (chunk) => chunks.push(chunk));
				response.on('end', () => resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() }));
			});
			request.on('error', reject);
			request.end(body);
		});
	}

	// What debug builds answer to tests: { advance: seconds }, { counters: true }, { fault: …, n: … }
	async debug(what) {
		const answer = await this.overControl('POST', '/debug', JSON.stringify(what));
		assert.equal(answer.status, 200, answer.text);
		return JSON.parse(answer.text);
	}
	// Moves its clock; `moved` says by how much it is ahead.
	advance(seconds) {
		this.moved += seconds;
		return this.debug({ advance: seconds });
	}

	// Runs a command as an administrator would; answers { status, out, err }.
	command(...argv) {
		return new Promise((resolve) => {
			const options = { env: { ...process.env, TIDELOCK_CONFIG: this.file, ...this.options.env } };
			const input = typeof argv.at(-1) === 'object' ? argv.pop().input : undefined;
			const child = execFile(program, argv, options, (error, out, err) => resolve({ status: error ? error.code : 0, out, err }));
			child.stdin.on('error', () => {}); // a command that reads no input may be gone before
			child.stdin.end(input ?? '');
		});
	}
	async json(...argv) {
		const answer = await this.command(...argv, '--json');
		assert.equal(answer.status, 0, answer.err);
		return JSON.parse(answer.out);
	}
	events(...filters) { return this.json('events', '--limit', '200', ...filters); }

	signal(name) { this.child.kill(name); }
	async stop() {
		this.signal('SIGTERM');
		return this.exited;
	}
	// What a power cut leaves: every process of the broker dies at once.
	async killHard() {
		const { pid } = this.child;
		const kids = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').filter(Boolean).map(Number);
		for (const one of [pid, ...kids]) try { process.kill(one, 'SIGKILL'); } catch { /* gone already */ }
		await this.exited;
	}
	async processes() {
		const { pid } = this.child;
		const kids = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').filter(Boolean).map(Number);
		return [pid, ...kids];
	}

	async end() {
		try {
			if (this.child && this.child.exitCode === null && this.child.signalCode === null) {
				if (this.options.atRest !== false) await this.assertAtRest();
				const { code } = await this.stop();
				assert.equal(code, 0, `the broker did not end well:\n${this.log}`);
			}
			assert.doesNotMatch(this.log, /Sanitizer|runtime error:/);
		} finally {
			this.child?.kill('SIGKILL');
			if (!process.env.TIDELOCK_KEEP) await rm(this.dir, { recursive: true, force: true });
		}
	}

	// Nothing of a finished test may live on: tasks, operations and connections go back to zero (the asking one excepted).
	async assertAtRest() {
		await eventually(async () => {
			const counters = await this.debug({ counters: true });
			const own = { tasks: 1, ops: 1, connections: 1, jobs: 0 };
			for (const [name, allowed] of Object.entries(own)) {
				if ((counters[name] ?? 0) > allowed) throw new Error(`${counters[name]} ${name} are still alive`);
			}
			return true;
		}, 5);
	}
}
