// oidc_provider_server.mjs PORT: node-oidc-provider as a whole server, with its own store in memory: code with PKCE, refresh,
// client_credentials (opaque, or a JWT for a resource), introspection. People are believed by one plain comparison, so that
// what is measured is the protocol.
import crypto from 'node:crypto';
import http from 'node:http';
import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const keys = [['rsa', { modulusLength: 2048 }, 'RS256'], ['ec', { namedCurve: 'P-256' }, 'ES256']].map(([type, options, alg]) => ({
	...crypto.generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg,
}));
const client = { client_secret: 'web-secret-0123456789', redirect_uris: ['https://web.example.org/callback'], grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
	response_types: ['code'], id_token_signed_response_alg: 'ES256' };
const account = { accountId: 'alice', claims: async () => ({ sub: 'alice', name: 'Alice', email: 'alice@example.org' }) };

const provider = new Provider(`http://127.0.0.1:${port}`, {
	jwks: { keys },
	clients: [{ client_id: 'web', ...client }],
	cookies: { keys: ['only for the benchmark'] },
	features: {
		devInteractions: { enabled: false }, clientCredentials: { enabled: true }, introspection: { enabled: true },
		resourceIndicators: { enabled: true, defaultResource: () => undefined, useGrantedResource: () => true,
			getResourceServerInfo: (_, resource) => ({ scope: 'api', audience: resource, accessTokenTTL: 3600, accessTokenFormat: 'jwt', jwt: { sign: { alg: resource.slice(-5).toUpperCase() } } }) },
	},
	scopes: ['openid', 'offline_access', 'profile', 'email', 'api'],
	claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
	issueRefreshToken: async () => true,
	pkce: { required: () => true },
	findAccount: async () => account,
	interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
	ttl: { AccessToken: 3600, ClientCredentials: 3600, AuthorizationCode: 60, IdToken: 3600, RefreshToken: 86400, Session: 86400, Grant: 86400, Interaction: 600 },
	// Consent is given for it, as ours has implicit consent.
	loadExistingGrant: async ({ oidc }) => {
		const known = oidc.result?.consent?.grantId || oidc.session.grantIdFor(oidc.client.clientId);
		const found = known && await oidc.provider.Grant.find(known);
		if (found) return found;
		const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
		grant.addOIDCScope('openid profile email offline_access');
		await grant.save();
		return grant;
	},
});
const answer = provider.callback();
http.createServer(async (request, response) => {
	const page = /^\/interaction\/([\w-]+)$/.exec(request.url);
	if (!page) return answer(request, response);
	if (request.method === 'GET') {
		await provider.interactionDetails(request, response);
		response.setHeader('content-type', 'text/html');
		return response.end(`<!doctype html><title>Sign in</title><form id="signin" method="post" action="/interaction/${page[1]}"><input name="username"><input type="password" name="password"><button>Sign in</button></form>`);
	}
	let body = '';
	for await (const chunk of request) body += chunk;
	if (new URLSearchParams(body).get('password') !== 'wonderland') { response.statusCode = 401; return response.end(); }
	return provider.interactionFinished(request, response, { login: { accountId: 'alice' } }, { mergeWithLastSubmission: false });
}).listen(port, '127.0.0.1');
