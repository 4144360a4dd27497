// facts of authentik's expressions (8.3, 8.4): every line of Lua in etc/mappings/README.md gives what stands beside it, and the annotations
// in etc/mappings/tidelock.d.lua name exactly what scripts have.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker, root } from '../harness/broker.mjs';

const host = http.createServer((request, response) => response.end(JSON.stringify({ on_duty: true })));
await new Promise((resolve) => host.listen(0, '127.0.0.1', resolve));
after(() => { host.closeAllConnections(); host.close(); });

const page = (await readFile(path.join(root, 'etc/mappings/README.md'), 'utf8')).replaceAll('https://hr.example.org', `http://127.0.0.1:${host.address().port}`);
const annotations = await readFile(path.join(root, 'etc/mappings/tidelock.d.lua'), 'utf8');

// { section: [{ lua, gives }] }: rows of tables and blocks.
const examples = {};
for (const part of page.split(/^## /m).slice(1)) {
	const rows = part.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| Python')).map((line) => {
		const [, , lua, gives] = line.split(/(?<!\\) \| |^\| | \|$/);
		return { lua: lua.replace(/^`|`$/g, ''), gives: gives === 'nothing' ? undefined : JSON.parse(gives.replace(/^`|`$/g, '')) };
	});
	const blocks = [...part.matchAll(/```lua\n-- gives (.*)\n([^]*?)```/g)].map(([, gives, lua]) => ({ lua, gives: JSON.parse(gives) }));
	examples[part.split('\n')[0]] = [...rows, ...blocks];
}
const chunk = (lua) => (/\breturn\b/.test(lua) ? lua : `return ${lua}`);
const together = (list) => `local out = {}\n${list.map(({ lua }, index) => `out.r${index} = (function()\n${chunk(lua)}\nend)()`).join('\n')}\nreturn out`;
const policies = examples['In policies'];
const sourceRows = examples['In mappings of a source'];
const mappingRows = [...examples['What a script sees'], ...examples.Helpers, ...examples['Whole mappings']];
const may = `may = { users = true, http = { "127.0.0.1" }, tokens_for = { "grafana" }, sign = true, dns = true }`;
const halves = [mappingRows.slice(0, 40), mappingRows.slice(40)];

const globals = `local names = {}
for name in pairs(_ENV) do names[#names + 1] = name end
local function of(value) local out = {} for name in pairs(value) do out[#out + 1] = name end table.sort(out) return out end
table.sort(names)
return { globals = names, user = of(user), group = of(user.all_groups[1]), application = of(application), provider = of(provider), token = of(token), session = of(session),
	request = of(request), http_request = of(http_request), http = of(http), json = of(json), log = of(log), ip = of(ip), base64 = of(base64), math = of(math), string = of(string), table = of(table), utf8 = of(utf8) }`;

const broker = await Broker.start({
	objects: `group "everyone" { attributes = { theme = "dark", tags = { "group" } } }
group "app-core" { parents = { "everyone" }, attributes = { floor = 3, roles = { "reader" }, entitlements = { grafana = { "edit" } } } }
user "octavia" { name = "Octavia Example", email = "octavia@example.org", email_verified = true, password = "correct-horse", groups = { "app-core" }, attributes = { department = "Sales", tags = { "person" } } }
application "grafana" { name = "Grafana", client_id = "grafana", client_secret = "grafana-secret", redirect_uris = { "https://grafana.example.org/" } }
policy "staff" { script = "staff.lua" }
${halves.map((_, index) => `scope_mapping "page${index || ''}" { scope = "page${index}", script = "page${index}.lua", ${may} }`).join('\n')}
scope_mapping "names" { scope = "names", script = "names.lua" }
${policies.map((_, index) => `policy "p${index}" { script = "p${index}.lua" }`).join('\n')}
${sourceRows.map((_, index) => `source_mapping "s${index}" { script = "s${index}.lua" }
source "up${index || ''}" { kind = "oauth2", issuer = "https://up.example", authorization_url = "https://up.example/a", token_url = "https://up.example/t", profile_url = "https://up.example/p", client_id = "tidelock", client_secret = "x", enrolment = true, mappings = { "s${index}" }, username_attribute = "login" }`).join('\n')}`,
	files: {
		'staff.lua': 'ak_message("Not from floor " .. tostring(context.floor) .. ".")\nreturn false',
		...Object.fromEntries(halves.map((rows, index) => [`page${index}.lua`, together(rows)])),
		'names.lua': globals,
		...Object.fromEntries(policies.map(({ lua }, index) => [`p${index}.lua`, chunk(lua)])),
		...Object.fromEntries(sourceRows.map(({ lua }, index) => [`s${index}.lua`, chunk(lua)])),
	},
});
const tried = async (...words) => {
	const answer = await broker.command('try', ...words, '--json');
	try { return JSON.parse(answer.out); } catch { throw new Error(answer.out + answer.err); }
};
const sorted = (value) => (Array.isArray(value) ? value.map(sorted) : value && typeof value === 'object' ? Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(value[name])])) : value);

test('every_expression_of_the_page_gives_what_stands_beside_it', async () => {
	let done = 0;
	for (const [index, rows] of halves.entries()) {
		const { result, ...failure } = await tried('scope', `page${index || ''}`, '--user', 'octavia', '--app', 'grafana');
		assert.ok(result, JSON.stringify(failure));
		for (const [number, { lua, gives }] of rows.entries()) {
			assert.deepEqual(sorted(result[`r${number}`]), gives, lua);
			done++;
		}
	}
	assert.ok(done > 65, done);
});

test('every_policy_of_the_page_decides_as_it_says', async () => {
	for (const [index, { lua, gives }] of policies.entries()) {
		const { allowed, message } = await tried('policy', `p${index}`, '--user', 'octavia', '--app', 'grafana', '--scope', 'openid');
		assert.deepEqual(message === undefined || message === null ? [allowed] : [allowed, message], gives, lua);
	}
});

test('every_source_mapping_of_the_page_makes_that_of_a_stranger', async () => {
	const file = path.join(broker.dir, 'mia.json');
	await writeFile(file, JSON.stringify({ info: { sub: '7', id: 7, login: 'mia', teams: [{ name: 'web' }] } }));
	for (const [index, { lua, gives }] of sourceRows.entries()) {
		const answer = await broker.command('try', 'source', `up${index || ''}`, '--claims', file, '--json');
		const { properties } = JSON.parse(answer.out);
		const names = properties.groups?.map((group) => group.name);
		const made = Object.fromEntries(Object.keys(gives).map((name) => [name, name === 'groups' ? names : properties[name]]));
		assert.deepEqual(made, gives, lua);
	}
});

// ---- annotations ----

const LUA = `assert error ipairs next pairs pcall rawequal rawget rawlen rawset select setmetatable getmetatable tonumber tostring type xpcall _VERSION
	math string table utf8 print`.trim().split(/\s+/);
// Ours, and no script's business: the code of conversion rules, which runs in the jail too.
const INTERNAL = ['conversion'];
// Only in other kinds of scripts.
const ELSEWHERE = ['info', 'claims', 'properties', 'source', 'client', 'group_id'];

const declaredGlobals = () => [...new Set([...annotations.matchAll(/^(?:function (\w+)\(|(\w+) = )/gm)].map(([, one, other]) => one ?? other))];
const fieldsOf = (name) => [...annotations.split(`---@class tidelock.${name}`)[1].split('\n\n')[0].matchAll(/^---@field (\w+)(\??)/gm)].map(([, field, optional]) => ({ field, optional: optional === '?' }));
const membersOf = (name) => [...annotations.matchAll(new RegExp(`^(?:function )?${name}\\.(\\w+)`, 'gm'))].map(([, member]) => member);

test('the_annotations_name_exactly_what_a_script_has', async () => {
	const { result } = await tried('scope', 'names', '--user', 'octavia', '--app', 'grafana');
	assert.deepEqual(declaredGlobals().filter((name) => !ELSEWHERE.includes(name)).sort(), result.globals.filter((name) => !LUA.includes(name) && !INTERNAL.includes(name)).sort());
	for (const name of ['http', 'json', 'log', 'ip', 'base64']) assert.deepEqual(membersOf(name).sort(), [...result[name]].sort(), name);
	for (const [given, name] of [['user', 'User'], ['group', 'Group'], ['application', 'Application'], ['provider', 'Provider'], ['token', 'Token'], ['session', 'Session'], ['request', 'Request'], ['http_request', 'HttpRequest']]) {
		const fields = fieldsOf(name);
		for (const field of result[given]) assert.ok(fields.some((each) => each.field === field), `${name}.${field} is not annotated`);
		for (const { field, optional } of fields) assert.ok(optional || result[given].includes(field), `${name}.${field} is annotated and not there`);
	}
});
