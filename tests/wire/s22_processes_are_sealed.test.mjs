// S22, D3: what runs beside the master has no privileges, is filtered, holds no files of others, and comes back when it dies.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFile, readdir, readlink, stat } from 'node:fs/promises';
import path from 'node:path';
import { Broker, eventually, program } from '../harness/broker.mjs';
import { execFile } from 'node:child_process';

const sealed = !process.env.TIDELOCK_UNSEALED;

async function roles(broker) {
	const [, ...kids] = await broker.processes();
	const out = {};
	for (const pid of kids) {
		const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
		out[words.find((w) => w.startsWith('--role='))?.slice(7)] = pid;
	}
	return out;
}

const field = async (pid, name) => (await readFile(`/proc/${pid}/status`, 'utf8')).match(new RegExp(`^${name}:\\s*(\\S+)`, 'm'))?.[1];

test('worker and jail are filtered and without privileges', { skip: !sealed }, async () => {
	const broker = await Broker.start();
	const found = await eventually(async () => {
		const r = await roles(broker);
		return r.worker && r.jail && r;
	});
	for (const pid of [found.worker, found.jail]) {
		assert.equal(await eventually(() => field(pid, 'Seccomp')), '2');
		assert.equal(await field(pid, 'NoNewPrivs'), '1');
		assert.match(await field(pid, 'CapEff'), /^0+$/);
		assert.match(await field(pid, 'CapPrm'), /^0+$/);
		assert.match(await readFile(`/proc/${pid}/limits`, 'utf8'), /Max core file size\s+0\s+0/);
	}
});

test('no child holds what is the master\'s', { skip: process.getuid?.() !== 0 || !sealed }, async () => {
	const broker = await Broker.start();
	const found = await eventually(async () => {
		const r = await roles(broker);
		return r.jail && r;
	});
	const held = async (pid) => Promise.all((await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
	for (const pid of Object.values(found)) {
		const files = await held(pid);
		assert.ok(!files.some((f) => f.includes('/lock') || f.includes('tidelock.lua') || f.includes('signalfd')), files.join());
		assert.ok((await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0').every((e) => !e || /SAN_OPTIONS=/.test(e)));
	}
	assert.ok(!(await held(found.jail)).some((f) => f.startsWith(broker.dir)));
});

test('a worker that dies comes back, and so does a jail', async () => {
	const broker = await Broker.start({ atRest: false });
	const first = await eventually(async () => (await roles(broker)).worker);
	process.kill(first, 'SIGKILL');
	await eventually(async () => {
		const again = (await roles(broker)).worker;
		return again && again !== first && (await broker.isReady());
	});
	assert.match(broker.log, /the worker was ended by signal 9/);
});

test('files of the data folder are the owner\'s alone', async () => {
	const broker = await Broker.start();
	const data = path.join(broker.dir, 'data');
	assert.equal((await stat(data)).mode & 0o777, 0o700);
	for (const name of ['master.key', 'tidelock.db', 'lock', 'control.sock']) {
		assert.equal((await stat(path.join(data, name))).mode & 0o777, 0o600, name);
	}
});

test('one data folder, one broker', async () => {
	const broker = await Broker.start();
	const second = await new Promise((resolve) => {
		execFile(program, ['serve', '-c', broker.file, ...(sealed ? [] : ['--unsealed'])], (error, out, err) => resolve({ status: error?.code, err }));
	});
	assert.equal(second.status, 1);
	assert.match(second.err, new RegExp(`is in use by another tidelock \\(process ${broker.child.pid}\\)`));
});

test('a database without its key is not started on', async () => {
	const broker = await Broker.start();
	await broker.stop();
	const { unlink } = await import('node:fs/promises');
	await unlink(path.join(broker.dir, 'data', 'master.key'));
	const again = await new Promise((resolve) => {
		execFile(program, ['serve', '-c', broker.file, ...(sealed ? [] : ['--unsealed'])], (error, out, err) => resolve({ status: error?.code, err }));
	});
	assert.equal(again.status, 1);
	assert.match(again.err, /master\.key is missing/);
});
