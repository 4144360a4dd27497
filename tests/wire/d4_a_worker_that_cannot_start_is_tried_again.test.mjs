// D4: the worker died, and the next one cannot start at once (a disk that is away for a moment): the master goes on trying.
import { test } from 'node:test';
import { existsSync, mkdirSync, readFileSync, renameSync, rmdirSync } from 'node:fs';
import { Broker, eventually } from '../harness/broker.mjs';

const within = (promise, ms) => Promise.race([promise, new Promise((resolve) => setTimeout(resolve, ms, false))]);

test('D4_a_worker_that_cannot_start_again_is_tried_until_it_can', async () => {
	const broker = await Broker.start();
	const data = `${broker.dir}/data`;
	const move = (from, to) => {
		for (const end of ['', '-wal', '-shm']) if (existsSync(`${data}/${from}${end}`)) renameSync(`${data}/${from}${end}`, `${data}/${to}${end}`);
	};
	const worker = (await broker.processes()).find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--role=worker'));
	move('tidelock.db', 'aside');
	mkdirSync(`${data}/tidelock.db`);
	process.kill(worker, 'SIGKILL');
	await eventually(() => /cannot start: .*tidelock\.db/.test(broker.log));
	rmdirSync(`${data}/tidelock.db`);
	move('aside', 'tidelock.db');
	await eventually(() => within(broker.isReady(), 200), 10);
});
