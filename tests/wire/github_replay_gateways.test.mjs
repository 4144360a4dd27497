// What stands before applications and signs their users in with GitHub Enterprise, replayed call by call: oauth2-proxy, dex (Argo CD,
// Concourse), Pomerium, Vouch, Keycloak, Ory Kratos. Each function is what the program does with the answers.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { basic, callback, decode, form, goAuthorize, goExchange, goGet, http, pages, secret, world } from '../harness/github_programs.mjs';

const programs = {
	proxy: { redirect_uri: 'https://app.example.org/oauth2/callback' },
	dex: { redirect_uri: 'https://dex.example.org/callback' },
	pomerium: { redirect_uri: 'https://authenticate.example.org/oauth2/callback' },
	vouch: { redirect_uri: 'https://vouch.example.org/auth', github: 'query_token = true' },
	keycloak: { redirect_uri: 'https://keycloak.example.org/realms/main/broker/github/endpoint' },
	kratos: { redirect_uri: 'https://kratos.example.org/self-service/methods/oidc/callback/github', github: 'scope_echo = true' },
};
const broker = await world(programs);
const api = `${broker.url}/api/v3`;
const uri = (name) => programs[name].redirect_uri;

// ---- oauth2-proxy 7, github provider ----

const proxyHeaders = (token) => ({ accept: 'application/vnd.github.v3+json', authorization: `token ${token}` });

async function proxyGet(token, target) {
	const answer = await http(`${api}${target}`, { headers: proxyHeaders(token) });
	if (answer.status !== 200) throw new Error(`got ${answer.status} from ${target} ${answer.text}`);
	return answer.json();
}

// Until an empty page: one that repeated itself would be asked for ever.
async function proxyAll(token, target, shape) {
	const out = [];
	for (let page = 1; ; page++) {
		assert.ok(page < 50, 'pages without end');
		const items = decode([shape], await proxyGet(token, `${target}?page=${page}&per_page=100`));
		if (items.length === 0) return out;
		out.push(...items);
	}
}

async function oauth2Proxy(person, { scope = 'user:email read:org', org, team } = {}) {
	const { code } = await callback(broker, person, '/login/oauth/authorize',
		{ approval_prompt: 'force', client_id: 'proxy', redirect_uri: uri('proxy'), response_type: 'code', scope, state: 'nonce:/path' });
	const redeemed = await http(`${broker.url}/login/oauth/access_token`, form({ redirect_uri: uri('proxy'), client_id: 'proxy', client_secret: secret, code, grant_type: 'authorization_code' }));
	assert.equal(redeemed.status, 200);
	assert.throws(() => redeemed.json(), 'blindly tries JSON first');
	const token = new URLSearchParams(redeemed.text).get('access_token');
	const orgs = (await proxyAll(token, '/user/orgs', { login: 'string' })).map((each) => each.login);
	const teams = (await proxyAll(token, '/user/teams', { name: 'string', slug: 'string', organization: { login: 'string' } })).map((each) => `${each.organization.login}:${each.slug}`);
	const groups = [...orgs, ...teams];
	if (org && !groups.includes(team ? `${org}:${team}` : org)) throw new Error('user is not in the required organization or team');
	const emails = decode([{ email: 'string', primary: 'bool', verified: 'bool' }], await proxyGet(token, '/user/emails'));
	const { login } = decode({ login: 'string', email: 'string' }, await proxyGet(token, '/user'));
	return { token, login, groups: groups.sort(), email: emails.find((each) => each.primary && each.verified)?.email ?? '' };
}
// The validate URL is the root of the interface, without a slash.
const proxyValidates = async (token) => (await http(api, { headers: proxyHeaders(token) })).status === 200;

test('oauth2_proxy_reads_pages_until_one_is_empty_and_asks_the_root_whether_a_session_lives', async () => {
	const { token, ...carol } = await oauth2Proxy('carol', { org: 'acme', team: 'mobile' });
	assert.deepEqual(carol, { login: 'carol', email: 'carol@example.org', groups: ['acme', 'acme:mobile', 'acme:web', 'other', 'other:ops'] });
	assert.equal(await proxyValidates(token), true);
	assert.equal(await proxyValidates('gho_' + 'x'.repeat(36)), false);
	assert.equal((await oauth2Proxy('many')).groups.length, 2 + 102);
	await assert.rejects(oauth2Proxy('erin', { org: 'acme' }), /not in the required/);
	// Whose address is not verified has none, and is turned away by oauth2-proxy itself.
	assert.equal((await oauth2Proxy('dave')).email, '');
	await assert.rejects(oauth2Proxy('carol', { scope: 'user:email' }), /got 403 from \/user\/orgs/);
});

// ---- dex 2 ----

const dexPages = (get, target) => pages(`${api}${target}`, get, (answer, url) => {
	const links = answer.headers.get('link') ?? '';
	const last = /<([^>]+)>; rel="last"/.exec(links);
	if (!last || last[1] === url) return undefined;
	return /<([^>]+)>; rel="next"/.exec(links)?.[1];
});

// orgs: [{ name, teams }], loadAllGroups, teamNameField as in its configuration.
async function dex(person, { orgs = [], loadAllGroups = false, teamNameField = 'name' } = {}) {
	const { code } = await goAuthorize(broker, person, 'dex', uri('dex'), 'user:email read:org');
	const token = await goExchange(broker, 'dex', uri('dex'), code);
	const get = goGet(token, { 'x-github-api-version': '2022-11-28' });
	const user = decode({ name: 'string', login: 'string', id: 'int', email: 'string' }, (await get(`${api}/user`)).json());
	if (user.email === '') {
		const emails = decode([{ email: 'string', verified: 'bool', primary: 'bool', visibility: 'string' }], await dexPages(get, '/user/emails'));
		const primary = emails.find((each) => each.primary);
		if (!primary) throw new Error('github: user has no verified, primary email');
		user.email = primary.email;
	}
	const names = (team) => ({ both: [team.name, team.slug], slug: [team.slug], name: [team.name] })[teamNameField];
	const teams = async () => decode([{ name: 'string', slug: 'string', organization: { login: 'string' } }], await dexPages(get, '/user/teams'));
	const groups = [];
	for (const org of orgs) {
		const member = await http(`${api}/orgs/${org.name}/members/${user.login}`, { headers: { authorization: `Bearer ${token.access_token}` } });
		if (![204, 302, 404].includes(member.status)) throw new Error(`github: unexpected return status: ${member.status}`);
		if (member.status !== 204) continue;
		const found = (await teams()).filter((each) => each.organization.login === org.name).flatMap(names);
		groups.push(...found.filter((each) => !org.teams || org.teams.includes(each)).map((each) => `${org.name}:${each}`));
	}
	if (orgs.length && !groups.length) throw new Error(`github: user "${user.login}" not in required orgs or teams`);
	if (loadAllGroups) {
		groups.push(...decode([{ login: 'string' }], await dexPages(get, '/user/orgs')).map((each) => each.login));
		groups.push(...(await teams()).flatMap((each) => names(each).map((name) => `${each.organization.login}:${name}`)));
	}
	return { user, groups: groups.sort() };
}

test('dex_finds_user_organisations_and_teams_and_Argo_CD_and_Concourse_through_it', async () => {
	const { user, groups } = await dex('carol', { orgs: [{ name: 'acme' }, { name: 'nowhere' }] });
	assert.deepEqual({ ...user, id: 0 }, { name: 'Carol Danvers', login: 'carol', id: 0, email: 'carol@example.org' });
	assert.ok(user.id > 0);
	assert.deepEqual(groups, ['acme:mobile', 'acme:web']);
	assert.deepEqual((await dex('carol', { orgs: [{ name: 'acme', teams: ['web'] }] })).groups, ['acme:web']);
	await assert.rejects(dex('erin', { orgs: [{ name: 'acme' }] }), /"erin" not in required orgs or teams/);
	// Its pages are of thirty, and it goes on only where "last" stands beside "next".
	const concourse = await dex('many', { loadAllGroups: true, teamNameField: 'both' });
	assert.equal(new Set(concourse.groups).size, 2 + 102);
	// dex takes every address of a GitHub Enterprise for verified: what is not verified must not be there.
	await assert.rejects(dex('dave'), /no verified, primary email/);
});

// ---- Pomerium: the provider's address without /api/v3 ----

async function pomerium(person) {
	const { code } = await callback(broker, person, '/login/oauth/authorize',
		{ access_type: 'offline', client_id: 'pomerium', redirect_uri: uri('pomerium'), response_type: 'code', scope: 'user:email read:org', state: 'p' });
	const token = await goExchange(broker, 'pomerium', uri('pomerium'), code);
	const get = async (target) => (await http(`${broker.url}${target}`, { headers: { authorization: `token ${token.access_token}`, accept: 'application/vnd.github.v3+json' } })).json();
	const user = decode({ id: 'int', login: 'string', name: 'string', avatar_url: 'string' }, await get('/user'));
	const emails = decode([{ email: 'string', verified: 'bool', primary: 'bool' }], await get('/user/emails'));
	return { ...user, email: emails.find((each) => each.primary && each.verified)?.email };
}

test('Pomerium_asks_without_the_prefix', async () => {
	const { name, login, email } = await pomerium('carol');
	assert.deepEqual({ name, login, email }, { name: 'Carol Danvers', login: 'carol', email: 'carol@example.org' });
});

// ---- Vouch: the token in the query ----

async function vouch(person, organizations) {
	const { code } = await goAuthorize(broker, person, 'vouch', uri('vouch'), 'read:user read:org');
	const { access_token } = await goExchange(broker, 'vouch', uri('vouch'), code);
	const user = decode({ login: 'string', name: 'string', email: 'string' }, (await http(`${api}/user?access_token=${access_token}`)).json());
	const teams = [];
	for (const each of organizations) {
		const [org, team] = each.split('/');
		const target = team ? `/orgs/${org}/teams/${team}/memberships/${user.login}` : `/orgs/${org}/members/${user.login}`;
		const answer = await http(`${api}${target}?access_token=${access_token}`);
		assert.notEqual(answer.status, 302, 'it would follow to the public list');
		if (answer.status === 204 || (answer.status === 200 && answer.json().state === 'active')) teams.push(each);
	}
	return { user, teams };
}

test('Vouch_sends_its_token_in_the_query_where_query_token_allows_it', async () => {
	const { user, teams } = await vouch('carol', ['acme', 'acme/web', 'acme/mobile', 'other', 'nowhere', 'acme/nothing']);
	assert.deepEqual([user.login, teams], ['carol', ['acme', 'acme/web', 'acme/mobile', 'other']]);
	assert.deepEqual((await vouch('erin', ['acme', 'acme/web'])).teams, []);
	assert.doesNotMatch(broker.log, /gho_/);
});

// ---- Keycloak, GitHub as identity provider with baseUrl and apiUrl ----

async function keycloak(person) {
	const { code } = await callback(broker, person, '/login/oauth/authorize', { scope: 'user:email', state: 'k.s.c', response_type: 'code', client_id: 'keycloak', redirect_uri: uri('keycloak') });
	const answer = await http(`${broker.url}/login/oauth/access_token`, form({ code, grant_type: 'authorization_code', redirect_uri: uri('keycloak'), client_id: 'keycloak', client_secret: secret }));
	const token = /access_token=([^&]+)/.exec(answer.text)[1];
	const get = async (target) => (await http(`${api}${target}`, { headers: { authorization: `Bearer ${token}` } })).json();
	const user = await get('/user');
	const profile = { id: String(user.id), username: user.login, name: user.name, email: user.email };
	if (profile.email === null) profile.email = (await get('/user/emails')).find((each) => each.primary).email;
	return profile;
}

test('Keycloak_takes_the_address_of_the_profile_or_the_primary_one', async () => {
	const carol = await keycloak('carol');
	assert.deepEqual([carol.username, carol.name, carol.email], ['carol', 'Carol Danvers', 'carol@example.org']);
	assert.match(carol.id, /^[1-9]\d*$/);
	await assert.rejects(keycloak('dave'), TypeError, 'it throws when there is no primary address');
});

// ---- Ory Kratos: every configured scope in the answer, separated by commas ----

async function kratos(person, scopes) {
	const { code } = await goAuthorize(broker, person, 'kratos', uri('kratos'), scopes.join(' '));
	const token = await goExchange(broker, 'kratos', uri('kratos'), code);
	const granted = token.scope.split(',');
	for (const each of scopes) if (!granted.includes(each)) throw new Error(`the scope ${each} was not granted: ${token.scope}`);
	return (await goGet(token)(`${api}/user/emails`)).json();
}

test('Ory_Kratos_finds_each_scope_that_it_asked_for_with_scope_echo', async () => {
	assert.equal((await kratos('carol', ['user', 'user:email', 'read:user']))[0].email, 'carol@example.org');
});

test('a_secret_that_Basic_garbles_does_not_burn_the_code_of_x_oauth2', async () => {
	const { code } = await goAuthorize(broker, 'carol', 'dex', uri('dex'), 'read:user');
	const wrong = { ...form({ grant_type: 'authorization_code', code, redirect_uri: uri('dex') }) };
	wrong.headers.authorization = basic('dex', 'garbled');
	assert.match((await http(`${broker.url}/login/oauth/access_token`, wrong)).text, /^error=incorrect_client_credentials/);
	assert.match((await goExchange(broker, 'dex', uri('dex'), code)).access_token, /^gho_/);
});
