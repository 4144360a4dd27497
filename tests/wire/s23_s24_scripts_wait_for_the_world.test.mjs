// S23, S24: scripts that ask other hosts: only those of their declaration, bounded in size, time and number; who waits keeps a jail, and
// nobody else waits for it. The host is a real server of this test's own.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { Broker, eventually } from '../harness/broker.mjs';
import { Browser, authorizeUrl, redirectUri } from '../harness/browser.mjs';

const seen = [];
let waiting = 0;
const host = http.createServer((request, response) => {
	let body = '';
	request.on('data', (chunk) => { body += chunk; });
	request.on('end', () => {
		seen.push({ method: request.method, url: request.url, headers: request.headers, body });
		if (request.url.startsWith('/slow')) {
			waiting++;
			request.socket.once('close', () => { waiting--; });
			return; // until the asker gives up
		}
		if (request.url === '/away') return response.writeHead(302, { location: '/roster' }).end();
		if (request.url === '/huge') return response.end('x'.repeat(200000));
		if (request.url === '/words') return response.end('no JSON');
		response.writeHead(request.url === '/teapot' ? 418 : 200, { 'content-type': 'application/json', 'X-Roster': 'yes' });
		response.end(JSON.stringify({ on_duty: true, url: request.url, body }));
	});
});
await new Promise((resolve) => host.listen(0, '127.0.0.1', resolve));
after(() => { host.closeAllConnections(); host.close(); });
const base = `http://127.0.0.1:${host.address().port}`;

const shown = (before, expression) => `${before}\nreturn false, json.encode(${expression})`;
const policies = {
	asks: [shown(`local r = http.get("${base}/roster", { params = { name = user.username, q = "a b&c" }, headers = { ["X-From"] = "a policy" } })`,
		'{ r.status, r.status_code, r.ok, r.json().on_duty, r:json().url, r.headers["x-roster"], r.headers["X-Roster"], #r.text > 0 }'), 'http = { "127.0.0.1" }'],
	posts: [shown(`local a = requests.post("${base}/a", { json = { user = user.username } }).json().body
local b = requests.put("${base}/b", { data = { x = "1 & 2", a = "ä" } }).json().body
local c = requests.delete("${base}/teapot")`, '{ a, b, c.status_code, c.ok }'), 'http = { "127.0.0.1" }'],
	redirected: [shown(`local r = http.get("${base}/away")`, '{ r.status, r.headers.location }'), 'http = { "127.0.0.1" }'],
	not_listed: [`return http.get("${base}/never").ok`, 'http = { "hr.example.org" }'],
	without_leave: [`return http.get("${base}/never").ok`, ''],
	disguised: [`return http.get("http://hr.example.org@${base.slice(7)}/never").ok`, 'http = { "hr.example.org" }'],
	other_scheme: ['return http.get("file:///etc/passwd").ok', 'http = { "hr.example.org" }'],
	host_header: [`return http.get("${base}/never", { headers = { Host = "else" } }).ok`, 'http = { "127.0.0.1" }'],
	split: [`return http.get("${base}/never", { headers = { ["X-A"] = "b\\r\\nX-C: d" } }).ok`, 'http = { "127.0.0.1" }'],
	huge: [`return http.get("${base}/huge").ok`, 'http = { "127.0.0.1" }'],
	words: [`return http.get("${base}/words").json().x`, 'http = { "127.0.0.1" }'],
	refused: ['return http.get("http://127.0.0.1:1/").ok', 'http = { "127.0.0.1" }'],
	stubborn: [`for i = 1, 20 do pcall(http.get, "${base}/slow", { timeout = 60 }) end\nreturn true`, 'http = { "127.0.0.1" }'],
	patient: [`pcall(http.get, "${base}/slow-patient", { timeout = 2 })\nreturn true`, 'http = { "127.0.0.1" }'],
	names: [shown('', '{ resolve_dns("peer.test"), resolve_dns("peer.test", 4), resolve_dns("peer.test", 6), resolve_dns("nowhere.invalid"), resolve_dns("no name"), reverse_dns("192.0.2.77") }'), 'dns = true'],
	names_without_leave: ['return #resolve_dns("peer.test") > 0', ''],
	plain: ['return true', ''],
};
const clientOf = (policy) => `p-${policy.replaceAll('_', '-')}`;
const broker = await Broker.start({
	objects: Object.entries(policies).map(([name, [, may]]) => `policy "${name}" { script = "p/${name}.lua", may = { ${may} } }
application "${clientOf(name)}" { client_secret = "secret-of-it", redirect_uris = { "${redirectUri.web}" }, consent = "implicit", policies = { "${name}" } }`).join('\n'),
	files: Object.fromEntries(Object.entries(policies).map(([name, [text]]) => [`p/${name}.lua`, text])),
});
const url = (policy) => authorizeUrl(broker, { client_id: clientOf(policy), redirect_uri: redirectUri.web });
const alice = new Browser(broker);
await alice.signIn((await alice.open(url('plain'))).page);

const plain = (text) => text.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&quot;|&#34;|&#x22;/g, '"').replace(/&#39;|&#x27;/g, "'").replace(/&amp;/g, '&');
async function found(policy) {
	const { page } = await alice.open(url(policy));
	assert.equal(page.status, 403, page.text);
	return JSON.parse(plain(/id="reason">([\s\S]*?)<\/p>/.exec(page.text)[1]));
}
async function refusedBecause(policy, why) {
	assert.equal((await alice.get(url(policy))).status, 403);
	const event = await eventually(async () => (await broker.events('--kind', 'script_failed')).find((one) => one.reason.includes(`policy ${policy} `)));
	assert.match(event.reason, why);
}

test('test_evaluator: requests.get with parameters and headers, and what came back', async () => {
	assert.deepEqual(await found('asks'), [200, 200, true, true, '/roster?name=alice&q=a%20b%26c', 'yes', 'yes', true]);
	const asked = seen.find((one) => one.url.startsWith('/roster'));
	assert.equal(asked.headers['x-from'], 'a policy');
	assert.match(asked.headers['user-agent'], /^Tidelock/);
	assert.deepEqual([asked.headers.cookie, asked.headers.authorization], [undefined, undefined]);
});
test('test_evaluator: requests.post, put, delete with JSON and forms', async () => {
	assert.deepEqual(await found('posts'), ['{"user":"alice"}', 'a=%C3%A4&x=1%20%26%202', 418, false]);
});
test('S24_no_redirect_is_followed', async () => assert.deepEqual(await found('redirected'), [302, '/roster']));
test('S24_only_the_hosts_of_the_declaration_are_asked', async () => {
	await refusedBecause('not_listed', /not_listed\.lua:1.*may = \{ http = \{ "127\.0\.0\.1" \} \}/);
	await refusedBecause('without_leave', /does not say/);
	await refusedBecause('disguised', /./);
	await refusedBecause('other_scheme', /does not say|URL/);
	await refusedBecause('host_header', /host is not a script's to set/);
	await refusedBecause('split', /./);
	assert.ok(!seen.some((one) => one.url === '/never'));
});
test('S24_what_is_too_large_not_there_or_no_JSON_is_an_error_of_the_line', async () => {
	await refusedBecause('huge', /huge\.lua:1.*too_large/);
	await refusedBecause('words', /words\.lua:1.*no JSON/);
	await refusedBecause('refused', /refused\.lua:1.*connect/);
});
test('test_evaluator: resolve_dns and reverse_dns, with may.dns', async () => {
	await broker.debug({ name: 'peer.test', addresses: '192.0.2.7 2001:db8::7', delay_ms: 0 });
	assert.deepEqual(await found('names'), [['192.0.2.7', '2001:db8::7'], ['192.0.2.7'], ['2001:db8::7'], [], [], '192.0.2.77']);
	await refusedBecause('names_without_leave', /dns = true/);
});

test('S23_all_waiting_of_a_call_together_has_its_own_cap_and_nobody_waits_for_it', async () => {
	const begun = performance.now();
	let over = false;
	const slow = alice.get(url('stubborn')).finally(() => { over = true; });
	const times = [];
	while (!over) {
		const from = performance.now();
		assert.equal((await alice.get(url('plain'))).status, 302);
		times.push(performance.now() - from);
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
	assert.equal((await slow).status, 403);
	const took = performance.now() - begun;
	assert.ok(took > 3500 && took < 8000, `it waited ${took} ms`);
	times.sort((a, b) => a - b);
	assert.ok(times.length > 10 && times[Math.floor(times.length * 0.9)] < 500, `others took ${times.map(Math.round)}`);
	const event = await eventually(async () => (await broker.events('--kind', 'script_failed')).find((one) => one.reason.includes('policy stubborn ')));
	assert.match(event.reason, /timeout: waited longer than 5 s, last for http/);
});

test('S23_sixteen_may_wait_and_the_next_is_told_to_come_again', async () => {
	const waiters = Array.from({ length: 16 }, () => alice.get(url('patient')));
	await eventually(async () => (await alice.get(url('plain'))).status === 503, 3);
	const told = await alice.get(url('plain'));
	if (told.status === 503) assert.ok(Number(told.headers['retry-after']) > 0);
	for (const answer of await Promise.all(waiters)) assert.ok([302, 503].includes(answer.status), `${answer.status}`);
	assert.equal((await alice.get(url('plain'))).status, 302);
});

test('S23_who_goes_away_while_a_script_waits_takes_the_script_along', async () => {
	const before = seen.length;
	const request = http.get(url('patient'), { agent: false, headers: { cookie: [...alice.cookies].map(([name, value]) => `${name}=${value}`).join('; ') } });
	request.on('error', () => {});
	await eventually(() => seen.length > before);
	request.socket.resetAndDestroy();
	await eventually(() => waiting === 0, 1.5);
	await eventually(async () => (await broker.debug({ counters: true })).tasks <= 1);
	assert.equal((await alice.get(url('plain'))).status, 302);
});
