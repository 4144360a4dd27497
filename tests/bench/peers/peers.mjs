// peers.mjs: other providers on this machine, started fresh for a benchmark. Each answers { name, pid, base, jwks, discovery, token,
// introspect, headers, sign_in?, stop }; what it lacks is undefined.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { freePort, eventually, root } from '../../harness/broker.mjs';
import { children } from '../lib/measure.mjs';

const secret = 'web-secret-0123456789';
export const headers = [`Authorization: Basic ${Buffer.from(`web:${secret}`).toString('base64')}`];

export async function oidcProvider() {
	const port = await freePort();
	const child = spawn(process.execPath, [path.join(root, 'tests/bench/peers/oidc_provider_server.mjs'), String(port)], { stdio: 'ignore', env: { ...process.env, NODE_ENV: 'production' } });
	children.add(child);
	const base = `http://127.0.0.1:${port}`;
	const discovery = `${base}/.well-known/openid-configuration`;
	await eventually(() => fetch(discovery).then((r) => r.ok), 20);
	return { name: 'oidc-provider', pid: child.pid, discovery, jwks: `${base}/jwks`, token: `${base}/token`, introspect: `${base}/token/introspection`, userinfo: `${base}/me`,
		authorize: `${base}/auth`, url: base, headers,
		bodies: { opaque: 'grant_type=client_credentials&scope=api', ES256: 'grant_type=client_credentials&scope=api&resource=urn:api:es256', RS256: 'grant_type=client_credentials&scope=api&resource=urn:api:rs256' },
		stop: () => child.kill('SIGKILL') };
}

const configuration = (dir, port) => `port=${port}
bind_address="127.0.0.1"
external_url="http://127.0.0.1:${port}"
login_url="login.html"
api_prefix="api"
static_files_path="/usr/share/glewlwyd/webapp/"
log_mode="file"
log_level="ERROR"
log_file="${dir}/log"
cookie_secure=0
session_expiration=2419200
session_key="GLEWLWYD2_SESSION_ID"
user_module_path="/usr/lib/glewlwyd/user"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
hash_algorithm="SHA512"
static_files_mime_types = ( { extension = ".html"; mime_type = "text/html"; } )
database = { type = "sqlite3"; path = "${dir}/glewlwyd.db"; };
`;

// Its administration API, as its own web page uses it.
async function provision(base, keys) {
	let cookie = '';
	const call = async (method, at, body) => {
		const answer = await fetch(base + at, { method, headers: { 'content-type': 'application/json', cookie }, body: body && JSON.stringify(body) });
		cookie = answer.headers.getSetCookie().map((text) => text.split(';')[0]).join('; ') || cookie;
		if (!answer.ok) throw new Error(`glewlwyd ${method} ${at}: ${answer.status} ${await answer.text()}`);
	};
	await call('POST', '/auth/', { username: 'admin', password: 'password' });
	for (const [name, type] of [['oidcrs', 'rsa'], ['oidces', 'ecdsa']]) {
		await call('POST', '/mod/plugin/', { module: 'oidc', name, display_name: name, enabled: true, parameters: {
			iss: `${base}/${name}`, 'jwt-type': type, 'jwt-key-size': '256', ...keys[type], 'code-duration': 600, 'refresh-token-duration': 1209600, 'access-token-duration': 3600, 'allow-non-oidc': true,
			'auth-type-client-enabled': true, 'auth-type-code-enabled': true, 'auth-type-refresh-enabled': true, 'auth-type-implicit-enabled': false, 'auth-type-password-enabled': false,
			'pkce-allowed': true, 'introspection-revocation-allowed': true, 'introspection-revocation-allow-target-client': true, 'refresh-token-rolling': false,
			'client-secret-parameter': 'client_secret', 'subject-type': 'public', 'name-claim': 'mandatory', 'email-claim': 'mandatory', 'session-management-allowed': false, 'prompt-continue-client-property': '' } });
	}
	await call('POST', '/scope/', { name: 'api', display_name: 'api', password_required: false });
	await call('POST', '/client/', { client_id: 'web', name: 'web', enabled: true, confidential: true, client_secret: secret, redirect_uri: ['https://web.example.org/callback'],
		authorization_type: ['code', 'client_credentials', 'refresh_token'], token_endpoint_auth_method: ['client_secret_basic', 'client_secret_post'], scope: ['api'] });
}

export async function glewlwyd() {
	if (!existsSync('/usr/bin/glewlwyd')) return undefined;
	const port = await freePort();
	const dir = mkdtempSync(path.join(os.tmpdir(), 'glewlwyd-'));
	const run = (...argv) => execFileSync(argv[0], argv.slice(1), { cwd: dir, stdio: ['pipe', 'pipe', 'ignore'] });
	execFileSync('sqlite3', [path.join(dir, 'glewlwyd.db')], { input: readFileSync('/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3') });
	run('openssl', 'genrsa', '-traditional', '-out', 'rsa.key', '2048');
	run('openssl', 'ecparam', '-genkey', '-name', 'prime256v1', '-noout', '-out', 'ecdsa.key');
	const keys = {};
	for (const type of ['rsa', 'ecdsa']) {
		keys[type] = { key: readFileSync(path.join(dir, `${type}.key`), 'utf8'), cert: run('openssl', 'pkey', '-in', `${type}.key`, '-pubout').toString() };
	}
	writeFileSync(path.join(dir, 'conf'), configuration(dir, port));
	const child = spawn('/usr/bin/glewlwyd', [`--config-file=${dir}/conf`], { stdio: 'ignore' });
	children.add(child);
	const base = `http://127.0.0.1:${port}`;
	await eventually(() => fetch(`${base}/config`).then((r) => r.ok), 10);
	await provision(`${base}/api`, keys);
	const of = (alg) => `${base}/api/oidc${alg}`;
	return { name: 'glewlwyd', pid: child.pid, discovery: `${of('es')}/.well-known/openid-configuration`, jwks: `${of('es')}/jwks`, introspect: `${of('es')}/introspect`, headers,
		token: (kind) => of(kind === 'RS256' ? 'rs' : 'es') + '/token',
		bodies: { ES256: 'grant_type=client_credentials&scope=api', RS256: 'grant_type=client_credentials&scope=api' },
		stop: () => { child.kill('SIGKILL'); rmSync(dir, { recursive: true, force: true }); } };
}
