// private_key_jwt with a jwks_uri: keys are fetched once, kept, fetched again when a token names a new one, and never so often
// that somebody could use us to knock at the client's door. What fails there is nobody else's trouble.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { once } from 'node:events';
import { Broker } from '../harness/broker.mjs';
import { Browser, redirectUri } from '../harness/browser.mjs';
import { assertionClaims, assertionForm, keyPair, signed } from '../harness/assertions.mjs';

// What the client publishes: `answer` decides per path.
const asked = [];
let answer = () => ({ status: 404 });
const held = [];
const server = http.createServer((request, response) => {
	asked.push(request.url);
	const { status = 200, body = '', headers = {}, hold } = answer(request.url, request);
	const send = () => { response.writeHead(status, { 'content-type': 'application/json', ...headers }); response.end(typeof body === 'string' ? body : JSON.stringify(body)); };
	if (hold) held.push(send); else send();
}).listen(0, '127.0.0.1');
await once(server, 'listening');
after(() => { server.closeAllConnections(); server.close(); });
const base = `http://127.0.0.1:${server.address().port}`;

const app = (name, path = `/${name}`) => `application "${name}" { client_id = "${name}", token_endpoint_auth_method = "private_key_jwt", jwks_uri = "${base}${path}", redirect_uris = { "${redirectUri.web}" } }\n`;
const names = ['steady', 'rotating', 'knocked', 'crowd', 'slow', 'broken', 'recovers', 'redirected', 'large', 'private', 'closed'];
const broker = await Broker.start({ settings: 'outgoing = { allow = { "127.0.0.1" } }', objects: names.map((name) => app(name)).join('') });
let place = 0;
const ask = (client, key, headers) => new Browser(broker).post('/application/o/introspect/', { token: 'x', ...assertionForm(signed(key, assertionClaims(client, broker.issuer(client), {}, broker.now?.()), headers)) }, { from: `127.3.${++place >> 8}.${place & 255}` });
const count = (name) => asked.filter((path) => path === `/${name}`).length;
const first = keyPair('ES256', 'first'), second = keyPair('RS256', 'second'), stranger = keyPair('ES256', 'first');
const publish = (...keys) => ({ body: { keys: keys.map((key) => key.jwk) } });

test('keys_are_fetched_once_and_kept', async () => {
	answer = () => publish(first);
	for (let i = 0; i < 5; i++) assert.equal((await ask('steady', first)).status, 200);
	assert.equal((await ask('steady', stranger)).status, 401, 'another key of the same name');
	assert.equal((await ask('steady', { ...first, kid: undefined })).status, 200, 'one key needs no name');
	assert.equal(count('steady'), 1);
	await broker.advance(301);
	const late = await new Browser(broker).post('/application/o/introspect/', { token: 'x', ...assertionForm(signed(first, assertionClaims('steady', broker.issuer('steady'), { exp: Math.floor(Date.now() / 1000) + 1000 }))) });
	assert.equal(late.status, 200, late.text);
	assert.equal(count('steady'), 2, 'and asked for again after five minutes');
});
