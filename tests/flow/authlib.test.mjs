// Debian's python3-authlib, which checks c_hash and at_hash by the signing algorithm, with every response type and algorithm.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import path from 'node:path';
import { Broker } from '../harness/broker.mjs';
import { Browser } from '../harness/browser.mjs';
import { conversation } from '../harness/conversation.mjs';

const back = 'https://python.example.org/callback';
const types = ['code', 'id_token', 'id_token token', 'code token', 'code id_token', 'code id_token token'];
const application = (alg) => `application "${alg.toLowerCase()}" { client_secret = "secret-of-python", redirect_uris = { "${back}" }, consent = "implicit", signing_alg = "${alg}",
	scopes = { "openid", "email", "offline_access" }, response_types = { ${types.map((type) => `"${type}"`).join(', ')} } }\n`;
const algorithms = ['RS256', 'ES256', 'ES384', 'ES512'];
const broker = await Broker.start({ tls: true, objects: algorithms.map(application).join('') });

// Debian's own Python: another one in the PATH has not its packages.
const tell = conversation('/usr/bin/python3', [path.join(import.meta.dirname, 'authlib_client.py')], { REQUESTS_CA_BUNDLE: broker.caFile });

const alice = new Browser(broker);

for (const alg of algorithms) {
	for (const response_type of types) {
		test(`authlib_signs_in_by_${response_type.replaceAll(' ', '_')}_signed_with_${alg}`, async () => {
			const client_id = alg.toLowerCase();
			const issuer = broker.issuer(client_id);
			const address = await tell({ issuer, client_id, secret: 'secret-of-python', redirect_uri: back, alg, response_type });
			let at = await alice.open(address);
			if (at.page) at = await alice.signIn(at.page);
			const learnt = await tell(at.away.href);
			assert.equal(learnt.state, true);
			assert.equal(learnt.iss, issuer);
			const wanted = new Set(response_type.split(' '));
			for (const [word, name] of [['code', 'code'], ['id_token', 'id_token'], ['token', 'access_token']]) assert.equal(learnt.names.includes(name), wanted.has(word), name);
			if (wanted.has('id_token')) assert.ok(learnt.front);
			if (wanted.has('code')) assert.deepEqual([learnt.same, learnt.email, learnt.rotated, learnt.active, learnt.active_after_revocation], [true, 'alice@example.org', true, true, false]);
		});
	}
}
