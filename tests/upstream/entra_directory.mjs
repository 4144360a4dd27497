// entra_directory.mjs: the tenants, people and groups of the Entra stand-in.
import { sha256 } from './keys.mjs';

// A GUID that is the same in every run.
export function guid(text) {
	const hex = sha256(`entra stand-in ${text}`).toString('hex');
	return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export const CONTOSO = '8a7c0de0-1111-4222-8333-0123456789ab';
export const FABRIKAM = 'fab41c4a-4444-4555-8666-0123456789ab';
export const CONSUMERS = '9188040d-6c67-4c5b-b112-36a304b66dad'; // of personal accounts, everywhere
export const GRAPH = '00000003-0000-0000-c000-000000000000';

export const TENANTS = {
	[CONTOSO]: { id: CONTOSO, domains: ['contoso.onmicrosoft.com', 'contoso.example'] },
	[FABRIKAM]: { id: FABRIKAM, domains: ['fabrikam.onmicrosoft.com'] },
	[CONSUMERS]: { id: CONSUMERS, domains: ['consumers'] },
};
export const SHARED = ['common', 'organizations', 'consumers'];

// The tenant a path names by GUID, domain or shared word; nothing for another.
export function tenantNamed(name) {
	if (SHARED.includes(name)) return { id: name === 'consumers' ? CONSUMERS : undefined, shared: name };
	return Object.values(TENANTS).find(({ id, domains }) => id === name || domains.includes(name));
}

const group = (name, kind = 'group') => ({ '@odata.type': `#microsoft.graph.${kind}`, id: guid(`${kind} ${name}`), displayName: name });
const teams = (count) => Array.from({ length: count }, (_, i) => `Team ${String(i + 1).padStart(3, '0')}`);

// What a person is a direct member of: groups by name, each of which may lie in others; a role and a unit for those who have some.
export const PARENTS = { Gardening: ['Outdoor', 'All Staff'], Outdoor: ['All Staff'] };

function person(account, name, more = {}) {
	const tenant = more.tenant ?? CONTOSO;
	const [givenName, ...rest] = name.split(' ');
	const upn = more.upn ?? `${account}@${TENANTS[tenant].domains[0]}`;
	return { account, name, tenant, upn, email: upn, oid: guid(`person ${account}`), givenName, surname: rest.join(' '), mail: `${account}@contoso.example`, otherMails: [], groups: [], roles: [], units: [], ...more };
}

export const people = () => [
	person('adele', 'Adele Vance', { groups: ['Gardening', 'Payroll', 'Reading Circle', 'Fire Wardens', 'Choir'], roles: ['Directory Readers'], units: ['Berlin'] }),
	person('nestor', 'Nestor Wilke'),
	person('twohundred', 'Diego Siciliani', { groups: teams(200) }),
	person('overage', 'Isaiah Langer', { groups: teams(201) }),
	person('many', 'Megan Bowen', { groups: teams(450), roles: ['Directory Readers'] }),
	person('nomail', 'Lee Gu', { mail: null, otherMails: ['lee@elsewhere.example'] }),
	person('guest', 'Gus Fabrikant', { upn: 'gus_fabrikam.example#EXT#@contoso.onmicrosoft.com', mail: 'gus@fabrikam.example', idp: `https://sts.windows.net/${FABRIKAM}/`, guest: true }),
	person('fay', 'Fay Brikant', { tenant: FABRIKAM, mail: 'fay@fabrikam.example', groups: ['Payroll'] }),
	person('connie', 'Connie Sumer', { tenant: CONSUMERS, upn: 'connie@outlook.example', mail: null }),
];

export const groupsOf = (whom) => whom.groups.map((name) => group(name));
export function transitiveGroupsOf(whom) {
	const names = new Set(), todo = [...whom.groups];
	while (todo.length) {
		const name = todo.shift();
		if (names.has(name)) continue;
		names.add(name);
		todo.push(...(PARENTS[name] ?? []));
	}
	return [...names].map((name) => group(name));
}
// memberOf mixes kinds.
export const othersOf = (whom) => [...whom.roles.map((name) => group(name, 'directoryRole')), ...whom.units.map((name) => group(name, 'administrativeUnit'))];
