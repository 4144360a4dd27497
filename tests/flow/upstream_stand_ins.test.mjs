// The stand-ins for other people's identity providers, judged by clients that nobody here wrote: openid-client, which knows Entra's
// template issuer, jose for signatures, passport-github2. What the broker is tried with must be like what it will meet.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate } from 'node:crypto';
import * as oidc from 'openid-client';
import * as jose from 'jose';
import PassportGitHub from 'passport-github2';
import { formOf, claimsOf, headerOf } from '../harness/browser.mjs';
import { Person, upstreamAt, upstreams } from '../harness/upstream.mjs';
import { Entra } from '../upstream/entra.mjs';
import { CONSUMERS, CONTOSO, FABRIKAM, GRAPH } from '../upstream/entra_directory.mjs';
import { GitHub } from '../upstream/github.mjs';
import { GitLab } from '../upstream/gitlab.mjs';
import { Google } from '../upstream/google.mjs';
import { Keycloak, Okta, Oidc } from '../upstream/oidc.mjs';

const CALLBACK = 'https://app.example/callback';
const client = { client_id: 'app', client_secret: 'app-secret', redirect_uris: [CALLBACK] };
const entra = new Entra(), google = new Google(), gitlab = new GitLab(), github = new GitHub();
const keycloak = new Keycloak({ web: 'https://keycloak.example' }), okta = new Okta({ web: 'https://lab.okta.example' }), plain = new Oidc({ web: 'https://op.example' });
const APP = '11111111-aaaa-4bbb-8ccc-000000000001', V2 = '11111111-aaaa-4bbb-8ccc-000000000002';
entra.register({ ...client, client_id: APP, multi: true, personal: true, implicit: true, group_claims: true });
entra.register({ ...client, client_id: V2, api_version: 2, roles: ['Robots.Run'] });
for (const one of [google, gitlab, github, keycloak, okta, plain]) one.register({ ...client });
const world = await upstreams(entra, google, gitlab, github, keycloak, okta, plain);
const person = () => new Person({ url: 'http://127.0.0.1:1' }, world);
const rejected = (promise, about) => assert.rejects(promise, (error) => {
	assert.match(`${error.error} ${error.code} ${error.message} ${error.cause?.claim} ${error.cause?.message} ${JSON.stringify(error.cause ?? {})}`, about);
	return true;
});

async function discover(issuer, id = 'app', authentication = oidc.ClientSecretPost('app-secret'), options = {}) {
	const config = await oidc.discovery(new URL(issuer), id, undefined, authentication, { [oidc.customFetch]: world.fetch, ...options });
	return config;
}

// The whole code flow; answers the library's tokens.
async function through(config, account, { scope = 'openid profile email', browser = person(), ...more } = {}) {
	const pkceCodeVerifier = oidc.randomPKCECodeVerifier(), expectedNonce = oidc.randomNonce(), expectedState = oidc.randomState();
	const url = oidc.buildAuthorizationUrl(config, { redirect_uri: CALLBACK, scope, nonce: expectedNonce, state: expectedState, code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256', ...more });
	const at = await browser.choose(await browser.open(url.href), account);
	assert.ok(at.away, at.page?.text);
	return oidc.authorizationCodeGrant(config, at.away, { pkceCodeVerifier, expectedNonce, expectedState });
}

test('openid_client_signs_in_at_every_openid_provider', async () => {
	for (const [double, issuer, account] of [[google, google.issuer, 'wanda'], [gitlab, gitlab.issuer, 'gitta'], [keycloak, keycloak.issuer, 'ada'], [okta, okta.issuer, 'ada'], [plain, plain.issuer, 'ada']]) {
		const config = await discover(issuer);
		const tokens = await through(config, account);
		const { sub } = tokens.claims();
		const info = await oidc.fetchUserInfo(config, tokens.access_token, sub);
		assert.ok(info.email?.includes('@'), issuer);
		double.rotate({ forget: true });
		const browser = person();
		await through(config, account, { browser });
		const silent = await through(config, undefined, { browser, prompt: 'none' });
		assert.equal(silent.claims().sub, sub);
		await rejected(through(config, undefined, { prompt: 'none' }), /login_required/);
		await rejected(through(config, undefined), /access_denied/);
		double.alterToken = (token) => { token.broken = true; };
		const jwks = jose.createLocalJWKSet(double.jwks);
		const { id_token } = await through(config, account);
		await assert.rejects(jose.jwtVerify(id_token, jwks), { code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' });
		double.heal();
		await jose.jwtVerify((await through(config, account)).id_token, jwks, { issuer, audience: 'app' });
	}
});

test('openid_client_signs_in_at_entra_single_and_multi_tenant', async () => {
	for (const tenant of [CONTOSO, 'common', 'organizations']) {
		const config = await discover(`https://login.microsoftonline.com/${tenant}/v2.0`, APP);
		const tokens = await through(config, 'adele', { scope: 'openid profile email offline_access User.Read' });
		const claims = tokens.claims();
		assert.deepEqual([claims.iss, claims.tid, claims.ver, claims.email, claims.groups.length], [`https://login.microsoftonline.com/${CONTOSO}/v2.0`, CONTOSO, '2.0', 'adele@contoso.example', 7]);
		const again = await oidc.refreshTokenGrant(config, tokens.refresh_token);
		assert.equal(again.claims().sub, claims.sub);
		const info = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
		assert.equal(info.name, 'Adele Vance');
	}
	const guest = (await through(await discover(`https://login.microsoftonline.com/${CONTOSO}/v2.0`, APP), 'guest')).claims();
	assert.deepEqual([guest.idp, /#EXT#/.test(guest.preferred_username)], [`https://sts.windows.net/${FABRIKAM}/`, true]);
	const personal = await discover('https://login.microsoftonline.com/common/v2.0', APP);
	assert.equal((await through(personal, 'connie')).claims().tid, CONSUMERS);
	await rejected(discover('https://login.microsoftonline.com/00000000-0000-4000-8000-000000000000/v2.0', APP), /HTTP status|response/i);
});

test('entras_keys_have_certificates_and_issuers_and_rotate', async () => {
	const keys = async (path) => (await world.ask(`https://login.microsoftonline.com/${path}`)).json.keys;
	const shared = await keys('common/discovery/v2.0/keys');
	assert.equal(shared.length, 3);
	assert.deepEqual([...new Set(shared.map(({ issuer }) => issuer))], ['https://login.microsoftonline.com/{tenantid}/v2.0', `https://login.microsoftonline.com/${CONSUMERS}/v2.0`]);
	for (const { kty, n, e, x5c, x5t } of shared) {
		const certificate = new X509Certificate(Buffer.from(x5c[0], 'base64'));
		assert.ok(certificate.verify(createPublicKey({ key: { kty, n, e }, format: 'jwk' })));
		assert.equal(Buffer.from(x5t, 'base64url').toString('hex').toUpperCase(), certificate.fingerprint.replaceAll(':', ''));
	}
	assert.equal((await keys('common/discovery/keys')).length, 2, 'version 1 knows no consumers');
	const before = entra.keys[0].kid;
	entra.rotate();
	assert.deepEqual((await keys(`${CONTOSO}/discovery/v2.0/keys`)).map(({ kid }) => kid).indexOf(before), 1);
	entra.register({ ...client, client_id: 'own', home: CONTOSO, own_key: true });
	const config = await discover(`https://login.microsoftonline.com/${CONTOSO}/v2.0`, 'own');
	const { id_token } = await through(config, 'nestor');
	const usual = await keys(`${CONTOSO}/discovery/v2.0/keys`), own = await keys(`${CONTOSO}/discovery/v2.0/keys?appid=own`);
	const { kid } = headerOf(id_token);
	assert.deepEqual([usual.some((key) => key.kid === kid), own.some((key) => key.kid === kid)], [false, true]);
});

test('entras_forgeries_are_forgeries_and_one_minute_makes_the_difference', async () => {
	const config = await discover(`https://login.microsoftonline.com/${CONTOSO}/v2.0`, APP);
	const refused = { tid_and_issuer_differ: /claim|iss/, another_tenant: /iss/, tenant_is_no_guid: /iss/, expired_6_minutes_ago: /exp/, another_audience: /aud/, another_nonce: /nonce/, unsigned: /alg/, expired_4_minutes_ago: /exp/, valid_in_4_minutes: /nbf|past|future/, valid_in_6_minutes: /nbf|past|future/, no_tenant: /tid|iss/ };
	for (const [name, forge] of Object.entries(entra.forgeries)) {
		entra.alterToken = forge;
		const key = new Map(entra.keys.map((one) => [one.kid, one]));
		if (refused[name] && !['tid_and_issuer_differ', 'no_tenant'].includes(name)) await rejected(through(config, 'adele', { scope: 'openid' }), refused[name]);
		else {
			const { id_token } = await through(config, 'adele', { scope: 'openid' });
			const company = jose.createLocalJWKSet({ keys: [...key.values()].map(({ jwk }) => jwk) });
			if (/key_of|broken/.test(name)) await assert.rejects(jose.jwtVerify(id_token, company), name);
			else assert.notDeepEqual([claimsOf(id_token).tid, claimsOf(id_token).ver], [CONTOSO, '2.0'], name);
		}
		entra.heal();
	}
	const lenient = await oidc.discovery(new URL(`https://login.microsoftonline.com/${CONTOSO}/v2.0`), APP, { [oidc.clockTolerance]: 300 }, oidc.ClientSecretPost('app-secret'), { [oidc.customFetch]: world.fetch });
	for (const [name, ok] of [['expired_4_minutes_ago', true], ['expired_6_minutes_ago', false], ['valid_in_4_minutes', true], ['valid_in_6_minutes', false]]) {
		entra.alterToken = entra.forgeries[name];
		const going = through(lenient, 'adele', { scope: 'openid' });
		if (ok) await going; else await assert.rejects(going, name);
		entra.heal();
	}
});

test('entra_answers_errors_in_its_own_words', async () => {
	const config = await discover(`https://login.microsoftonline.com/${CONTOSO}/v2.0`, APP);
	const token = (form, path = `${CONTOSO}/oauth2/v2.0/token`, headers = {}) => world.ask(`https://login.microsoftonline.com/${path}`, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers }, body: new URLSearchParams({ client_id: APP, client_secret: 'app-secret', ...form }).toString() });
	const authorize = (query, tenant = CONTOSO) => person().open(`https://login.microsoftonline.com/${tenant}/oauth2/v2.0/authorize?${new URLSearchParams({ client_id: APP, response_type: 'code', redirect_uri: CALLBACK, scope: 'openid', state: 's', ...query })}`);
	const browser = person();
	const at = await browser.choose(await browser.open(oidc.buildAuthorizationUrl(config, { redirect_uri: CALLBACK, scope: 'openid', state: 'st' }).href), 'adele');
	assert.ok(at.away.searchParams.get('session_state'));
	assert.equal(at.away.searchParams.get('iss'), null, 'Entra sends no iss');
	const code = at.away.searchParams.get('code');
	const redeem = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK };
	for (const [form, status, error, number, path] of [
		[{ ...redeem, client_secret: 'wrong' }, 401, 'invalid_client', 7000215], [{ ...redeem, client_id: V2 }, 400, 'invalid_grant', 70000], [{ ...redeem, redirect_uri: `${CALLBACK}/` }, 400, 'invalid_client', 500112],
		[redeem, 200], [redeem, 400, 'invalid_grant', 54005], [{ ...redeem, code: 'x' }, 400, 'invalid_grant', 9002313], [{ grant_type: 'password' }, 400, 'unsupported_grant_type', 70003],
		[{ grant_type: 'client_credentials', scope: `api://${APP}` }, 400, 'invalid_scope', 1002012], [{ grant_type: 'client_credentials', scope: `api://${APP}/.default` }, 400, 'invalid_request', 50059, 'common/oauth2/v2.0/token'],
		[redeem, 400, 'invalid_tenant', 90002, 'nowhere.example/oauth2/v2.0/token'],
	]) {
		const got = await token(form, path);
		assert.deepEqual([got.status, got.json.error, got.json.error_codes?.[0]], [status, error, number], got.text);
		if (number) assert.match(got.json.error_description, new RegExp(`^AADSTS${number}: .* Trace ID: .* Correlation ID: .* Timestamp: `));
	}
	for (const [query, error, words, tenant] of [[{ response_type: 'id_token' }, 'invalid_request', /nonce/], [{ response_type: 'id_token', nonce: 'n', response_mode: 'query' }, 'invalid_request', /response_mode/], [{ response_type: 'none' }, 'unsupported_response_type', /AADSTS/],
		[{ scope: `api://${APP}/x User.Read` }, 'invalid_request', /28000/], [{ client_id: V2 }, 'invalid_request', /50194/, 'common'], [{ prompt: 'none' }, 'login_required', /50058/]]) {
		const { away } = await authorize(query, tenant);
		const answered = new URLSearchParams(away.search || away.hash.slice(1));
		assert.deepEqual([answered.get('error'), words.test(answered.get('error_description')), answered.get('state')], [error, true, 's'], away.href);
	}
	assert.match((await authorize({ redirect_uri: 'https://evil.example/' })).page.text, /AADSTS50011/);
	const posted = await browser.choose(await browser.open(oidc.buildAuthorizationUrl(config, { redirect_uri: CALLBACK, scope: 'openid', response_type: 'code id_token', response_mode: 'form_post', nonce: 'n', state: 'st' }).href), 'adele');
	const form = formOf(posted.page.text, 'form-post');
	assert.deepEqual([form.action, Object.keys(form.fields).sort()], [CALLBACK, ['code', 'id_token', 'session_state', 'state']]);
});

test('graph_pages_casts_and_withholds_as_graph_does', async () => {
	const config = await discover(`https://login.microsoftonline.com/${CONTOSO}/v2.0`, APP);
	const tokenFor = async (account, scope) => (await through(config, account, { scope: `openid ${scope}` })).access_token;
	const get = (token, path, headers = {}) => world.ask(path.startsWith('https') ? path : `https://graph.microsoft.com/v1.0${path}`, { headers: { authorization: `Bearer ${token}`, ...headers } });
	const all = async (token, path, headers) => {
		const pages = [];
		for (let next = path; next; next = pages.at(-1)['@odata.nextLink']) { const got = await get(token, next, headers); assert.equal(got.status, 200, got.text); pages.push(got.json); }
		return pages;
	};
	const named = await tokenFor('many', 'https://graph.microsoft.com/GroupMember.Read.All https://graph.microsoft.com/User.Read');
	const direct = await all(named, '/me/memberOf');
	assert.deepEqual(direct.map(({ value }) => value.length), [100, 0, 100, 100, 100, 51]);
	assert.equal(new Set(direct.flatMap(({ value }) => value.map(({ id }) => id))).size, 451);
	assert.equal(direct[0].value[0]['@odata.type'], '#microsoft.graph.directoryRole');
	assert.equal((await get(named, '/me/transitiveMemberOf/microsoft.graph.group?$select=id,displayName&$count=true')).status, 400, 'a cast needs ConsistencyLevel');
	const eventual = { ConsistencyLevel: 'eventual' };
	const cast = await all(named, '/me/transitiveMemberOf/microsoft.graph.group?$select=id,displayName&$top=999&$count=true', eventual);
	assert.deepEqual([cast.length, cast[0].value.length, cast[0]['@odata.count']], [1, 450, 450]);
	const withoutHeader = (await get(named, '/me/memberOf/microsoft.graph.group?$count=true', eventual)).json['@odata.nextLink'];
	assert.equal((await get(named, withoutHeader)).status, 400, 'and on every further page');
	const nested = await all(await tokenFor('adele', 'User.Read'), '/me/transitiveMemberOf');
	assert.deepEqual([nested[0].value.length, nested[0].value.every(({ displayName }) => displayName === null)], [9, true], 'no names without the permission');
	const posted = await world.ask('https://graph.microsoft.com/v1.0/me/getMemberGroups', { method: 'POST', headers: { authorization: `Bearer ${named}`, 'content-type': 'application/json' }, body: '{"securityEnabledOnly":false}' });
	assert.equal(posted.json.value.length, 450);
	assert.equal((await get(named, '/me')).json.mail, 'many@contoso.example');
	assert.deepEqual((await get(await tokenFor('nomail', 'User.Read'), '/me?$select=mail,otherMails')).json.otherMails, ['lee@elsewhere.example']);
	entra.graph.throttled = 1;
	const refused = await get(named, '/me');
	assert.deepEqual([refused.status, refused.headers['retry-after'], (await get(named, '/me')).status], [429, '1', 200]);
	assert.equal((await get(await tokenFor('adele', ''), '/me')).status, 403);
	assert.deepEqual([(await get(await tokenFor('adele', `api://${APP}/read`), '/me')).status, (await get('x', '/me')).json.error.code], [401, 'InvalidAuthenticationToken']);
	assert.equal(headerOf(named).nonce !== undefined && claimsOf(named).aud, GRAPH);
	await assert.rejects(jose.jwtVerify(named, jose.createLocalJWKSet(entra.jwks)), { code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' }, 'only Graph can check what is for Graph');
});

test('groups_become_an_overage_notice_above_two_hundred', async () => {
	const config = await discover(`https://login.microsoftonline.com/${CONTOSO}/v2.0`, APP);
	for (const [account, groups] of [['nestor', undefined], ['twohundred', 200], ['overage', undefined]]) {
		const claims = (await through(config, account, { scope: 'openid' })).claims();
		assert.deepEqual([claims.groups?.length, claims._claim_names?.groups], [groups, account === 'overage' ? 'src1' : undefined], account);
	}
	const browser = person();
	const at = await browser.choose(await browser.open(oidc.buildAuthorizationUrl(config, { redirect_uri: CALLBACK, scope: 'openid', response_type: 'id_token', nonce: 'n', state: 's' }).href), 'adele');
	assert.equal(claimsOf(new URLSearchParams(at.away.hash.slice(1)).get('id_token')).hasgroups, true, 'from the front six are too many');
});

test('programs_get_version_one_tokens_unless_their_api_says_otherwise', async () => {
	const ask = async (id, scope) => oidc.clientCredentialsGrant(await discover(`https://login.microsoftonline.com/${CONTOSO}/v2.0`, id), { scope });
	const one = await ask(APP, `api://${APP}/.default`), two = await ask(V2, `api://${V2}/.default`), graph = await ask(APP, 'https://graph.microsoft.com/.default');
	assert.deepEqual(Object.keys(one).sort(), ['access_token', 'expires_in', 'ext_expires_in', 'token_type']);
	const jwks = jose.createLocalJWKSet(entra.jwks);
	const v1 = (await jose.jwtVerify(one.access_token, jwks, { issuer: `https://sts.windows.net/${CONTOSO}/`, audience: `api://${APP}` })).payload;
	assert.deepEqual([v1.appid, v1.ver, v1.roles, v1.oid === v1.sub, v1.scp, v1.name], [APP, '1.0', undefined, true, undefined, undefined]);
	const v2 = (await jose.jwtVerify(two.access_token, jwks, { issuer: `https://login.microsoftonline.com/${CONTOSO}/v2.0`, audience: V2 })).payload;
	assert.deepEqual([v2.azp, v2.ver, v2.roles], [V2, '2.0', ['Robots.Run']]);
	await assert.rejects(jose.jwtVerify(graph.access_token, jwks), { code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' });
	const me = await world.ask('https://graph.microsoft.com/v1.0/me', { headers: { authorization: `Bearer ${graph.access_token}` } });
	assert.equal(me.status, 400, 'a program is nobody');
});

test('google_and_gitlab_have_their_quirks', async () => {
	const config = await discover(google.issuer);
	const offline = await through(config, 'wanda', { access_type: 'offline', prompt: 'consent' });
	assert.equal(offline.claims().hd, 'workspace.example');
	assert.equal((await oidc.refreshTokenGrant(config, offline.refresh_token)).claims().name, undefined, 'a refreshed token is thin');
	const usual = await through(config, 'connie');
	assert.deepEqual([usual.refresh_token, usual.claims().hd], [undefined, undefined]);
	google.legacy = true;
	await rejected(through(config, 'wanda'), /iss/);
	google.legacy = false;
	const lab = await discover(gitlab.issuer);
	const tokens = await through(lab, 'gitta');
	const info = await oidc.fetchUserInfo(lab, tokens.access_token, '41');
	assert.deepEqual([tokens.claims().groups_direct, info.groups], [['tools', 'tools/deep/er'], ['tools', 'tools/deep/er', 'tools/deep']]);
	await oidc.refreshTokenGrant(lab, tokens.refresh_token);
	await rejected(oidc.refreshTokenGrant(lab, tokens.refresh_token), /invalid_grant/);
	assert.equal((await through(lab, 'merle', { scope: 'openid profile' })).claims().email, 'merle@public.example');
	assert.equal((await through(await discover(okta.issuer), 'ada')).refresh_token, undefined);
	await rejected(discover(okta.issuer, 'app', oidc.ClientSecretBasic('app-secret')).then((basic) => through(basic, 'ada')), /invalid_client/);
});

test('passport_github2_and_githubs_own_rules', async () => {
	const browser = person();
	const at = await browser.choose(await browser.open(`https://github.com/login/oauth/authorize?client_id=app&scope=user:email%20read:org&state=s`), 'busy');
	const code = at.away.searchParams.get('code');
	const exchange = (form, accept) => world.ask('https://github.com/login/oauth/access_token', { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded', ...(accept ? { accept } : {}) }, body: new URLSearchParams({ client_id: 'app', client_secret: 'app-secret', ...form }).toString() });
	const wrong = await exchange({ code: 'x' }, 'application/json');
	assert.deepEqual([wrong.status, wrong.json.error], [200, 'bad_verification_code']);
	assert.match((await exchange({ code, client_secret: 'x' })).text, /^error=incorrect_client_credentials/);
	const { access_token, scope } = (await exchange({ code }, 'application/json')).json;
	assert.equal(scope, 'user:email,read:org');
	const get = (path, more = {}) => world.ask(`https://api.github.com${path}`, { headers: { authorization: `Bearer ${access_token}`, 'user-agent': 'test', ...more } });
	assert.equal((await world.ask('https://api.github.com/user', { headers: { authorization: `Bearer ${access_token}` } })).status, 403, 'without a User-Agent');
	const teams = await get('/user/teams?per_page=100');
	assert.deepEqual([teams.json.length, /page=2>; rel="next"/.test(teams.headers.link)], [100, true]);
	assert.equal((await get('/user/teams?per_page=100&page=2')).json.length, 30);
	assert.deepEqual((await get('/user/orgs')).json.map(({ login }) => login), ['octo'], 'an organisation behind single sign-on is hidden');
	assert.equal((await get('/user/memberships/orgs/guarded')).status, 403);
	// The library itself speaks http to a plain stand-in.
	const { Strategy } = PassportGitHub;
	const ghe = await upstreamAt((origin) => new GitHub({ web: origin, api: origin }, { enterprise: true }));
	ghe.register({ ...client });
	const strategy = new Strategy({ clientID: 'app', clientSecret: 'app-secret', callbackURL: CALLBACK, scope: ['user:email'], authorizationURL: ghe.link('web', '/login/oauth/authorize'), tokenURL: ghe.link('web', '/login/oauth/access_token'), userProfileURL: ghe.link('api', '/user'), userEmailURL: ghe.link('api', '/user/emails') }, (token, refresh, profile, done) => done(null, profile));
	const run = (query = {}) => new Promise((resolve, reject) => {
		const each = Object.assign(Object.create(strategy), { redirect: resolve, success: resolve, fail: reject, error: reject });
		each.authenticate({ query, session: {}, headers: {} }, {});
	});
	const there = new Person({ url: 'http://127.0.0.1:1' });
	const back = await there.choose(await there.open(await run()), 'octavia');
	const profile = await run(Object.fromEntries(back.away.searchParams));
	assert.deepEqual([profile.id, profile.username, profile.emails[0].value], ['583231', 'octavia', 'octavia@octo.example']);
});
