// Whom an account from elsewhere becomes here, through the whole sign-in: nobody else. (S25, S26; security-cases 4; Akkess's acceptance
// cases 7 to 10 by the browser's way.)
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Broker } from '../harness/broker.mjs';
import { callback, declared, isSignedIn, Person, teller, upstreamAt, userNames } from '../harness/upstream.mjs';
import { Oidc } from '../upstream/oidc.mjs';

const person = (account, sub, more = {}) => ({ account, sub, name: account, email: `${account}@upstream.example`, email_verified: true, groups: [], ...more });
const op = await upstreamAt((origin) => new Oidc({ web: origin }, { people: [
	person('alice', 'a-1', { email: 'stranger@upstream.example' }), person('alias', 'a-2', { email: 'alice@example.org' }), person('unverified', 'a-3', { email: 'alice@example.org', email_verified: false }),
	person('root', 'a-4', { email: 'root@upstream.example' }), person('wilma', 'a-5'), person('walter', 'a-6', { more: { preferred_username: 'wilma' } }), person('twin', 'a-7', { email: 'twins@example.org' }),
	person('noaddress', 'a-8', { email: undefined, email_verified: undefined }), person('newcomer', 'a-9', { groups: ['guests', 'staff', 'admins'] }), person('visitor', 'a-11'), person('rush', 'a-12'), person('first', 'a-13', { more: { preferred_username: 'prize' } }), person('second', 'a-14', { more: { preferred_username: 'prize' } }), person('quiet', 'a-10', { name: undefined }),
] }));
const source = (name, more) => declared(name, { kind: 'oidc', name: `Source ${name}`, issuer: op.issuer, client_id: name, client_secret: 'op-secret', enrolment: true, ...more });
const objects = `
user "twin-one" { name = "One", email = "twins@example.org", email_verified = true, password = "one-of-the-twins" }
user "twin-two" { name = "Two", email = "twins@example.org", email_verified = true, password = "two-of-the-twins" }
user "wendy" { name = "Wendy", identities = { { source = "named", username = "wilma" } } }
user "pinned" { name = "Pinned", identities = { { source = "plain", subject = "a-10" } } }
${source('plain')}${source('email', { matching: 'email_link' })}${source('email_deny', { matching: 'email_deny' })}${source('username', { matching: 'username_link' })}${source('username_deny', { matching: 'username_deny' })}
${source('closed', { enrolment: false })}${source('named', { trusted_usernames: true })}${source('grouped', { groups: true, scopes: ['groups'] })}${source('by_name', { groups: true, scopes: ['groups'], group_matching: 'name_link' })}${source('denying', { groups: true, scopes: ['groups'], group_matching: 'name_deny' })}
`;
const broker = await Broker.start({ objects });
for (const name of ['plain', 'email', 'email_deny', 'username', 'username_deny', 'closed', 'named', 'grouped', 'by_name', 'denying']) op.register({ client_id: name, client_secret: 'op-secret', redirect_uris: [callback(broker, name)] });

const told = await teller(broker);
async function signs_in(name, account, username) {
	const browser = new Person(broker);
	const at = await browser.signInAt(name, account);
	assert.ok(isSignedIn(browser), at.page?.text);
	const { page } = await browser.open('/');
	assert.match(page.text, new RegExp(`\\b${username}\\b`), page.text);
	return browser;
}
async function refused(name, account, words, why) {
	const before = await userNames(broker);
	const browser = new Person(broker);
	const { page } = await browser.signInAt(name, account);
	assert.equal(page.status, 403, page.text);
	assert.match(page.text, words);
	assert.equal(isSignedIn(browser), false);
	await told(why);
	assert.deepEqual(await userNames(broker), before, 'nobody is half made');
}

test('a_name_taken_here_is_nobodys_from_elsewhere (S25, S26)', async () => {
	await refused('plain', 'alice', /name/i, /username_taken|called so/);
	await refused('plain', 'root', /name/i, /username_taken|called so/);
	await refused('username', 'root', /./, /protected|permissions/);
	await refused('username_deny', 'alice', /./, /username_taken|called so/);
	await signs_in('username', 'alice', 'alice');
});

test('an_address_links_only_where_it_is_vouched_for_and_only_one (security_cases_4)', async () => {
	await refused('email', 'unverified', /./, /email_unverified|vouch/);
	await refused('email', 'twin', /./, /email_ambiguous|several/);
	await refused('email', 'noaddress', /./, /no_email|no e-mail/);
	await refused('email_deny', 'alias', /./, /email_taken|already/);
	await signs_in('email', 'alias', 'alice');
	const { status } = await broker.command('user', 'disable', 'alice');
	assert.equal(status, 0);
	await refused('email', 'alias', /./, /disabled/);
	await refused('username', 'alice', /./, /disabled/);
	await broker.command('user', 'enable', 'alice');
	await signs_in('email', 'alias', 'alice');
});

test('a_waiting_name_is_claimed_once_and_pinned_and_pools_are_apart (S26)', async () => {
	await refused('closed', 'wilma', /./, /not_enrolled|enrols nobody/);
	await signs_in('named', 'wilma', 'wendy');
	await refused('named', 'walter', /./, /name_pinned|another subject/);
	await signs_in('named', 'wilma', 'wendy');
	await signs_in('plain', 'quiet', 'pinned');
	await signs_in('plain', 'wilma', 'wilma');
	assert.ok((await userNames(broker)).includes('wilma'), 'the same subject in another pool is somebody else');
});

test('groups_of_a_source_come_and_go_with_it_and_never_give_permissions (S25)', async () => {
	const groupsOf = async (username) => (await broker.json('user', 'show', username)).groups.toSorted();
	await signs_in('by_name', 'newcomer', 'newcomer');
	assert.deepEqual(await groupsOf('newcomer'), ['guests', 'staff'], 'the one that gives permissions is filled by nobody from outside');
	op.person('visitor').groups = ['guests', 'visitors', 'staff'];
	await signs_in('grouped', 'visitor', 'visitor');
	assert.deepEqual(await groupsOf('visitor'), ['guests (grouped)', 'staff (grouped)', 'visitors'], 'by identifier alone a namesake is another group');
	await broker.command('group', 'add-user', 'staff', 'visitor');
	op.person('visitor').groups = ['guests'];
	await signs_in('grouped', 'visitor', 'visitor');
	assert.deepEqual(await groupsOf('visitor'), ['guests (grouped)', 'staff'], 'what was given here stays');
	op.person('visitor').groups = [];
	await signs_in('grouped', 'visitor', 'visitor');
	assert.deepEqual(await groupsOf('visitor'), ['staff']);
	op.person('walter').more = undefined;
	op.person('walter').groups = ['staff'];
	await refused('denying', 'walter', /group/i, /group/);
});

test('who_comes_in_many_browsers_at_once_is_one_and_of_two_with_one_name_one_is_made', async () => {
	const rush = await Promise.all(Array.from({ length: 8 }, async () => { const one = new Person(broker); await one.signInAt('plain', 'rush'); return one; }));
	assert.deepEqual(rush.map(isSignedIn), rush.map(() => true), 'all of them get in');
	assert.equal((await userNames(broker)).filter((name) => name.startsWith('rush')).length, 1);
	const two = await Promise.all(['first', 'second', 'first', 'second'].map(async (account) => { const one = new Person(broker); await one.signInAt('plain', account); return isSignedIn(one); }));
	assert.ok([[true, false, true, false], [false, true, false, true]].some((one) => one.join() === two.join()), two.join());
	assert.equal((await userNames(broker)).filter((name) => name.startsWith('prize')).length, 1);
	await told(/username_taken|called so/);
});

test('groups_of_a_source_leave_with_it_and_what_was_given_here_stays', async () => {
	op.person('visitor').groups = ['guests', 'visitors'];
	await signs_in('grouped', 'visitor', 'visitor');
	const groupsOf = async () => (await broker.json('user', 'show', 'visitor')).groups.toSorted();
	assert.deepEqual(await groupsOf(), ['guests (grouped)', 'staff', 'visitors']);
	await broker.configure({ objects: objects.replace(/source "grouped" \{.*\}\n/, '') });
	assert.equal((await broker.overControl('POST', '/reload')).status, 200);
	assert.deepEqual(await groupsOf(), ['staff']);
	assert.equal((await new Person(broker).get('/source/oauth/login/grouped/')).status, 404);
});
