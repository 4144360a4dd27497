// A cloud's identity management as relying party: a public client, response_type=id_token, form_post, no PKCE, no userinfo: all that
// its conversion rules look at stands in the ID token.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker, eventually } from '../harness/broker.mjs';
import { Client } from '../harness/conformance.mjs';

const many = Array.from({ length: 120 }, (_, n) => `"a-group-with-a-long-name-${n}"`);
const cloud = (more = '') => `application "cloud" { name = "Cloud", client_type = "public", client_id = "cloud",
	redirect_uris = { "https://cloud.rp.example.org/cb" }, response_types = { "id_token" }, consent = "implicit", ${more} }
${many.map((name) => `group ${name} {}`).join('\n')}
user "crowd" { password = "crowd-of-groups", groups = { ${many.join(', ')} } }
scope_mapping "flat" { scope = "groups", description = "Your groups", script = "groups.lua" }
scope_mapping "profile" { scope = "profile", description = "Your name", script = "profile.lua" }`;
const files = { 'groups.lua': 'local names = {}\nfor _, group in ipairs(user.groups) do names[#names + 1] = group.name end\nreturn names',
	'profile.lua': 'return { name = user.name, preferred_username = user.username }' };

class Cloud extends Client {
	constructor(broker) { super(broker, { client: 'cloud', responseType: 'id_token', responseMode: 'form_post' }); }
}

test('groups_are_inside_the_id_token_without_a_groups_scope_when_the_application_says_so', async () => {
	// With the scope among the application's, and without: the cloud's console can ask for openid, email and profile only.
	for (const scopes of ['"openid", "profile", "email"', '"openid", "profile", "email", "groups"']) {
		const broker = await Broker.start({ objects: cloud(`scopes = { ${scopes} }, id_token_claims = { "groups" }, include_claims_in_id_token = false`), files });
		const { told, front } = await new Cloud(broker).succeed({ scope: 'openid email profile' });
		assert.deepEqual(front.groups, ['staff']);
		assert.equal(front.email, 'alice@example.org');
		assert.equal(front.name, 'Alice Liddell');
		assert.equal(front.preferred_username, 'alice');
		assert.deepEqual(Object.keys(told).sort(), ['id_token', 'iss', 'session_state', 'state']);
	}
	const broker = await Broker.start({ objects: cloud('scopes = { "openid", "profile", "email", "groups" }'), files });
	assert.equal((await new Cloud(broker).succeed({ scope: 'openid email profile' })).front.groups, undefined);
});

test('a_claim_that_every_id_token_has_is_on_the_consent_page', async () => {
	const objects = cloud('scopes = { "openid", "email" }, id_token_claims = { "groups" }').replace('consent = "implicit"', 'consent = "remembered"');
	const broker = await Broker.start({ objects, files });
	const client = new Cloud(broker);
	let at = await client.browser.open(client.request({ scope: 'openid email' }));
	at = await client.browser.signIn(at.page);
	assert.match(at.page.text, /Your groups/);
	client.answered(await client.browser.submit(at.page, { answer: 'allow' }, 'consent'));
});

test('a_missing_nonce_or_another_address_is_refused_and_errors_go_by_post_too', async () => {
	const broker = await Broker.start({ objects: cloud(), files });
	const client = new Cloud(broker);
	assert.equal(await client.error({ nonce: undefined }), 'invalid_request');
	assert.equal(await client.error({ prompt: 'none' }), 'login_required');
	assert.equal(await client.error({ response_type: 'code' }), 'unsupported_response_type');
	const { page } = await client.browser.open(client.request({ redirect_uri: 'https://cloud.rp.example.org/cb/' }));
	assert.equal(page.status, 400);
});

test('an_id_token_above_2300_characters_leaves_an_event', async () => {
	const broker = await Broker.start({ objects: cloud('id_token_claims = { "groups" }'), files });
	const client = new Cloud(broker);
	await client.succeed();
	assert.equal((await broker.events()).filter((event) => event.kind === 'id_token_large').length, 0);
	const crowd = new Cloud(broker);
	const { told } = await crowd.succeed({}, ['crowd', 'crowd-of-groups']);
	const event = await eventually(async () => (await broker.events()).find((each) => each.kind === 'id_token_large'));
	assert.match(event.reason, new RegExp(`has ${told.id_token.length} characters`));
});

test('S20_a_policy_that_takes_a_scope_away_takes_its_claims_out_of_every_id_token', async () => {
	const policy = { 'no-groups.lua': 'if user.username == "bob" then return { scopes = { "openid", "email" } } end\nreturn true' };
	const broker = await Broker.start({ files: { ...files, ...policy },
		objects: `policy "no-groups" { script = "no-groups.lua" }\n${cloud('scopes = { "openid", "email" }, id_token_claims = { "groups" }, policies = { "no-groups" }')}` });
	assert.deepEqual((await new Cloud(broker).succeed({ scope: 'openid email' })).front.groups, ['staff']);
	const { front } = await new Cloud(broker).succeed({ scope: 'openid email' }, ['bob', 'builder-bob']);
	assert.equal(front.email, 'bob@example.org');
	assert.equal(front.groups, undefined);
});
