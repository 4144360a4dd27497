// etc/examples/openid_conformance.{lua,json}: the broker that the first one makes, and what the suite's browser is told by the second
// to do with its pages. The commands are obeyed here as the suite's runner obeys them, without a browser.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Broker, root } from '../harness/broker.mjs';
import { Browser, answerOf, claimsOf, formOf } from '../harness/browser.mjs';

const suite = 'https://suite.example:8443/test/a/tidelock';
const example = path.join(root, 'etc/examples/openid_conformance');
const plan = JSON.parse(readFileSync(`${example}.json`));
const broker = await Broker.start({ tls: true, config: (own) => {
	own.options.env = { SUITE: suite, PUBLIC_URL: own.url, LISTEN: `https://127.0.0.1:${own.port}`, TIDELOCK_DATA: `${own.dir}/data` };
	return `include ${JSON.stringify(`${example}.lua`)}\npassword = { memory_kib = 1024, passes = 1 }`;
} });

const matches = (pattern, url) => new RegExp(`^${pattern.split('*').map((part) => part.replace(/[.?+^${}()|[\]\\]/g, '\\$&')).join('.*')}$`, 's').test(url);
const clientOf = (module) => plan.override[module]?.client ?? plan.client;

// A person who is led by the list of a module.
class Led {
	constructor(module) {
		Object.assign(this, { module, client: clientOf(module), list: plan.override[module]?.browser ?? plan.browser, browser: new Browser(broker) });
	}
	get here() { return this.at.away?.href ?? this.at.page.url; }
	async go(method, url) {
		const entry = this.list.find((one) => matches(one.match, url));
		assert.ok(entry, `nothing is said of ${url}`);
		const [address, query] = url.split('?');
		this.at = await this.browser.follow(await (method === 'POST' ? this.browser.post(address, Object.fromEntries(new URLSearchParams(query))) : this.browser.get(url)));
		this.done = [];
		for (const task of entry.tasks) {
			if (matches(task.match ?? '*', this.here)) await this.obey(task);
			else assert.ok(task.optional, `${this.module}: ${task.task} at ${this.here}`);
		}
		return this.at;
	}
	async obey(task) {
		const typed = {};
		for (const [what, by, target, ...more] of task.commands ?? []) {
			if (what === 'text') typed[target] = more[0];
			else if (what === 'click') await this.click(target, typed);
			else await this.wait(by, target, more[1]);
		}
		this.done.push(task.task);
	}
	// Fields are named as their ids are.
	async click(id, typed) {
		const html = this.at.page.text;
		const [, form] = [...html.matchAll(/<form\b[^>]*id="([^"]+)"[^>]*>(?:(?!<\/form>)[\s\S])*<\/form>/g)].find(([whole]) => whole.includes(`id="${id}"`));
		for (const name of Object.keys(typed)) assert.ok(new RegExp(`id="${name}" name="${name}"`).test(html), name);
		const button = new RegExp(`name="(\\w+)" value="(\\w+)" id="${id}"`).exec(html);
		this.at = await this.browser.submit(this.at.page, { ...typed, ...(button ? { [button[1]]: button[2] } : {}) }, form);
	}
	async wait(by, target, text) {
		if (by === 'xpath') return assert.match(/<h1>([^<]*)<\/h1>/.exec(this.at.page.text)[1], new RegExp(text));
		if (by === 'id') return assert.ok(this.at.away?.href.startsWith(suite), this.here);
		const next = /^\d+; url=(.*)$/.exec(this.at.page?.headers.refresh ?? '');
		if (next) {
			this.passed = this.at.page.text;
			this.at = await this.browser.open(next[1]);
		}
		return by === 'contains' ? assert.ok(this.here.includes(target), this.here) : assert.match(this.here, new RegExp(target));
	}
	async authorize(parameters = {}, method = 'GET') {
		const query = { client_id: this.client.client_id, redirect_uri: `${suite}/callback`, response_type: 'code', scope: 'openid', state: 's', nonce: 'n', ...parameters };
		const at = await this.go(method, `${broker.url}/application/o/authorize/?${new URLSearchParams(query)}`);
		return at.page?.status === 400 ? at : answerOf(at).parameters;
	}
	async redeem(code, how = 'basic') {
		const { client_id, client_secret } = this.client;
		const headers = how === 'basic' ? { authorization: `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}` } : {};
		const form = { grant_type: 'authorization_code', code, redirect_uri: `${suite}/callback`, ...(how === 'basic' ? {} : this.client) };
		const answer = await new Browser(broker).post('/application/o/token/', form, { headers });
		assert.equal(answer.status, 200, answer.text);
		return answer.json;
	}
	leave(parameters) {
		const query = new URLSearchParams(parameters);
		return this.go('GET', `${broker.url}/application/o/end-session/${query.size ? `?${query}` : ''}`);
	}
}

// The members that the suite's schema of provider metadata knows, of those that a provider of ours may come to have.
const known = `issuer authorization_endpoint token_endpoint jwks_uri scopes_supported response_types_supported response_modes_supported grant_types_supported
	token_endpoint_auth_methods_supported token_endpoint_auth_signing_alg_values_supported ui_locales_supported revocation_endpoint revocation_endpoint_auth_methods_supported
	revocation_endpoint_auth_signing_alg_values_supported introspection_endpoint introspection_endpoint_auth_methods_supported introspection_endpoint_auth_signing_alg_values_supported
	code_challenge_methods_supported userinfo_endpoint end_session_endpoint check_session_iframe subject_types_supported id_token_signing_alg_values_supported
	id_token_encryption_alg_values_supported id_token_encryption_enc_values_supported display_values_supported claim_types_supported claims_supported claims_parameter_supported
	request_parameter_supported request_uri_parameter_supported acr_values_supported frontchannel_logout_supported frontchannel_logout_session_supported backchannel_logout_supported
	backchannel_logout_session_supported authorization_response_iss_parameter_supported device_authorization_endpoint prompt_values_supported`.split(/\s+/);

test('oidcc-discovery-endpoint-verification_announces_nothing_that_the_suite_warns_of', async () => {
	const { json } = await new Browser(broker).get(new URL(plan.server.discoveryUrl).pathname);
	assert.deepEqual(Object.keys(json).filter((name) => !known.includes(name)), []);
	assert.equal(json.issuer, `${broker.url}/`);
	for (const name of ['client_secret_basic', 'client_secret_post']) assert.ok(json.token_endpoint_auth_methods_supported.includes(name));
});

test('oidcc-server_with_every_client_that_the_suite_is_given_under_one_issuer', async () => {
	for (const [module, client, how] of [['oidcc-server', plan.client, 'basic'], ['oidcc-server-client-secret-post', plan.client_secret_post, 'post'], ['oidcc-refresh-token', plan.client2, 'basic'],
		['oidcc-backchannel-rp-initiated-logout', null, 'basic'], ['oidcc-frontchannel-rp-initiated-logout', null, 'basic']]) {
		const led = new Led(module);
		led.client = client ?? led.client;
		const told = await led.authorize();
		assert.deepEqual(led.done, ['Sign in', 'Arrived at the callback'], module);
		const claims = claimsOf((await led.redeem(told.code, how)).id_token);
		assert.deepEqual([claims.iss, claims.aud], [`${broker.url}/`, led.client.client_id]);
		assert.equal(told.iss, claims.iss);
	}
});

test('oidcc-prompt-login_oidcc-ensure-post-request-succeeds_and_oidcc-refresh-token_by_the_commands_of_the_example', async () => {
	const led = new Led('oidcc-prompt-login');
	await led.authorize({}, 'POST');
	assert.deepEqual(led.done, ['Sign in', 'Arrived at the callback']);
	await led.authorize({ prompt: 'login' });
	assert.deepEqual(led.done, ['Sign in', 'Arrived at the callback']);
	await led.authorize({ prompt: 'none' });
	assert.deepEqual(led.done, ['Arrived at the callback']);
	const told = await led.authorize({ prompt: 'consent', scope: 'openid offline_access' });
	assert.deepEqual(led.done, ['Consent', 'Arrived at the callback']);
	assert.ok((await led.redeem(told.code)).refresh_token);
});

test('oidcc-scope-email_claims_of_scopes_are_in_one_place', async () => {
	const scope = 'openid email profile address phone';
	const { code } = await new Led('oidcc-scope-email').authorize({ scope });
	const tokens = await new Led('oidcc-scope-email').redeem(code);
	for (const name of ['email', 'name', 'address', 'phone_number']) assert.equal(claimsOf(tokens.id_token)[name], undefined, name);
	const { json } = await new Browser(broker).get('/application/o/userinfo/', { headers: { authorization: `Bearer ${tokens.access_token}` } });
	const alone = claimsOf((await new Led('oidcc-scope-email').authorize({ scope, response_type: 'id_token' })).id_token);
	for (const name of ['name', 'given_name', 'family_name', 'middle_name', 'nickname', 'profile', 'picture', 'website', 'gender', 'birthdate', 'zoneinfo', 'locale', 'updated_at', 'preferred_username',
		'email', 'email_verified', 'address', 'phone_number', 'phone_number_verified']) for (const place of [json, alone]) assert.notEqual(place[name], undefined, name);
});

for (const [module, more] of [['oidcc-ensure-registered-redirect-uri', {}], ['oidcc-ensure-request-object-with-redirect-uri', { request: 'eyJhbGciOiJub25lIn0.e30.' }]]) {
	test(`${module} shows the page whose picture is taken`, async () => {
		const led = new Led(module);
		assert.equal((await led.authorize({ redirect_uri: `${suite}/callback/unknown`, ...more })).page.status, 400);
		assert.deepEqual(led.done, ['Error page']);
	});
}

// As the suite makes it: issuer and audience swapped, signed with the client's secret, which HS256 wants to be of 256 bits.
function forged({ client_id, client_secret }) {
	const now = Math.floor(Date.now() / 1000);
	const claims = { iss: client_id, sub: 'SubjectID', aud: `${broker.url}/`, nonce: 'flibble', iat: now, exp: now + 300 };
	const text = [{ alg: 'HS256' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
	assert.ok(client_secret.length >= 32);
	return `${text}.${createHmac('sha256', client_secret).update(text).digest('base64url')}`;
}

const goodbye = { post_logout_redirect_uri: `${suite}/post_logout_redirect`, state: 'x'.repeat(128) };
for (const [module, request, last] of [
	['', (hint) => ({ id_token_hint: hint, ...goodbye }), 'Arrived after the logout'],
	['no-state', (hint) => ({ id_token_hint: hint, ...goodbye, state: '' }), 'Arrived after the logout'],
	['bad-post-logout-redirect-uri', (hint) => ({ id_token_hint: hint, ...goodbye, post_logout_redirect_uri: `${suite}/bad_post_logout_redirect_uri` }), 'Error page'],
	['query-added-to-post-logout-redirect-uri', (hint) => ({ id_token_hint: hint, ...goodbye, post_logout_redirect_uri: `${suite}/post_logout_redirect?foo=bar` }), 'Error page'],
	['modified-id-token-hint', (hint) => ({ id_token_hint: `${Buffer.from('{"alg":"none"}').toString('base64url')}.${hint.split('.')[1]}.`, ...goodbye }), 'Error page'],
	['bad-id-token-hint', () => ({ id_token_hint: forged(plan.client), ...goodbye }), 'Error page'],
	['no-id-token-hint', () => goodbye, 'Error page'],
	['no-params', () => ({}), 'Signed out'],
	['no-post-logout-redirect-uri', (hint) => ({ id_token_hint: hint, state: goodbye.state }), 'Signed out'],
	['only-state', () => ({ state: goodbye.state }), 'Signed out'],
]) {
	test(`oidcc-rp-initiated-logout${module && `-${module}`} by the commands of the example`, async () => {
		const led = new Led(`oidcc-rp-initiated-logout${module && `-${module}`}`);
		const { id_token } = await led.authorize({ response_type: 'code id_token' });
		await led.leave(request(id_token));
		assert.equal(led.done.at(-1), last);
		assert.equal(led.at.away !== undefined, last === 'Arrived after the logout', led.here);
	});
}

test('oidcc-frontchannel-rp-initiated-logout_loads_its_frame_and_nobody_else_is_told_of_anything', async () => {
	const led = new Led('oidcc-frontchannel-rp-initiated-logout');
	const { id_token } = await led.authorize({ response_type: 'code id_token' });
	await led.leave({ id_token_hint: id_token, ...goodbye });
	const frame = new URL(/<iframe src="([^"]+)"/.exec(led.passed)[1].replaceAll('&amp;', '&'));
	assert.deepEqual([frame.href.split('?')[0], Object.fromEntries(frame.searchParams)], [`${suite}/frontchannel_logout`, { iss: `${broker.url}/`, sid: claimsOf(id_token).sid }]);
	assert.equal(led.at.away.searchParams.get('state'), goodbye.state);
	// A call that a module has not asked for ends it: those that are signed out in passing have no logout URI.
	for (const name of ['suite-one', 'suite-two']) assert.equal((await broker.json('app', 'show', name)).logout_uri, undefined, name);
	assert.equal((await broker.json('app', 'show', clientOf('oidcc-backchannel-rp-initiated-logout').client_id)).logout_uri, `${suite}/backchannel_logout`);
});
