// sources.mjs: what a sign-in through an upstream costs, and what those cost who wait for one that does not answer. The upstream runs
// here, so that only the broker's processes are counted. Prints ratios; decides nothing.
import { existsSync } from 'node:fs';
import { Person, declared, upstreamAt } from '../harness/upstream.mjs';
import { Browser, authorizeUrl } from '../harness/browser.mjs';
import { Oidc } from '../upstream/oidc.mjs';
import { BenchBroker, cpu, note, program, pss, seconds, us } from './lib/measure.mjs';

if (!existsSync(program ?? '')) { console.error('TIDELOCK names the program to measure'); process.exit(2); }
const UPSTREAMS = 5, WAITING = 500;
const ups = [];
for (let i = 0; i < UPSTREAMS; i++) ups.push(await upstreamAt((web) => new Oidc({ web })));
const broker = await BenchBroker.start(program, {
	settings: 'connections = { total = 2000, per_address = 2000 }\npassword = { memory_kib = 1024, passes = 1 }',
	objects: ups.map((up, i) => declared(`up${i}`, { kind: 'oidc', issuer: up.issuer, client_id: 'tidelock', client_secret: 'quiet' })).join('') + 'subject_pool "people" { sources = { "up0", "up1", "up2", "up3", "up4" } }\n',
});
ups.forEach((up, i) => up.register({ client_id: 'tidelock', client_secret: 'quiet', redirect_uris: [`${broker.url}/source/oauth/callback/up${i}/`] }));
const { pid } = broker.child;

// From the application's request through the sign-in page and the upstream back to the application with a code.
async function through(person = new Person(broker)) {
	const { page } = await person.open(authorizeUrl(broker, { redirect_uri: 'https://web.example.org/callback' }));
	const way = /href="([^"]+)" id="source-up0"/.exec(page.text)[1].replaceAll('&amp;', '&');
	const { away } = await person.choose(await person.open(way), 'ada');
	if (!away?.searchParams.get('code')) throw new Error('the sign-in failed');
}

async function signIns() {
	for (let i = 0; i < 20; i++) await through();
	const from = cpu(pid);
	let count = 0;
	for (const end = performance.now() + seconds * 1000; performance.now() < end; count++) await through();
	note('sign-in through an upstream, plain http (one RS256 check in it)', us((cpu(pid) - from) / count), 'at most 4 ms beyond that check');
}

async function local(times) {
	const took = [];
	for (let i = 0; i < times; i++) {
		const browser = new Browser(broker);
		const page = await browser.get('/signin');
		const from = performance.now();
		await browser.signIn(page);
		took.push(performance.now() - from);
	}
	return took.sort((a, b) => a - b)[times >> 1];
}

// Each has been at the upstream; its answer's token request hangs there.
async function waiting() {
	const people = await Promise.all(Array.from({ length: WAITING }, async (_, i) => {
		const name = `up${i % UPSTREAMS}`, person = new Person(broker);
		const there = await person.open(`/source/oauth/login/${name}/`);
		const back = /action="([^"]+)"/.exec(there.page.text)[1];
		const pending = /name="pending" value="([^"]+)"/.exec(there.page.text)[1];
		const answer = await person.post(new URL(back, there.page.url).href, { pending, account: 'ada' });
		return () => person.get(answer.headers.location);
	}));
	await local(20);
	const alone = await local(60), before = pss(pid);
	for (const up of ups) up.spoil('/token', 'silent');
	const asked = people.map((come) => come().catch(() => {}));
	await new Promise((r) => setTimeout(r, 1500));
	const after = pss(pid), beside = await local(60);
	note(`${WAITING} who wait for an upstream`, `${((after - before) / 1024).toFixed(1)} MB`, 'at most 20 MB');
	note('local sign-ins meanwhile', `${beside.toFixed(1)} ms, ${alone.toFixed(1)} ms alone = ${(100 * (beside / alone - 1)).toFixed(1)} %`, 'less than 10 % slower');
	const held = (await Promise.all(asked)).filter((got) => got?.status === 502).length;
	note('of them told after ten seconds that it does not answer', `${held}`, `${WAITING}`);
}

await signIns();
await waiting();
await broker.stop();
process.exit(0);
