// third_parties.mjs: upstreams that nobody here wrote: node-oidc-provider, with its own pages, on a free port of loopback; and a person
// who goes through those pages.
import http from 'node:http';
import { once } from 'node:events';
import { after } from 'node:test';
import Provider from 'oidc-provider';
import { generateKeyPairSync } from 'node:crypto';
import { formOf } from './browser.mjs';

const key = (kid, type, options) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), kid, use: 'sig' });

// clients: as node-oidc-provider takes them; whoever signs in there is called as they type. people: { login: further claims }, which tests change.
export async function oidcProvider(clients, { people = {}, configuration = {} } = {}) {
	const server = http.createServer((request, response) => serve(request, response)).listen(0, '127.0.0.1');
	await once(server, 'listening');
	after(() => { server.closeAllConnections(); server.close(); });
	const issuer = `http://127.0.0.1:${server.address().port}`;
	const provider = new Provider(issuer, {
		clients, jwks: { keys: [key('rsa-1', 'rsa', { modulusLength: 2048 }), key('ec-1', 'ec', { namedCurve: 'P-256' })] },
		cookies: { keys: ['a key for the cookies of a test'] },
		claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'], groups: ['groups'] },
		findAccount: (context, sub) => ({ accountId: sub, claims: () => ({ sub, name: `${sub} of elsewhere`, preferred_username: sub, email: `${sub}@third.example`, email_verified: true, groups: [], ...people[sub] }) }),
		features: { devInteractions: { enabled: true }, backchannelLogout: { enabled: true }, rpInitiatedLogout: { enabled: true } },
		// Its own guard would send nothing to loopback; and no connection may outlive the test.
		fetch: (url, { method, headers, body, signal }) => fetch(url, { method, body, signal, redirect: 'manual', headers: { ...Object.fromEntries(new Headers(headers)), connection: 'close' } }),
		...configuration,
	});
	const serve = provider.callback();
	return { provider, issuer, people };
}

// Types a name and agrees, as its development pages ask for it.
export async function throughItsPages(person, at, login) {
	for (let pages = 0; pages < 4 && at.page && /name="prompt"/.test(at.page.text); pages++) {
		const { fields } = formOf(at.page.text);
		at = await person.submit(at.page, fields.prompt === 'login' ? { login, password: 'any' } : {});
	}
	return at;
}
