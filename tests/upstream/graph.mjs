// graph.mjs: Microsoft Graph of the Entra stand-in: /me and the memberships, with Graph's paging and its conditions.
import { groupsOf, othersOf, transitiveGroupsOf } from './entra_directory.mjs';

const PAGE = 100, MOST = 999;
const NAMES = ['GroupMember.Read.All', 'Group.Read.All', 'Directory.Read.All'];
const PROFILE = ['businessPhones', 'displayName', 'givenName', 'id', 'jobTitle', 'mail', 'mobilePhone', 'officeLocation', 'preferredLanguage', 'surname', 'userPrincipalName'];

const problem = (status, code, message, headers = {}) => {
	const id = `${Date.now().toString(16)}-stand-in`;
	return { status, headers, json: { error: { code, message, innerError: { date: new Date().toISOString().slice(0, 19), 'request-id': id, 'client-request-id': id } } } };
};

export class Graph {
	// entra: whose tokens are good here. emptyPage: the number of a page that comes empty though more follow. throttled: how many answers to
	// refuse. largestPage: smaller than what was asked for, as Graph may decide.
	constructor(entra) {
		Object.assign(this, { entra, emptyPage: 2, throttled: 0, largestPage: MOST, skips: new Map() });
		const at = (method, path, scopes, handler) => entra.route('graph', method, `/v1\\.0${path}`, (ask, ...groups) => this.permitted(ask, scopes) ?? handler.call(this, ask, ...groups));
		const member = ['User.Read', ...NAMES];
		at('GET', '/me', ['User.Read', 'User.Read.All', ...NAMES.slice(2)], this.me);
		at('GET', '/me/(memberOf|transitiveMemberOf)(/microsoft\\.graph\\.group)?', member, this.memberships);
		at('POST', '/me/(getMemberGroups|getMemberObjects)', member, this.memberIds);
		entra.route('graph', '*', '/oidc/userinfo', (ask) => this.permitted(ask, ['openid']) ?? { json: this.userinfo(ask) });
	}

	grantOf(ask) { return this.entra.holder(ask); }

	permitted(ask, scopes) {
		const grant = this.grantOf(ask);
		if (!ask.headers.authorization) return problem(401, 'InvalidAuthenticationToken', 'Access token is empty.');
		if (!grant) return problem(401, 'InvalidAuthenticationToken', 'Access token validation failure.');
		if (!grant.resource.graph) return problem(401, 'InvalidAuthenticationToken', 'Access token validation failure. Invalid audience.');
		if (this.throttled > 0) { this.throttled--; return problem(429, 'TooManyRequests', 'Too many requests', { 'retry-after': '1' }); }
		if (!grant.session) return problem(400, 'BadRequest', '/me request is only valid with delegated authentication flow.');
		if (!scopes.some((scope) => grant.resource.scopes.includes(scope))) return problem(403, 'Authorization_RequestDenied', 'Insufficient privileges to complete the operation.');
		return undefined;
	}

	userinfo(ask) {
		const { session, asked } = this.grantOf(ask);
		const { person } = session;
		const scopes = (asked.scope ?? '').split(' ');
		return { sub: this.entra.subjectOf(session.person, this.grantOf(ask).client), ...(scopes.includes('profile') ? { name: person.name, family_name: person.surname, given_name: person.givenName, picture: this.entra.link('graph', '/v1.0/me/photo/$value') } : {}), ...(scopes.includes('email') && person.mail ? { email: person.mail } : {}) };
	}

	me(ask) {
		const { person } = this.grantOf(ask).session;
		const all = {
			businessPhones: [], displayName: person.name, givenName: person.givenName, id: person.oid, jobTitle: null, mail: person.mail, mobilePhone: null, officeLocation: null, preferredLanguage: null,
			surname: person.surname, userPrincipalName: person.upn, otherMails: person.otherMails, accountEnabled: true,
		};
		const wanted = ask.query.$select?.split(',') ?? PROFILE;
		return { json: { '@odata.context': this.entra.link('graph', '/v1.0/$metadata#users/$entity'), ...Object.fromEntries(wanted.map((name) => [name, all[name]])) } };
	}

	memberships(ask, which, cast) {
		const { session, resource } = this.grantOf(ask);
		const { query, headers } = ask;
		const advanced = cast || query.$filter || query.$search || query.$orderby;
		if (advanced && !(headers.consistencylevel === 'eventual' && query.$count === 'true')) return problem(400, 'Request_UnsupportedQuery', 'Unsupported query: ConsistencyLevel: eventual and $count=true are needed.');
		const size = Number(query.$top ?? PAGE);
		if (!(size >= 1 && size <= MOST)) return problem(400, 'Request_BadRequest', 'Invalid page size specified.');
		const groups = which === 'memberOf' ? groupsOf(session.person) : transitiveGroupsOf(session.person);
		const named = NAMES.some((scope) => resource.scopes.includes(scope));
		const all = (cast ? groups : [...othersOf(session.person), ...groups]).map((one) => shown(one, query.$select, named));
		return this.page(ask, all, Math.min(size, this.largestPage));
	}

	page(ask, all, size) {
		const { from = 0, number = 1 } = this.skips.get(ask.query.$skiptoken) ?? (ask.query.$skiptoken ? { from: all.length } : {});
		const isEmpty = number === this.emptyPage && from < all.length;
		const until = isEmpty ? from : from + size;
		const json = { '@odata.context': this.entra.link('graph', '/v1.0/$metadata#directoryObjects') };
		if (number === 1 && ask.query.$count === 'true') json['@odata.count'] = all.length;
		if (until < all.length) json['@odata.nextLink'] = this.nextLink(ask, until, number + 1);
		return { json: { ...json, value: all.slice(from, until) } };
	}

	nextLink(ask, from, number) {
		const token = `RFNwdA${Buffer.from(`${from} ${number}`).toString('base64url')}`;
		this.skips.set(token, { from, number });
		const query = new URLSearchParams({ ...ask.query, $skiptoken: token });
		return this.entra.link('graph', `${ask.path}?${query}`);
	}

	memberIds(ask, which) {
		const { session } = this.grantOf(ask);
		let body;
		try { body = JSON.parse(ask.body); } catch { return problem(400, 'BadRequest', 'Unable to read JSON request payload.'); }
		const all = [...transitiveGroupsOf(session.person), ...(which === 'getMemberObjects' && !body.securityEnabledOnly ? othersOf(session.person) : [])];
		return { json: { '@odata.context': this.entra.link('graph', '/v1.0/$metadata#Collection(Edm.String)'), value: all.map(({ id }) => id) } };
	}
}

// Without a permission that reads groups an object shows its id alone.
function shown(object, select, named) {
	const full = { ...object, description: null, mail: null, securityEnabled: true };
	if (!named) for (const name of Object.keys(full)) if (name !== '@odata.type' && name !== 'id') full[name] = null;
	if (!select) return full;
	return Object.fromEntries(Object.entries(full).filter(([name]) => name === '@odata.type' || select.split(',').includes(name)));
}
