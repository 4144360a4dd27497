// Debian's gh, which takes a host without a port only: at a github_host on port 443 with a private CA.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { eventually } from '../harness/broker.mjs';
import { Browser } from '../harness/browser.mjs';
import { approve } from '../harness/github.mjs';
import { personalToken } from '../harness/github_rest.mjs';
import { enterNetwork, startAtHost, web } from '../harness/network.mjs';

const names = Array.from({ length: 33 }, (_, index) => `team-${index}`);
const objects = `application "gh" { preset = "gh" }
${names.map((name) => `group "${name}" {}`).join('\n')}
user "carol" { name = "Carol", email = "carol@example.org", email_verified = true, password = "carols-password", groups = { "${names.join('", "')}" } }\n`;
const carol = { username: 'carol', password: 'carols-password' };

if (enterNetwork()) {
	const broker = await startAtHost({ objects });

	// One person's gh, with a configuration of its own: run(...) answers { status, out, err }; `said` is what a running one has said.
	class Gh {
		constructor() {
			this.home = mkdtempSync(path.join(os.tmpdir(), 'tidelock-'));
			after(() => rmSync(this.home, { recursive: true, force: true }));
		}
		start(args, input = '') {
			const child = spawn('gh', args, { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env.PATH, HOME: this.home, GH_CONFIG_DIR: this.home,
				SSL_CERT_FILE: broker.caFile, GH_HOST: 'ghe.test', GH_NO_UPDATE_NOTIFIER: '1', BROWSER: 'true' } });
			after(() => { child.kill(); });
			const it = { out: '', err: '' };
			child.stdout.on('data', (chunk) => { it.out += chunk; });
			child.stderr.on('data', (chunk) => { it.err += chunk; });
			child.stdin.end(input);
			it.ended = new Promise((resolve) => child.on('close', (status) => resolve({ status, out: it.out, err: it.err })));
			return it;
		}
		run(args, input) { return this.start(args, input).ended; }
	}

	// Answers what gh asks for with a code; the promise of its end.
	async function connected(it, options) {
		const [, code] = await eventually(() => it.err.match(/one-time code: (\S+)/));
		const [, address] = await eventually(() => it.err.match(/(https:\/\/\S+)/));
		assert.equal(address, `${web}/login/device`);
		await approve(broker, address, code, { ...carol, ...options });
		return it.ended;
	}

	// Two wait for their polls while the others ask.
	const gh = new Gh();
	const other = new Gh();
	const browser = new Browser(broker);
	const scopes = ['repo', 'read:org', 'user:email'];
	const login = connected(gh.start(['auth', 'login', '--hostname', 'ghe.test', '--web', '--git-protocol', 'https']), { browser });
	const withToken = (one, text) => one.run(['auth', 'login', '--hostname', 'ghe.test', '--with-token'], `${text}\n`);

	test('gh_takes_a_personal_access_token_and_says_what_it_lacks', async () => {
		const poor = await withToken(other, await personalToken(broker, 'carol', 'user:email'));
		assert.deepEqual([poor.status, /missing required scopes? 'repo'/.test(poor.err)], [1, true], poor.err);
		const wrong = await withToken(other, `ghp_${'0'.repeat(36)}`);
		assert.match(wrong.err, /HTTP 401: Bad credentials \(https:\/\/ghe\.test\/api\/v3\/\)/);
		assert.equal((await withToken(other, await personalToken(broker, 'carol', ...scopes))).status, 0);
	});

	test('gh_api_reads_all_pages_and_tells_what_is_refused', async () => {
		const api = async (...args) => {
			const answer = await other.run(['api', ...args]);
			assert.equal(answer.status, 0, answer.err);
			return JSON.parse(answer.out);
		};
		assert.equal((await api('user')).login, 'carol');
		assert.equal((await api('/meta')).installed_version.split('.').length, 3);
		const slugs = await other.run(['api', '--paginate', 'user/teams?per_page=10', '--jq', '.[].slug']);
		assert.deepEqual(slugs.out.trim().split('\n').toSorted(), names.toSorted());
		const { data } = await api('graphql', '-F', 'first=2', '-f', 'query=query($first: Int!) { viewer { login organizations(first: $first) { totalCount nodes { login } } } }');
		assert.deepEqual(data.viewer, { login: 'carol', organizations: { totalCount: 1, nodes: [{ login: 'sso' }] } });
		const cursors = await other.run(['api', 'graphql', '--paginate', '-f', `query=query($endCursor: String) { organization(login: "sso") { teams(first: 20, after: $endCursor) {
			nodes { slug } pageInfo { hasNextPage endCursor } } } }`, '--jq', '.data.organization.teams.nodes[].slug']);
		const listed = cursors.out.trim().split('\n');
		assert.deepEqual([names.filter((name) => !listed.includes(name)), new Set(listed).size], [[], listed.length], cursors.err);
		const lacking = await other.run(['api', 'user/keys']);
		assert.match(lacking.err, /HTTP 404/);
		const nobody = await other.run(['api', 'orgs/nowhere']);
		assert.deepEqual([nobody.status, JSON.parse(nobody.out).message], [1, 'Not Found']);
	});

	test('gh_logs_in_by_the_device_flow_and_says_who_it_is', async () => {
		const answer = await login;
		assert.equal(answer.status, 0, answer.err);
		assert.match(answer.err, /Logged in as carol/);
		const status = await gh.run(['auth', 'status', '--hostname', 'ghe.test']);
		assert.equal(status.status, 0, status.err);
		assert.match(status.out + status.err, /Logged in to ghe\.test as carol/);
		assert.match(status.out + status.err, /Token: gho_\*+/);
		assert.match(status.out + status.err, /Token scopes: gist, read:org, repo/);
	});

	test('gh_refreshes_with_another_scope_and_a_denied_or_ended_login_is_told', async () => {
		const denied = connected(other.start(['auth', 'refresh', '--hostname', 'ghe.test', '--scopes', 'user']), { browser, answer: 'deny' });
		const refreshed = await connected(gh.start(['auth', 'refresh', '--hostname', 'ghe.test', '--scopes', 'user']), { browser });
		assert.equal(refreshed.status, 0, refreshed.err);
		const status = await gh.run(['auth', 'status', '--hostname', 'ghe.test']);
		assert.match(status.out + status.err, /Token scopes: gist, read:org, repo, user/);
		const refusal = await denied;
		assert.deepEqual([refusal.status, /access_denied|denied/.test(refusal.err)], [1, true], refusal.err);
		assert.equal((await broker.command('user', 'disable', 'carol')).status, 0);
		const ended = await gh.run(['auth', 'status', '--hostname', 'ghe.test']);
		assert.deepEqual([ended.status, /no longer valid/.test(ended.err)], [1, true], ended.err);
	});

	test('gh_falls_back_to_the_browser_where_the_device_flow_is_off', async () => {
		await broker.configure({ objects: objects.replace('preset = "gh"', 'preset = "gh", github = { device_flow = false }') });
		broker.signal('SIGHUP');
		await eventually(async () => /device_flow_disabled/.test((await new Browser(broker).post(`${web}/login/device/code`, { client_id: '178c6fc778ccc68e1d6a' })).text));
		const it = new Gh().start(['auth', 'login', '--hostname', 'ghe.test', '--web', '--git-protocol', 'https']);
		const [address] = await eventually(() => it.err.match(/https:\/\/\S+/));
		assert.ok(address.startsWith(`${web}/login/oauth/authorize?`), address);
		const alice = new Browser(broker);
		let at = await alice.open((await alice.get(address)).headers.location);
		at = await alice.signIn(at.page);
		at = await alice.submit(at.page, { answer: 'allow' }, 'consent');
		assert.match(at.away.href, /^http:\/\/(localhost|127\.0\.0\.1):\d+\//);
		assert.equal((await fetch(at.away)).status, 200);
		const { status, err } = await it.ended;
		assert.deepEqual([status, /Logged in as alice/.test(err)], [0, true], err);
	});
}
