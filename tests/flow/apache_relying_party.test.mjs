// Debian's mod_auth_openidc behind Apache signs a person in: a relying party nobody here wrote.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, writeFileSync, readFileSync, existsSync, rmSync, chmodSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { Broker, eventually, freePort, program } from '../harness/broker.mjs';
import { Browser, formOf } from '../harness/browser.mjs';

const modules = '/usr/lib/apache2/modules';
const load = (...names) => names.map((name) => `LoadModule ${name}_module ${modules}/mod_${name}.so`).join('\n');

const code = 'OIDCClientSecret apache-secret\nOIDCPKCEMethod S256';
const idToken = 'OIDCResponseType id_token\nOIDCResponseMode form_post';

function apacheConfiguration({ dir, port, broker, how }) {
	return `ServerName 127.0.0.1
ServerRoot ${dir}
PidFile ${dir}/httpd.pid
Listen 127.0.0.1:${port}
ErrorLog ${dir}/error.log
LogLevel warn auth_openidc:info
DocumentRoot ${dir}/htdocs
${load('mpm_event', 'authz_core', 'authz_user', 'authn_core', 'alias', 'dir', 'mime', 'headers', 'cgid')}
LoadModule auth_openidc_module ${modules}/mod_auth_openidc.so
TypesConfig /etc/mime.types
ScriptSock ${dir}/cgid.sock
OIDCProviderMetadataURL ${broker.issuer('apache')}.well-known/openid-configuration
OIDCCABundlePath ${broker.caFile}
OIDCClientID apache
${how}
OIDCRedirectURI http://127.0.0.1:${port}/protected/callback
OIDCScope "openid profile email groups"
OIDCCryptoPassphrase a-passphrase-of-this-test
OIDCRemoteUserClaim preferred_username
OIDCCacheShmMax 50
OIDCPassClaimsAs environment
ScriptAlias /protected/who ${dir}/who.sh
<Location /protected>
	AuthType openid-connect
	Require valid-user
</Location>
<Location /protected/staff>
	AuthType openid-connect
	Require claim groups:staff
</Location>
<Directory ${dir}>
	Require all granted
	Options +ExecCGI
</Directory>
`;
}

// A browser over two sites with one jar for each, as the person's own would do.
class TwoSites {
	constructor(broker) {
		this.broker = new Browser(broker);
		this.jar = new Map();
	}
	site(url, form) {
		const body = form && new URLSearchParams(form).toString();
		return new Promise((resolve, reject) => {
			const cookie = [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ');
			http.request(url, { method: body ? 'POST' : 'GET', agent: false, headers: { cookie, accept: 'text/html', 'user-agent': 'test', ...(body ? { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length } : {}) } }, (response) => {
				let text = '';
				response.on('data', (chunk) => { text += chunk; });
				response.on('end', () => {
					for (const line of response.headers['set-cookie'] ?? []) {
						const [name, ...value] = line.split(';')[0].split('=');
						value.join('=') === '' ? this.jar.delete(name) : this.jar.set(name, value.join('='));
					}
					resolve({ status: response.statusCode, headers: response.headers, text });
				});
			}).on('error', reject).end(body);
		});
	}
	async visit(url, password) {
		let form;
		for (let hops = 0; hops < 12; hops++) {
			const here = await this.site(url, form);
			form = undefined;
			if (!here.headers.location) return here;
			const next = new URL(here.headers.location, url);
			if (next.port !== new URL(url).port) {
				let at = await this.broker.open(next.href);
				if (at.page && /id="signin"/.test(at.page.text)) at = await this.broker.signIn(at.page, ...password);
				if (at.away) url = at.away.href;
				else ({ action: url, fields: form } = formOf(at.page.text, 'form-post'));
			} else url = next.href;
		}
		throw new Error('redirected in a circle');
	}
}

async function signsIn(how, settings) {
	const port = await freePort();
	const objects = `application "apache" { name = "Apache", client_id = "apache", ${settings},
		logout_uri = "http://127.0.0.1:${port}/protected/callback?logout=backchannel", post_logout_redirect_uris = { "http://127.0.0.1:${port}/left" },
		redirect_uris = { "http://127.0.0.1:${port}/protected/callback" }, scopes = { "openid", "profile", "email", "groups" }, consent = "implicit" }`;
	const broker = await Broker.start({ tls: true, objects, settings: 'outgoing = { allow = { "127.0.0.1" } }' });
	const dir = mkdtempSync(path.join(os.tmpdir(), 'apache-'));
	mkdirSync(path.join(dir, 'htdocs/protected/staff'), { recursive: true });
	writeFileSync(path.join(dir, 'htdocs/protected/staff/index.html'), 'for staff');
	writeFileSync(path.join(dir, 'who.sh'), '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n%s %s %s" "$REMOTE_USER" "$OIDC_CLAIM_email" "$OIDC_CLAIM_groups"\n');
	chmodSync(path.join(dir, 'who.sh'), 0o755);
	chmodSync(dir, 0o755);
	const file = path.join(dir, 'apache.conf');
	writeFileSync(file, apacheConfiguration({ dir, port, broker, how }));
	// Apache drops root: what it must read of the broker's is copied for it.
	const ca = path.join(dir, 'ca.pem');
	writeFileSync(ca, readFileSync(broker.caFile), { mode: 0o644 });
	writeFileSync(file, readFileSync(file, 'utf8').replace(broker.caFile, ca) + (process.getuid() === 0 ? 'User www-data\nGroup www-data\n' : ''));
	if (process.getuid() === 0) chmodSync(dir, 0o777);
	const apache = spawn('/usr/sbin/apache2', ['-f', file, '-D', 'FOREGROUND'], { stdio: 'pipe' });
	after(() => { apache.kill('SIGTERM'); rmSync(dir, { recursive: true, force: true }); });
	const log = () => (existsSync(`${dir}/error.log`) ? readFileSync(`${dir}/error.log`, 'utf8') : '');
	const alice = new TwoSites(broker);
	await eventually(() => alice.site(`http://127.0.0.1:${port}/`), 10);

	const who = await alice.visit(`http://127.0.0.1:${port}/protected/who`, ['alice', 'wonderland']);
	assert.equal(who.status, 200, log());
	assert.match(who.text, /^alice alice@example\.org .*staff/);
	const staff = await alice.visit(`http://127.0.0.1:${port}/protected/staff/index.html`);
	assert.equal(staff.status, 200, log());
	assert.equal(staff.text, 'for staff');

	const bob = new TwoSites(broker);
	const refused = await bob.visit(`http://127.0.0.1:${port}/protected/staff/index.html`, ['bob', 'builder-bob']);
	assert.ok([401, 403].includes(refused.status), `bob got ${refused.status}`);
	return { broker, alice, at: `http://127.0.0.1:${port}`, log };
}

test('apache_with_mod_auth_openidc_signs_alice_in_and_reads_her_groups_and_signs_her_out_both_ways', async () => {
	const { broker, alice, at, log } = await signsIn(code, 'client_secret = "apache-secret"');
	const isIn = async () => (await alice.site(`${at}/protected/who`)).status === 200;
	assert.ok(await isIn());
	// She signs out at the broker; Apache hears of it by the back channel.
	await alice.broker.submit(await alice.broker.get('/signout'), {}, 'signout');
	await eventually(async () => (await broker.events('--kind', 'logout_told')).length === 1).catch(async () => assert.fail(JSON.stringify(await broker.events()) + log()));
	assert.ok(!(await isIn()), log());
	// She signs out at Apache, which sends her to the broker with its ID token, and comes back.
	assert.equal((await alice.visit(`${at}/protected/who`, ['alice', 'wonderland'])).status, 200);
	const leaving = await alice.site(`${at}/protected/callback?logout=${encodeURIComponent(`${at}/left`)}`);
	const asked = new URL(leaving.headers.location);
	assert.equal(asked.origin + asked.pathname, `${broker.issuer('apache')}end-session/`);
	assert.ok(asked.searchParams.get('id_token_hint'), leaving.headers.location);
	const { away } = await alice.broker.open(asked.href);
	assert.equal(away?.href, `${at}/left`);
	assert.equal((await alice.broker.get('/')).status, 302);
	assert.ok(!(await isIn()));
});

// A public client that gets an ID token by form_post and nothing else: no secret, no PKCE, no userinfo.
// Keystone's own engine then decides who she is there, and `tidelock try rules` says the same of the same claims.
const mapping = { rules: [
	{ remote: [{ type: 'OIDC_CLAIM_email' }, { type: 'OIDC_CLAIM_groups', any_one_of: ['^st.ff$'], regex: true }],
		local: [{ user: { name: 'fidp-{0}' } }, { group: { name: 'ecs-admin', domain: { id: 'acme' } } }] },
	{ remote: [{ type: 'OIDC_CLAIM_groups', blacklist: ['staff'] }], local: [{ groups: '{0}', domain: { id: 'acme' } }] },
	{ remote: [{ type: 'OIDC_CLAIM_phone_number' }], local: [{ group: { id: 'never' } }] }] };

function keystoneOf(assertion) {
	const told = spawnSync('/usr/bin/python3', [path.join(import.meta.dirname, 'keystone_engine.py')], { input: JSON.stringify([{ rules: mapping.rules, assertion }]), encoding: 'utf8' });
	assert.equal(told.status, 0, told.stderr);
	return JSON.parse(told.stdout.trim().split('\n').at(-1))[0];
}

test('apache_with_mod_auth_openidc_takes_an_id_token_by_form_post_and_keystones_engine_knows_her', async () => {
	const { alice, at, log } = await signsIn(`${idToken}\nOIDCClaimDelimiter ;`, 'client_type = "public", response_types = { "id_token" }, id_token_claims = { "groups" }');
	const [, email, groups] = (await alice.site(`${at}/protected/who`)).text.split(' ');
	const assertion = { OIDC_CLAIM_email: email, OIDC_CLAIM_groups: groups };
	const theirs = keystoneOf(assertion);
	assert.deepEqual(theirs.user, { name: 'fidp-alice@example.org', type: 'ephemeral' }, log());
	assert.deepEqual(theirs.group_names.map((group) => group.name), ['ecs-admin']);
	const dir = mkdtempSync(path.join(os.tmpdir(), 'rules-'));
	after(() => rmSync(dir, { recursive: true }));
	writeFileSync(`${dir}/rules.json`, JSON.stringify(mapping));
	writeFileSync(`${dir}/claims.json`, JSON.stringify(assertion));
	const ours = spawnSync(program, ['try', 'rules', `${dir}/rules.json`, '--claims', `${dir}/claims.json`, '--dialect', 'keystone', '--json'], { encoding: 'utf8' });
	assert.deepEqual(JSON.parse(ours.stdout), { user: theirs.user, group_ids: theirs.group_ids, group_names: theirs.group_names, projects: theirs.projects });
	assert.deepEqual(keystoneOf({ OIDC_CLAIM_email: 'bob@example.org' }), { error: 'ValidationError' });
});
