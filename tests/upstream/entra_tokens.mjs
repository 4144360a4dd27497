// entra_tokens.mjs: the tokens of the Entra stand-in: ID and access tokens of both versions, the signature of Graph's own that nobody
// else can check, groups up to 200 and an overage notice above, and the forgeries that a relying party must refuse.
import { createHash, randomBytes } from 'node:crypto';
import { halfHash, sha256 } from './keys.mjs';
import { CONSUMERS, FABRIKAM, GRAPH, guid, transitiveGroupsOf } from './entra_directory.mjs';
import { words } from './provider.mjs';

const MOST_GROUPS = { code: 200, implicit: 5 };
const uti = () => randomBytes(16).toString('base64url');

// Pairwise: another subject in every application (OpenID Connect Core 8.1).
export const subjectOf = (person, client) => createHash('sha256').update(`${person.tenant} ${person.oid} ${client.client_id}`).digest('base64url');

function groupClaims(person, client, entra, implicit) {
	if (!client.group_claims) return {};
	const ids = transitiveGroupsOf(person).map(({ id }) => id);
	if (ids.length <= (implicit ? MOST_GROUPS.implicit : MOST_GROUPS.code)) return ids.length ? { groups: ids } : {};
	if (implicit) return { hasgroups: true };
	// The address is the Azure AD Graph's, which was switched off.
	return { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: `https://graph.windows.net/${person.tenant}/users/${person.oid}/getMemberObjects` } } };
}

function optionalClaims(person, client, session) {
	const all = {
		upn: person.upn, given_name: person.givenName, family_name: person.surname, acct: person.guest ? 1 : 0, login_hint: `O.${Buffer.from(person.upn).toString('base64url')}`,
		sid: session?.sid, auth_time: session?.auth_time, verified_primary_email: person.mail ? [person.mail] : [], xms_edov: person.guest ? undefined : true, email: person.mail ?? undefined,
	};
	return Object.fromEntries((client.optional_claims ?? []).map((name) => [name, all[name]]));
}

// Issued five minutes ago, as Microsoft says for its own clock's sake.
const times = (now) => ({ iat: now - 300, nbf: now - 300, exp: now + 3900 });

function identity(entra, version, tenant) {
	return version === 1 ? { iss: `${entra.link('sts')}/${tenant}/`, ver: '1.0' } : { iss: `${entra.link('login')}/${tenant}/v2.0`, ver: '2.0' };
}

// Who it is; oid, name and the user name of an ID token of version 2 need the scope profile.
function sharedClaims(entra, { client, session, version }, withProfile = true) {
	const { person } = session;
	return {
		...identity(entra, version, person.tenant), ...times(entra.now()), sub: subjectOf(person, client), tid: person.tenant, uti: uti(), rh: `1.${uti()}.`, ...(withProfile ? { oid: person.oid, name: person.name } : {}),
		...(person.idp ? { idp: person.idp } : {}), ...(version === 1 ? { unique_name: person.upn, upn: person.upn, given_name: person.givenName, family_name: person.surname, amr: ['pwd'], ipaddr: '192.0.2.7' } : withProfile ? { preferred_username: person.upn } : {}),
	};
}

export function idToken(entra, grant, { code, access_token, implicit } = {}) {
	const { client, session, asked, version } = grant;
	const { person } = session;
	const claims = {
		aud: client.client_id, ...sharedClaims(entra, grant, version === 1 || words(asked.scope).includes('profile')), nonce: grant.refreshed ? undefined : asked.nonce, c_hash: code && halfHash(code), at_hash: implicit && access_token && halfHash(access_token),
		...(person.mail && (words(asked.scope).includes('email') || person.guest) ? { email: person.mail } : {}), ...groupClaims(person, client, entra, implicit), ...optionalClaims(person, client, session),
	};
	return signed(entra, 'id_token', claims, grant);
}

// resource: { audience, scopes, graph, version }; Graph's token carries a nonce whose hash was signed in its place.
export function accessToken(entra, grant, resource) {
	const { client, session } = grant;
	const version = resource.version;
	const actor = version === 1 ? { appid: client.client_id, appidacr: client.client_secret ? '1' : '0' } : { azp: client.client_id, azpacr: client.client_secret ? '1' : '0' };
	const claims = { aud: resource.audience, ...sharedClaims(entra, { ...grant, version }), ...actor, scp: resource.scopes.join(' ') };
	return signed(entra, 'access_token', claims, { ...grant, version }, resource.graph);
}

// A token of the program itself: no person, no scopes; roles where some were given. [facts: v1 unless the API asks for v2]
export function applicationToken(entra, { client, tenant }, { audience, version, roles, graph }) {
	const service = guid(`service principal ${client.client_id}`);
	const actor = version === 1 ? { appid: client.client_id, appidacr: '1' } : { azp: client.client_id, azpacr: '1' };
	const claims = { aud: audience, ...identity(entra, version, tenant), ...times(entra.now()), ...actor, oid: service, sub: service, tid: tenant, idp: version === 1 ? `${entra.link('sts')}/${tenant}/` : undefined, uti: uti(), rh: `1.${uti()}.`, ...(roles.length ? { roles } : {}),
		...(client.optional_claims?.includes('idtyp') ? { idtyp: 'app' } : {}) };
	return signed(entra, 'access_token', claims, { version, client, session: { person: { tenant } } }, graph);
}

function signed(entra, kind, claims, { version, client, session }, graph) {
	const key = client.own_key && kind === 'id_token' ? entra.ownKey(client) : session.person.tenant === CONSUMERS ? entra.consumersKey : entra.keys[0];
	const header = { ...(version === 1 ? { x5t: key.jwk.x5t } : {}), ...(graph ? { nonce: randomBytes(16).toString('base64url') } : {}) };
	const transform = graph ? (sent) => ({ ...sent, nonce: sha256(sent.nonce).toString('base64url') }) : undefined;
	return entra.sign(kind, claims, { header, key, transform });
}

export const isGraph = (audience) => audience === GRAPH || audience === 'https://graph.microsoft.com';

// Forgeries, by name: entra.alterToken = forgery(entra, 'consumers_key'). Each changes one thing.
export const forgeries = (entra) => {
	const only = (kind, change) => (token) => { if (token.kind === kind) change(token, token.claims); };
	const id = (change) => only('id_token', change);
	const now = () => entra.now();
	return {
		tid_and_issuer_differ: id((token, claims) => { claims.tid = FABRIKAM; }),
		another_tenant: id((token, claims) => { claims.tid = FABRIKAM; claims.iss = claims.iss.replace(/[0-9a-f-]{36}/, FABRIKAM); }),
		tenant_is_no_guid: id((token, claims) => { claims.tid = '{tenantid}'; claims.iss = claims.iss.replace(/[0-9a-f-]{36}/, '{tenantid}'); }),
		no_tenant: id((token, claims) => { delete claims.tid; }),
		key_of_the_consumers: id((token) => { token.key = entra.consumersKey; }),
		expired_4_minutes_ago: id((token, claims) => { claims.exp = now() - 240; }),
		expired_6_minutes_ago: id((token, claims) => { claims.exp = now() - 360; }),
		valid_in_4_minutes: id((token, claims) => { claims.nbf = claims.iat = now() + 240; }),
		valid_in_6_minutes: id((token, claims) => { claims.nbf = claims.iat = now() + 360; }),
		unsigned: id((token) => { token.key = undefined; }),
		signature_broken: id((token) => { token.broken = true; }),
		another_audience: id((token, claims) => { claims.aud = guid('another application'); }),
		another_nonce: id((token, claims) => { claims.nonce = 'another'; }),
		version_lies: id((token, claims) => { claims.ver = '1.0'; }),
	};
};
