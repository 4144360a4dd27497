// conversation.mjs: a foreign client in its own language, asked by a line of JSON and answering by one.
import { after } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import readline from 'node:readline';

// ask(value) → what it answers. The program ends with the test file; what it said on standard error is the failure's message.
export function conversation(program, args, env = {}) {
	const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
	after(() => { child.kill(); });
	let complaint = '';
	child.stderr.on('data', (chunk) => { complaint += chunk; });
	child.stdin.on('error', () => {});
	const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	return async (value) => {
		child.stdin.write(`${JSON.stringify(value)}\n`);
		const { value: line, done } = await lines.next();
		assert.ok(!done, complaint);
		return JSON.parse(line);
	};
}
