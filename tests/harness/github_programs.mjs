// github_programs.mjs: what programs that know GitHub Enterprise are made of: the person's browser, the token requests of their
// libraries, how these read answers and pages. A program of a replay asks as the real one does and reads with its parser.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker, root } from './broker.mjs';
import { Browser } from './browser.mjs';

export const secret = 'fedcba9876543210fedcba9876543210fedcba98';

// { name: { redirect_uri, github = text of the table, more = text of settings } } as configuration.
const applications = (programs) => Object.entries(programs).map(([name, { redirect_uri, github = '', more = '' }]) =>
	`application "${name}" { client_id = "${name}", client_secret = "${secret}", redirect_uris = { "${redirect_uri}" }, consent = "implicit", github = { ${github} }, ${more} }`).join('\n');

const many = Array.from({ length: 101 }, (_, index) => `acme/team-${String(index).padStart(3, '0')}`);

// A broker with people of all kinds: carol has all that one can have, many more teams than a page holds, dave no verified address,
// erin no organisation. reader is a service account whose tokens may read everybody.
export async function world(programs, objects = '', { files, settings } = {}) {
	const groups = ['acme/web', 'acme/web/mobile', 'other/ops', ...many];
	return Broker.start({
		settings,
		objects: `github_mapping "default" { script = "mappings/github_org_team.lua" }
${groups.map((name) => `group "${name}" {}`).join('\n')}
user "carol" { name = "Carol Danvers", email = "carol@example.org", email_verified = true, password = "wonderland", groups = { "acme/web/mobile", "other/ops" } }
user "many" { email = "many@example.org", email_verified = true, password = "wonderland", groups = { "other/ops", ${many.map((name) => `"${name}"`).join(', ')} } }
user "dave" { name = "Dave", email = "dave@example.org", password = "wonderland", groups = { "acme/web" } }
user "erin" { email = "erin@example.org", email_verified = true, password = "wonderland" }
group "readers" { permissions = { "read_directory" } }
user "reader" { type = "service_account", groups = { "readers" } }
${applications(programs)}
${objects}`,
		files: { 'mappings/github_org_team.lua': await readFile(path.join(root, 'etc/mappings/github_org_team.lua'), 'utf8'), ...files },
	});
}

// ---- the person ----

const browsers = new Map();

// The parameters that the program's callback gets after its person went to `target` of the broker; a query as text is sent as it is.
export async function callback(broker, person, target, query) {
	const browser = browsers.get(person) ?? new Browser(broker);
	browsers.set(person, browser);
	let at = await browser.open(`${target}?${typeof query === 'string' ? query : new URLSearchParams(query)}`);
	if (at.page && /id="signin"/.test(at.page.text)) at = await browser.signIn(at.page, person);
	assert.ok(at.away, `not sent back: ${at.page?.status}\n${at.page?.text}`);
	const answered = Object.fromEntries(at.away.searchParams);
	assert.equal(answered.state, new URLSearchParams(query).get('state') ?? undefined);
	return { ...answered, at: at.away };
}

// ---- HTTP ----

// One request; { status, headers, text, json() }. Redirects are not followed: no answer of an interface may be one.
export async function http(url, { method = 'GET', headers = {}, body } = {}) {
	const answer = await fetch(url, { method, headers, body, redirect: 'manual' });
	const text = await answer.text();
	return { status: answer.status, headers: answer.headers, text, json: () => JSON.parse(text) };
}
export const basic = (name, password) => 'Basic ' + Buffer.from(`${name}:${password}`).toString('base64');
export const form = (fields) => ({ method: 'POST', body: new URLSearchParams(fields).toString(), headers: { 'content-type': 'application/x-www-form-urlencoded' } });

// All pages, from `url` on; `get` answers one page, `next` the address of the page after it or nothing.
export async function pages(url, get, next) {
	const out = [];
	for (let count = 0; url; count++) {
		assert.ok(count < 200, 'pages without end');
		const answer = await get(url);
		out.push(...answer.json());
		url = next(answer, url);
	}
	return out;
}

// ---- Go ----

// encoding/json into a struct: missing and null are the zero value, another type is an error. Shapes: 'int', 'string', 'bool', 'time',
// [shape], { field: shape }; with * the field is a pointer, which stays null.
const zero = { int: 0, string: '', bool: false, time: null };
export function decode(shape, value, at = 'value') {
	if (Array.isArray(shape)) return (value ?? []).map((each, index) => decode(shape[0], each, `${at}[${index}]`));
	if (typeof shape === 'object') return Object.fromEntries(Object.entries(shape).map(([name, of]) => [name, decode(of, value?.[name], `${at}.${name}`)]));
	const kind = shape.replace('*', '');
	if (value === undefined || value === null) return shape.startsWith('*') ? null : zero[kind];
	const good = { int: Number.isInteger(value), string: typeof value === 'string', bool: typeof value === 'boolean', time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value) }[kind];
	if (!good) throw new Error(`json: cannot unmarshal ${JSON.stringify(value)} into Go struct field ${at} of type ${kind}`);
	return value;
}

async function goRoundTrip(url, fields, headers) {
	const request = form(fields);
	const answer = await http(url, { ...request, headers: { ...request.headers, ...headers } });
	if (answer.status < 200 || answer.status > 299) throw new Error(`oauth2: cannot fetch token: ${answer.status}\nResponse: ${answer.text}`);
	const kind = (answer.headers.get('content-type') ?? '').split(';')[0];
	const found = /^(application\/x-www-form-urlencoded|text\/plain)$/.test(kind) ? Object.fromEntries(new URLSearchParams(answer.text)) : answer.json();
	if (!found.access_token) throw new Error('oauth2: server response missing access_token');
	return found;
}
// golang.org/x/oauth2: Basic with escaped halves first, and on any error the same code again with the secret in the body.
const escaped = (text) => encodeURIComponent(text).replace(/%20/g, '+');
export async function goExchange(broker, name, redirect_uri, code) {
	const url = `${broker.url}/login/oauth/access_token`;
	const fields = { grant_type: 'authorization_code', code, redirect_uri };
	try {
		return await goRoundTrip(url, fields, { authorization: basic(escaped(name), escaped(secret)) });
	} catch {
		return goRoundTrip(url, { ...fields, client_id: name, client_secret: secret }, {});
	}
}
export const goAuthorize = (broker, person, name, redirect_uri, scope) =>
	callback(broker, person, '/login/oauth/authorize', { client_id: name, redirect_uri, response_type: 'code', scope, state: 'go-state' });

// x/oauth2's Client: the token type as it came, with a capital.
export const goGet = (token, more = {}) => async (url) => {
	const kind = /^bearer$/i.test(token.token_type) ? 'Bearer' : token.token_type;
	const answer = await http(url, { headers: { authorization: `${kind} ${token.access_token}`, ...more } });
	if (answer.status !== 200) throw new Error(`${url}: ${answer.status}: ${answer.text}`);
	return answer;
};

// google/go-github: statuses, rate limits and pages; `get(target)` answers { status, value, nextPage }.
export const goGithub = (api, authorization) => async (target) => {
	const headers = { accept: 'application/vnd.github.v3+json', 'user-agent': 'go-github', 'x-github-api-version': '2022-11-28', ...(authorization ? { authorization } : {}) };
	const answer = await http(`${api}${target}`, { headers });
	assert.match(answer.headers.get('x-ratelimit-remaining'), /^[1-9]\d*$/, 'taken for a rate limit');
	if (answer.status === 202) throw new Error('job scheduled on GitHub side; try again later');
	const value = answer.text ? answer.json() : null;
	let nextPage = 0;
	for (const link of (answer.headers.get('link') ?? '').split(',')) {
		const [first, ...rest] = link.trim().split(';');
		const page = first.startsWith('<') && first.endsWith('>') ? new URL(first.slice(1, -1)).searchParams.get('page') : null;
		if (page && rest.some((each) => each.trim() === 'rel="next"')) nextPage = Number.parseInt(page, 10);
	}
	return { status: answer.status, value, nextPage };
};
export async function goGithubList(get, target, shape, perPage = 100) {
	const out = [];
	for (let page = 0, count = 0; ; count++) {
		assert.ok(count < 200, 'pages without end');
		const answer = await get(`${target}?${page ? `page=${page}&` : ''}per_page=${perPage}`);
		if (answer.status !== 200) throw new Error(`GET ${target}: ${answer.status} ${answer.value?.message}`);
		out.push(...decode([shape], answer.value));
		if (!answer.nextPage) return out;
		page = answer.nextPage;
	}
}
export const goUser = {
	login: '*string', id: '*int', node_id: '*string', avatar_url: '*string', html_url: '*string', gravatar_id: '*string', name: '*string', company: '*string',
	blog: '*string', location: '*string', email: '*string', hireable: '*bool', bio: '*string', public_repos: '*int', public_gists: '*int', followers: '*int',
	following: '*int', created_at: '*time', updated_at: '*time', suspended_at: '*time', type: '*string', site_admin: '*bool', disk_usage: '*int',
	two_factor_authentication: '*bool', plan: { name: '*string', space: '*int', collaborators: '*int', private_repos: '*int' },
};
