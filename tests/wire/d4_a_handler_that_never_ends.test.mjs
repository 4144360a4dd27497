// D4: one loop serves everybody, so a mistake in a handler must not keep it: after a second of running without a wait the request
// fails with a traceback in the log; what cannot even be interrupted ends the worker, and the master starts another.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Broker, eventually, root } from '../harness/broker.mjs';
import { Browser } from '../harness/browser.mjs';

// A broker whose style sheet is made by `mistake`.
async function brokerWith(t, mistake) {
	const lua = await mkdtemp(path.join(os.tmpdir(), 'tidelock-lua-'));
	t.after(() => rm(lua, { recursive: true, force: true }));
	await cp(path.join(root, 'lua'), lua, { recursive: true });
	const file = path.join(lua, 'portal/static.lua');
	await writeFile(file, (await readFile(file, 'utf8')).replace('function static.style(req)\n', (line) => `${line}\t${mistake}\n`));
	return Broker.start({ args: ['--lua', lua] });
}

test('D4_a_runaway_handler_is_answered_500_and_the_worker_lives', async (t) => {
	const broker = await brokerWith(t, 'while true do req.method = req.method end');
	const before = await broker.processes();
	const [runaway, other] = await Promise.all([new Browser(broker).get('/static/tidelock.css'), new Browser(broker).get('/healthz')]);
	assert.equal(runaway.status, 500);
	assert.equal(other.status, 200);
	assert.match(broker.log, /interrupted: it ran for a second.*static\.lua/);
	assert.deepEqual(await broker.processes(), before);
});

test('D4_a_worker_that_cannot_be_interrupted_ends_and_another_serves', async (t) => {
	const broker = await brokerWith(t, 'local _ = ("a"):rep(30):find(("a?"):rep(30) .. ("a"):rep(31))');
	await assert.rejects(new Browser(broker).get('/static/tidelock.css'));
	await eventually(() => broker.isReady(), 10);
	assert.equal((await new Browser(broker).get('/healthz')).status, 200);
	assert.match(broker.log, /cannot be interrupted/);
});
