// conformance_modules.mjs: the modules of the suite's Basic, Implicit, Hybrid and Form Post plans, by their names. What a module asks
// is in its name; where the suite has a person look at a page, that page is recognised.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from './broker.mjs';
import { Browser, basic, headerOf, pkce } from './browser.mjs';
import { Client, callback, conformanceFiles, conformanceObjects } from './conformance.mjs';

const again = ({ told, tokens, claims }) => ({ code: told.code, id_token: told.id_token ?? tokens?.id_token, auth_time: claims.auth_time, sub: claims.sub });
// What a person of the certification looks at: a page in words, no redirect, nothing that posts itself.
function isErrorPage({ page }, pattern) {
	assert.equal(page?.status, 400);
	assert.match(page.headers['content-type'], /^text\/html/);
	assert.match(page.text, /<h1>\w[^<]{5,}<\/h1>/);
	assert.match(page.text, pattern);
	assert.ok(page.text.includes(page.headers['x-request-id']));
	assert.doesNotMatch(page.text, /form-post|<script/);
	for (const name of ['location', 'refresh']) assert.equal(page.headers[name], undefined);
}

// The claims of a scope come from userinfo where there is an access token, else inside the ID token (Core 5.4).
async function hasClaims(client, scope, names) {
	const { userinfo, front } = await client.succeed({ scope });
	const where = userinfo ?? front;
	for (const name of names) assert.ok(where[name] !== undefined, `${name} is missing from ${JSON.stringify(where)}`);
	if (userinfo && front) for (const name of names) assert.equal(front[name], undefined, `${name} is in the ID token too`);
}

const profile = ['name', 'preferred_username'];
const modules = {
	'server': async (client) => {
		const { claims } = await client.succeed();
		assert.ok(claims.auth_time && claims.acr);
	},
	'response-type-missing': async (client) => {
		client.responseMode ??= client.mode;
		assert.equal(await client.error({ response_type: undefined }), 'invalid_request');
	},
	'idtoken-signature': async (client) => {
		const { told, tokens } = await client.succeed();
		for (const token of [told.id_token, tokens?.id_token].filter(Boolean)) assert.equal(headerOf(token).alg, client.alg);
	},
	'idtoken-unsigned': async (client) => {
		const document = await client.browser.get(`/application/o/${client.client}/.well-known/openid-configuration`);
		assert.ok(!document.json.id_token_signing_alg_values_supported.includes('none'));
	},
	'userinfo-get': async (client) => { assert.ok((await client.succeed()).userinfo.sub); },
	'userinfo-post-header': async (client) => {
		const { told, tokens, userinfo } = await client.succeed();
		const answer = await client.post('/application/o/userinfo/', undefined, { authorization: `Bearer ${tokens?.access_token ?? told.access_token}` });
		assert.deepEqual(answer.json, userinfo);
	},
	'userinfo-post-body': async (client) => {
		const { told, tokens, userinfo } = await client.succeed();
		const answer = await client.post('/application/o/userinfo/', { access_token: tokens?.access_token ?? told.access_token });
		assert.deepEqual(answer.json, userinfo);
	},
	'ensure-request-without-nonce-succeeds-for-code-flow': async (client) => {
		const { claims } = await client.succeed({ nonce: undefined });
		assert.equal(claims.nonce, undefined);
	},
	'ensure-request-without-nonce-fails': async (client) => { assert.equal(await client.error({ nonce: undefined }), 'invalid_request'); },
	'scope-profile': (client) => hasClaims(client, 'openid profile', profile),
	'scope-email': (client) => hasClaims(client, 'openid email', ['email', 'email_verified']),
	'scope-address': (client) => hasClaims(client, 'openid address', ['address']),
	'scope-phone': (client) => hasClaims(client, 'openid phone', ['phone_number', 'phone_number_verified']),
	'scope-all': (client) => hasClaims(client, 'openid profile email address phone', [...profile, 'email', 'address', 'phone_number']),
	'alternate-happy-flow': async (client) => {
		const url = new URL(client.request({ scope: 'email openid', claims_locales: 'se' }));
		const turned = [...url.searchParams].reverse();
		const at = await client.browser.open(`${url.pathname}?${new URLSearchParams(turned)}`);
		await client.finish(await client.arrive(at));
	},
	'display-page': (client) => client.succeed({ display: 'page' }),
	'display-popup': (client) => client.succeed({ display: 'popup' }),
	'prompt-login': async (client) => {
		const first = again(await client.succeed());
		await client.broker.advance(2);
		const second = await client.visit({ prompt: 'login' });
		assert.equal(client.pages, 1, 'no sign-in page was shown');
		const { claims } = await client.finish(second);
		assert.ok(claims.auth_time > first.auth_time);
	},
	'prompt-none-not-logged-in': async (client) => { assert.equal(await client.error({ prompt: 'none' }), 'login_required'); },
	'prompt-none-logged-in': async (client) => {
		const first = again(await client.succeed());
		await client.broker.advance(2);
		const { claims } = await client.succeed({ prompt: 'none' });
		assert.equal(client.pages, 0);
		for (const name of ['sub', 'auth_time']) assert.equal(claims[name], first[name]);
	},
	'max-age-1': async (client) => {
		const first = again(await client.succeed());
		await client.broker.advance(2);
		const { claims } = await client.succeed({ max_age: '1' });
		assert.equal(client.pages, 1, 'no sign-in page was shown');
		assert.ok(claims.auth_time > first.auth_time);
	},
	'max-age-10000': async (client) => {
		const first = again(await client.succeed({ max_age: '15000' }));
		await client.broker.advance(2);
		const { claims } = await client.succeed({ max_age: '10000' });
		assert.equal(client.pages, 0);
		assert.ok(claims.auth_time && claims.auth_time === first.auth_time);
	},
	'ensure-request-with-unknown-parameter-succeeds': (client) => client.succeed({ extra: 'foobar' }),
	'id-token-hint': async (client) => {
		const first = again(await client.succeed());
		const { claims } = await client.succeed({ prompt: 'none', ...(first.id_token ? { id_token_hint: first.id_token } : {}) });
		assert.equal(claims.sub, first.sub);
	},
	'login-hint': async (client) => {
		const at = await client.browser.open(client.request({ login_hint: 'bob' }));
		assert.match(at.page.text, /name="username"[^>]* value="bob"/);
		await client.finish(await client.arrive(at, ['bob', 'builder-bob']));
	},
	'ui-locales': (client) => client.succeed({ ui_locales: 'se' }),
	'claims-locales': (client) => client.succeed({ claims_locales: 'se' }),
	'ensure-request-with-acr-values-succeeds': async (client) => {
		const { claims } = await client.succeed({ acr_values: '1 2' });
		assert.ok(claims.acr);
	},
	'codereuse': async (client) => {
		const { told } = await client.succeed();
		const answer = await client.exchange(told.code);
		assert.equal(answer.status, 400);
		assert.equal(answer.json.error, 'invalid_grant');
	},
	'codereuse-30seconds': async (client) => {
		const { told, tokens } = await client.succeed();
		await client.broker.advance(30);
		assert.equal((await client.exchange(told.code)).json.error, 'invalid_grant');
		const userinfo = await client.browser.get('/application/o/userinfo/', { headers: { authorization: `Bearer ${tokens.access_token}` } });
		assert.equal(userinfo.status, 401);
	},
	'ensure-registered-redirect-uri': async (client) => {
		isErrorPage(await client.browser.open(client.request({ redirect_uri: `${callback('one')}/foobar` })), /redirect_uri/);
	},
	'ensure-post-request-succeeds': async (client) => {
		const { search } = new URL(client.request());
		const sealed = await client.post('/application/o/authorize/', search.slice(1), { 'content-type': 'application/x-www-form-urlencoded' });
		assert.equal(sealed.status, 303);
		await client.finish(await client.arrive(await client.browser.follow(sealed)));
	},
	'server-client-secret-post': async (client) => {
		const second = client.sibling('two');
		second.token = (form) => second.browser.post('/application/o/token/', { ...form, client_id: 'two', client_secret: 'secret-of-two' }, { cookies: false });
		await second.succeed();
	},
	'request-uri-unsigned-supported-correctly-or-rejected-as-unsupported': async (client) => {
		assert.equal(await client.error({ request_uri: 'https://rp.example.org/requests/1' }), 'request_uri_not_supported');
	},
	'unsigned-request-object-supported-correctly-or-rejected-as-unsupported': async (client) => {
		const object = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify({ client_id: 'one', nonce: 'inside' })).toString('base64url')}.`;
		assert.equal(await client.error({ request: object }), 'request_not_supported');
	},
	'ensure-request-object-with-redirect-uri': async (client) => {
		const object = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify({ redirect_uri: callback('one') })).toString('base64url')}.`;
		isErrorPage(await client.browser.open(client.request({ request: object, redirect_uri: `${callback('one')}/other` })), /redirect_uri/);
		assert.equal(await client.error({ request: object }), 'request_not_supported');
	},
	'claims-essential': async (client) => {
		const member = client.responseType === 'id_token' ? 'id_token' : 'userinfo';
		const { userinfo, front } = await client.succeed({ claims: JSON.stringify({ [member]: { name: { essential: true } } }) });
		assert.equal((userinfo ?? front).name, 'Alice Liddell');
	},
	'refresh-token': async (client) => {
		const { tokens, back } = await client.succeed({ scope: 'openid offline_access', prompt: 'consent' });
		assert.match(tokens.refresh_token, /[\w-]{40,}/);
		const stolen = await client.token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token }, basic('two', 'secret-of-two'));
		assert.equal(stolen.json.error, 'invalid_grant');
		await client.broker.advance(2);
		const answer = await client.token({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token });
		assert.equal(answer.status, 200, answer.text);
		assert.notEqual(answer.json.refresh_token, tokens.refresh_token);
		assert.ok(await client.userinfo(answer.json.access_token));
		client.sent.nonce = undefined;
		const renewed = await client.checked(answer.json.id_token);
		for (const name of ['iss', 'sub', 'aud', 'auth_time']) assert.deepEqual(renewed[name], back[name], name);
		assert.ok(renewed.iat > back.iat);
	},
	'ensure-request-with-valid-pkce-succeeds': async (client) => {
		const { verifier, challenge } = pkce();
		const told = await client.visit({ code_challenge: challenge, code_challenge_method: 'S256' });
		const wrong = await client.exchange(told.code, { code_verifier: pkce().verifier });
		assert.equal(wrong.json.error, 'invalid_grant');
		await client.redeem({ told }, { code_verifier: verifier });
	},
};

const without = (...names) => Object.keys(modules).filter((name) => !names.includes(name));
export const plans = {
	basic: without('ensure-request-without-nonce-fails'),
	implicit: without('codereuse', 'codereuse-30seconds', 'refresh-token', 'server-client-secret-post', 'ensure-request-with-valid-pkce-succeeds', 'ensure-post-request-succeeds',
		'idtoken-unsigned', 'ensure-request-without-nonce-succeeds-for-code-flow'),
	hybrid: without('idtoken-unsigned', 'ensure-post-request-succeeds'),
};

// Which modules say nothing of a response type: userinfo without an access token, the nonce where no ID token is in the front.
function applies(name, type) {
	if (/^userinfo-/.test(name)) return type !== 'id_token';
	if (name === 'ensure-request-without-nonce-fails') return type.includes('id_token');
	if (name === 'ensure-request-without-nonce-succeeds-for-code-flow') return !type.includes('id_token');
	return true;
}

// Makes a test of each module of `plan` for each response type, all at one broker. more: settings of both clients.
export async function runPlan(plan, responseTypes, { responseMode, more = '', issuer, alg, label = '' } = {}) {
	const broker = await Broker.start({ objects: conformanceObjects(responseTypes, more), files: conformanceFiles });
	for (const name of plans[plan]) for (const responseType of responseTypes) {
		if (!applies(name, responseType)) continue;
		const make = (client) => {
			const made = new Client(broker, { responseType, responseMode, client, issuer: issuer?.(broker, client) ?? broker.issuer(client), alg, browser: new Browser(broker) });
			made.sibling = make;
			return made;
		};
		test(`oidcc-${name} (${[responseType, responseMode, label].filter(Boolean).join(', ')})`, () => modules[name](make('one')));
	}
}
