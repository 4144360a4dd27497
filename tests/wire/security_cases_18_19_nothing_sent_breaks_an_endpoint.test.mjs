// security-cases 18 and 19: empty, missing and huge headers, bodies and cookies, and every parameter with everything that parsers
// trip over, at every endpoint of the provider and every form of the pages: each gets the error of its kind, nobody's line gets into
// the log, and the next request is served. The same run under the sanitizers is TIDELOCK=build/asan/tidelock.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Broker, configuration } from '../harness/broker.mjs';
import { Browser, authorizeUrl, basic, formOf, obtainTokens, rawExchange } from '../harness/browser.mjs';
import { GRANT, enter, objects, signedIn, start } from '../harness/device.mjs';

const all_grants = `grant_types = { "authorization_code", "refresh_token", "client_credentials", "password", device, "urn:ietf:params:oauth:grant-type:token-exchange" }`;
const broker = await Broker.start({ objects: objects.replace('grant_types = { device, "refresh_token" }', all_grants) });
const browser = await signedIn(broker);
const held = await obtainTokens(broker, { scope: 'openid profile offline_access' }, { browser });
const tv = basic('tv', 'tv-secret').authorization;
const cookies = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');

const assertion = { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: 'a.b.c' };
const token = (grant_type, rest) => ({ kind: 'oauth', path: '/application/o/token/', form: { grant_type, ...rest }, client: true });
// kind: how the endpoint's errors look. form or query: what is right, as far as nothing is consumed by it.
const endpoints = [
	token('authorization_code', { code: `tlc_${'a'.repeat(43)}`, redirect_uri: 'https://tv.example.org/', code_verifier: 'v'.repeat(43), resource: 'https://api.example.org' }),
	token('refresh_token', { refresh_token: held.refresh_token, scope: 'openid' }),
	token('client_credentials', { scope: 'openid', username: 'alice', password: 'tlp_x' }),
	token('password', { username: 'alice', password: 'tlp_x', scope: 'openid' }),
	token(GRANT, { device_code: `tld_${'a'.repeat(43)}` }),
	token('urn:ietf:params:oauth:grant-type:token-exchange', { subject_token: held.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
		actor_token: 'x', actor_token_type: 'y', requested_token_type: 'z', audience: 'web' }),
	{ kind: 'oauth', path: '/application/o/introspect/', form: { token: held.access_token, token_type_hint: 'access_token' }, client: true },
	{ kind: 'oauth', path: '/application/o/revoke/', form: { token: 'x', token_type_hint: 'access_token' }, client: true },
	{ kind: 'oauth', path: '/application/o/device/', form: { scope: 'openid', resource: 'https://api.example.org' }, client: true },
	{ kind: 'bearer', path: '/application/o/userinfo/', form: { access_token: held.access_token } },
	{ kind: 'bearer', path: '/application/o/userinfo/', query: { access_token: held.access_token } },
	...['form', 'query'].map((where) => ({ kind: 'page', path: '/application/o/authorize/', [where]: { ...Object.fromEntries(new URL(authorizeUrl(broker)).searchParams), nonce: 'n',
		response_mode: 'query', prompt: 'consent', max_age: '10', login_hint: 'alice', id_token_hint: held.id_token, ui_locales: 'en', claims: '{}', acr_values: 'x', display: 'page',
		code_challenge: 'c'.repeat(43), code_challenge_method: 'S256', resource: 'https://api.example.org' } })),
	...['form', 'query'].flatMap((where) => ['web/', ''].map((slug) => ({ kind: 'page', path: `/application/o/${slug}end-session/`, [where]: { id_token_hint: held.id_token,
		client_id: 'web', post_logout_redirect_uri: 'https://web.example.org/', state: 's', logout_hint: 'alice', ui_locales: 'en' } }))),
	{ kind: 'page', path: '/application/o/authorize/', query: { request: 'x' } },
	{ kind: 'page', path: '/application/o/web/end-session/', query: { request: 'x' } },
	{ kind: 'page', path: '/application/o/web/check-session/', query: { x: 'y' } },
	{ kind: 'oauth', path: '/application/o/web/.well-known/openid-configuration', query: { x: 'y' } },
	{ kind: 'oauth', path: '/application/o/web/jwks/', query: { x: 'y' } },
	{ kind: 'oauth', path: '/.well-known/webfinger', query: { resource: 'acct:alice@example.org', rel: 'http://openid.net/specs/connect/1.0/issuer' } },
	{ kind: 'page', path: '/signin', query: { request: 'x' } },
	{ kind: 'page', path: '/device', query: { code: 'BCDF-GHJK' }, session: true },
	{ kind: 'page', path: '/device', query: { request: 'x' }, session: true },
	{ kind: 'page', path: '/consent', query: { request: 'x' }, session: true },
];

// The forms of the pages, with their tokens.
const { user_code } = (await start(broker, 'tv')).json;
const csrf = formOf((await browser.open('/device')).page.text, 'device').fields.csrf;
const confirm = formOf((await enter(browser, user_code)).text, 'answer').fields;
const page = (path, form) => endpoints.push({ kind: 'page', path, form, session: true });
page('/device', { csrf, code: 'BCDF-GHJ' });
page('/device/answer', { ...confirm, answer: 'later' });
page('/consent', { csrf, request: 'x', answer: 'allow' });
page('/signin/account', { csrf, request: 'x', choice: 'current' });
page('/sessions/end', { csrf, session: 'x' });
page('/consent/withdraw', { csrf, application: 'web' });
page('/password', { csrf, current: 'x', new: 'y', repeat: 'y' });
page('/signout', { csrf: 'x' });

// Bytes as they stand: everything but letters and digits percent-encoded, so that NUL and broken UTF-8 arrive.
const encode = (text) => [...Buffer.from(text, 'latin1')].map((byte) => (/[\w.~-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, '0')}`)).join('');
const encoded = (fields) => Object.entries(fields).map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
const form_type = 'Content-Type: application/x-www-form-urlencoded';

async function send(endpoint, { headers = [], body, query = '', method = endpoint.form ? 'POST' : 'GET', bare = false } = {}) {
	const own = bare ? [] : [endpoint.client && `Authorization: ${tv}`, endpoint.session && `Cookie: ${cookies}`, endpoint.session && `Origin: ${broker.url}`].filter(Boolean);
	const lines = [`${method} ${endpoint.path}${query ? `?${query}` : ''} HTTP/1.1`, `Host: 127.0.0.1:${broker.port}`, 'Connection: close', ...own, ...headers];
	if (body !== undefined) lines.push(`Content-Length: ${Buffer.byteLength(body, 'latin1')}`);
	const answer = await rawExchange(broker, Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`, 'latin1'), { milliseconds: 10_000 });
	const [, head, text] = /^([\s\S]*?)\r\n\r\n([\s\S]*)$/.exec(answer) ?? [null, answer, ''];
	const [first, ...fields] = head.split('\r\n');
	return { status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1] ?? 0), fields, text,
		header: (name) => fields.find((line) => line.toLowerCase().startsWith(`${name}: `))?.slice(name.length + 2) };
}
const sendFields = (endpoint, fields) => (endpoint.form
	? send(endpoint, { headers: [form_type], body: encoded(fields) }) : send(endpoint, { query: encoded(fields) }));

const own_layer = new Set([413, 414, 421, 431]); // what HTTP itself refuses: no endpoint has seen it
const words = new Set(['invalid_request', 'invalid_client', 'invalid_grant', 'unauthorized_client', 'unsupported_grant_type', 'invalid_scope', 'invalid_target', 'invalid_token',
	'insufficient_scope', 'access_denied', 'slow_down', 'authorization_pending', 'expired_token', 'unsupported_token_type', 'request_not_supported']);

// The answer is one of an endpoint that knows what it was asked.
function sane(endpoint, answer, what) {
	const where = `${endpoint.form ? 'POST' : 'GET'} ${endpoint.path} ${what}`.slice(0, 300);
	assert.ok(answer.status >= 200 && answer.status < 500, `${where}: ${answer.status} ${answer.text.slice(0, 300)}`);
	for (const line of answer.fields) assert.match(line, /^[a-zA-Z-]+: [\x20-\x7e]*$/, where);
	assert.doesNotMatch(answer.text, /<script>alert/, where);
	if (own_layer.has(answer.status)) return;
	assert.ok(answer.header('x-request-id'), where);
	assert.equal(answer.fields.filter((line) => /^set-cookie: (?!(__Host-)?tidelock)/i.test(line)).length, 0, where);
	if (answer.status < 400) return;
	if (endpoint.kind === 'page') {
		assert.match(answer.header('content-type'), /^text\/html; charset=utf-8$/, where);
		assert.match(answer.text, /<\/html>/, where);
		return;
	}
	assert.equal(answer.header('content-type'), 'application/json', where);
	const json = JSON.parse(Buffer.from(answer.text, 'latin1').toString());
	assert.ok(words.has(json.error), `${where}: ${answer.text}`);
	assert.equal(json.request_id, answer.header('x-request-id'), where);
	assert.doesNotMatch(json.error_description ?? '', /[^\x20-\x21\x23-\x5b\x5d-\x7e]/, `${where}: ${answer.text}`);
}

async function each(list, fn, width = 8) {
	const rest = list[Symbol.iterator]();
	await Promise.all(Array.from({ length: width }, async () => { for (const item of rest) await fn(item); }));
}

// Controls, also those of C1, and what turns or breaks a line.
const deceptive = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
// Log lines are lines, none of them is a program's mistake, and the broker serves.
async function unharmed() {
	const lines = broker.log.trim().split('\n');
	assert.deepEqual(lines.filter((line) => !/^\d{4}-\d\d-\d\dT[\d:.]+Z (debug|info|warn|error) /.test(line) || deceptive.test(line) || /request failed|forged=/.test(line)), []);
	const answer = await send({ path: '/application/o/userinfo/' }, { headers: [`Authorization: Bearer ${held.access_token}`] });
	assert.equal(answer.status, 200, answer.text);
}

test('security_cases_18_no_body_no_type_and_types_that_are_none', async () => {
	const posts = endpoints.filter((one) => one.form);
	const cases = posts.flatMap((endpoint) => [
		{ body: '' }, { body: '', headers: [form_type] }, { headers: [form_type] }, {}, // CVE-2025-3891: an empty POST
		...['', 'x', ';', '/', 'a/b/c', 'application/json', 'text/plain', 'multipart/form-data', 'multipart/form-data; boundary=', 'application/x-www-form-urlencoded; charset=utf-16',
			'application/x-www-form-urlencoded;;;', `application/${'x'.repeat(8000)}`, '\x80\xff'].map((type) => ({ headers: [`Content-Type: ${type}`], body: encoded(endpoint.form) })),
		{ body: encoded(endpoint.form) }, // CVE-2021-20718: no Content-Type
		{ headers: [form_type, form_type], body: encoded(endpoint.form) },
	].flatMap((one) => [one, { ...one, bare: true }]).map((one) => [endpoint, one]));
	await each(cases, async ([endpoint, one]) => sane(endpoint, await send(endpoint, one), JSON.stringify(one)));
	await unharmed();
});

test('security_cases_18_bodies_and_queries_that_are_no_forms', async () => {
	const texts = ['&', '&&&&', '=', '=&=', 'a', 'a=b=c', '%', '%z', '%zz=1', '%00=%00', '\0', '\xff\xfe', '+', '#', '?', '[]', '{}', '<xml/>', 'a[]=1&a[]=2', 'a[b][c]=1', '=x'.repeat(50),
		'a&'.repeat(100), 'a=1&'.repeat(101), 'a=1&'.repeat(2000), Array.from({ length: 100 }, (_, i) => `f${i}=x`).join('&'), `${'a'.repeat(7000)}=1`, `a=${'%41'.repeat(2300)}`];
	const bodies = [...texts, 'x'.repeat(1024 * 1024), 'a=1&'.repeat(250_000), `client_id=${'a'.repeat(1_000_000)}`, '%00'.repeat(300_000)];
	const cases = endpoints.flatMap((endpoint) => (endpoint.form ? bodies.map((body) => ({ headers: [form_type], body })) : texts.map((query) => ({ query: query.replace(/[\0\xff\xfe#]/g, encode) }))).map((one) => [endpoint, one]));
	await each(cases, async ([endpoint, one]) => sane(endpoint, await send(endpoint, one), (one.body ?? one.query).slice(0, 60)), 4);
	await unharmed();
});

test('security_cases_18_headers_empty_huge_and_odd', async () => {
	const long = 'a'.repeat(8000);
	const values = {
		Authorization: ['', ' ', 'Basic', 'Basic ', 'Basic =', 'Basic ====', 'Basic Og==', 'Basic YQ==', 'Basic AAAA', 'Basic OgA=', `Basic ${long}`, `Basic ${Buffer.from(`web:${long}`).toString('base64')}`,
			'basic dHY6eA==', 'Bearer', 'Bearer ', 'Bearer .', 'Bearer ..', `Bearer ${'.'.repeat(8000)}`, `Bearer ${long}`, 'Bearer a b', 'Bearer tla_', 'Bearer tlr_x', `Bearer tla_1.${long}`, 'Digest x', '\x80', `${long} x`, 'Negotiate'],
		Cookie: ['', ';', '=', '; ; ;', 'a', 'tidelock', 'tidelock=', 'tidelock=""', 'tidelock=x; tidelock=y', `tidelock=${long}`, `tidelock=tls_${'a'.repeat(43)}; tidelock-browser=tlb_${'b'.repeat(43)}`, 'tidelock=\x80\xff',
			'a=;'.repeat(5000), Array.from({ length: 1500 }, (_, i) => `tidelock_state_${i}=x`).join('; '), `mod=${'x'.repeat(30_000)}`], // CVE-2024-24814: a huge number of cookies
		Origin: ['', 'null', 'x', '://', `https://${long}`, 'https://web.example.org\t', '\xff'],
		'User-Agent': ['', long, '\x80\xff', 'x\ty', '${jndi:ldap://x}'],
		Accept: ['', '*/*;q=9999999999', long], 'Accept-Language': ['', '*', ';q=', 'x-'.repeat(3000)], Referer: ['', 'x', long],
		'Sec-Fetch-Site': ['', 'x', 'cross-site'], 'If-None-Match': ['', '"', '*', long], 'X-Forwarded-For': ['', 'x', '1.2.3.4, '.repeat(500)], 'X-Forwarded-Host': ['evil.example.org', ''],
		'Access-Control-Request-Method': ['', 'X'], 'X-Request-Id': ['forged=1', long],
	};
	const cases = endpoints.flatMap((endpoint) => Object.entries(values).flatMap(([name, list]) => list.map((value) => [endpoint, `${name}: ${value}`])));
	await each(cases, async ([endpoint, header]) => {
		const mine = { ...endpoint, client: endpoint.client && !header.startsWith('Authorization'), session: endpoint.session && !/^(Cookie|Origin)/.test(header) };
		const answer = await send(mine, endpoint.form ? { headers: [form_type, header], body: encoded(endpoint.form) } : { query: encoded(endpoint.query), headers: [header] });
		// Bytes that no header may hold are refused before there is an endpoint.
		if (answer.status === 400 && !answer.header('x-request-id')) return assert.match(header, /[^\x20-\x7e\t]/);
		return sane(endpoint, answer, header);
	});
	await unharmed();
});

const jwt = (header, payload) => [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.') + '.AAAA';
const strange = ['\0', '\ud800', '\ufdd0', '\x7f', {}, [], ['\0'], 1e308, -1, null, true, 'x'.repeat(3000)];
const tokens = strange.flatMap((value) => [jwt({ alg: 'RS256', kid: value, typ: value }, { iss: value, sub: value, aud: value, jti: value, exp: value, iat: value, tlk: value }), jwt({ alg: value }, {}),
	jwt({ alg: 'HS256', typ: 'JWT' }, { iss: 'tv', sub: 'tv', aud: value, jti: value, exp: 1 }), jwt({ alg: 'RS256' }, value)]);
const objectsOf = strange.map((value) => JSON.stringify({ userinfo: { sub: { value } }, id_token: { acr: { essential: true, values: value }, x: value } }));
const more = (name) => (/^(.*token|id_token_hint|client_assertion|request)$/.test(name) ? tokens : name === 'claims' ? objectsOf : []);
const nasty = ['', ' ', '\0', 'a\0b', '\r\nSet-Cookie: forged=1', '\n2026-01-01T00:00:00Z info forged=1', '\x1b[2J', '\xff\xfe', '\xed\xa0\x80', '\xc0\xaf', '"><script>alert(1)</script>', '\'"`\\',
	"' or 1=1 --", '%s%n%x%p', '../../../etc/passwd', '[]', '{', '{"a":1,"a":2}', '['.repeat(3000), '{"a":'.repeat(1000), '.', '..', 'a.b.c', '.'.repeat(6000), 'tlc_', 'tlr_', 'tlr_.0.', 'tla_', 'tld_', 'tls_x', 'eyJhbGciOiJub25lIn0..',
	`${Buffer.from('{"alg":"RS256","kid":"../../x"}').toString('base64url')}.${Buffer.from('{"aud":{"a":[]}}').toString('base64url')}.AAAA`, `${Buffer.from('['.repeat(2000)).toString('base64url')}.e30.`,
	'-1', '0', '00', '1e999', '99999999999999999999', 'NaN', 'null', 'https://', 'https://[', 'http://a:99999/', 'javascript:alert(1)', 'x'.repeat(5000), 'x'.repeat(100_000), '\xf0\x9f\xa6\x8a'.repeat(300), '\xc2\x9b31m\xe2\x80\xae'];

test('security_cases_18_each_parameter_with_what_parsers_trip_over', async () => {
	const cases = endpoints.flatMap((endpoint) => Object.keys(endpoint.form ?? endpoint.query).flatMap((name) => [...nasty, ...more(name)].map((value) => [endpoint, name, value])));
	await each(cases, async ([endpoint, name, value]) => {
		const answer = await sendFields(endpoint, { ...(endpoint.form ?? endpoint.query), [name]: value });
		sane(endpoint, answer, `${name}=${JSON.stringify(value)}`);
		assert.ok(!answer.text.includes('\0'), name);
	});
	await unharmed();
});

test('security_cases_18_13_client_credentials_with_what_parsers_trip_over', async () => {
	const clients = endpoints.filter((one) => one.client).map((one) => ({ ...one, client: false }));
	const cases = clients.flatMap((endpoint) => nasty.flatMap((value) => [
		{ client_id: value }, { client_id: 'tv', client_secret: value }, { ...assertion, client_assertion: value }, { ...assertion, client_assertion_type: value }, { client_id: value, ...assertion },
	].map((fields) => [endpoint, { ...endpoint.form, ...fields }])));
	for (const client_assertion of tokens) cases.push([clients[0], { ...clients[0].form, ...assertion, client_assertion }], [clients[6], { ...clients[6].form, ...assertion, client_id: 'tv', client_assertion }]);
	await each(cases, async ([endpoint, fields]) => sane(endpoint, await sendFields(endpoint, fields), JSON.stringify(fields)));
	// Variant 4: user name and app password in the secret, as base64.
	const secrets = [...nasty.filter((one) => one.length < 600).map((value) => `${value}:${value}`), '\0:tlp_x', '\xff:x', ':', 'a', ''].map((text) => Buffer.from(text, 'latin1').toString('base64'));
	await each(secrets, async (client_secret) => sane(clients[2], await sendFields(clients[2], { grant_type: 'client_credentials', client_id: 'tv', client_secret }), client_secret));
	for (const value of nasty.filter((one) => one.length < 6000)) {
		const pair = Buffer.from(`${value}:${value}`, 'latin1').toString('base64');
		const answer = await send(clients[0], { headers: [form_type, `Authorization: Basic ${pair}`], body: encoded(clients[0].form) });
		sane(clients[0], answer, `Basic ${JSON.stringify(value)}`);
		assert.ok(answer.status >= 400, value);
	}
	await unharmed();
});

test('security_cases_18_names_of_applications_that_are_none', async () => {
	const names = ['%00', '%ff', '%0a', '%ed%a0%80', '%2e%2e', '%2f', '%252f', 'web%00', 'WEB', '%20', "'", '%22', '<script>alert(1)<', 'x'.repeat(3000), '%f0%9f%a6%8a', '%c2%9b31m', '%c2%85', '%e2%80%ae', '%e2%80%a8'];
	const places = (name) => [`/application/o/${name}/`, ...['jwks', 'end-session', 'check-session'].map((one) => `/application/o/${name}/${one}/`), `/application/o/${name}/.well-known/openid-configuration`,
		`/.well-known/oauth-authorization-server/application/o/${name}/`];
	await each(names.flatMap(places), async (path) => {
		const answer = await send({ path });
		assert.ok([400, 404].includes(answer.status), `${path}: ${answer.status} ${answer.text.slice(0, 200)}`);
		assert.doesNotMatch(answer.text, /<script>alert/);
	});
	await unharmed();
});

test('security_cases_18_methods_that_an_endpoint_has_not', async () => {
	const paths = [...new Set(endpoints.map((one) => one.path))];
	await each(paths.flatMap((path) => ['PUT', 'DELETE', 'PATCH', 'TRACE', 'CONNECT', 'PROPFIND', 'OPTIONS', 'HEAD', 'get'].map((method) => [path, method])), async ([path, method]) => {
		const answer = await send({ path }, { method, body: method === 'PUT' ? 'x' : undefined });
		assert.ok(answer.status >= 200 && answer.status < 502 && answer.status !== 500, `${method} ${path}: ${answer.status}`);
		if (answer.status === 405) assert.ok(answer.header('allow'), `${method} ${path}`);
		assert.ok(answer.status !== 200 || ['OPTIONS', 'HEAD'].includes(method), `${method} ${path}: ${answer.status}`);
	});
	await unharmed();
});

test('security_cases_19_what_events_show_is_lines_of_text_too', async () => {
	await unharmed();
	const shown = await broker.command('events', '--limit', '1000');
	assert.equal(shown.status, 0, shown.err);
	assert.deepEqual(shown.out.split('\n').filter((line) => deceptive.test(line)), []);
	assert.doesNotMatch(shown.out, /^\s*\d{4}-\d\d-\d\dT[^ ]* info forged/m);
	const events = await broker.events();
	assert.ok(events.length > 10);
});

test('security_cases_19_a_flood_of_passwords_fills_a_bounded_queue_and_not_the_memory', async () => {
	const config = (one) => configuration(one).replace('memory_kib = 1024, passes = 1', 'memory_kib = 16384, passes = 4');
	const slow = await Broker.start({ config });
	const resident = async () => Math.max(...await Promise.all((await slow.processes()).map(async (pid) => Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0))));
	const people = await Promise.all(Array.from({ length: 120 }, async (_, n) => {
		const one = new Browser(slow);
		return [one, formOf((await one.get('/signin', { from: `127.0.1.${n + 1}` })).text, 'signin').fields];
	}));
	const flood = people.map(([one, fields], n) => one.post('/signin', { ...fields, username: `nobody${n}`, password: 'x' }, { headers: { origin: slow.url }, from: `127.0.1.${n + 1}` }));
	const began = performance.now();
	assert.equal((await new Browser(slow).get('/application/o/web/jwks/')).status, 200);
	assert.ok(performance.now() - began < 2000, 'who needs no hash does not wait');
	const answers = await Promise.all(flood);
	const count = (status) => answers.filter((one) => one.status === status).length;
	assert.equal(count(403) + count(503), 120, JSON.stringify(answers.map((one) => one.status)));
	assert.ok(count(503) >= 20, `${count(503)} were told to come back`);
	for (const one of answers.filter((each_) => each_.status === 503)) assert.ok(Number(one.headers['retry-after']) > 0);
	assert.ok(await resident() < 2 * 16384 + 100_000, `${await resident()} KiB`);
	assert.equal((await (await signedIn(slow)).get('/')).status, 200, 'and the next person signs in');
});
