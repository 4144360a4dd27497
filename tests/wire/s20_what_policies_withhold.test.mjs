// S7, S20: what a policy takes away is in no token and no answer, whichever grant it is: not by id_token_claims, not by the claims parameter,
// not after a refresh, and a device's page lists what comes that way. Events that strangers cause are merged (S31).
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { Browser, authorizeUrl, claimsOf, obtainTokens, secretOf, tokenRequest } from '../harness/browser.mjs';
import * as device from '../harness/device.mjs';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS = 'urn:ietf:params:oauth:token-type:access_token';
const redirect_uri = 'https://web.example.org/callback';
const app = (name, more) => `application "${name}" { client_id = "${name}", client_secret = "${name}-secret", consent = "implicit", redirect_uris = { "${redirect_uri}" },
  scopes = { "openid", "profile", "groups", "offline_access" }, grant_types = { "authorization_code", "refresh_token", "client_credentials", "password", "${device.GRANT}", "${EXCHANGE}" }, ${more} }\n`;
for (const name of ['front', 'always', 'asking']) secretOf[name] = `${name}-secret`;
const broker = await Broker.start({
	objects: 'policy "groups_of_the_crew" { script = "crew.lua" }\n'
		+ app('front', '') + app('always', 'federated = { "front" }, id_token_claims = { "groups" }, policies = { "groups_of_the_crew" }')
		+ app('asking', 'id_token_claims = { "groups" }').replace('"implicit"', '"remembered"'),
	files: { 'crew.lua': `local left = {}
for _, scope in ipairs(context.oauth_scopes) do
	if scope ~= "groups" or is_member(user, "crew") then left[#left + 1] = scope end
end
return { scopes = left }` },
});
await broker.json('group', 'add', 'crew');
const userinfo = async (token) => (await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${token}` } })).json;
const groupsOf = ({ access_token, id_token }) => [claimsOf(access_token).groups, id_token && claimsOf(id_token).groups];
const joins = () => broker.json('group', 'add-user', 'crew', 'alice');
const leaves = () => broker.json('group', 'remove-user', 'crew', 'alice');
const key = (await broker.json('token', 'create', '--user', 'alice', '--intent', 'app_password')).key;

// By grant: the tokens of alice for the application "always", for the scope openid alone.
const ways = {
	async password() { return tokenRequest(broker, 'always', { grant_type: 'password', username: 'alice', password: key, scope: 'openid' }); },
	async client_credentials() { return tokenRequest(broker, 'always', { grant_type: 'client_credentials', username: 'alice', password: key, scope: 'openid' }); },
	async device() { return device.connect(broker, 'always', { scope: 'openid' }); },
	async exchange() {
		const { access_token } = await obtainTokens(broker, { client_id: 'front', redirect_uri, scope: 'openid groups' });
		return tokenRequest(broker, 'front', { grant_type: EXCHANGE, subject_token: access_token, subject_token_type: ACCESS, audience: 'always', scope: 'openid' });
	},
	async federated() {
		const { access_token } = await obtainTokens(broker, { client_id: 'front', redirect_uri, scope: 'openid groups' });
		return new Browser(broker).post('/application/o/token/', { grant_type: 'client_credentials', client_id: 'always', scope: 'openid',
			client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: access_token });
	},
};

for (const [name, way] of Object.entries(ways)) {
	test(`S20 a scope that the policy takes away comes back by no id_token_claims: ${name}`, async () => {
		const without = await way();
		assert.equal(without.status, 200, without.text);
		assert.deepEqual(groupsOf(without.json), [undefined, undefined]);
		await joins();
		assert.deepEqual(groupsOf((await way()).json)[0], ['crew', 'staff']);
		await leaves();
	});
}

test('S7 what the policy takes away at refresh is in no ID token and at userinfo no more, whatever the claims parameter asked for', async () => {
	await joins();
	const first = await obtainTokens(broker, { client_id: 'always', redirect_uri, scope: 'openid offline_access', claims: JSON.stringify({ userinfo: { groups: null } }) });
	assert.deepEqual((await userinfo(first.access_token)).groups, ['crew', 'staff']);
	const refresh = async (refresh_token) => (await tokenRequest(broker, 'always', { grant_type: 'refresh_token', refresh_token })).json;
	const second = await refresh(first.refresh_token);
	assert.deepEqual((await userinfo(second.access_token)).groups, ['crew', 'staff']);
	await leaves();
	const third = await refresh(second.refresh_token);
	assert.deepEqual(groupsOf(third), [undefined, undefined]);
	for (const { access_token } of [first, third]) assert.equal((await userinfo(access_token)).groups, undefined);
});

test('S7 a device that refreshes keeps what was withheld from it', async () => {
	const first = await device.connect(broker, 'always', { scope: 'openid offline_access' });
	await joins();
	const second = await tokenRequest(broker, 'always', { grant_type: 'refresh_token', refresh_token: first.json.refresh_token });
	assert.deepEqual(groupsOf(second.json), [undefined, undefined]);
	await leaves();
});

test('S20 the page for a device lists what the application has in every ID token, and agreeing to it counts at sign-in', async () => {
	const browser = await device.signedIn(broker);
	const page = await device.enter(browser, (await device.start(broker, 'asking', { scope: 'openid' })).json.user_code);
	assert.match(page.text, /groups/);
	await device.answer(browser, page, 'allow');
	const at = await browser.open(authorizeUrl(broker, { client_id: 'asking', redirect_uri, scope: 'openid' }));
	assert.ok(at.away, at.page?.text);
});

test('security_cases_18 a request of ours that stands at another page is refused there, and breaks nothing', async () => {
	const browser = await device.signedIn(broker);
	const session = browser.cookies.get('tidelock');
	browser.cookies.delete('tidelock');
	const { headers } = await browser.get('/device?code=BCDF-GHJK');
	browser.cookies.set('tidelock', session);
	const request = headers.location.split('request=')[1];
	for (const path of ['/consent', '/application/o/authorize/', '/signout']) assert.equal((await browser.get(`${path}?request=${request}`)).status, 400, path);
});

test('S31 whoever goes back from the sign-in a hundred times leaves one event a minute', async () => {
	const browser = new Browser(broker);
	const { headers } = await browser.get(authorizeUrl(broker, { client_id: 'front', redirect_uri }));
	for (let n = 0; n < 100; n++) assert.equal((await browser.get(headers.location.replace('/signin', '/signin/cancel'))).status, 302);
	const left = await broker.events('--kind', 'sign_in_cancelled');
	assert.ok(left.length <= 2, `${left.length} events`);
	assert.equal(left.reduce((sum, one) => sum + one.count, 0), 100);
});
