// provider.mjs: the provider's endpoints against two other providers on the same machine in the same run, and against the bare
// signature; and what a big database costs. CPU microseconds a request of the server's whole process tree. Prints ratios; decides
// nothing.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { BenchBroker, Poster, bare, cpu, load, note, perRequest, program, seconds, us, wholeSignIn, wrk } from './lib/measure.mjs';
import { Browser, pkce } from '../harness/browser.mjs';
import { glewlwyd, headers, oidcProvider } from './peers/peers.mjs';

const machine = (name, settings) => `application "${name}" { name = "${name}", client_id = "${name}", client_secret = "web-secret-0123456789", scopes = { "openid", "goauthentik.io/api" },
	grant_types = { "client_credentials", "authorization_code" }, ${settings} }
`;
const objects = `${machine('opaque', 'access_token = "opaque"')}${machine('es256', 'signing_alg = "ES256"')}${machine('rs256', 'signing_alg = "RS256"')}`;

// A scope without claims, as the peers' is: no script runs.
const form = 'grant_type=client_credentials&scope=goauthentik.io/api';

const of = (name) => [`Authorization: Basic ${Buffer.from(`${name}:web-secret-0123456789`).toString('base64')}`];
const json = async (url, body, list) => {
	const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(body), headers: Object.fromEntries(list.map((text) => text.split(/: /))) });
	if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
	return answer.json();
};

// The middle of three, each after the others have had their turn: the machine's own speed moves.
async function compare(rows) {
	const measured = new Map();
	for (let round = 0; round < 3; round++) {
		for (const { server, what, prepare } of rows) {
			const key = `${what} ${server.name}`;
			const run = await prepare();
			measured.set(key, [...(measured.get(key) ?? []), perRequest(server.pid, () => run(Math.max(1, seconds / 2)))]);
		}
	}
	const middle = (what, name) => measured.get(`${what} ${name}`)?.sort((a, b) => a - b)[1];
	for (const what of new Set(rows.map((row) => row.what))) {
		const ours = middle(what, 'tidelock');
		const others = [...measured.keys()].filter((key) => key.startsWith(`${what} `) && !key.endsWith('tidelock')).map((key) => [key.slice(what.length + 1), middle(what, key.slice(what.length + 1))]);
		const cheapest = others.sort((a, b) => a[1] - b[1])[0];
		note(what, `${us(ours)} = ${(ours / cheapest[1]).toFixed(2)} x ${cheapest[0]}`, `cheaper than each (${others.map(([name, cost]) => `${name} ${us(cost)}`).join(', ')})`);
	}
}

// A sign-in by the forms of whoever it is, code and PKCE.
async function signIn(server) {
	const { verifier, challenge } = pkce();
	const browser = new Browser({ url: server.url });
	const query = new URLSearchParams({ client_id: 'web', response_type: 'code', redirect_uri: 'https://web.example.org/callback', scope: 'openid profile email', code_challenge: challenge, code_challenge_method: 'S256', nonce: 'n' });
	let at = await browser.open(`${server.authorize}?${query}`);
	at = await browser.signIn(at.page);
	if (!at.away) throw new Error(`${server.name}: ${at.page.status} ${at.page.text.slice(0, 200)}`);
	return json(server.token, { grant_type: 'authorization_code', code: at.away.searchParams.get('code'), redirect_uri: 'https://web.example.org/callback', code_verifier: verifier }, headers);
}

async function ours() {
	const broker = await BenchBroker.start(program, { objects });
	const root = `${broker.url}/application/o`;
	return { name: 'tidelock', broker, pid: broker.child.pid, url: broker.url, discovery: `${root}/web/.well-known/openid-configuration`, jwks: `${root}/web/jwks/`, token: `${root}/token/`,
		introspect: `${root}/introspect/`, userinfo: `${root}/userinfo/`, authorize: `${root}/authorize/`, headers: of('opaque'), stop: () => broker.stop() };
}

async function endpoints() {
	const self = await ours();
	const peers = (await Promise.all([oidcProvider(), glewlwyd()])).filter(Boolean);
	const rows = [];
	const add = (server, what, url, list, body) => rows.push({ server, what, prepare: () => (time) => wrk(url, list, { body, time }) });
	// With a token of its own each time: a peer's memory may have forgotten the last one.
	const addWith = (server, what, token, load) => rows.push({ server, what, prepare: async () => load((await token()).access_token) });
	for (const server of [self, ...peers]) {
		add(server, 'discovery', server.discovery, []);
		add(server, 'JWKS', server.jwks, []);
	}
	for (const kind of ['opaque', 'ES256', 'RS256']) {
		add(self, `client_credentials, ${kind}`, self.token, of(kind.toLowerCase()), form);
		for (const peer of peers) {
			if (peer.bodies[kind]) add(peer, `client_credentials, ${kind}`, typeof peer.token === 'function' ? peer.token(kind) : peer.token, peer.headers, peer.bodies[kind]);
		}
	}
	const issued = [[self, 'opaque', of('opaque')], ...peers.map((peer) => [peer, peer.bodies.opaque ? 'opaque' : 'ES256', peer.headers])];
	for (const [server, kind, list] of issued) {
		const url = typeof server.token === 'function' ? server.token(kind) : server.token;
		addWith(server, 'introspection', () => json(url, new URLSearchParams(server.bodies?.[kind] ?? form), list),
			(token) => (time) => wrk(server.introspect, list, { body: `token=${encodeURIComponent(token)}`, time }));
	}
	for (const server of [self, ...peers.filter((peer) => peer.userinfo)]) {
		addWith(server, 'userinfo', () => signIn(server), (token) => (time) => wrk(server.userinfo, [`Authorization: Bearer ${token}`], { time }));
	}
	await compare(rows);
	await githubUser(self);
	await bareSignature(self, 'RS256');
	await bareSignature(self, 'ES256');
	await signIns(self, peers.filter((peer) => peer.authorize));
	for (const server of [self, ...peers]) await server.stop();
}

// GitHub's /user with a personal token beside the discovery document, in turns.
async function githubUser(self) {
	const { key } = JSON.parse(execFileSync(program, ['token', 'create', '--user', 'alice', '--intent', 'personal', '--scope', 'user read:org', '--json'], { env: { ...process.env, TIDELOCK_CONFIG: self.broker.file } }));
	const sides = [[self.discovery, [], []], [`${self.url}/api/v3/user`, [`Authorization: token ${key}`], []]];
	for (let round = 0; round < 3; round++) {
		for (const [url, list, costs] of sides) costs.push(await perRequest(self.pid, () => wrk(url, list, { time: Math.max(1, seconds / 2) })));
	}
	const [discovery, user] = sides.map(([, , costs]) => costs.sort((a, b) => a - b)[1]);
	note('GitHub\'s /user', `${us(user)} = discovery + ${us(user - discovery)}`, 'discovery + 150 µs');
}

// One signature a token; the bare one is measured for as long as the broker signs.
async function bareSignature(self, alg) {
	const from = cpu(self.pid), limits = [];
	let over = false;
	const requests = load(self.token, of(alg.toLowerCase()), { body: form, time: 2 * seconds }).finally(() => { over = true; });
	while (!over) limits.push(await bare('sign', alg, alg === 'RS256' ? 40 : 400));
	const each = (cpu(self.pid) - from) / await requests, limit = limits.reduce((sum, one) => sum + one, 0) / limits.length;
	note(`client_credentials, ${alg} (one signature of ${us(limit)})`, `${us(each)} = signature + ${us(each - limit)}`, alg === 'RS256' ? 'signature + 150 µs' : '');
}

async function signIns(self, peers) {
	const costs = [];
	let hash = 0;
	for (const server of [self, ...peers]) {
		const measure = async (concurrent) => {
			const from = cpu(server.pid), end = performance.now() + seconds * 1000;
			let count = 0, failed = 0;
			await Promise.all(Array.from({ length: concurrent }, async () => {
				while (performance.now() < end) await signIn(server).then(() => { count++; }, () => { failed++; });
			}));
			return { each: (cpu(server.pid) - from) / count, count, failed };
		};
		// While the sign-ins run: two hashes at once cost more than one after the other.
		const limit = server === self ? bare('hash', 7168, 5, 10 * seconds) : 0;
		const one = await measure(4);
		if (server === self) hash = await limit;
		costs.push([server.name, one.each - (server === self ? hash : 0)]);
		if (server === self) {
			const many = await measure(16);
			note('sign-ins, 16 at a time', `${many.count} and ${many.failed} failed`, 'none fails');
		}
	}
	const [[, mine], ...others] = costs;
	note(`sign-in, whole, ES256, without the hash (${us(hash)})`, `${us(mine)} = ${(mine / Math.min(...others.map((o) => o[1]))).toFixed(2)} x the cheapest`, `cheaper than each (${others.map(([name, cost]) => `${name} ${us(cost)}`).join(', ')})`);
}

// 10,000 people and 100,000 refresh lines more, in the database as they would have come to be there.
const grown = `
insert into users (id, uuid, pk, username, uid, created_at) with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000)
	select printf('%026d', i), hex(randomblob(16)), 1000000 + i, 'user' || i, hex(randomblob(32)), 1700000000 from n;
insert into grants (id, user_id, application_id, scopes, created_at, expires_at) with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
	select printf('g%025d', i), printf('%026d', 1 + i % 10000), (select id from applications where slug = 'web'), 'openid profile email offline_access', 1700000000, 4000000000 from n;
insert into refresh_lines (id, grant_id, generation, rotated_at, scopes, created_at, expires_at) with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
	select printf('l%025d', i), printf('g%025d', i), 0, 1700000000, 'openid profile email offline_access', 1700000000, 4000000000 from n;
`;

async function growth() {
	const small = await BenchBroker.start(program), big = await BenchBroker.start(program);
	await big.stop({ keep: true });
	execFileSync('sqlite3', [path.join(big.dir, 'data/tidelock.db')], { input: grown });
	await big.serve(program);
	const sides = [];
	for (const broker of [small, big]) {
		const lines = [];
		for (let i = 0; i < 16; i++) lines.push((await wholeSignIn(broker, 'web')).refresh_token);
		sides.push({ broker, lines, poster: new Poster(broker, 'web'), costs: [] });
	}
	for (let round = 0; round < 7; round++) {
		for (const side of sides) {
			const from = cpu(side.broker.child.pid), end = performance.now() + seconds * 250;
			let count = 0;
			await Promise.all(side.lines.map(async (_, index) => { while (performance.now() < end) { side.lines[index] = await side.poster.refresh(side.lines[index]); count++; } }));
			side.costs.push((cpu(side.broker.child.pid) - from) / count);
		}
	}
	const [few, many] = sides.map((side) => side.costs.sort((a, b) => a - b)[3]);
	note('token request beside 100,000 refresh tokens and 10,000 people', `${us(many)} = ${(many / few).toFixed(2)} x the empty database`, 'less than 1.2 x');
	for (const side of sides) { side.poster.close(); await side.broker.stop(); }
}

note('what', 'measured', 'reach');
await endpoints();
await growth();
