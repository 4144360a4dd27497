// D5: what was acknowledged is there after any end; a damaged database is refused, kept, and explained.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Broker, configuration, eventually, freePort, program } from '../harness/broker.mjs';
import { Browser, obtainCode, obtainTokens, redirectUri, tokenRequest } from '../harness/browser.mjs';

const refresh = (broker, refresh_token) => tokenRequest(broker, 'web', { grant_type: 'refresh_token', refresh_token });
const offline = { scope: 'openid offline_access' };
const sealed = !process.env.TIDELOCK_UNSEALED;
const database = (broker) => path.join(broker.dir, 'data', 'tidelock.db');
const serveOnce = (broker) => new Promise((resolve) => {
	execFile(program, ['serve', '-c', broker.file, ...(sealed ? [] : ['--unsealed'])], { timeout: 10_000 }, (error, out, err) => resolve({ status: error ? error.code : 0, err }));
});

test('kill_9_under_load_loses_nothing_that_was_answered (security_cases_12)', async () => {
	const broker = await Broker.start({ atRest: false });
	const lines = [];
	const { browser } = await obtainTokens(broker);
	for (let i = 0; i < 4; i++) lines.push((await obtainTokens(broker, offline, { browser })).refresh_token);
	for (let round = 0; round < 3; round++) {
		let killed = false;
		const spent = [];
		// Each line is refreshed again and again; `lines[i]` is always the last token that was answered.
		const load = lines.map(async (_, i) => {
			while (!killed) {
				const answer = await refresh(broker, lines[i]).catch(() => null);
				if (answer?.status !== 200) continue;
				spent[i] = lines[i];
				lines[i] = answer.json.refresh_token;
			}
		});
		const codes = [];
		const redeeming = (async () => {
			while (!killed) {
				const got = await obtainCode(broker, {}, { browser }).catch(() => null);
				const form = got && { grant_type: 'authorization_code', code: got.code, redirect_uri: redirectUri.web, code_verifier: got.verifier };
				const answer = form && (await tokenRequest(broker, 'web', form).catch(() => null));
				if (answer?.status === 200) codes.push(form);
			}
		})();
		await new Promise((r) => setTimeout(r, 150 + 170 * round));
		await broker.killHard();
		killed = true;
		await Promise.all([...load, redeeming]);
		await broker.serve();
		assert.match(broker.log, /was not closed; checking it/);
		for (let i = 0; i < lines.length; i++) {
			const answer = await refresh(broker, lines[i]);
			assert.equal(answer.status, 200, `round ${round}, line ${i}: ${answer.text}`);
			lines[i] = answer.json.refresh_token;
		}
		assert.equal((await browser.get('/')).status, 200, 'the session is there');
		for (const form of codes) assert.equal((await tokenRequest(broker, 'web', form)).json.error, 'invalid_grant', 'a used code stays used');
	}
});

test('a_killed_worker_comes_back_and_acknowledged_work_is_there', async () => {
	const broker = await Broker.start({ atRest: false });
	const got = await obtainTokens(broker, offline);
	const worker = async () => {
		for (const pid of (await broker.processes()).slice(1)) if ((await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes('--role=worker')) return pid;
		return null;
	};
	const { refresh_token } = (await refresh(broker, got.refresh_token)).json;
	const first = await worker();
	process.kill(first, 'SIGKILL');
	await eventually(async () => (await worker()) !== first && (await broker.isReady()));
	assert.equal((await refresh(broker, refresh_token)).status, 200);
	assert.equal((await got.browser.get('/')).status, 200);
});

async function damaged(broker, harm) {
	const file = await open(database(broker), 'r+');
	await harm(file, (await file.stat()).size);
	await file.close();
	const before = await readFile(database(broker));
	const answer = await serveOnce(broker);
	assert.equal(answer.status, 1, answer.err);
	assert.match(answer.err, /tidelock\.db/);
	assert.match(answer.err, /damaged|not a Tidelock database/);
	assert.match(answer.err, /copy/, 'it says how to go on');
	assert.doesNotMatch(answer.err, /tidelock restore/, 'and names nothing that is not there');
	assert.deepEqual(await readFile(database(broker)), before, 'the file is kept as it is');
	const command = await broker.command('user', 'list');
	assert.equal(command.status, 1);
	assert.match(command.err, /damaged|not a Tidelock database/);
}

test('a_damaged_database_is_refused_kept_and_explained', async () => {
	const broker = await Broker.start();
	await obtainTokens(broker, offline);
	await broker.stop();
	const good = await readFile(database(broker));
	const noise = Buffer.alloc(4096, 0xa5);
	await damaged(broker, (file) => file.write(noise, 0, 4096, 0));
	await writeFile(database(broker), good);
	await damaged(broker, async (file, size) => { for (let at = 4096; at < size; at += 3 * 4096) await file.write(noise, 0, 4096, at); });
	await writeFile(database(broker), good);
	await damaged(broker, (file, size) => file.write(noise, 0, 4096, Math.floor(size / 8192) * 4096));
	await writeFile(database(broker), good);
	await damaged(broker, (file) => file.truncate(8192));
	await writeFile(database(broker), 'this is a letter, not a database\n'.repeat(300));
	await damaged(broker, () => {});
	await writeFile(database(broker), good);
	await broker.serve();
	assert.equal((await new Browser(broker).get('/healthz')).status, 200);
});

test('a_broken_master_key_is_named', async () => {
	const broker = await Broker.start();
	await broker.stop();
	await writeFile(path.join(broker.dir, 'data', 'master.key'), Buffer.alloc(31));
	const answer = await serveOnce(broker);
	assert.equal(answer.status, 1);
	assert.match(answer.err, /master\.key/);
});

test('a_real_disk_that_is_full_refuses_writes_and_lets_people_leave', { skip: process.getuid() !== 0 }, async (t) => {
	const broker = new Broker();
	const dir = await mkdtemp(path.join(os.tmpdir(), 'tidelock-'));
	const data = path.join(dir, 'data');
	await mkdir(data);
	const run = promisify(execFile);
	try {
		await run('mount', ['-t', 'tmpfs', '-o', 'size=6m,mode=0700', 'tmpfs', data]);
	} catch {
		t.skip('no file system can be mounted here');
		return;
	}
	Object.assign(broker, { options: {}, dir, port: await freePort() });
	await writeFile(broker.file, configuration({ port: broker.port, dir }));
	try {
		await broker.serve();
		const got = await obtainTokens(broker, offline);
		const filler = path.join(data, 'filler');
		await run('sh', ['-c', `dd if=/dev/zero of=${filler} bs=4096 2>/dev/null; true`]);
		const tried = await eventually(async () => { const answer = await refresh(broker, got.refresh_token); return answer.status === 503 && answer; });
		assert.equal(tried.json.error, 'temporarily_unavailable');
		const info = () => new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${got.access_token}` } });
		assert.equal((await info()).status, 200, 'reads go on');
		const out = await got.browser.submit(await got.browser.get('/signout'), {}, 'signout');
		assert.equal(out.page.status, 200, out.page.text);
		assert.equal((await got.browser.get('/')).status, 302, 'people can leave');
		const disabled = await broker.command('user', 'disable', 'alice');
		assert.equal(disabled.status, 0, disabled.err);
		assert.equal((await info()).status, 401, 'and be locked out');
		await run('rm', [filler]);
		await eventually(async () => (await refresh(broker, got.refresh_token)).json.error === 'invalid_grant');
		const bob = await eventually(() => obtainTokens(broker, offline, { username: 'bob', password: 'builder-bob' }), 10);
		assert.equal((await refresh(broker, bob.refresh_token)).status, 200);
		await eventually(async () => (await broker.events('--kind', 'disk_full')).length > 0);
		await broker.stop();
		await broker.serve();
		assert.equal((await refresh(broker, bob.refresh_token)).status, 200);
	} finally {
		await broker.stop();
		await run('umount', ['-l', data]);
		await broker.end();
	}
});
