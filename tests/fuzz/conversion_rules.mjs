// Conversion rules against Keystone's own engine (Debian's python3-keystone; skipped without it): rules and assertions at random, for
// FUZZ_SECONDS. Both answer the same, but for many values in one place, which we refuse (facts 11.1), and what is no bad answer there: an
// error on its side is a refusal here. FUZZ_SEED repeats a run.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const program = process.env.TIDELOCK;
const engine = path.join(import.meta.dirname, '../flow/keystone_engine.py');
const seconds = Number(process.env.FUZZ_SECONDS ?? 60);
const first = Number(process.env.FUZZ_SEED ?? Date.now() % 1e6);
if (spawnSync('/usr/bin/python3', ['-c', 'import keystone.federation.utils'], { stdio: 'ignore' }).status !== 0) {
	console.log('skipped conversion_rules: python3-keystone is not installed');
	process.exit(0);
}

let seed = first;
const random = (n) => { seed = (Math.imul(seed, 1103515245) + 12345) >>> 0; return (seed >>> 16) % n; };
const oneOf = (list) => list[random(list.length)];
const some = (most, make) => Array.from({ length: random(most) + 1 }, make);
const ATTRIBUTES = ['u', 'g', 'm', 't'];
const VALUES = ['a', 'b', 'ops', 'dev', 'x;y', 'a;b;c', '', 'äö', 'A', 'a b', '(a)', 'ops;dev', 'a;a', ';', 'aé\n', '0'];
const PATTERNS = ['a', 'b', '^o', '.*', 'dev$', 'x', '^$', '[ab]', 'A', '(?i)a', '\\w+', 'o?ps', '\\d', '(a|b)+', '^.{2}$', 'a(?!b)'];
const TEXTS = ['{0}', '{0}', 'x-{0}', 'lit', 'lit', 'a{0}b', '{1}', '{{0}}', ''];
function remote() {
	const entry = { type: oneOf(ATTRIBUTES) };
	const kind = oneOf(['', '', 'any_one_of', 'not_any_of', 'whitelist', 'blacklist']);
	if (kind === '') return entry;
	const regex = random(5) < 2;
	entry[kind] = Array.from({ length: random(4) }, () => oneOf(regex ? PATTERNS : [...VALUES, 'a', 'b', 'ops', 'dev']));
	return regex ? { ...entry, regex } : entry;
}
function local() {
	const out = {};
	if (random(2)) out.user = { name: oneOf(TEXTS) };
	if (random(3) === 0) out.group = random(2) ? { id: oneOf(TEXTS) } : { name: oneOf(TEXTS), domain: { id: 'd1' } };
	if (random(3) === 0) Object.assign(out, { groups: oneOf(['{0}', '{1}', 'one', '["p","q"]', "['p']", 'x{0}']), domain: { id: 'd1' } });
	if (random(5) === 0) out.group_ids = oneOf(['{0}', '{1}', 'i1', "['i1','i2']"]);
	return out;
}
const assertion = () => Object.fromEntries(ATTRIBUTES.filter(() => random(7) > 0).map((name) => [name, oneOf(VALUES)]));

const dir = mkdtempSync(path.join(os.tmpdir(), 'tidelock-fuzz-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
// What {0} holds in data may look like a list to it (facts 11.3); of lists, groups count as sets.
const told = ({ user, group_ids, group_names }) => JSON.stringify([user, [...new Set(group_ids)].sort(), [...new Set(group_names.map((group) => JSON.stringify([group.name, group.domain.id])))].sort()]);
const sorted = (user) => Object.fromEntries(Object.entries(user).sort());
const counts = { same: 0, refused_by_both: 0, many_values: 0 };

function batch() {
	const rules = some(3, () => ({ remote: some(3, remote), local: some(3, local) }));
	const assertions = some(30, assertion);
	writeFileSync(path.join(dir, 'rules.json'), JSON.stringify({ rules }));
	const files = assertions.map((each, index) => { const file = path.join(dir, `${index}.json`); writeFileSync(file, JSON.stringify(each)); return file; });
	const ours = JSON.parse(spawnSync(program, ['try', 'rules', path.join(dir, 'rules.json'), '--dialect', 'keystone', '--json', '--claims', ...files], { encoding: 'utf8' }).stdout);
	return assertions.map((each, index) => ({ rules, assertion: each, ours: assertions.length === 1 ? ours : ours[index] }));
}

function judge({ rules, assertion: given, ours }, theirs) {
	if (theirs.error) {
		if (!ours.error) return 'Keystone refuses';
		counts.refused_by_both++;
	} else if (ours.error) {
		if (ours.error.reason !== 'many_values') return `we refuse: ${ours.error.reason}`;
		counts.many_values++;
	} else {
		for (const side of [ours, theirs]) side.user = sorted(side.user);
		if (told(ours) !== told(theirs)) return 'they differ';
		counts.same++;
	}
	return null;
}

for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
	const cases = Array.from({ length: 40 }, batch).flat();
	const engineSays = spawnSync('/usr/bin/python3', [engine], { input: JSON.stringify(cases.map(({ rules, assertion: given }) => ({ rules, assertion: given }))), encoding: 'utf8', maxBuffer: 1e8, env: { ...process.env, PYTHONWARNINGS: 'ignore' } });
	const answers = JSON.parse(engineSays.stdout.trim().split('\n').pop());
	for (const [index, each] of cases.entries()) {
		const wrong = judge(each, answers[index]);
		if (!wrong) continue;
		console.log(`FAILED  conversion_rules (FUZZ_SEED=${first}): ${wrong}\n  ${JSON.stringify(each)}\n  Keystone: ${JSON.stringify(answers[index])}`);
		process.exit(1);
	}
}
console.log(`ok      conversion_rules (FUZZ_SEED=${first}): ${counts.same} answered the same, ${counts.refused_by_both} refused by both, ${counts.many_values} with many values in one place`);
