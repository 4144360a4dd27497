// github_rest.mjs: GitHub's own schema as the judge of answers, and how its clients ask.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import assert from 'node:assert/strict';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { root } from './broker.mjs';

const document = JSON.parse(await readFile(path.join(root, 'node_modules/@octokit/openapi/generated/ghes-3.19.json'), 'utf8'));
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);

// What GitHub itself answers with null although its schema knows no null there.
const alsoNull = new Set(['company', 'location', 'email', 'blog']);

// OpenAPI 3.0 as JSON Schema: references are followed, nullable becomes a type.
function plain(schema, name = '') {
	if (schema.$ref) return plain(schema.$ref.split('/').slice(1).reduce((at, key) => at[key], document), name);
	const out = {};
	for (const [key, value] of Object.entries(schema)) {
		if (['example', 'examples', 'nullable', 'discriminator'].includes(key)) continue;
		if (key === 'properties') out[key] = Object.fromEntries(Object.entries(value).map(([each, one]) => [each, plain(one, each)]));
		else if (key === 'items') out[key] = plain(value);
		else if (['allOf', 'oneOf', 'anyOf'].includes(key)) out[key === 'oneOf' ? 'anyOf' : key] = value.map((one) => plain(one));
		else out[key] = value;
	}
	if (!schema.nullable && !alsoNull.has(name)) return out;
	return { anyOf: [out, { type: 'null' }] };
}

const judges = new Map();
function judge(route, status, method) {
	const key = `${method} ${route} ${status}`;
	if (!judges.has(key)) {
		const schema = document.paths[route][method].responses[status].content['application/json'].schema;
		judges.set(key, ajv.compile(plain(schema)));
	}
	return judges.get(key);
}

// Fails unless `value` is what GitHub's schema has as the answer of GET (or another method) `route`.
export function assertSchema(route, value, status = 200, method = 'get') {
	const valid = judge(route, status, method);
	assert.ok(valid(value), `${route}: ${ajv.errorsText(valid.errors)}\n${JSON.stringify(value).slice(0, 600)}`);
}

// Asks GET `target` below /api/v3; options: token, headers, prefix. Answers { status, headers, body (parsed), text }.
export async function ask(broker, target, { token, headers = {}, prefix = '/api/v3', method = 'GET' } = {}) {
	// A connection that is kept is closed by the broker when a test moves its clock.
	const all = { connection: 'close', ...(token ? { authorization: `token ${token}` } : {}), ...headers };
	const answer = await fetch(`${broker.url}${prefix}${target}`, { method, headers: all, redirect: 'manual' });
	const text = await answer.text();
	let body;
	try { body = JSON.parse(text); } catch { /* none */ }
	return { status: answer.status, headers: answer.headers, body, text };
}

// A personal access token of somebody's with these scopes.
export async function personalToken(broker, user, ...scopes) {
	const made = await broker.json('token', 'create', '--user', user, '--intent', 'personal', ...(scopes.length ? ['--scope', scopes.join(' ')] : []));
	return made.key;
}
