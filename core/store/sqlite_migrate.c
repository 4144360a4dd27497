/* sqlite_migrate.c: bringing the schema up to date. */
#include "base/clock.h"
#include "store/sqlite_private.h"

/* Runs a script of statements without parameters or results. */
static enum st run_script(struct sqlite *db, struct store_request *r, const char *sql)
{
	enum st st;

	db->until = INT64_MAX; /* a large table may take its time */
	db->guarded = true;
	st = sqlite_note(db, r, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
	db->guarded = false;
	return st;
}

static enum st read_version(struct sqlite *db, struct store_request *r)
{
	sqlite3_stmt *stmt = NULL;
	enum st st = run_script(db, r,
		"CREATE TABLE IF NOT EXISTS schema_version "
		"(number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL)");

	if (st)
		return st;
	st = sqlite_note(db, r,
		sqlite3_prepare_v2(db->handle,
			"SELECT coalesce(max(number), 0) FROM schema_version", -1, &stmt, NULL));
	if (!st && sqlite3_step(stmt) == SQLITE_ROW)
		r->version = sqlite3_column_int64(stmt, 0);
	else if (!st)
		st = sqlite_note(db, r, sqlite3_errcode(db->handle));
	sqlite3_finalize(stmt);
	return st;
}

static enum st record_version(
	struct sqlite *db, struct store_request *r, const struct store_statement *s)
{
	const struct store_value *name = sqlite_param(r, s, 1);
	sqlite3_stmt *stmt = NULL;
	enum st st = sqlite_note(db, r,
		sqlite3_prepare_v2(db->handle,
			"INSERT INTO schema_version (number, name, applied_at) VALUES (?, ?, ?)",
			-1, &stmt, NULL));

	if (st)
		return st;
	sqlite3_bind_int64(stmt, 1, sqlite_param(r, s, 0)->integer);
	sqlite3_bind_text(
		stmt, 2, (const char *)r->texts.p + name->at, (int)name->length, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 3, clock_wall());
	st = sqlite_note(db, r, sqlite3_step(stmt));
	sqlite3_finalize(stmt);
	return st;
}

static enum st migrate_one(struct sqlite *db, struct store_request *r, const struct store_statement *s)
{
	struct slice sql = sqlite_sql(r, s);
	char *script = strndup((const char *)sql.p, sql.n);
	enum st st = script ? sqlite_control(db, SQL_BEGIN) : ST_NOMEM;

	if (!st)
		st = run_script(db, r, script);
	if (!st)
		st = record_version(db, r, s);
	if (!st)
		st = sqlite_control(db, SQL_COMMIT);
	if (st && sqlite_in_transaction(db) && sqlite_control(db, SQL_ROLLBACK))
		st = ST_IO;
	free(script);
	if (!st)
		r->version = sqlite_param(r, s, 0)->integer;
	return st;
}

enum st sqlite_migrate(struct sqlite *db, struct store_request *r)
{
	size_t n = sqlite_statement_count(r);
	int64_t newest = n ? sqlite_param(r, sqlite_statement(r, n - 1), 0)->integer : 0;
	enum st st = read_version(db, r);

	if (!st && r->version > newest) {
		snprintf(r->message, sizeof(r->message),
			"the database has schema %lld, this program knows %lld: use a newer "
			"tidelock, or restore a backup",
			(long long)r->version, (long long)newest);
		return ST_REFUSED;
	}
	for (size_t i = 0; i < n && !st; i++) {
		const struct store_statement *s = sqlite_statement(r, i);

		r->failed_at = i;
		if (sqlite_param(r, s, 0)->integer > r->version)
			st = migrate_one(db, r, s);
	}
	return st;
}
