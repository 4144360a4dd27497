// asking.mjs: has the broker ask somebody: a client that proves itself with an assertion makes it fetch the keys at its jwks_uri.
import assert from 'node:assert/strict';
import { Browser } from './browser.mjs';
import { assertionClaims, assertionForm, keyPair, signed } from './assertions.mjs';

export const key = keyPair('ES256', 'one');
export const keySet = JSON.stringify({ keys: [key.jwk] });

// { name: url } as configuration.
export const clientsOf = (urls) => Object.entries(urls).map(([name, url]) =>
	`application "${name}" { client_id = "${name}", token_endpoint_auth_method = "private_key_jwt", jwks_uri = "${url}" }\n`).join('');

let place = 0;
const form = (broker, client) => ({ token: 'x', ...assertionForm(signed(key, assertionClaims(client, broker.issuer(client), {}, Date.now() / 1000 + broker.moved))) });
const ask = (broker, client) => new Browser(broker).post('/application/o/introspect/', form(broker, client), { from: `127.4.${++place >> 8}.${place & 255}` });

// Asks and does not wait: abort() of what is returned hangs up.
export function leaves(broker, client) {
	const controller = new AbortController();
	fetch(`${broker.url}/application/o/introspect/`, { method: 'POST', signal: controller.signal, body: new URLSearchParams(form(broker, client)) }).catch(() => {});
	return controller;
}

export async function reached(broker, client) {
	const got = await ask(broker, client);
	assert.equal(got.status, 200, `${client}: ${got.text} ${JSON.stringify(await reasons(broker, client))}`);
}

const reasons = async (broker, client) => (await broker.events('--kind', 'client_failed')).filter((event) => JSON.stringify(event).includes(client));

// The asker learns nothing; the owner finds the reason in the events.
export async function notReached(broker, client, why) {
	const got = await ask(broker, client);
	assert.deepEqual([got.status, got.json.error_description?.match(/cannot be had/)?.[0]], [401, 'cannot be had'], got.text);
	if (why) assert.match(JSON.stringify(await reasons(broker, client)), why);
}
