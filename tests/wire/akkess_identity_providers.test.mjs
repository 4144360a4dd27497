// Akkess's interface to an application's identity providers (facts: directory C2, C5): its documents as they stand, who sees what, and the
// set that is replaced whole.
import { test } from 'node:test';
import path from 'node:path';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { authorizeUrl, Browser, obtainTokens } from '../harness/browser.mjs';
import { callback, isSignedIn, Person, upstreamAt } from '../harness/upstream.mjs';
import { OAuth2 } from '../upstream/oauth2.mjs';
import { Oidc } from '../upstream/oidc.mjs';

// The two examples of the document, with the member that comes twice.
const OIDC = `{
"adapter": "OIDC", "name": "Google", "description": "will be overridden", "subjectPoolKey": "google", "visibility": "PUBLIC",
"description": "Used for sign in using Google account",
"adapterConfigOidc": { "issuer": "accounts.google.com", "audience": "xyz.apps.googleusercontent.com",
"usernameMapping": { "attribute": "email" }, "nameMapping": { "attribute": "name", "syncOption": "ONCE" } } }`;
const OAUTH2 = `{
"adapter": "OAUTH_2", "name": "Google", "description": "x", "subjectPoolKey": "google", "visibility": "PUBLIC",
"description": "Used for sign in using Google account",
"adapterConfigOauth2": { "clientId": "abc", "clientSecret": "xxx-secret-xxx", "authorizeUrl": "https://accounts.google.com/o/oauth2/v2/auth",
"tokenUrl": "https://oauth2.googleapis.com/token", "userInfoUrl": "https://openidconnect.googleapis.com/v1/userinfo",
"usernameMapping": { "attribute": "email" }, "nameMapping": { "attribute": "name", "syncOption": "ONCE" } } }`;

const broker = await Broker.start({ settings: 'outgoing = { allow = { "127.0.0.1" } }', files: { 'google.json': OIDC, 'twice.json': '{"sub":"1","sub":"2"}' }, objects: `
source "of-the-file" { file = "google.json" }
source "shown-to-web" { kind = "oidc", issuer = "https://in.example.org", client_id = "w", client_secret = "never-shown-1", visibility = "application" }
application "choosy" { client_id = "choosy", client_secret = "choosy-secret-1", redirect_uris = { "https://choosy.example.org/" }, sources = { "shown-to-web" } }` });
const everything = (await broker.json('token', 'create', '--user', 'root', '--intent', 'api', '--scope', 'everything')).key;
const small = (await broker.json('token', 'create', '--user', 'root', '--intent', 'api')).key;
const { access_token: ofWeb } = await obtainTokens(broker, {});
const { access_token: ofOther } = await obtainTokens(broker, { client_id: 'other', redirect_uri: 'https://other.example.org/callback', scope: 'openid' });

const base = '/authentication/v1';
const of = (application) => `${base}/applications/${application}/identity-providers`;
const bearer = (token) => (token ? { authorization: `BEARER ${token}` } : {});
const browser = new Browser(broker);
const get = (target, token, headers = {}) => browser.get(target, { headers: { ...bearer(token), ...headers } });
const put = (application, body, token = everything, query = '') =>
	browser.request('PUT', of(application) + query, { headers: { ...bearer(token), 'content-type': 'application/json' },
		body: typeof body === 'string' ? body : JSON.stringify(body) });
const keys = (answer) => answer.json.map((one) => one.key).sort();
const basic = (more) => ({ adapter: 'OIDC', name: 'Corp', visibility: 'PUBLIC',
	adapterConfigOidc: { issuer: 'https://idp.example.org', audience: 'corp', usernameMapping: { attribute: 'sub' } }, ...more });

test('C5_2_both_examples_of_the_document_load_as_they_stand', async () => {
	const answer = await put('web', `[${OIDC},${OAUTH2}]`, everything, '?returnUpdated=true');
	assert.equal(answer.status, 200, answer.text);
	assert.deepEqual(keys(answer), ['google', 'google-2', 'of-the-file', 'shown-to-web']);
	const [oidc] = answer.json.filter((one) => one.key === 'google');
	assert.equal(oidc.description, 'Used for sign in using Google account', 'the last one counts');
	assert.equal(oidc.adapterConfigOidc.issuer, 'accounts.google.com');
	const shown = await broker.json('source', 'show', 'web-google');
	assert.equal(shown.issuer, 'https://accounts.google.com');
	assert.equal(shown.enrolment, false, 'there is no registration by oneself');
	assert.equal(shown.pool, (await broker.json('source', 'show', 'web-google-2')).pool, 'one subject pool, of this application alone');
	assert.notEqual(shown.pool, (await broker.json('source', 'show', 'of-the-file')).pool);
	// Nobody else takes a member that comes twice.
	const twice = await broker.command('try', 'source', 'of-the-file', '--claims', path.join(broker.dir, 'twice.json'));
	assert.equal(twice.status, 1);
	assert.match(twice.err, /duplicate/);
});

test('C5_1_misspelt_names_are_the_same_object_and_are_written_back_right', async () => {
	const misspelt = OAUTH2.replace('adapterConfigOauth2', 'adapterConfigOuath2').replace('visibility', 'visibiltiy');
	await put('web', `[${OAUTH2}]`);
	const right = (await get(of('web'), everything)).json.find((one) => one.key === 'google');
	await put('web', `[${misspelt}]`);
	const other = (await get(of('web'), everything)).json.find((one) => one.key === 'google');
	assert.deepEqual(other, right);
	assert.ok(other.adapterConfigOauth2 && !other.adapterConfigOuath2 && !other.visibiltiy);
});

test('C5_3_what_is_wrong_is_400_and_named_by_its_field_and_changes_nothing', async () => {
	await put('web', [basic({ key: 'stays' })]);
	for (const [wrong, field] of [
		[basic({ adapterConfigOidc: undefined }), /\[0\]\.adapterConfigOidc/],
		[basic({ adapter: 'OAUTH_2' }), /\[0\]\.adapterConfigOauth2/],
		[basic({ adapter: 'SAML' }), /\[0\]\.adapter\b/], [basic({ visibility: 'SECRET' }), /\[0\]\.visibility/],
		[basic({ adapterConfigOidc: { ...basic().adapterConfigOidc, nameMapping: { attribute: 'name', syncOption: 'SOMETIMES' } } }), /syncOption/],
		[basic({ adapterConfigOidc: { ...basic().adapterConfigOidc, issuer: 'javascript:alert(1)' } }), /adapterConfigOidc\.issuer/],
		[basic({ key: 'two words' }), /\[0\]\.key/],
		[{ ...JSON.parse(OAUTH2), adapterConfigOuath2: { clientId: 'other' } }, /adapterConfigOauth2/],
	]) {
		const answer = await put('web', [wrong]);
		assert.equal(answer.status, 400, JSON.stringify(wrong));
		assert.match(answer.json.error_description, field);
	}
	for (const body of ['', '{}', 'nonsense', '[[]]', '[1]', `[${'[' .repeat(40)}`, JSON.stringify([basic({ key: 'a' }), basic({ key: 'a' })]),
		JSON.stringify(Array.from({ length: 101 }, () => basic()))]) assert.equal((await put('web', body)).status, 400, body.slice(0, 40));
	assert.deepEqual(keys(await get(of('web'), everything)), ['of-the-file', 'shown-to-web', 'stays']);
});

test('C5_15_the_test_provider_needs_to_be_allowed', async () => {
	const answer = await put('web', [{ adapter: 'IAM_BASIC_IDP', name: 'Test', visibility: 'PUBLIC' }]);
	assert.equal(answer.status, 400);
	assert.match(answer.json.error_description, /allow_test_sources/);
});

test('C5_4_who_sees_what_and_nobody_a_secret', async () => {
	await put('web', [basic({ key: 'pub' }), basic({ key: 'app', visibility: 'APPLICATION' }), basic({ key: 'hid', visibility: 'HIDDEN' }),
		{ ...JSON.parse(OAUTH2), key: 'with-secret' }]);
	await put('other', [basic({ key: 'of-other', visibility: 'APPLICATION' })]);
	const publicOf = (name) => get(`${base}/applications/${name}/public-identity-provider-policy`);
	const own = (token) => get(`${base}/application-identity-provider-policy`, token);
	assert.deepEqual(keys(await publicOf('web')), ['of-the-file', 'pub', 'with-secret']);
	assert.deepEqual(keys(await own(ofWeb)), ['app', 'of-the-file', 'pub', 'with-secret']);
	assert.deepEqual(keys(await own(ofOther)), ['of-other', 'of-the-file']);
	assert.deepEqual(keys(await get(of('web'), everything)), ['app', 'hid', 'of-the-file', 'pub', 'shown-to-web', 'with-secret']);
	assert.deepEqual(keys(await publicOf('choosy')), [], 'it names its own, which is not public');
	assert.deepEqual(keys(await get(of('choosy'), everything)), ['shown-to-web']);
	await put('choosy', [basic({ key: 'unnamed' })]);
	assert.deepEqual(keys(await get(of('choosy'), everything)), ['shown-to-web', 'unnamed']);
	assert.deepEqual(keys(await publicOf('choosy')), [], 'nobody signs in with what it does not name');
	for (const [target, token] of [[of('web'), everything], [`${base}/applications/web/public-identity-provider-policy`], [`${of('web')}/with-secret`, everything]]) {
		assert.doesNotMatch((await get(target, token)).text, /clientSecret|xxx-secret-xxx|never-shown/);
	}
	const missing = await get(`${of('web')}/nothing`);
	for (const [key, token] of [['hid'], ['app'], ['hid', ofWeb], ['app', ofOther], ['of-other', ofWeb]]) {
		const answer = await get(`${of('web')}/${key}`, token);
		assert.equal(answer.status, 404, key);
		assert.equal(answer.json.error_description, missing.json.error_description);
	}
	assert.equal((await get(`${of('web')}/app`, ofWeb)).json.key, 'app');
	assert.equal((await get(`${of('web')}/hid`, everything)).json.visibility, 'HIDDEN');
	assert.equal((await get(`${of('web')}/pub`)).status, 200);
	const lines = await get(of('web'), everything, { accept: 'application/x-ndjson' });
	assert.equal(lines.headers['content-type'], 'application/x-ndjson');
	assert.equal(lines.text.trim().split('\n').map((line) => JSON.parse(line).key).length, 6);
});

test('C2_managing_wants_an_API_key_that_may_do_everything', async () => {
	for (const [token, status] of [[undefined, 401], ['tlk_unknown', 401], [small, 403], [ofWeb, 403], ['rubbish', 401]]) {
		assert.equal((await get(of('web'), token)).status, status, String(token));
		const answer = await put('web', [], token ?? '');
		assert.equal(answer.status, status, String(token));
		assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer/);
	}
	assert.equal((await get(of('nobody'), everything)).status, 404);
	assert.equal((await get(`${base}/applications/nobody/public-identity-provider-policy`)).status, 404);
	assert.equal((await get(`${base}/application-identity-provider-policy`)).status, 401);
	assert.equal((await browser.request('POST', of('web'), { headers: bearer(everything) })).status, 405);
	assert.equal((await get(`${base}/applications/web/anything-else`)).status, 404);
});

test('C5_5_a_put_replaces_the_set_and_an_empty_one_takes_all_away_but_no_affiliation', async () => {
	await put('web', [basic({ key: 'corp' }), basic({ key: 'second' })]);
	assert.equal((await broker.command('user', 'link', 'alice', '--source', 'web-corp', '--subject', '4711')).status, 0);
	assert.equal((await put('web', [])).status, 204);
	assert.deepEqual(keys(await get(of('web'), everything)), ['of-the-file', 'shown-to-web']);
	assert.equal((await broker.command('source', 'show', 'web-corp')).status, 1);
	assert.deepEqual((await broker.json('user', 'show', 'alice')).identities.map((one) => one.subject), ['4711']);
	await put('web', [basic({ key: 'corp' })]);
	assert.equal((await broker.json('source', 'show', 'web-corp')).people, 1, 'it is the same again');
	const events = await broker.events('--kind', 'sources_changed');
	assert.ok(events.some((one) => /corp/.test(one.reason)));
});

test('a_secret_is_kept_when_what_was_read_is_written_back_and_never_for_another_server', async () => {
	const has = async () => (await broker.json('source', 'show', 'web-s')).client_secret;
	const object = { ...JSON.parse(OAUTH2), key: 's' };
	await put('web', [object]);
	assert.equal(await has(), true);
	const [read] = (await get(of('web'), everything)).json.filter((one) => one.key === 's');
	await put('web', [read]);
	assert.equal(await has(), true);
	await put('web', [{ ...read, adapterConfigOauth2: { ...read.adapterConfigOauth2, tokenUrl: 'https://elsewhere.example.org/token' } }]);
	assert.equal(await has(), false);
	await put('web', [object]);
	await put('web', [{ ...read, adapterConfigOauth2: { ...read.adapterConfigOauth2, clientSecret: null } }]);
	assert.equal(await has(), false);
});

test('an_application_that_is_deleted_takes_its_sources_along', async () => {
	assert.equal((await broker.command('app', 'add', 'passing', '--redirect-uri', 'https://p.example.org/cb')).status, 0);
	await put('passing', [basic({ key: 'k' })]);
	assert.equal((await broker.json('source', 'show', 'passing-k')).declared, false);
	assert.equal((await broker.command('app', 'delete', 'passing')).status, 0);
	assert.equal((await broker.command('source', 'show', 'passing-k')).status, 1);
});

test('C5_7_and_8_through_OAUTH_2_and_OIDC_by_their_subjects_and_their_pools', async () => {
	const plain = await upstreamAt((web) => new OAuth2({ web }));
	const oidc = await upstreamAt((web) => new Oidc({ web }, { people: [{ account: 'olive', sub: '123456789012', name: 'Olive of OIDC' }] }));
	const secret = 'a-secret-of-ours';
	const names = { attribute: 'data.user.display', syncOption: 'ALWAYS' };
	const oauth2 = (key, more) => ({ adapter: 'OAUTH_2', key, name: key, visibility: 'PUBLIC', subjectPoolKey: 'shared', adapterConfigOauth2: { clientId: key,
		clientSecret: secret, authorizeUrl: plain.link('web', '/oauth/authorize'), tokenUrl: plain.link('web', '/oauth/token'), userInfoUrl: plain.link('web', '/profile'),
		subjectMapping: { attribute: 'data.user.id' }, usernameMapping: { attribute: 'data.user.handle' }, nameMapping: names }, ...more });
	const open = (key, subjectPoolKey) => basic({ key, subjectPoolKey, adapterConfigOidc: { issuer: oidc.issuer, audience: key, clientSecret: secret } });
	const answer = await put('web', [oauth2('by-oauth'), open('by-oidc', 'shared'), open('apart', 'elsewhere')]);
	assert.equal(answer.status, 204, answer.text);
	plain.register({ client_id: 'by-oauth', client_secret: secret, redirect_uris: [callback(broker, 'web-by-oauth')] });
	for (const key of ['by-oidc', 'apart']) oidc.register({ client_id: key, client_secret: secret, redirect_uris: [callback(broker, `web-${key}`)] });
	for (const [name, subject] of [['olive', '123456789012'], ['nils', '0']]) {
		await broker.command('user', 'add', name, '--name', 'Enrolled');
		assert.equal((await broker.command('user', 'link', name, '--source', 'web-by-oauth', '--subject', subject)).status, 0);
	}
	// They are the application's own: its sign-in page is where they stand.
	assert.equal((await browser.get('/source/oauth/login/web-by-oauth/')).status, 404);
	const who = async (source, account) => {
		const person = new Person(broker);
		const { page } = await person.open(authorizeUrl(broker, {}));
		const [, href] = new RegExp(`href="(/source/oauth/login/${source}/[^"]*)"`).exec(page.text);
		const at = await person.choose(await person.open(href.replaceAll('&amp;', '&')), account);
		return isSignedIn(person) ? (await person.open('/')).page.text : at.page.status;
	};
	assert.match(await who('web-by-oauth', 'olive'), /Olive Oauth/, 'a number of twelve digits, two levels down, and the name');
	assert.match(await who('web-by-oauth', 'nils'), /Enrolled/, 'a missing name blanks nothing');
	assert.ok(await who('web-by-oauth', 'nemo') >= 400, 'without a subject nobody comes in');
	assert.match(await who('web-by-oidc', 'olive'), /Olive/, 'the same subject of the same pool, by another way');
	assert.equal((await broker.json('user', 'show', 'olive')).identities.length, 1);
	assert.equal(await who('web-apart', 'olive'), 403, 'of another pool it is somebody else, whom nobody enrolled');
});
