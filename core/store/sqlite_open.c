/* sqlite_open.c: opening the database, checking it, closing it. */
#include "base/log.h"
#include "store/sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x54444c4b /* "TDLK" */

static enum st run_pragma(struct sqlite *db, const char *sql)
{
	return sqlite_status(sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
}

static enum st ask_integer(struct sqlite *db, const char *sql, int64_t *value)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return sqlite_status(rc);
}

/* Makes the file, readable by us alone, and makes sure that its name survives a power cut. */
static enum st make_file(const char *path)
{
	char copy[PATH_MAX];
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), dir = -1;
	enum st st = ST_IO;

	if (fd < 0 || fchmod(fd, 0600) < 0 || fsync(fd) < 0)
		goto out;
	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		goto out;
	dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fsync(dir) < 0)
		goto out;
	st = ST_OK;
out:
	if (dir >= 0)
		close(dir);
	if (fd >= 0)
		close(fd);
	return st;
}

/* A log that was not moved into the database: the last process did not end by itself. */
static bool stopped_uncleanly(const char *path)
{
	char log[PATH_MAX];
	struct stat info;

	if (snprintf(log, sizeof(log), "%s-wal", path) >= (int)sizeof(log))
		return false;
	return stat(log, &info) == 0 && info.st_size > 0;
}

/* Checking costs about 3 ms a megabyte: a small database is checked at each start. */
static bool is_small(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && info.st_size <= 4 << 20;
}

static enum st configure(struct sqlite *db)
{
	/* Exclusive: nobody else may write, and SQLite keeps the log's index on the heap instead of mapping a file. */
	static const char *const pragmas[] = {
		"PRAGMA locking_mode = EXCLUSIVE",
		"PRAGMA cache_size = -512",
		"PRAGMA mmap_size = 0",
		"PRAGMA temp_store = MEMORY",
		"PRAGMA cell_size_check = ON",
		"PRAGMA journal_mode = WAL",
		"PRAGMA synchronous = FULL",
		"PRAGMA foreign_keys = ON",
		"PRAGMA journal_size_limit = 4194304",
	};
	static const int on[] = {SQLITE_DBCONFIG_DEFENSIVE, SQLITE_DBCONFIG_ENABLE_FKEY};
	static const int off[] = {
		SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_DBCONFIG_DQS_DML, SQLITE_DBCONFIG_DQS_DDL};
	enum st st = ST_OK;

	for (size_t i = 0; i < ARRAY_LEN(on); i++)
		sqlite3_db_config(db->handle, on[i], 1, NULL);
	for (size_t i = 0; i < ARRAY_LEN(off); i++)
		sqlite3_db_config(db->handle, off[i], 0, NULL);
	sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, (int)RESULT_BYTES_MAX);
	sqlite3_limit(db->handle, SQLITE_LIMIT_VARIABLE_NUMBER, PARAMS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(pragmas) && !st; i++)
		st = run_pragma(db, pragmas[i]);
	return st;
}

/* Is it ours, and is it whole? */
static enum st inspect(struct sqlite *db, bool thorough, char *error, size_t error_size)
{
	sqlite3_stmt *stmt = NULL;
	int64_t id = 0, tables = 0;
	enum st st = ask_integer(db, "PRAGMA application_id", &id);

	if (!st)
		st = ask_integer(db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (!st && id == 0 && tables == 0)
		st = run_pragma(db, "PRAGMA application_id = 1413762123"); /* APPLICATION_ID */
	else if (!st && id != APPLICATION_ID) {
		snprintf(error, error_size, "the file is not a Tidelock database");
		return ST_REFUSED;
	}
	if (st || !thorough)
		return st;
	st = sqlite_status(sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &stmt, NULL));
	if (!st)
		st = sqlite_status(sqlite3_step(stmt));
	if (!st && strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0) {
		snprintf(error, error_size, "%s", (const char *)sqlite3_column_text(stmt, 0));
		st = ST_CORRUPT;
	}
	sqlite3_finalize(stmt);
	return st;
}

static enum st prepare_controls(struct sqlite *db)
{
	static const char *const sql[SQL_CONTROLS] = {
		[SQL_BEGIN] = "BEGIN IMMEDIATE",
		[SQL_COMMIT] = "COMMIT",
		[SQL_ROLLBACK] = "ROLLBACK",
		[SQL_SAVEPOINT] = "SAVEPOINT batch",
		[SQL_RELEASE] = "RELEASE batch",
		[SQL_UNDO] = "ROLLBACK TO batch",
	};
	enum st st = ST_OK;

	for (size_t i = 0; i < SQL_CONTROLS && !st; i++)
		st = sqlite_status(sqlite3_prepare_v3(
			db->handle, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &db->controls[i], NULL));
	return st;
}

static void explain(
	enum st st, const struct sqlite *db, const char *path, char *error, size_t error_size)
{
	char reason[160];

	snprintf(reason, sizeof(reason), "%s",
		*error                     ? error
			: db && db->handle ? sqlite3_errmsg(db->handle)
					   : strerror(errno));
	if (st == ST_CORRUPT)
		snprintf(error, error_size,
			"%s is damaged (%s). It is kept as it is. To go on, put a good copy of it "
			"in its place "
			"and take the files -wal and -shm beside it away",
			path, reason);
	else if (st == ST_BUSY)
		snprintf(error, error_size, "%s is in use by another process", path);
	else
		snprintf(error, error_size, "%s: %s", path, reason);
}

static int on_log_growth(void *arg, sqlite3 *handle, const char *name, int pages)
{
	(void)handle;
	(void)name;
	((struct sqlite *)arg)->log_pages = pages;
	return SQLITE_OK;
}

enum st sqlite_open(struct sqlite **out, const char *path, char *error, size_t error_size)
{
	bool in_memory = strcmp(path, ":memory:") == 0,
	     unclean = !in_memory && stopped_uncleanly(path);
	const char *layer = NULL;
	struct sqlite *db = calloc(1, sizeof(*db));
	enum st st = db ? ST_OK : ST_NOMEM;

	*error = 0;
#ifdef TIDELOCK_DEBUG
	layer = sqlite_faults();
#endif
	if (!st && !in_memory)
		st = make_file(path);
	if (!st)
		st = sqlite_status(sqlite3_open_v2(path, &db->handle,
			SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
				(in_memory ? SQLITE_OPEN_MEMORY : 0),
			layer));
	if (!st)
		st = configure(db);
	if (!st && unclean)
		log_line(LOG_WARN, "database was not closed; checking it");
	if (!st)
		st = inspect(db, unclean || (!in_memory && is_small(path)), error, error_size);
	if (!st)
		st = prepare_controls(db);
	if (st) {
		explain(st, db, path, error, error_size);
		sqlite_close(db);
		return st;
	}
	sqlite3_set_authorizer(db->handle, sqlite_authorize, db);
	sqlite3_progress_handler(db->handle, 10000, sqlite_too_slow, db);
	db->until = INT64_MAX;
	/* Replaces SQLite's own checkpoints, which would run before the answer is given. */
	sqlite3_wal_hook(db->handle, on_log_growth, db);
	*out = db;
	return ST_OK;
}

void sqlite_close(struct sqlite *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < SQL_CONTROLS; i++)
		sqlite3_finalize(db->controls[i]);
	for (size_t i = 0; i < CACHED_STATEMENTS; i++)
		sqlite_forget(db->cache[i]);
	sqlite3_close(db->handle);
	free(db);
}

const char *store_version(void)
{
	return sqlite3_libversion();
}
