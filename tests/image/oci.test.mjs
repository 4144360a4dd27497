// The container image, unpacked as a container engine would and started as its configuration says: nothing but one program, no
// shell, no /proc, a numeric user, and a person who signs in.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { eventually, freePort, root } from '../harness/broker.mjs';
import { Browser, claimsOf, authorizeUrl, basic, pkce } from '../harness/browser.mjs';

const image = path.join(root, 'build/image/tidelock-amd64-oci.tar');
const isRoot = process.getuid() === 0;

function unpack() {
	const dir = mkdtempSync(path.join(os.tmpdir(), 'tidelock-image-'));
	after(() => rmSync(dir, { recursive: true, force: true }));
	mkdirSync(`${dir}/oci`);
	execFileSync('tar', ['-xf', image, '-C', `${dir}/oci`]);
	const index = JSON.parse(readFileSync(`${dir}/oci/index.json`));
	const tag = index.manifests[0].annotations['org.opencontainers.image.ref.name'];
	execFileSync('umoci', ['unpack', ...(isRoot ? [] : ['--rootless']), '--image', `${dir}/oci:${tag}`, `${dir}/bundle`], { stdio: 'pipe' });
	return { dir, rootfs: `${dir}/bundle/rootfs`, spec: JSON.parse(readFileSync(`${dir}/bundle/config.json`)) };
}

function filesBelow(dir, at = '') {
	return readdirSync(path.join(dir, at), { withFileTypes: true }).flatMap((entry) => {
		const name = path.join(at, entry.name);
		return entry.isDirectory() ? filesBelow(dir, name) : [name];
	});
}

test('the_image_is_small_and_holds_one_program_and_no_shell', () => {
	assert.ok(statSync(image).size <= 2 * 1024 * 1024, `${statSync(image).size} bytes`);
	const { rootfs, spec } = unpack();
	const executables = filesBelow(rootfs).filter((name) => statSync(path.join(rootfs, name)).mode & 0o111);
	assert.deepEqual(executables, ['usr/bin/tidelock']);
	assert.deepEqual(spec.process.args, ['/usr/bin/tidelock', 'serve']);
	assert.equal(spec.process.user.uid, 65532);
});

test('a_person_signs_in_at_the_unpacked_image', async () => {
	const { rootfs, spec } = unpack();
	const port = await freePort();
	mkdirSync(`${rootfs}/data/conf.d`);
	writeFileSync(`${rootfs}/data/conf.d/people.lua`, `user "alice" { name = "Alice", email = "alice@example.org", password = "wonderland" }
application "web" { name = "Web", client_id = "web", client_secret = "web-secret", redirect_uris = { "https://web.example.org/callback" },
	scopes = { "openid", "profile" }, consent = "implicit" }
`);
	const env = { ...Object.fromEntries(spec.process.env.map((one) => one.split(/=(.*)/s).slice(0, 2))), TIDELOCK_PUBLIC_URL: `https://localhost:${port}`,
		TIDELOCK_LISTEN: `https://127.0.0.1:${port}` };
	const { uid, gid } = spec.process.user;
	let command = ['chroot', [`--userspec=${uid}:${gid}`, rootfs, ...spec.process.args]];
	if (isRoot) for (const name of ['data', 'data/conf.d', 'data/conf.d/people.lua']) chownSync(path.join(rootfs, name), uid, gid);
	else command = ['unshare', [`--map-user=${uid}`, `--map-group=${gid}`, `--root=${rootfs}`, ...spec.process.args]];
	const child = spawn(...command, { env: { ...env, PATH: `${env.PATH}:${process.env.PATH}` }, stdio: ['ignore', 'pipe', 'pipe'] });
	let log = '';
	for (const out of [child.stdout, child.stderr]) out.on('data', (chunk) => { log += chunk; });
	const gone = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
	after(() => child.kill('SIGKILL'));
	const broker = { url: `https://localhost:${port}`, caFile: `${rootfs}/data/lab-ca.pem` };
	await eventually(() => existsSync(broker.caFile) && new Browser(broker).get('/readyz').then((answer) => answer.status === 200), 15)
		.catch((error) => { throw new Error(log, { cause: error }); });

	const browser = new Browser(broker);
	const { verifier, challenge } = pkce();
	let at = await browser.open(authorizeUrl(broker, { code_challenge: challenge, code_challenge_method: 'S256' }));
	at = await browser.signIn(at.page);
	const answer = await browser.post('/application/o/token/', { grant_type: 'authorization_code', code: at.away.searchParams.get('code'),
		redirect_uri: 'https://web.example.org/callback', code_verifier: verifier }, { headers: basic('web') });
	assert.equal(answer.status, 200, answer.text);
	assert.equal(claimsOf(answer.json.id_token).preferred_username, 'alice');
	child.kill('SIGTERM');
	assert.equal(await gone, 0, log);
});
