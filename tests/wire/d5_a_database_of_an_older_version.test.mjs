// A database that an older version made is brought up to date at the start, and what it holds goes on being what it was.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { Broker, root } from '../harness/broker.mjs';
import { claimsOf, obtainTokens, secretOf, tokenRequest } from '../harness/browser.mjs';

const sql = (file, input) => execFileSync('sqlite3', [file], { input, encoding: 'utf8' });
const schema = (name) => readFileSync(path.join(root, 'lua/store/migrations', `${name}.sql`), 'utf8');

test('D5_a_database_of_the_first_version_keeps_its_people_subjects_grants_and_keys', async () => {
	secretOf.byid = 'byid-secret-0123';
	const objects = 'application "byid" { client_secret = "byid-secret-0123", redirect_uris = { "https://byid.example.org/cb" }, scopes = { "openid", "offline_access" }, consent = "implicit", sub_mode = "user_uuid" }';
	const broker = await Broker.start({ objects });
	const ask = { client_id: 'byid', redirect_uri: 'https://byid.example.org/cb', scope: 'openid offline_access' };
	const before = await obtainTokens(broker, ask);
	await broker.stop();
	// What the first version would have written: its tables, with the rows of today in the columns of then.
	const file = path.join(broker.dir, 'data/tidelock.db');
	const old = path.join(broker.dir, 'old.db');
	sql(old, `pragma application_id = ${sql(file, 'pragma application_id;').trim()};
${schema('001_base')}
create table schema_version (number integer primary key, name text not null, applied_at integer not null);
insert into schema_version values (1, '001_base', 1);
delete from sequences;
attach '${file}' as now;`);
	const tables = sql(old, "select name from sqlite_master where type = 'table' and name <> 'schema_version';").trim().split('\n');
	const copied = tables.map((table) => {
		const columns = sql(old, `select group_concat('"' || name || '"') from pragma_table_info('${table}');`).trim();
		return `insert into "${table}" (${columns}) select ${columns} from now."${table}";`;
	});
	const uuid = claimsOf(before.id_token).sub;
	const id = sql(file, `select id from users where uuid = '${uuid}';`).trim();
	sql(old, `pragma foreign_keys = off; attach '${file}' as now;\n${copied.join('\n')}\ndelete from sequences where name not in ('user', 'group', 'directory');`);
	for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
	sql(old, `vacuum into '${file}';`);
	await broker.serve();
	const refreshed = await tokenRequest(broker, 'byid', { grant_type: 'refresh_token', refresh_token: before.refresh_token });
	assert.equal(refreshed.status, 200, refreshed.text);
	assert.equal(claimsOf(refreshed.json.id_token).sub, id, 'until then the id itself was the subject');
	assert.equal((await broker.json('user', 'show', 'alice')).username, 'alice');
	const fresh = await obtainTokens(broker, ask);
	assert.equal(claimsOf(fresh.id_token).sub, id);
	await broker.stop();
	assert.equal(sql(file, 'select max(number) from schema_version;').trim(), '5');
});
