/* sqlite.h: the SQLite driver: one connection, used by one thread at a time. Knows statements, not queues. */
#pragma once

#include "store/store.h"

struct sqlite;

must_check enum st sqlite_open(struct sqlite **out, const char *path, char *error, size_t error_size);
void sqlite_close(struct sqlite *db); /* accepts NULL */

/* Finds out whether r only reads, by compiling its statements (they stay cached) up to the first that writes: what
 * comes after may need what that one makes. ST_BAD with r->message when one is wrong. */
must_check enum st sqlite_prepare(struct sqlite *db, struct store_request *r, bool *readonly);
/* Runs the statements in the transaction that is open, or each on its own when none is; sets r's results and, when it
 * fails, r->failed_at and r->message. Leaves undoing to the caller. */
must_check enum st sqlite_run(struct sqlite *db, struct store_request *r);
/* Brings the schema up to date: each script in a transaction of its own. */
must_check enum st sqlite_migrate(struct sqlite *db, struct store_request *r);

enum sqlite_control {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_SAVEPOINT,
	SQL_RELEASE,
	SQL_UNDO,
	SQL_CONTROLS
};
must_check enum st sqlite_control(struct sqlite *db, enum sqlite_control what);
/* False after an error that made SQLite roll back everything by itself. */
bool sqlite_in_transaction(struct sqlite *db);

/* How many pages wait in the write-ahead log, and moving them into the database. */
int sqlite_log_pages(const struct sqlite *db);
void sqlite_checkpoint(struct sqlite *db);

#ifdef TIDELOCK_DEBUG
/* sqlite_faults.c: a file layer that fails, delays and counts as base/fault.h says. Returns its name. */
const char *sqlite_faults(void);
/* That many bytes may be written although the disk is said to be full: the reserve was freed. */
void sqlite_faults_allow(int64_t bytes);
#else
static inline void sqlite_faults_allow(int64_t bytes)
{
	(void)bytes;
}
#endif
