// Platforms that sign their users in with GitHub Enterprise, replayed call by call: Grafana, Rancher, OpenShift, Vault, Quay, Coder,
// JupyterHub, and python-social-auth as Sentry's neighbours use it. Each function is what the program does with the answers.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { basic, callback, decode, form, goAuthorize, goExchange, goGet, goGithub, goGithubList, goUser, http, pages, secret, world } from '../harness/github_programs.mjs';
import { pkce } from '../harness/browser.mjs';
import { personalToken } from '../harness/github_rest.mjs';

const programs = {
	grafana: { redirect_uri: 'https://grafana.example.org/login/github' },
	rancher: { redirect_uri: 'https://rancher.example.org/verify-auth' },
	openshift: { redirect_uri: 'https://oauth.example.org/oauth2callback/github', github: 'query_secret = true' },
	quay: { redirect_uri: 'https://quay.example.org/oauth2/github/callback', github: 'query_token = true' },
	coder: { redirect_uri: 'https://coder.example.org/api/v2/users/oauth2/github/callback' },
	hub: { redirect_uri: 'https://hub.example.org/hub/oauth_callback' },
	oldhub: { redirect_uri: 'https://hub.example.org/hub/oauth_callback', github: 'query_secret = true' },
	social: { redirect_uri: 'https://social.example.org/complete/github-enterprise-team/' },
};
const broker = await world(programs, '', { settings: 'github_anonymous_organizations = true' });
const api = `${broker.url}/api/v3`;
const uri = (name) => programs[name].redirect_uri;
const login = async (person, name, scope) => goExchange(broker, name, uri(name), (await goAuthorize(broker, person, name, uri(name), scope)).code);

// ---- Grafana ----

async function grafana(person, { teamIds = [], allowedOrganizations = [], scope = 'user:email read:org' } = {}) {
	const get = goGet(await login(person, 'grafana', scope));
	const all = (target) => pages(`${api}/user${target}`, get, (answer) => /<([^>]+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1]);
	const user = decode({ id: 'int', login: 'string', email: 'string', name: 'string' }, (await get(`${api}/user`)).json());
	const teams = decode([{ id: 'int', slug: 'string', html_url: 'string', organization: { login: 'string' } }], await all('/teams?per_page=100'));
	const groups = teams.flatMap((each) => [each.html_url, `@${each.organization.login}/${each.slug}`]);
	if (teamIds.length && !teams.some((each) => teamIds.includes(each.id))) throw new Error('User is not a member of one of the required teams');
	const organizations = allowedOrganizations.length ? decode([{ login: 'string' }], await all('/orgs?per_page=100')).map((each) => each.login.toLowerCase()) : [];
	if (allowedOrganizations.length && !allowedOrganizations.some((each) => organizations.includes(each.toLowerCase()))) throw new Error('User is not a member of one of the required organizations');
	const emails = user.email === '' ? decode([{ email: 'string', primary: 'bool', verified: 'bool' }], (await get(`${api}/user/emails`)).json()) : [];
	return { ...user, name: user.name || user.login, email: user.email || (emails.findLast((each) => each.primary)?.email ?? ''), groups, teams };
}

test('Grafana_always_asks_for_teams_and_makes_groups_of_their_pages', async () => {
	const carol = await grafana('carol', { allowedOrganizations: ['ACME'] });
	assert.deepEqual([carol.login, carol.name, carol.email], ['carol', 'Carol Danvers', 'carol@example.org']);
	assert.deepEqual(carol.groups.toSorted(), ['@acme/mobile', '@acme/web', '@other/ops', ...['acme/teams/mobile', 'acme/teams/web', 'other/teams/ops'].map((each) => `${broker.url}/orgs/${each}`)]);
	const web = carol.teams.find((each) => each.slug === 'web');
	assert.equal((await grafana('dave', { teamIds: [web.id] })).email, '');
	await assert.rejects(grafana('erin', { teamIds: [web.id] }), /required teams/);
	await assert.rejects(grafana('erin', { allowedOrganizations: ['acme'] }), /required organizations/);
	assert.equal((await grafana('many')).groups.length, 2 * 102);
	await assert.rejects(grafana('carol', { scope: 'user:email' }), /\/teams\?per_page=100: 403/);
});

// ---- Rancher ----

const rancherAccount = { id: 'int', login: 'string', name: 'string', avatar_url: 'string', html_url: 'string', type: 'string' };
const rancherTeam = { id: 'int', name: 'string', slug: 'string', organization: { id: 'int', login: 'string', name: 'string', avatar_url: 'string' } };

async function rancher(person) {
	const { code } = await callback(broker, person, '/login/oauth/authorize', { client_id: 'rancher', redirect_uri: uri('rancher'), scope: 'read:org', state: 'r' });
	const request = form({ client_id: 'rancher', client_secret: secret, code });
	const answer = await http(`${broker.url}/login/oauth/access_token`, { ...request, headers: { ...request.headers, accept: 'application/json' } });
	assert.ok([200, 201].includes(answer.status));
	const { access_token: token, error } = answer.json();
	if (error) throw new Error(`received error from github ${error}`);
	const get = async (url) => {
		const got = await http(url, { headers: { authorization: `token ${token}`, accept: 'application/json', 'user-agent': 'Mozilla/5.0' } });
		if (![200, 201].includes(got.status)) throw new Error(`request failed, got status code: ${got.status}`);
		return got;
	};
	const all = (target) => pages(api + target, get, (got) => (got.headers.get('link') ?? '').split(',').map((each) => each.split(';')).find(([, relation]) => relation?.trim() === 'rel="next"')?.[0].trim().slice(1, -1));
	const one = async (target, shape) => decode(shape, (await get(api + target)).json());
	const user = await one('/user', rancherAccount);
	const orgs = decode([rancherAccount], await all('/user/orgs?per_page=1'));
	const teams = decode([rancherTeam], await all('/user/teams?per_page=100'));
	const principals = [`github_user://${user.id}`, ...orgs.map((each) => `github_org://${each.id}`), ...teams.map((each) => `github_team://${each.id}`)];
	const search = async (text, type) => {
		const got = await http(`${api}/search/users?q=${text}+type:${type}`, { headers: { authorization: `token ${token}`, accept: 'application/json' } });
		return got.status === 200 ? decode([rancherAccount], got.json().items).map((each) => `${each.type} ${each.login}`) : [];
	};
	return { one, all, search, user, orgs, teams, principals };
}

test('Rancher_keeps_numbers_and_reads_people_organisations_and_teams_back_by_them', async () => {
	const carol = await rancher('carol');
	assert.equal(carol.principals.length, 1 + 2 + 3);
	assert.equal(new Set(carol.principals).size, 6);
	// The same address for both: people and organisations share their numbers.
	assert.deepEqual([(await carol.one(`/user/${carol.user.id}`, rancherAccount)).type, (await carol.one(`/user/${carol.orgs[0].id}`, rancherAccount)).type], ['User', 'Organization']);
	for (const team of carol.teams) {
		const again = await carol.one(`/teams/${team.id}`, rancherTeam);
		assert.deepEqual(again, team);
		assert.ok(team.organization.avatar_url.startsWith(broker.url));
	}
	const acme = carol.orgs.find((each) => each.login === 'acme');
	assert.ok((await carol.all('/orgs/acme/teams?per_page=100')).length >= 2);
	await assert.rejects(carol.one('/user/2147483647', rancherAccount), /404/);
	const dave = await rancher('dave');
	assert.equal(dave.orgs[0].id, acme.id);
	// Whom one shares an organisation with can be given rights, and read back by number; others are not there.
	assert.deepEqual([await carol.search('dav', 'user'), await carol.search('acm', 'org'), await carol.search('eri', 'user')], [['User dave'], ['Organization acme'], []]);
	assert.equal((await carol.one(`/user/${dave.user.id}`, rancherAccount)).login, 'dave');
	await assert.rejects(carol.one(`/user/${(await rancher('erin')).user.id}`, rancherAccount), /404/);
	assert.deepEqual((await rancher('carol')).principals, carol.principals);
});

// ---- OpenShift, over osincli ----

async function openshift(person, { organizations = [], teams = [] } = {}) {
	const { code } = await callback(broker, person, '/login/oauth/authorize', { client_id: 'openshift', redirect_uri: uri('openshift'), response_type: 'code', scope: 'user:email read:org', state: 'o' });
	const query = new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: uri('openshift'), client_id: 'openshift', client_secret: secret });
	const answer = await http(`${broker.url}/login/oauth/access_token?${query}`, { method: 'POST' });
	assert.equal(answer.status, 200);
	const data = Object.fromEntries(new URLSearchParams(answer.text));
	if (data.error || !data.token_type || !data.access_token) throw new Error(`invalid access data: ${answer.text}`);
	const get = async (url) => {
		const got = await http(url, { headers: { authorization: `Bearer ${data.access_token}`, accept: 'application/vnd.github.v3+json' } });
		if (got.status !== 200) throw new Error(`Non-200 response from GitHub API call ${url}: ${got.status}`);
		return got;
	};
	const all = (target) => pages(api + target, get, (got) => /<([^>]*)>\s*;\s*rel="next"/.exec(got.headers.get('link') ?? '')?.[1]);
	const user = decode({ id: 'int', login: 'string', email: 'string', name: 'string' }, (await get(`${api}/user`)).json());
	if (user.id === 0) throw new Error('Could not retrieve GitHub id');
	const inside = new Set((await all('/user/orgs')).map((each) => each.login.toLowerCase()));
	if (organizations.length && !organizations.some((each) => inside.has(each))) throw new Error(`User ${user.login} is not a member of any allowed organizations`);
	const members = new Set((await all('/user/teams')).map((each) => `${each.organization.login}/${each.slug}`.toLowerCase()));
	if (teams.length && !teams.some((each) => members.has(each))) throw new Error(`User ${user.login} is not a member of any allowed teams`);
	const email = user.email || ((await all('/user/emails')).find((each) => each.primary)?.email ?? '');
	return { uid: String(user.id), login: user.login, name: user.name, email, teams: members.size };
}

test('OpenShift_sends_all_in_the_query_and_compares_names_in_lower_case', async () => {
	const { uid, ...carol } = await openshift('carol', { organizations: ['acme'], teams: ['acme/mobile'] });
	assert.deepEqual(carol, { login: 'carol', name: 'Carol Danvers', email: 'carol@example.org', teams: 3 });
	assert.match(uid, /^[1-9]\d*$/);
	assert.equal((await openshift('many')).teams, 102);
	await assert.rejects(openshift('erin', { organizations: ['acme'] }), /not a member of any allowed organizations/);
	await assert.rejects(openshift('dave', { teams: ['acme/mobile'] }), /not a member of any allowed teams/);
});

// ---- Vault and OpenBao: a personal token ----

async function vault(token, { organization, organizationId }) {
	const get = goGithub(api, `Bearer ${token}`);
	const me = await get('/user');
	if (me.status !== 200) throw new Error(`GET ${api}/user: ${me.status} ${me.value.message}`);
	const org = (await goGithubList(get, '/user/orgs', { id: '*int', login: '*string' })).find((each) => each.id === organizationId);
	if (!org) throw new Error('user is not part of required org');
	const names = [];
	for (const team of await goGithubList(get, '/user/teams', { name: '*string', slug: '*string', organization: { id: '*int' } })) {
		// Dereferenced without a look: a null ends Vault.
		assert.ok(team.organization.id !== null && team.name !== null && team.slug !== null);
		if (team.organization.id === org.id) names.push(...new Set([team.name, team.slug]));
	}
	return { alias: decode(goUser, me.value).login, groups: names.sort(), renamed: org.login !== organization };
}

test('Vault_lets_a_personal_token_in_by_the_number_of_an_organisation', async () => {
	const token = await personalToken(broker, 'carol', 'read:org');
	// vault write auth/github/config organization=acme: it finds the number without a token (github_anonymous_organizations).
	const anonymous = goGithub(api);
	const { value } = await anonymous('/orgs/acme');
	assert.equal((await anonymous('/orgs/nowhere')).status, 404);
	const settings = { organization: 'acme', organizationId: decode({ id: '*int' }, value).id };
	assert.deepEqual(await vault(token, settings), { alias: 'carol', groups: ['mobile', 'web'], renamed: false });
	assert.equal((await vault(await personalToken(broker, 'many', 'read:org'), settings)).groups.length, 101);
	await assert.rejects(vault(await personalToken(broker, 'erin', 'read:org'), settings), /not part of required org/);
	await assert.rejects(vault(await personalToken(broker, 'carol'), settings), /403 You need at least read:org/);
	await assert.rejects(vault('gh' + 'p_' + 'x'.repeat(36), settings), /401 Bad credentials/);
});

// ---- Quay ----

async function quayChecks(password) {
	const auth = { headers: { authorization: basic('quay', password) } };
	if (!(await http(`${api}/`, auth)).headers.has('x-github-request-id')) throw new Error('Endpoint is not a Github (Enterprise) installation');
	if ((await http(`${api}/orgs/acme`, { headers: { accept: 'application/vnd.github.moondragon+json' } })).status !== 200) throw new Error('no such organization');
	return (await http(`${api}/applications/quay/tokens/foo`, auth)).status === 404;
}

async function quay(person, allowed) {
	const { code } = await callback(broker, person, '/login/oauth/authorize', { client_id: 'quay', redirect_uri: uri('quay'), scope: 'user:email read:org', state: 'q', response_type: 'code' });
	const request = form({ code, grant_type: 'authorization_code', redirect_uri: uri('quay'), client_id: 'quay', client_secret: secret });
	const token = (await http(`${broker.url}/login/oauth/access_token`, { ...request, headers: { ...request.headers, accept: 'application/json' } })).json().access_token;
	const get = async (target, accept) => {
		const answer = await http(`${api}${target}?access_token=${token}`, { headers: { accept } });
		if (answer.status < 200 || answer.status > 299) throw new Error(`Got non-2XX status code: ${answer.status}`);
		return answer.json();
	};
	const user = await get('/user', 'application/vnd.github.v3');
	const emails = await get('/user/emails', 'application/vnd.github.v3');
	const email = [...emails.filter((each) => each.primary), ...emails.filter((each) => each.verified)][0]?.email ?? null;
	const organizations = (await get('/user/orgs', 'application/vnd.github.moondragon+json')).map((each) => each.login.toLowerCase());
	if (!organizations.some((each) => allowed.includes(each))) throw new Error('You are not a member of an allowed GitHub organization.');
	return { id: user.id, login: user.login, email };
}

test('Quay_tells_a_right_secret_from_a_wrong_one_and_sends_tokens_in_the_query', async () => {
	assert.equal(await quayChecks(secret), true);
	assert.equal(await quayChecks('wrong'), false);
	const { login: name, email, id } = await quay('carol', ['acme']);
	assert.deepEqual([name, email, id > 0], ['carol', 'carol@example.org', true]);
	await assert.rejects(quay('erin', ['acme']), /not a member of an allowed/);
});

// ---- Coder ----

async function coder(person, allowed) {
	const { access_token: token } = await login(person, 'coder', 'read:user read:org user:email');
	const get = goGithub(api, `Bearer ${token}`);
	const memberships = await goGithubList(get, '/user/memberships/orgs', { state: '*string', role: '*string', organization: { login: '*string', id: '*int' } });
	const user = decode(goUser, (await get('/user')).value);
	const selected = memberships.filter((each) => each.state === 'active').map((each) => each.organization.login);
	let member = false;
	for (const [org, team] of allowed.filter(([each]) => selected.includes(each))) {
		const { status, value } = team ? await get(`/orgs/${org}/teams/${team}/memberships/${user.login}`) : { status: 200, value: { state: 'active' } };
		if (![200, 404].includes(status)) throw new Error(`unexpected status ${status}`);
		member ||= status === 200 && value.state === 'active';
	}
	if (!member) throw new Error('You aren\'t a member of the authorized Github organizations or teams!');
	const emails = decode([{ email: '*string', primary: '*bool', verified: '*bool' }], (await get('/user/emails')).value);
	return { id: user.id, login: user.login, email: emails.find((each) => each.primary)?.email, verified: emails.find((each) => each.primary)?.verified };
}

test('Coder_asks_for_active_memberships_and_for_that_of_a_team', async () => {
	const { login: name, email, verified } = await coder('carol', [['acme', 'mobile']]);
	assert.deepEqual([name, email, verified], ['carol', 'carol@example.org', true]);
	assert.equal((await coder('dave', [['acme', 'mobile'], ['acme']])).email, undefined);
	await assert.rejects(coder('dave', [['acme', 'mobile']]), /aren't a member/);
});

// ---- JupyterHub ----

async function jupyterhub(person, allowed, { old = false } = {}) {
	const name = old ? 'oldhub' : 'hub';
	const { verifier, challenge } = pkce();
	const proof = old ? {} : { code_challenge: challenge, code_challenge_method: 'S256' };
	const { code } = await callback(broker, person, '/login/oauth/authorize', { response_type: 'code', redirect_uri: uri(name), client_id: name, state: 'h', scope: 'read:org user:email', ...proof });
	const fields = { client_id: name, client_secret: secret, code, ...(old ? {} : { code_verifier: verifier }) };
	const request = old ? { method: 'POST', headers: {} } : form({ ...fields, grant_type: 'authorization_code', redirect_uri: uri(name) });
	const answer = await http(`${broker.url}/login/oauth/access_token${old ? `?${new URLSearchParams(fields)}` : ''}`, { ...request, headers: { ...request.headers, accept: 'application/json' } });
	const token = answer.json();
	// The type as it came: in lower case.
	const headers = { authorization: `${token.token_type} ${token.access_token}`, accept: 'application/json', 'user-agent': 'JupyterHub' };
	const get = async (url) => {
		const got = await http(url, { headers });
		if (got.status !== 200) throw new Error(`HTTP ${got.status}`);
		return got;
	};
	const user = (await get(`${api}/user`)).json();
	if (!('email' in user)) throw new Error('KeyError: email');
	if (!user.email && token.scope.split(',').includes('user:email')) user.email = (await get(`${api}/user/emails`)).json().find((each) => each.primary)?.email ?? null;
	const teams = await pages(`${api}/user/teams?per_page=100`, get, (got) => /<([^>]+)>; rel="next"/.exec(got.headers.get('link') ?? '')?.[1]);
	let found = false;
	for (const each of allowed) {
		const [org, team] = each.split(':');
		found ||= (await http(team ? `${api}/orgs/${org}/teams/${team}/members/${user.login}` : `${api}/orgs/${org}/members/${user.login}`, { headers })).status === 204;
	}
	return found ? { name: user.login, email: user.email, teams: teams.length } : null;
}

test('JupyterHub_sends_the_token_type_as_it_came_and_lets_in_by_status_204', async () => {
	assert.deepEqual(await jupyterhub('carol', ['acme:mobile']), { name: 'carol', email: 'carol@example.org', teams: 3 });
	assert.deepEqual(await jupyterhub('dave', ['acme']), { name: 'dave', email: null, teams: 1 });
	assert.equal(await jupyterhub('dave', ['acme:mobile', 'other', 'nowhere']), null);
	assert.equal((await jupyterhub('carol', ['acme'], { old: true })).name, 'carol');
});

// ---- python-social-auth: the query is not encoded, any status below 400 is a member ----

async function socialAuth(person, { organization, teamId }) {
	const { code } = await callback(broker, person, '/login/oauth/authorize', `client_id=social&redirect_uri=${uri('social')}&state=s&response_type=code&scope=user:email,read:org`);
	const request = form({ grant_type: 'authorization_code', code, client_id: 'social', client_secret: secret, redirect_uri: uri('social') });
	const { access_token: token } = (await http(`${broker.url}/login/oauth/access_token`, { ...request, headers: { ...request.headers, accept: 'application/json' } })).json();
	const headers = { authorization: `token ${token}` };
	const user = (await http(`${api}/user`, { headers })).json();
	const check = organization ? `/orgs/${organization}/members/${user.login}` : `/teams/${teamId}/members/${user.login}`;
	const { status } = await http(`${api}${check}`, { headers });
	assert.ok(status === 204 || status === 404, `${status} would let in whoever follows redirects`);
	return status < 400;
}

test('python_social_auth_takes_every_status_below_400_for_a_member', async () => {
	const web = (await rancher('carol')).teams.find((each) => each.slug === 'web');
	assert.equal(await socialAuth('carol', { organization: 'acme' }), true);
	assert.equal(await socialAuth('carol', { teamId: web.id }), true);
	for (const settings of [{ organization: 'acme' }, { organization: 'nowhere' }, { teamId: web.id }, { teamId: 1 }]) assert.equal(await socialAuth('erin', settings), false);
});
