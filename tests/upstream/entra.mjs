// entra.mjs: Microsoft Entra ID as an upstream: tenants and the shared authorities with their template issuer, keys with issuers of their
// own, the authorize and token endpoints of both versions with Microsoft's error numbers, and (graph.mjs) Microsoft Graph.
import { randomUUID } from 'node:crypto';
import { Provider, random, words } from './provider.mjs';
import { newKey, withCertificate } from './keys.mjs';
import { CONSUMERS, CONTOSO, GRAPH, people, tenantNamed } from './entra_directory.mjs';
import { accessToken, applicationToken, forgeries, idToken, isGraph, subjectOf } from './entra_tokens.mjs';
import { Graph } from './graph.mjs';

export const ORIGINS = { login: 'https://login.microsoftonline.com', graph: 'https://graph.microsoft.com', sts: 'https://sts.windows.net' };
const OPENID = ['openid', 'profile', 'email', 'offline_access'];

// What is wrong: error, AADSTS number, words, status.
const ERRORS = {
	unknown_client: ['unauthorized_client', 700016, 'Application was not found in the directory.'],
	wrong_secret: ['invalid_client', 7000215, 'Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.', 401],
	code_unknown: ['invalid_grant', 9002313, 'Invalid request. Request is malformed or invalid.'],
	code_used: ['invalid_grant', 54005, 'OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.'],
	code_expired: ['invalid_grant', 70008, 'The provided authorization code or refresh token has expired due to inactivity.'],
	code_of_another: ['invalid_grant', 70000, 'Provided grant is invalid or malformed.'],
	refresh_unknown: ['invalid_grant', 70000, 'Provided grant is invalid or malformed.'],
	redirect_mismatch: ['invalid_client', 500112, 'The reply address does not match the reply address provided when requesting Authorization code.'],
	reply_address: ['invalid_request', 50011, 'The redirect URI specified in the request does not match the redirect URIs configured for the application.'],
	wrong_verifier: ['invalid_grant', 501481, 'The Code_Verifier does not match the code_challenge supplied in the authorization request.'],
	grant_type: ['unsupported_grant_type', 70003, 'The app requested an unsupported grant type.'],
	response_type: ['unsupported_response_type', 700054, "response_type 'id_token' is not enabled for the application."],
	response_mode: ['invalid_request', 70007, "'query' is not a supported value of 'response_mode' when requesting a token."],
	nonce: ['invalid_request', 90014, "The required field 'nonce' is missing."],
	scope: ['invalid_scope', 70011, 'The provided request must include a scope input parameter.'],
	several_resources: ['invalid_request', 28000, 'Provided value for the input parameter scope is not valid because it contains more than one resource.'],
	default_scope: ['invalid_scope', 1002012, 'The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier.'],
	tenant: ['invalid_tenant', 90002, 'Tenant not found. Check to make sure you have the correct tenant ID.'],
	no_tenant: ['invalid_request', 50059, 'No tenant-identifying information found in either the request or implied by any provided credentials.'],
	resource: ['invalid_resource', 500011, 'The resource principal was not found in the tenant.'],
	not_multi_tenant: ['invalid_request', 50194, 'Application is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps created after 10/15/2018.'],
	access_denied: ['access_denied', 65004, 'User declined to consent to access the app.'],
	login_required: ['login_required', 50058, 'A silent sign-in request was sent but no user is signed in.'],
	consent_required: ['consent_required', 65001, 'The user or administrator has not consented to use the application.'],
};

export class Entra extends Provider {
	constructor(origins = ORIGINS) {
		super(origins, { title: 'Microsoft Entra ID', people: people(), part: 'login' });
		this.keys = [this.certified(), this.certified()];
		this.consumersKey = this.certified();
		this.ownKeys = new Map();
		this.graph = new Graph(this);
		this.forgeries = forgeries(this);
		this.urls();
	}

	certified() { return withCertificate(newKey(), 'accounts.accesscontrol.windows.net'); }
	subjectOf(person, client) { return subjectOf(person, client); }
	// A new key signs at once; the one that signed stays published until it is forgotten.
	rotate({ forget = false } = {}) { this.keys = [this.certified(), ...(forget ? [] : this.keys)]; }
	ownKey(client) {
		if (!this.ownKeys.has(client.client_id)) this.ownKeys.set(client.client_id, this.certified());
		return this.ownKeys.get(client.client_id);
	}

	// A registration: home (its tenant), multi (any tenant) and personal (consumers too), api_version (of tokens for its own API: 1, as long as
	// nobody says 2), group_claims, optional_claims, implicit (ID tokens from the front), roles (of its own), own_key (?appid=).
	register(client) { return super.register({ home: CONTOSO, api_version: 1, roles: [], ...client }); }

	urls() {
		const at = (method, path, handler) => this.route('login', method, path, (ask, name, ...more) => {
			const tenant = tenantNamed(name);
			return tenant ? handler.call(this, ask, { ...tenant, name }, ...more) : this.failed('tenant');
		});
		at('GET', '/([^/]+)/v2\\.0/\\.well-known/openid-configuration', (ask, tenant) => ({ json: this.discovery(tenant, 2, ask.query.appid) }));
		at('GET', '/([^/]+)/\\.well-known/openid-configuration', (ask, tenant) => ({ json: this.discovery(tenant, 1, ask.query.appid) }));
		at('GET', '/([^/]+)/discovery/v2\\.0/keys', (ask, tenant) => ({ json: this.keySet(tenant, 2, ask.query.appid) }));
		at('GET', '/([^/]+)/discovery/keys', (ask, tenant) => ({ json: this.keySet(tenant, 1, ask.query.appid) }));
		for (const [folder, version] of [['oauth2/v2\\.0', 2], ['oauth2', 1]]) {
			at('*', `/([^/]+)/${folder}/authorize`, (ask, tenant) => this.authorize(ask, { tenant, version }));
			at('POST', `/([^/]+)/${folder}/token/?`, (ask, tenant) => this.token({ ...ask, tenant, version }, { tenant, version }));
			at('*', `/([^/]+)/${folder}/logout`, (ask) => this.logout(ask));
		}
	}

	// ---- Metadata ----

	discovery({ id, name, shared }, version, appid) {
		const login = (path) => this.link('login', `/${name}/${path}`), tenant = shared && shared !== 'consumers' ? '{tenantid}' : id;
		const [folder, keys] = version === 2 ? ['oauth2/v2.0', 'discovery/v2.0/keys'] : ['oauth2', 'discovery/keys'];
		return {
			token_endpoint: login(`${folder}/token`), token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic', 'self_signed_tls_client_auth'],
			jwks_uri: login(keys) + (appid ? `?appid=${appid}` : ''), response_modes_supported: ['query', 'fragment', 'form_post'], subject_types_supported: ['pairwise'], id_token_signing_alg_values_supported: ['RS256'],
			response_types_supported: ['code', 'id_token', 'code id_token', version === 2 ? 'id_token token' : 'token id_token'], scopes_supported: version === 2 ? OPENID : ['openid'],
			issuer: version === 2 ? this.link('login', `/${tenant}/v2.0`) : this.link('sts', `/${tenant}/`), request_uri_parameter_supported: false, userinfo_endpoint: version === 2 ? this.link('graph', '/oidc/userinfo') : login('openid/userinfo'),
			authorization_endpoint: login(`${folder}/authorize`), device_authorization_endpoint: login(`${folder}/devicecode`), http_logout_supported: true, frontchannel_logout_supported: true,
			end_session_endpoint: login(`${folder}/logout`), claims_supported: ['sub', 'iss', 'cloud_instance_name', 'cloud_instance_host_name', 'cloud_graph_host_name', 'msgraph_host', 'aud', 'exp', 'iat', 'auth_time', 'acr', 'nonce', 'preferred_username', 'name', 'tid', 'ver', 'at_hash', 'c_hash', 'email'],
			kerberos_endpoint: login('kerberos'), tenant_region_scope: shared ? null : 'EU', cloud_instance_name: 'microsoftonline.com', cloud_graph_host_name: 'graph.windows.net', msgraph_host: 'graph.microsoft.com', rbac_url: 'https://pas.windows.net',
		};
	}

	// Every key of version 2 says for which issuer it signs: all companies by the template, the consumers by their own.
	keySet({ shared, id }, version, appid) {
		const company = this.link('login', shared ? '/{tenantid}/v2.0' : `/${id}/v2.0`), consumers = this.link('login', `/${CONSUMERS}/v2.0`);
		const own = appid && this.clients.get(appid)?.own_key ? [this.ownKey(this.clients.get(appid))] : [];
		const all = [...own, ...this.keys].map(({ jwk }) => ({ ...jwk, cloud_instance_name: 'microsoftonline.com', ...(version === 2 ? { issuer: company } : {}) }));
		return { keys: version === 2 ? [...all, { ...this.consumersKey.jwk, cloud_instance_name: 'microsoftonline.com', issuer: consumers }] : all };
	}

	// ---- Authorization ----

	problemPage(problem) { return this.errorPage(problem === 'redirect_mismatch' ? 'reply_address' : problem); }
	errorPage(problem) { return { status: 400, html: `<!doctype html><title>Sign in to your account</title><h1>Sorry, but we're having trouble signing you in.</h1><p id="problem">AADSTS${ERRORS[problem][1]}: ${ERRORS[problem][2]}</p>` }; }

	judge({ asked, client, tenant, version }) {
		const types = words(asked.response_type);
		if (!types.length || types.some((type) => !['code', 'id_token', 'token'].includes(type)) || (types.includes('token') && !types.includes('id_token'))) return 'response_type';
		if (types.includes('id_token') && !client.implicit) return 'response_type';
		if (types.includes('id_token') && !asked.nonce) return 'nonce';
		if (types.includes('id_token') && asked.response_mode === 'query') return 'response_mode';
		if (!client.multi && tenant.id !== client.home) return 'not_multi_tenant';
		if (version === 2 && !words(asked.scope).length) return 'scope';
		return version === 2 ? problemOf(this.resourceOf(asked.scope, client)) : undefined;
	}

	mayChoose(person, { tenant, client }) {
		if (tenant.id) return person.tenant === tenant.id;
		return person.tenant !== CONSUMERS || (tenant.shared === 'common' && client.personal);
	}

	grant(wanted, session) {
		const types = words(wanted.asked.response_type);
		const answer = types.includes('code') ? { code: this.newCode(wanted, session, `1.${random()}`) } : {};
		const grant = { ...wanted, session }, implicit = !types.includes('code');
		if (types.includes('token')) Object.assign(answer, { access_token: this.accessToken(grant), token_type: 'Bearer', expires_in: 3599, scope: wanted.asked.scope });
		if (types.includes('id_token')) answer.id_token = idToken(this, grant, { ...answer, implicit });
		return this.sendBack(wanted, { ...answer, session_state: session.sid });
	}

	errorOf(problem) {
		const more = problem === 'access_denied' ? { error_subcode: 'cancel' } : {};
		const { error, error_description } = this.described(problem);
		return { error, error_description, ...more };
	}

	// ---- Token endpoint ----

	described(problem) {
		const [error, number, text, status = 400] = ERRORS[problem];
		const [trace_id, correlation_id] = [randomUUID(), randomUUID()], timestamp = new Date(this.now() * 1000).toISOString().replace('T', ' ').replace('.000', '');
		return { status, error, error_description: `AADSTS${number}: ${text} Trace ID: ${trace_id} Correlation ID: ${correlation_id} Timestamp: ${timestamp}`, error_codes: [number], timestamp, trace_id, correlation_id, error_uri: this.link('login', `/error?code=${number}`) };
	}
	failed(problem) {
		const { status, ...json } = this.described(problem);
		return { status, json };
	}

	grantedOtherwise(form, client, { tenant, version }) {
		if (form.grant_type !== 'client_credentials') return 'grant_type';
		if (!tenant.id) return 'no_tenant';
		const audience = version === 1 ? form.resource : form.scope?.endsWith('/.default') && form.scope.slice(0, -'/.default'.length);
		if (!audience) return version === 1 ? 'resource' : 'default_scope';
		const resource = this.api(audience);
		return typeof resource === 'string' ? resource : { client, tenant: tenant.id, application: { ...resource, roles: client.roles, scopes: client.roles } };
	}

	// The API of an audience: Graph, or an application by its id or its URI.
	api(audience) {
		if (isGraph(audience)) return { graph: true, audience: GRAPH, version: 1 };
		const owner = this.clients.get(audience.replace(/^api:\/\//, '').replace(/\/$/, ''));
		if (!owner) return 'resource';
		return { owner, audience: owner.api_version === 2 ? owner.client_id : audience, version: owner.api_version };
	}

	// Which API the scopes are for: `openid` and its like alone, and scopes without a URI, are Graph's.
	resourceOf(scope, client) {
		const named = words(scope).filter((one) => !OPENID.includes(one));
		const split = named.map((one) => /^(.*:\/\/.*?|[0-9a-f-]{36})\/([^/]+)$/.exec(one) ?? [one, 'https://graph.microsoft.com', one]);
		const audiences = [...new Set(split.map(([, audience]) => audience.replace(/\/$/, '')))];
		if (audiences.length > 1) return 'several_resources';
		const api = this.api(audiences[0] ?? GRAPH);
		if (typeof api === 'string') return api;
		const scopes = split.map(([, , name]) => name).flatMap((name) => (name === '.default' ? client.granted ?? ['User.Read'] : [name]));
		return { ...api, scopes: [...scopes, ...words(scope).filter((one) => OPENID.includes(one) && one !== 'offline_access')] };
	}

	accessToken(grant, scope = grant.asked.scope) {
		const resource = grant.version === 1 ? { ...this.api(grant.asked.resource ?? GRAPH), scopes: ['User.Read', ...(grant.client.granted ?? [])] } : this.resourceOf(scope, grant.client);
		return this.newToken({ ...grant, resource }, accessToken(this, grant, resource));
	}

	issue(grant, ask) {
		if (grant.application) return { json: { token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: this.newToken({ ...grant, resource: grant.application }, applicationToken(this, grant, grant.application)) } };
		const scope = ask.form.scope && grant.version === 2 ? ask.form.scope : grant.asked.scope;
		const problem = grant.version === 2 && problemOf(this.resourceOf(scope, grant.client));
		if (problem) return this.failed(problem);
		const access_token = this.accessToken(grant, scope);
		const json = { token_type: 'Bearer', scope: scope ?? 'User.Read', expires_in: 3599, ext_expires_in: 3599, access_token };
		if (grant.version === 1) Object.assign(json, { resource: grant.asked.resource ?? GRAPH, expires_on: String(this.now() + 3599), not_before: String(this.now() - 300) });
		if (grant.version === 1 || words(grant.asked.scope).includes('offline_access')) json.refresh_token = this.newRefresh(grant);
		if (grant.version === 1 || words(grant.asked.scope).includes('openid')) json.id_token = idToken(this, grant);
		return { json };
	}

	logout(ask) {
		this.sessions.delete(ask.cookies.upstream_session);
		const to = ask.query.post_logout_redirect_uri;
		return to ? { redirect: to } : { html: '<h1 id="signed-out">You signed out of your account</h1>' };
	}
}

const problemOf = (resource) => (typeof resource === 'string' ? resource : undefined);
