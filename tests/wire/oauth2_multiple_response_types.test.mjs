// OAuth 2.0 Multiple Response Type Encoding Practices and Form Post Response Mode: every response type in every mode that may carry it.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Broker } from '../harness/broker.mjs';
import { Client, conformanceFiles, conformanceObjects } from '../harness/conformance.mjs';

const types = ['code', 'id_token', 'id_token token', 'code id_token', 'code token', 'code id_token token'];
const start = (more = '') => Broker.start({ objects: conformanceObjects(types) + more, files: conformanceFiles });

test('each_response_type_hands_out_what_its_words_say_in_every_mode (test_authorize: response types, form_post id_token, form_post code)', async () => {
	const broker = await start();
	for (const responseType of types) {
		for (const responseMode of [undefined, 'fragment', 'form_post']) {
			const client = new Client(broker, { responseType, responseMode });
			await client.succeed();
			// The suite's second client: its redirect URI has a query of its own, which comes back as it is.
			const second = new Client(broker, { responseType, responseMode, client: 'two', browser: client.browser });
			await second.succeed();
		}
	}
	await new Client(broker, { responseType: 'code', responseMode: 'query' }).succeed();
});

test('the_order_of_words_says_nothing_and_unknown_words_are_refused', async () => {
	const broker = await start();
	const client = new Client(broker, { responseType: 'code id_token token' });
	await client.succeed({ response_type: 'token id_token code' });
	for (const response_type of ['token', 'none', 'code code', 'code none', 'id_token none']) {
		const plain = new Client(broker, { responseType: response_type, responseMode: 'fragment' });
		assert.equal(await plain.error(), 'unsupported_response_type', response_type);
	}
});

test('S19_query_mode_never_carries_front_channel_tokens', async () => {
	const broker = await start();
	for (const responseType of types.slice(1)) {
		const client = new Client(broker, { responseType });
		assert.equal(await client.error({ response_mode: 'query' }), 'invalid_request', responseType);
	}
});

test('S19_a_public_client_needs_pkce_wherever_a_code_is_issued_and_only_there', async () => {
	const broker = await start(`application "spa" { client_type = "public", client_id = "spa", redirect_uris = { "https://spa.rp.example.org/cb" }, consent = "implicit",
		scopes = { "openid", "offline_access" }, response_types = { ${types.map((each) => `"${each}"`).join(', ')} } }`);
	for (const responseType of types) {
		const client = new Client(broker, { client: 'spa', responseType });
		if (client.has('code')) assert.equal(await client.error(), 'invalid_request', responseType);
		else await client.succeed({ scope: 'openid offline_access' });
	}
});

test('nonce_and_openid_are_required_of_id_tokens_and_offline_access_needs_a_code (test_authorize: openid missing, offline_access dropped)', async () => {
	const broker = await start();
	for (const responseType of types) {
		const client = new Client(broker, { responseType });
		if (!client.has('id_token')) continue;
		assert.equal(await client.error({ nonce: undefined }), 'invalid_request', responseType);
		assert.equal(await client.error({ scope: 'profile' }), 'invalid_scope', responseType);
	}
	const implicit = new Client(broker, { responseType: 'id_token token' });
	assert.equal((await implicit.succeed({ scope: 'openid email offline_access' })).told.scope, 'openid email');
	const hybrid = new Client(broker, { responseType: 'code token' });
	const { tokens } = await hybrid.succeed({ scope: 'openid offline_access' });
	assert.ok(tokens.refresh_token);
});

test('S4_a_token_from_the_front_channel_ends_with_its_session', async () => {
	const broker = await start();
	const client = new Client(broker, { responseType: 'id_token token' });
	const { told } = await client.succeed();
	const page = (await client.browser.open('/signout')).page;
	await client.browser.submit(page, {}, 'signout');
	const answer = await client.browser.get('/application/o/userinfo/', { headers: { authorization: `Bearer ${told.access_token}` } });
	assert.equal(answer.status, 401);
});

test('S15_the_form_that_posts_itself_has_one_hashed_script_no_form_action_and_texts_of_others_are_text', async () => {
	const broker = await start();
	const client = new Client(broker, { responseType: 'code', responseMode: 'form_post' });
	const state = `"><script>alert(1)</script>'</form>&amp;{{ x }}{% if %}javascript:`;
	const at = await client.browser.open(client.request({ state, prompt: 'none' }));
	const { page } = at;
	assert.equal(page.status, 200);
	const policy = page.headers['content-security-policy'];
	assert.doesNotMatch(policy, /form-action|unsafe/);
	assert.match(policy, /^default-src 'none';.*frame-ancestors 'none'; base-uri 'none'; script-src 'sha256-[\w+/]{43}='$/);
	assert.equal(page.headers['cache-control'], 'no-store');
	const scripts = [...page.text.matchAll(/<script>(.*?)<\/script>/gs)];
	assert.equal(scripts.length, 1);
	assert.ok(policy.includes(createHash('sha256').update(scripts[0][1]).digest('base64')));
	const told = client.answered(at);
	assert.equal(told.error, 'login_required');
	assert.ok(!page.text.includes(state));
});
