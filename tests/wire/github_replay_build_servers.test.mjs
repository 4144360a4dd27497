// Build servers that sign their users in with GitHub Enterprise, replayed call by call: Jenkins (github-oauth over hub4j), SonarQube
// (ScribeJava), Woodpecker and Drone, Nexus and GoCD with personal tokens. Each function is what the program does with the answers.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { callback, decode, form, goAuthorize, goExchange, goGithub, goGithubList, goUser, http, pages, secret, world } from '../harness/github_programs.mjs';
import { personalToken } from '../harness/github_rest.mjs';

const programs = {
	jenkins: { redirect_uri: 'https://jenkins.example.org/securityRealm/finishLogin', github: 'query_secret = true' },
	strict: { redirect_uri: 'https://jenkins.example.org/securityRealm/finishLogin' },
	sonarqube: { redirect_uri: 'https://sonar.example.org/oauth2/callback/github' },
	woodpecker: { redirect_uri: 'https://woodpecker.example.org/authorize' },
	drone: { redirect_uri: 'https://drone.example.org/login' },
};
const broker = await world(programs);
const api = `${broker.url}/api/v3`;
const uri = (name) => programs[name].redirect_uri;

// ---- Jenkins, github-oauth ----

// The first of the parts between & is split at =: only a form whose first member is the token will do.
function jenkinsToken(content) {
	for (const part of content.split('&')) if (content.includes('access_token')) return part.split('=')[1];
	return null;
}

// hub4j/github-api: JSON of GitHub's, gzip, the media type of today; the last piece of Link that ends in rel="next" is the next page.
function hub4j(token) {
	const get = async (url) => {
		const answer = await http(url, { headers: { authorization: `token ${token}`, accept: 'application/vnd.github+json', 'accept-encoding': 'gzip' } });
		if (answer.status === 404) throw new Error(`GHFileNotFoundException ${url}`);
		if (answer.status !== 200) throw new Error(`HttpException ${answer.status} ${url}`);
		for (const field of ['limit', 'remaining', 'reset']) assert.match(answer.headers.get(`x-ratelimit-${field}`), /^\d+$/);
		return answer;
	};
	const next = (answer) => (answer.headers.get('link') ?? '').split(', ').filter((each) => each.endsWith('rel="next"')).map((each) => each.slice(1, each.indexOf('>')))[0];
	return {
		one: async (target) => (await get(api + target)).json(),
		list: (target) => pages(api + target, get, next),
		found: async (target) => { try { return (await get(api + target)).json(); } catch { return null; } },
	};
}

async function authorities(github) {
	const me = await github.one('/user');
	const found = new Map((await github.list('/user/orgs')).map((each) => [each.login, []]));
	for (const team of await github.list('/user/teams')) {
		if (!found.has(team.organization.login)) found.set(team.organization.login, []);
		found.get(team.organization.login).push(team.name);
	}
	return { me, list: [...found].flatMap(([org, teams]) => [org, ...teams.map((name) => `${org}*${name}`)]).sort() };
}

async function jenkins(person, name = 'jenkins') {
	// Neither redirect_uri nor response_type.
	const { code, at } = await callback(broker, person, '/login/oauth/authorize', { client_id: name, scope: 'read:org,user:email,repo', state: 'j' });
	assert.equal(at.origin + at.pathname, uri(name));
	const answer = await http(`${broker.url}/login/oauth/access_token?client_id=${name}&client_secret=${secret}&code=${code}`, { method: 'POST' });
	const token = jenkinsToken(answer.text);
	if (!token) return null;
	const github = hub4j(token);
	const { me, list } = await authorities(github);
	const emails = await github.list('/user/emails');
	return { github, login: me.login, fullName: me.name, address: emails.find((each) => each.primary)?.email ?? null, authorities: list };
}

// "organisation" or "organisation*team" in the matrix; a name that is an organisation's is no user's.
async function jenkinsKnows(github, name) {
	const [org, team] = name.split('*');
	if (await github.found(`/orgs/${org}`)) return !team || (await github.found(`/orgs/${org}/teams/${team}`)) ? 'group' : 'nobody';
	return (await github.found(`/users/${name}`)) ? 'user' : 'nobody';
}

test('Jenkins_sends_all_in_the_query_and_splits_a_form', async () => {
	const { github, ...carol } = await jenkins('carol');
	assert.deepEqual(carol, { login: 'carol', fullName: 'Carol Danvers', address: 'carol@example.org', authorities: ['acme', 'acme*mobile', 'acme*web', 'other', 'other*ops'] });
	const known = {};
	for (const name of ['acme', 'acme*web', 'acme*nothing', 'carol', 'nobody']) known[name] = await jenkinsKnows(github, name);
	assert.deepEqual(known, { acme: 'group', 'acme*web': 'group', 'acme*nothing': 'nobody', carol: 'user', nobody: 'nobody' });
	assert.equal((await jenkins('many')).authorities.length, 2 + 102);
	assert.deepEqual((await jenkins('erin')).authorities, []);
	assert.equal((await jenkins('dave')).address, null);
	// Without query_secret there is no token, and an event that says why.
	assert.equal(await jenkins('carol', 'strict'), null);
	assert.ok((await broker.events('--kind', 'client_failed')).some((each) => /query_secret/.test(each.reason)));
});

test('Jenkins_lets_a_name_and_a_personal_token_in_at_its_own_interface', async () => {
	const login = async (username, token) => {
		try {
			const { me, list } = await authorities(hub4j(token));
			return me.login === username ? list : 'another';
		} catch (error) {
			return error.message;
		}
	};
	const token = await personalToken(broker, 'carol', 'read:org', 'user:email');
	assert.deepEqual(await login('carol', token), ['acme', 'acme*mobile', 'acme*web', 'other', 'other*ops']);
	assert.equal(await login('dave', token), 'another');
	assert.match(await login('carol', 'gh' + 'p_' + 'x'.repeat(36)), /HttpException 401/);
});

// ---- SonarQube ----

async function sonarqube(person, { organizations, syncGroups = true } = {}) {
	const { code } = await callback(broker, person, '/login/oauth/authorize', { client_id: 'sonarqube', redirect_uri: uri('sonarqube'), scope: 'user:email,read:org', state: 'sonar' });
	// ScribeJava reads forms alone (OAuth2AccessTokenExtractor).
	const { text } = await http(`${broker.url}/login/oauth/access_token`, form({ client_id: 'sonarqube', client_secret: secret, code, redirect_uri: uri('sonarqube'), grant_type: 'authorization_code' }));
	const token = /access_token=([^&]+)/.exec(text)?.[1];
	if (!token) throw new Error(`cannot extract an access token: ${text}`);
	const get = async (url) => {
		const answer = await http(url, { headers: { authorization: `Bearer ${token}` } });
		if (answer.status < 200 || answer.status > 399) throw new Error(`Fail to execute request '${url}'. HTTP code: ${answer.status}`);
		return answer;
	};
	const all = (target) => pages(`${api}/${target}?per_page=100`, get, (answer) => {
		const link = answer.headers.get('link') ?? '';
		return link.includes('rel="next"') ? /.*<(.*)>; rel="next"/.exec(link)[1] : undefined;
	});
	const user = (await get(`${api}/user`)).json();
	const member = (await all('user/orgs')).map((each) => each.login);
	if (organizations && !member.some((each) => organizations.includes(each))) throw new Error(`'${user.login}' must be a member of at least one organization`);
	let { email } = user;
	if (email === null) email = (await get(`${api}/user/emails`)).json().find((each) => each.primary && each.verified)?.email ?? null;
	const groups = syncGroups ? (await all('user/teams')).map((each) => `${each.organization.login}/${each.slug}`).sort() : null;
	return { id: String(user.id), login: user.login, name: user.name ?? user.login, email, groups };
}

test('SonarQube_synchronises_teams_of_any_number_of_pages', async () => {
	const carol = await sonarqube('carol', { organizations: ['acme'] });
	assert.deepEqual([carol.login, carol.name, carol.email, carol.groups], ['carol', 'Carol Danvers', 'carol@example.org', ['acme/mobile', 'acme/web', 'other/ops']]);
	const many = await sonarqube('many');
	assert.deepEqual([many.groups.length, new Set(many.groups).size, many.name], [102, 102, 'many']);
	await assert.rejects(sonarqube('erin', { organizations: ['acme'] }), /'erin' must be a member/);
	assert.equal((await sonarqube('dave')).email, null);
});

// ---- Woodpecker ----

async function woodpecker(person, intended) {
	const redirect = intended ? `${uri('woodpecker')}?url=${intended}` : uri('woodpecker');
	const { code } = await goAuthorize(broker, person, 'woodpecker', redirect, 'repo user:email read:org');
	const token = await goExchange(broker, 'woodpecker', redirect, code);
	const get = goGithub(api, `Bearer ${token.access_token}`);
	const user = decode(goUser, (await get('/user')).value);
	const emails = decode([{ email: '*string', primary: '*bool', verified: '*bool' }], (await get('/user/emails')).value);
	const email = emails.find((each) => each.primary && each.verified) ?? emails[0];
	if (!email) throw new Error('No verified Email address for GitHub account');
	const organizations = await goGithubList(get, '/user/orgs', { login: '*string', avatar_url: '*string' }, 1);
	const permissions = {};
	for (const { login } of [...organizations, { login: 'nowhere' }]) {
		const { status, value } = await get(`/orgs/${login}/memberships/${user.login}`);
		permissions[login] = status === 200 ? { member: value.state === 'active', admin: value.role === 'admin' } : status;
	}
	const owner = async (name) => ((await get(`/users/${name}`)).status === 200 ? 'user' : (await get(`/orgs/${name}`)).status === 200 ? 'organization' : 'nothing');
	return { login: user.login, id: user.id, avatar: user.avatar_url, email: email.email, permissions, owners: [await owner(user.login), await owner('acme'), await owner('nowhere')] };
}

test('Woodpecker_lists_organisations_and_asks_for_each_membership', async () => {
	const carol = await woodpecker('carol');
	const member = { member: true, admin: false };
	assert.deepEqual([carol.login, carol.email, carol.permissions, carol.owners], ['carol', 'carol@example.org', { acme: member, other: member, nowhere: 404 }, ['user', 'organization', 'nothing']]);
	assert.equal((await http(`${carol.avatar}&s=80`)).status, 200);
	// Where somebody wanted to go stands in the query of its redirect URI.
	assert.equal((await woodpecker('carol', 'https://woodpecker.example.org')).login, 'carol');
	await assert.rejects(woodpecker('dave'), /No verified Email/);
});

// ---- Drone ----

async function drone(person, useBody) {
	const { code, state } = await callback(broker, person, '/login/oauth/authorize', { response_type: 'code', client_id: 'drone', scope: 'repo repo:status user:email read:org', state: 'drone-1', redirect_uri: uri('drone') });
	const request = form({ grant_type: 'authorization_code', code, redirect_uri: uri('drone'), state, ...(useBody ? { client_id: 'drone', client_secret: secret } : {}) });
	const headers = { ...request.headers, accept: 'application/json', ...(useBody ? {} : { authorization: 'Basic ' + Buffer.from(`drone:${secret}`).toString('base64') }) };
	const answer = await http(`${broker.url}/login/oauth/access_token`, { ...request, headers });
	if (answer.status > 299) throw new Error(answer.text);
	// An error with status 200 decodes to a token without text.
	const token = decode({ access_token: 'string', token_type: 'string', refresh_token: 'string', expires_in: 'int' }, answer.json());
	const get = async (target) => (await http(api + target, { headers: { authorization: `Bearer ${token.access_token}`, accept: 'application/json' } })).json();
	const user = decode({ id: 'int', login: 'string', name: 'string', email: '*string', avatar_url: 'string', created_at: 'time', updated_at: 'time' }, await get('/user'));
	const emails = decode([{ email: 'string', primary: 'bool', verified: 'bool' }], await get('/user/emails'));
	return { login: user.login, since: user.created_at, email: emails.find((each) => each.primary)?.email ?? '' };
}

test('Drone_sends_its_state_along_and_the_secret_either_way', async () => {
	for (const useBody of [true, false]) {
		const { login, email, since } = await drone('carol', useBody);
		assert.deepEqual([login, email], ['carol', 'carol@example.org']);
		assert.ok(Date.parse(since) > 0);
	}
});

// ---- Nexus with its GitHub plugin: a name and a personal token ----

async function nexus(username, token) {
	const get = async (target) => {
		const answer = await http(`${api}${target}`, { headers: { authorization: `token ${token}` } });
		if (answer.status !== 200) throw new Error('Authentication failed.');
		return answer.json();
	};
	if ((await get('/user')).login !== username) throw new Error('Given username not found or does not match GitHub Username!');
	const roles = (await get('/user/teams?per_page=100')).map((each) => `${each.organization.login}/${each.name}`);
	return [...(await get('/user/orgs')).map((each) => each.login), ...roles].sort();
}

test('Nexus_compares_the_login_as_it_is_written_and_makes_roles_of_teams', async () => {
	const token = await personalToken(broker, 'carol', 'read:org');
	assert.deepEqual(await nexus('carol', token), ['acme', 'acme/mobile', 'acme/web', 'other', 'other/ops']);
	await assert.rejects(nexus('Carol', token), /does not match/);
	await assert.rejects(nexus('carol', 'x'), /failed/);
});

// ---- GoCD with a token of its own: organisations and teams of anybody ----

async function gocd(token, login, roles) {
	const github = hub4j(token);
	const member = async (target) => (await http(`${api}${target}`, { headers: { authorization: `token ${token}` } })).status === 204;
	const out = [];
	for (const [role, { org, team }] of Object.entries(roles)) {
		const { login: name } = await github.one(`/orgs/${org}`);
		if (!(await member(`/orgs/${name}/members/${login}`))) continue;
		const found = team && (await github.list(`/orgs/${name}/teams`)).find((each) => each.name.toLowerCase() === team.toLowerCase());
		if (!team || (found && (await member(`/teams/${found.id}/members/${login}`)))) out.push(role);
	}
	return out;
}

test('GoCD_asks_about_anybody_with_the_token_of_a_service_account', async () => {
	const token = await personalToken(broker, 'reader', 'read:org');
	const roles = { admins: { org: 'other', team: 'OPS' }, developers: { org: 'acme', team: 'Web' }, everybody: { org: 'acme' } };
	assert.deepEqual(await gocd(token, 'carol', roles), ['admins', 'developers', 'everybody']);
	assert.deepEqual(await gocd(token, 'dave', roles), ['developers', 'everybody']);
	assert.deepEqual(await gocd(token, 'erin', roles), []);
	assert.deepEqual(await gocd(token, 'many', { last: { org: 'acme', team: 'team-100' } }), ['last'], 'on the last of its pages');
	// Somebody's own token does not know other people.
	await assert.rejects(gocd(await personalToken(broker, 'erin', 'read:org'), 'carol', roles), /GHFileNotFoundException/);
});
