// scripts.mjs: what conversion rules and scripts cost, and what a pattern that explodes costs its own request and others. Prints figures;
// decides nothing.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BenchBroker, note, perRequest, program, seconds, us, wrk } from './lib/measure.mjs';

if (!existsSync(program ?? '')) { console.error('TIDELOCK names the program to measure'); process.exit(2); }
const dir = mkdtempSync(path.join(os.tmpdir(), 'tidelock-bench-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

// ---- rules: the whole command with many claims, less the same with one ----

const ruleOf = (index) => ({ remote: [{ type: 'email' }, { type: 'groups', any_one_of: [`team-${index}`, 'staff'] }, { type: 'department', not_any_of: ['^guest', `x${index}`], regex: true }],
	local: [{ user: { name: 'fidp-{0}' } }, { group: { name: `group-${index}` } }] });
const FILES = 1000;
const claims = Array.from({ length: FILES }, (_, index) => {
	const file = path.join(dir, `c${index}.json`);
	writeFileSync(file, JSON.stringify({ email: `p${index}@example.org`, groups: index % 3 ? ['staff', `team-${index % 10}`] : [`team-${index % 10}`], department: index % 7 ? 'sales' : 'guests' }));
	return file;
});

function evaluation(count) {
	const file = path.join(dir, `r${count}.json`);
	writeFileSync(file, JSON.stringify(Array.from({ length: count }, (_, index) => ruleOf(index))));
	const run = (list) => {
		const from = performance.now();
		try { execFileSync(program, ['try', 'rules', file, '--claims', ...list], { stdio: 'pipe' }); } catch (error) { if (error.status !== 1) throw error; }
		return performance.now() - from;
	};
	const best = (list) => Math.min(run(list), run(list), run(list));
	const many = count > 100 ? claims.slice(0, 100) : claims;
	return (best(many) - best(claims.slice(0, 1))) * 1000 / (many.length - 1);
}

function rules() {
	const ten = evaluation(10);
	note('one evaluation, ten rules of three conditions', `${us(ten)} = ${Math.round(1e6 / ten)} a second`, '10,000 a second (with reading the claims and printing)');
	const hundred = evaluation(100), thousand = evaluation(1000);
	note('1,000 rules, beside 100', `${us(thousand)} = ${(thousand / hundred).toFixed(1)} x`, 'about 10 x');
}

// ---- scripts ----

const tokenOf = async (broker, name) => {
	const answer = await fetch(`${broker.url}/application/o/token/`, { method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', client_id: name, client_secret: 'secret-of-the-bench', scope: name === 'plain' ? 'openid' : `openid ${name}` }) });
	if (!answer.ok) throw new Error(await answer.text());
	return (await answer.json()).access_token;
};
const machine = (name, script) => `application "${name}" { client_id = "${name}", client_secret = "secret-of-the-bench", grant_types = { "client_credentials" }, scopes = { "openid"${script ? `, "${name}"` : ''} } }
${script ? `scope_mapping "${name}" { scope = "${name}", script = "${name}.lua" }` : ''}`;

const broker = await BenchBroker.start(program, {
	objects: [machine('plain'), machine('script', true), machine('regex', true), machine('pattern', true), machine('forever', true)].join('\n'),
	files: {
		'script.lua': 'return { role = "reader" }',
		'regex.lua': 'for i = 1, 1000 do pcall(regex_match, ("a"):rep(60) .. "!", "^(a+)+$") end\nreturn { role = "reader" }',
		'pattern.lua': 'return ("a"):rep(60):find(("a-"):rep(30) .. "b")',
		'forever.lua': 'while true do end',
	},
});
const userinfo = `${broker.url}/application/o/userinfo/`;
const bearer = async (name) => [`Authorization: Bearer ${await tokenOf(broker, name)}`];

async function jail() {
	const without = await bearer('plain'), with_ = await bearer('script');
	const one = () => perRequest(broker.child.pid, () => wrk(userinfo, without, { connections: 4, time: seconds / 2 }));
	const other = () => perRequest(broker.child.pid, () => wrk(userinfo, with_, { connections: 4, time: seconds / 2 }));
	const pairs = [];
	for (let round = 0; round < 3; round++) pairs.push(await other() - await one());
	note('a mapping through the jail (CPU of all processes)', us(pairs.sort((a, b) => a - b)[1]), 'at most 80 µs');
}

const timed = async (ask) => { const from = performance.now(); await (await ask()).text(); return performance.now() - from; };
const discovery = () => fetch(`${broker.url}/application/o/web/.well-known/openid-configuration`);
const middle = (list) => list.sort((a, b) => a - b)[list.length >> 1];

async function pathological(name, what) {
	const headers = { authorization: (await bearer(name))[0].split(': ')[1] };
	const own = [], others = [], quiet = [];
	for (let i = 0; i < 40; i++) quiet.push(await timed(discovery));
	for (let i = 0; i < 9; i++) {
		let done = false;
		const asked = timed(() => fetch(userinfo, { headers })).then((took) => { own.push(took); done = true; });
		while (!done) others.push(await timed(discovery));
		await asked;
	}
	note(what, `${middle(own).toFixed(0)} ms its own; others + ${(middle(others) - middle(quiet)).toFixed(2)} ms, worst ${Math.max(...others).toFixed(1)} ms`, 'at most 60 ms; 5 ms');
}

rules();
await jail();
await pathological('regex', 'a regular expression that explodes');
await pathological('pattern', 'a Lua pattern that explodes');
await pathological('forever', 'a script that never ends');
await broker.stop();
