// Programs on people's own machines that have their client_id in their source, replayed call by call: Visual Studio Code, Git Credential
// Manager, git-credential-oauth, hub. (The GitHub CLI itself runs in tests/flow.)
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Browser, pkce } from '../harness/browser.mjs';
import { GRANT, answer as decide } from '../harness/device.mjs';
import { basic, form, http, world } from '../harness/github_programs.mjs';
import { personalToken } from '../harness/github_rest.mjs';

const broker = await world({}, `application "gcm" { preset = "gcm" }
application "vscode" { preset = "vscode" }
application "git" { client_type = "public", client_id = "git", redirect_uris = { "http://127.0.0.1" }, github = {} }`);
const api = `${broker.url}/api/v3`;
const tokenUrl = `${broker.url}/login/oauth/access_token`;
const carol = new Browser(broker);
await carol.signIn(await carol.get('/signin'), 'carol');

const installedVersion = async () => (await http(`${api}/meta`)).json().installed_version.split('.').map(Number);

// Types the code and says yes.
async function allow(user_code) {
	const { page } = await carol.submit((await carol.open('/login/device')).page, { code: user_code }, 'device');
	await decide(carol, page, 'allow');
}
// Opens the program's address, agrees, and answers where the browser is sent.
async function agree(parameters) {
	let at = await carol.open(`/login/oauth/authorize?${new URLSearchParams(parameters)}`);
	if (at.page) at = await carol.submit(at.page, { answer: 'allow' }, 'consent');
	return at.away;
}
const login = async (token) => (await http(`${api}/user`, { headers: { authorization: `token ${token}` } })).json().login;

// ---- Visual Studio Code, github-enterprise ----

const vscode = '01ab8ac9400c4e429b23';
const scope = 'read:user user:email repo workflow';

test('Visual_Studio_Code_by_the_device_flow_sends_everything_in_the_query', async () => {
	const started = (await http(`${broker.url}/login/device/code?${new URLSearchParams({ client_id: vscode, scope })}`, { method: 'POST', headers: { accept: 'application/json' } })).json();
	assert.ok(Number.isInteger(started.interval) && Number.isInteger(started.expires_in) && started.verification_uri);
	const poll = async () => (await http(`${tokenUrl}?${new URLSearchParams({ client_id: vscode, device_code: started.device_code, grant_type: GRANT })}`, { method: 'POST', headers: { accept: 'application/json' } })).json();
	assert.equal((await poll()).error, 'authorization_pending');
	await broker.advance(started.interval);
	await allow(started.user_code);
	const { access_token: token } = await poll();
	assert.equal(await login(token), 'carol');
	// Its pull requests look for the header of GitHub's.
	assert.ok((await http(`${api}/rate_limit`, { headers: { authorization: `token ${token}` } })).headers.get('x-github-request-id'));
});

test('Visual_Studio_Code_by_the_web_comes_back_on_its_own_machine', async () => {
	const [major, minor] = await installedVersion();
	assert.ok(major > 3 || (major === 3 && minor >= 8), 'it takes the address of today');
	const { verifier, challenge } = pkce();
	const redirect_uri = 'http://127.0.0.1:41234/';
	const away = await agree({ client_id: vscode, redirect_uri, scope, state: 'vscode', code_challenge: challenge, code_challenge_method: 'S256' });
	assert.equal(away.origin + away.pathname, redirect_uri);
	const got = (await http(tokenUrl, { ...form({ code: away.searchParams.get('code'), client_id: vscode, redirect_uri, code_verifier: verifier }), headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' } })).json();
	assert.equal(await login(got.access_token), 'carol');
});

test('Visual_Studio_Code_looks_for_its_scopes_in_the_header_of_a_personal_token', async () => {
	const token = await personalToken(broker, 'carol', ...scope.split(' '));
	const answer = await http(`${api}/`, { headers: { authorization: `token ${token}` } });
	const granted = answer.headers.get('x-oauth-scopes').split(',').map((each) => each.trim());
	for (const each of scope.split(' ')) assert.ok(granted.includes(each), each);
});

// ---- Git Credential Manager ----

test('Git_Credential_Manager_asks_the_version_and_comes_back_on_any_port', async () => {
	const [major, minor] = await installedVersion();
	assert.ok(major > 3 || (major === 3 && minor >= 2), 'old ones are asked for a password');
	assert.equal((await http(`${api}/authorizations`, { method: 'POST', headers: { authorization: basic('carol', 'wonderland') }, body: '{}' })).status, 404, 'passwords open nothing');
	const redirect_uri = 'http://localhost:41235/';
	const client_id = '0120e057bd645470c1ed';
	const away = await agree({ response_type: 'code', client_id, redirect_uri, scope: 'repo gist workflow', state: 'gcm' });
	const got = (await http(tokenUrl, { ...form({ grant_type: 'authorization_code', client_id, client_secret: 'published-in-its-source', code: away.searchParams.get('code'), redirect_uri }),
		headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' } })).json();
	// git sends it as a password.
	assert.equal((await http(`${api}/user`, { headers: { authorization: basic('carol', got.access_token) } })).json().login, 'carol');
	const started = (await http(`${broker.url}/login/device/code`, { ...form({ client_id, scope: 'repo gist workflow' }), headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' } })).json();
	await allow(started.user_code);
	const polled = (await http(tokenUrl, { ...form({ client_id, device_code: started.device_code, grant_type: GRANT }), headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' } })).json();
	assert.equal(polled.scope, 'repo,gist,workflow');
});

// ---- git-credential-oauth ----

test('git_credential_oauth_has_a_redirect_uri_without_a_path', async () => {
	const { verifier, challenge } = pkce();
	const redirect_uri = 'http://127.0.0.1:41236';
	const away = await agree({ client_id: 'git', response_type: 'code', redirect_uri, scope: 'repo', state: 'git', code_challenge: challenge, code_challenge_method: 'S256' });
	assert.equal(away.origin, redirect_uri);
	// x/oauth2: a client without a secret is tried as Basic first.
	const fields = { grant_type: 'authorization_code', code: away.searchParams.get('code'), redirect_uri, code_verifier: verifier };
	let answer = await http(tokenUrl, { ...form(fields), headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: basic('git', '') } });
	if (!new URLSearchParams(answer.text).get('access_token')) answer = await http(tokenUrl, form({ ...fields, client_id: 'git' }));
	assert.equal(await login(new URLSearchParams(answer.text).get('access_token')), 'carol');
});

// ---- hub ----

test('hub_sends_a_personal_token', async () => {
	const token = await personalToken(broker, 'carol', 'repo');
	const answer = await http(`${api}/user`, { headers: { authorization: `token ${token}`, accept: 'application/vnd.github.v3+json;charset=utf-8' } });
	assert.deepEqual([answer.json().login, answer.headers.get('content-type')], ['carol', 'application/json; charset=utf-8']);
});
