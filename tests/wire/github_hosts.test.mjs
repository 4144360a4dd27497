// S17: GitHub's side under a name of its own, and under that name's `api.`: what each answers, what links call it, where people are sent,
// whose certificate it is.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { Broker, eventually } from '../harness/broker.mjs';
import { Browser, pkce } from '../harness/browser.mjs';
import { authorizeUrl, clients, json, objects } from '../harness/github.mjs';
import { personalToken } from '../harness/github_rest.mjs';

const hosts = 'github_host "ghe.example.org" {}\n';
const own = 'application "own" { client_secret = "a-secret-of-its-own", redirect_uris = { "https://own.example.org/" }, github = { host = "ghe.example.org" } }\n';
const groups = Array.from({ length: 3 }, (_, index) => `group "team-${index}" {}`).join('\n');
const person = 'user "carol" { email = "carol@example.org", email_verified = true, groups = { "team-0", "team-1", "team-2" } }\n';
const broker = await Broker.start({ tls: true, settings: 'trusted_proxies = { "127.0.0.0/8" }', objects: objects + hosts + own + groups + person });
const web = `https://ghe.example.org:${broker.port}`;
const api = `https://api.ghe.example.org:${broker.port}`;
const token = { authorization: `token ${await personalToken(broker, 'carol', 'user', 'read:org')}` };
const get = (url, headers = token) => new Browser(broker).get(url, { headers });

test('the_interface_stands_below_api_v3_of_the_host_and_without_prefix_at_its_api_name', async () => {
	for (const [base, other] of [[`${web}/api/v3`, api], [api, `${web}/api/v3`]]) {
		const me = (await get(`${base}/user`)).json;
		assert.equal(me.login, 'carol', base);
		assert.deepEqual([me.url, me.html_url, me.avatar_url.split('?')[0]], [`${base}/users/carol`, `${web}/carol`, `${web}/avatars/u/${me.id}`]);
		const root = await get(base === api ? `${api}/` : base);
		assert.equal(root.json.current_user_url, `${base}/user`);
		assert.ok(root.headers['x-github-request-id']);
		const [team] = (await get(`${base}/user/teams?per_page=1`)).json;
		assert.equal(team.url, `${base}/organizations/${team.organization.id}/team/${team.id}`);
		assert.equal(team.organization.url, `${base}/orgs/${team.organization.login}`);
		assert.equal(team.html_url, `${web}/orgs/${team.organization.login}/teams/${team.slug}`);
		assert.equal((await get(team.url)).json.id, team.id, 'what is linked is there');
		assert.equal((await get(me.avatar_url)).headers['content-type'], 'image/svg+xml');
		for (const name of [other, broker.url]) assert.ok(!JSON.stringify([me, root.json, team]).includes(name), `${name} is told at ${base}`);
	}
	assert.equal((await get(`${web}/user`)).json.url, `${web}/api/v3/users/carol`, 'without prefix on the host too');
});

test('pages_of_a_list_are_linked_under_the_name_that_was_called', async () => {
	for (const base of [`${web}/api/v3`, api, web]) {
		const { headers } = await get(`${base}/user/teams?per_page=1&page=2`);
		assert.equal(headers.link, `<${base}/user/teams?per_page=1&page=1>; rel="prev", <${base}/user/teams?per_page=1&page=3>; rel="next", `
			+ `<${base}/user/teams?per_page=1&page=3>; rel="last", <${base}/user/teams?per_page=1&page=1>; rel="first"`);
	}
});

test('what_a_name_is_not_for_is_not_there', async () => {
	for (const target of ['/api/v3/user', '/login/oauth/authorize', '/signin', '/application/o/web/.well-known/openid-configuration', '/graphql/x']) {
		const answer = await get(api + target);
		assert.deepEqual([answer.status, answer.json?.message], [404, 'Not Found'], `api ${target}`);
	}
	assert.equal((await get(`${api}/user`, { authorization: 'token ghp_nonsense' })).json.message, 'Bad credentials');
	for (const target of ['/application/o/web/.well-known/openid-configuration', '/application/o/userinfo/', '/application/o/web/jwks/', '/.well-known/openid-configuration', '/nothing/at/all']) {
		assert.equal((await get(web + target)).status, 404, target);
	}
	assert.equal((await new Browser(broker).post(`${web}/application/o/token/`, { grant_type: 'client_credentials' })).status, 404);
	assert.equal((await get(`${broker.url}/orgs/x`, {})).status, 404, 'public_url has a prefix');
	const asked = (name) => new Promise((resolve, reject) => {
		https.get({ host: '127.0.0.1', port: broker.port, path: '/user', agent: false, headers: { ...token, host: name }, servername: 'localhost',
			ca: readFileSync(broker.caFile), checkServerIdentity: () => undefined }, (answer) => { answer.resume(); resolve(answer.statusCode); }).on('error', reject);
	});
	assert.equal(await asked('api.ghe.example.org'), 200);
	for (const name of ['www.ghe.example.org', 'api.api.ghe.example.org', 'example.org']) assert.equal(await asked(name), 421, name);
	for (const name of [web, api]) for (const target of ['/healthz', '/readyz']) assert.equal((await get(name + target)).status, 200);
});

test('a_trusted_proxy_says_which_name_was_called', async () => {
	const { json: me } = await get(`${broker.url}/user`, { ...token, 'x-forwarded-host': 'api.ghe.example.org' });
	assert.equal(me.url, `${api}/users/carol`);
	assert.equal((await get(`${broker.url}/`, { 'x-forwarded-host': 'ghe.example.org' })).headers.location, `${broker.url}/`);
	assert.equal((await get(`${broker.url}/user`, { ...token, 'x-forwarded-host': 'elsewhere.example.org' })).status, 421);
});

test('people_go_on_at_public_url_where_their_cookies_are', async () => {
	for (const target of ['/', '/login/device', '/login/device?code=ABCD-EFGH', '/signin', '/alice', '/orgs/example/teams/web', '/settings/tokens', '/settings/connections/applications/x']) {
		const answer = await get(web + target, {});
		assert.deepEqual([answer.status, answer.headers.location, answer.headers['set-cookie']], [302, broker.url + target, undefined]);
	}
	assert.equal((await new Browser(broker).post(`${web}/signin`, { username: 'alice' })).status, 405);
});

test('a_client_of_the_host_signs_its_user_in_at_public_url_and_is_answered_in_the_host_s_name', async () => {
	const { verifier, challenge } = pkce();
	const url = web + authorizeUrl('asking', { code_challenge: challenge, code_challenge_method: 'S256' });
	const first = await get(url, {});
	assert.equal(first.status, 302);
	assert.match(first.headers.location, new RegExp(`^${broker.url}/login/oauth/authorize\\?forwarded=[\\w-]+$`));
	assert.equal(first.headers['set-cookie'], undefined, 'no cookie but on public_url');
	const browser = new Browser(broker);
	let at = await browser.open(first.headers.location);
	at = await browser.signIn(at.page);
	at = await browser.submit(at.page, { answer: 'allow' }, 'consent');
	const answered = Object.fromEntries(at.away.searchParams);
	assert.deepEqual([answered.state, answered.iss], ['st-1', `${web}/login/oauth`]);
	const { client_id, client_secret } = clients.asking;
	const answer = await browser.post(`${web}/login/oauth/access_token`, { client_id, client_secret, code: answered.code, code_verifier: verifier }, { headers: json });
	assert.match(answer.json.access_token, /^gho_/);
	const me = await get(`${api}/user`, { authorization: `bearer ${answer.json.access_token}` });
	assert.deepEqual([me.status, me.json.login], [200, 'alice']);
	const again = await browser.open(url);
	assert.equal(again.away.searchParams.get('iss'), `${web}/login/oauth`, 'who is signed in is sent back at once');
	const direct = await browser.open(authorizeUrl('asking', { code_challenge: challenge, code_challenge_method: 'S256' }));
	assert.equal(direct.away.searchParams.get('iss'), `${broker.url}/login/oauth`);
});

test('a_request_that_is_wrong_is_refused_at_the_host_and_what_was_changed_on_the_way_at_public_url', async () => {
	const unknown = await get(`${web}/login/oauth/authorize?client_id=nobody`, {});
	assert.equal(unknown.status, 404);
	assert.equal((await get(`${web}/static/tidelock.css`, {})).status, 200, 'its page looks like ours');
	assert.equal((await get(web + authorizeUrl('forge', { redirect_uri: 'https://evil.example/' }), {})).status, 400);
	const denied = await get(web + authorizeUrl('forge', { response_type: 'token' }), {});
	assert.match(denied.headers.location, /^https:\/\/forge\.example\.org\/.*error=unsupported_response_type/);
	const { location } = (await get(web + authorizeUrl('forge'), {})).headers;
	const sealed = new URL(location).searchParams.get('forwarded');
	for (const query of [`forwarded=${sealed.slice(0, -2)}AA`, `forwarded=${sealed}&forwarded=${sealed}`, `request=${sealed}`, 'forwarded=']) {
		assert.ok([400, 404].includes((await get(`${broker.url}/login/oauth/authorize?${query}`, {})).status), query);
	}
	await broker.advance(16 * 60);
	assert.equal((await get(location, {})).status, 400, 'expired');
});

test('rfc8414_3_a_host_s_documents_name_the_host_and_so_does_the_device_flow', async () => {
	for (const target of ['/.well-known/oauth-authorization-server/login/oauth', '/login/oauth/.well-known/openid-configuration']) {
		const document = (await get(web + target, {})).json;
		assert.deepEqual([document.issuer, document.authorization_endpoint, document.token_endpoint, document.device_authorization_endpoint],
			[`${web}/login/oauth`, `${web}/login/oauth/authorize`, `${web}/login/oauth/access_token`, `${web}/login/device/code`]);
	}
	const device = await new Browser(broker).post(`${web}/login/device/code`, { client_id: 'tool' }, { headers: json });
	assert.equal(device.json.verification_uri, `${web}/login/device`);
	const at = await new Browser(broker).open(device.json.verification_uri);
	assert.match(at.page.text, /id="signin"/);
});

test('app_show_tells_the_host_that_an_application_picked', async () => {
	const { urls } = await broker.json('app', 'show', 'own');
	assert.deepEqual([urls.github, urls.github_authorization, urls.github_api], [web, `${web}/login/oauth/authorize`, `${web}/api/v3`]);
	assert.equal((await broker.json('app', 'show', 'forge')).urls.github, broker.url);
	const { err } = await broker.command('app', 'add', 'lost', '--github', '{"host":"nowhere.example.org"}');
	assert.match(err, /nowhere\.example\.org.*not declared/);
});

test('a_reload_brings_a_host_with_a_certificate_for_it_and_takes_one_away', async () => {
	const before = broker.options.objects;
	const more = Array.from({ length: 28 }, (_, index) => `github_host "g${index}.example.net" {}`).join('\n');
	await broker.configure({ objects: `${before}github_host "code.example.net" {}\n${more}` });
	broker.signal('SIGHUP');
	await eventually(async () => (await get(`https://api.code.example.net:${broker.port}/user`)).json.login === 'carol');
	await broker.configure({ objects: before });
	broker.signal('SIGHUP');
	await eventually(async () => (await get(`https://api.code.example.net:${broker.port}/user`)).status === 421);
});

test('check_tells_names_that_are_taken_and_certificates_that_are_not_for_them', async () => {
	const { objects: right, settings } = broker.options;
	const check = async (more, other) => {
		await broker.configure({ objects: right + more, settings: other });
		return broker.command('check');
	};
	assert.match((await check('application "x" { client_secret = "x-secret-x", github = { host = "gha.example.org" } }')).err, /the host "gha\.example\.org", which is not declared, did you mean "ghe\.example\.org"/);
	assert.match((await check('github_host "api.ghe.example.org" {}')).err, /tidelock\.lua:\d+: github_host "api\.ghe\.example\.org": .*api\. name/);
	for (const name of ['Ghe.example.org', 'localhost', '127.0.0.1', 'ghe..org', '-ghe.example.org', 'ghe.example.org.', `${'a'.repeat(64)}.org`, 'ghe.example.org:8443']) {
		assert.match((await check(`github_host "${name}" {}`)).err, /a host is a lower-case name/, name);
	}
	const many = (count) => Array.from({ length: count }, (_, index) => `github_host "g${index}.example.net" {}`).join('\n');
	assert.match((await check(many(30))).err, /github_host "g29\.example\.net": more than 30 hosts/);
	const fine = await check('');
	assert.match(fine.out, /warning: .*github_host "ghe\.example\.org": .*port 443/);
	assert.equal(fine.err, '');
	const dir = mkdtempSync(path.join(os.tmpdir(), 'tidelock-'));
	after(() => rmSync(dir, { recursive: true, force: true }));
	const make = (names) => execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${dir}/key.pem`,
		'-out', `${dir}/cert.pem`, '-days', '2', '-subj', '/CN=x', '-addext', `subjectAltName=${names}`], { stdio: 'ignore' });
	const tls = `tls = { certificate = "${dir}/cert.pem", key = "${dir}/key.pem" }`;
	make('DNS:localhost,DNS:*.example.org');
	const some = await check('', tls);
	assert.equal(some.status, 0);
	assert.deepEqual(some.err.trim().split('\n'), [`warning: tls: ${dir}/cert.pem is not for api.ghe.example.org`]);
	make('DNS:localhost,DNS:ghe.example.org,DNS:*.ghe.example.org');
	assert.equal((await check('', tls)).err, '');
	await broker.configure({ objects: right, settings });
});
