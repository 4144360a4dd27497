/* sqlite.c: the SQLite driver: opening, checking, compiling, running. */
#include "store/sqlite.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHED_STATEMENTS 64
#define PARAMS_MAX 250
#define ROWS_MAX 100000
#define RESULT_BYTES_MAX (16u << 20)
#define STATEMENT_US (5 * 1000000) /* how long one batch may compute */
#define APPLICATION_ID 0x54444c4b  /* "TDLK" */

struct compiled {
	sqlite3_stmt *stmt; /* owns */
	size_t sql_length;
	uint32_t hash;
	uint64_t used; /* tick of its last use */
	bool readonly;
	unsigned param_count; /* the highest $n */
	unsigned char order[PARAMS_MAX]; /* SQLite's index - 1 → n - 1: SQLite numbers $n by first appearance */
	unsigned order_count;
};

struct sqlite {
	sqlite3 *handle;                           /* owns */
	sqlite3_stmt *controls[SQL_CONTROLS];      /* owns */
	struct compiled *cache[CACHED_STATEMENTS]; /* owns */
	uint64_t tick;
	int64_t until; /* clock_work_us when the running batch is too slow */
	int log_pages;
	bool guarded; /* what is compiled now is a batch's: no transaction control, no PRAGMA */
};

/* ---- Results ---- */

static enum st status_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return ST_OK;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ST_BUSY;
	case SQLITE_NOMEM:
		return ST_NOMEM;
	case SQLITE_FULL:
		return ST_FULL;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ST_CORRUPT;
	case SQLITE_INTERRUPT:
		return ST_TIMEOUT;
	case SQLITE_CONSTRAINT:
		/* The other kinds (NOT NULL, CHECK, types) are mistakes of ours, not of two requests that met. */
		return rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ||
				rc == SQLITE_CONSTRAINT_FOREIGNKEY || rc == SQLITE_CONSTRAINT_ROWID
			? ST_CONFLICT
			: ST_BAD;
	case SQLITE_IOERR:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return ST_IO;
	default:
		return ST_BAD;
	}
}

static enum st note(struct sqlite *db, struct store_request *r, int rc)
{
	enum st st = status_of(rc);

	if (st)
		snprintf(r->message, sizeof(r->message), "%s", sqlite3_errmsg(db->handle));
	if (st == ST_IO || st == ST_CORRUPT || st == ST_FULL)
		log_line(LOG_ERROR, "database error code=%d system_error=%d reason=\"%s\"", rc,
			sqlite3_system_errno(db->handle), r->message);
	return st;
}

/* ---- Compiling ---- */

/* Asked by SQLite while it compiles. */
static int authorize(void *arg, int action, const char *a, const char *b, const char *c, const char *d)
{
	const struct sqlite *db = arg;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	if (!db->guarded)
		return SQLITE_OK;
	switch (action) {
	case SQLITE_TRANSACTION:
	case SQLITE_SAVEPOINT:
	case SQLITE_ATTACH:
	case SQLITE_DETACH:
	case SQLITE_PRAGMA:
		return SQLITE_DENY;
	default:
		return SQLITE_OK;
	}
}

static uint32_t hash_of(struct slice s)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * 16777619u;
	return h;
}

static void forget(struct compiled *c)
{
	if (!c)
		return;
	sqlite3_finalize(c->stmt);
	free(c);
}

/* $1 and $2 are names to SQLite: remembers which parameter each of its indexes means. */
static enum st read_params(struct compiled *c, struct store_request *r)
{
	int n = sqlite3_bind_parameter_count(c->stmt);

	for (int i = 1; i <= n; i++) {
		const char *name = sqlite3_bind_parameter_name(c->stmt, i);
		char *end = NULL;
		unsigned long number = name && name[0] == '$' ? strtoul(name + 1, &end, 10) : 0;

		if (number == 0 || number > PARAMS_MAX || *end || n > PARAMS_MAX) {
			snprintf(r->message, sizeof(r->message), "parameters are written $1 to $%d",
				PARAMS_MAX);
			return ST_BAD;
		}
		c->order[i - 1] = (unsigned char)(number - 1);
		if (number > c->param_count)
			c->param_count = (unsigned)number;
	}
	c->order_count = (unsigned)n;
	return ST_OK;
}

static enum st compile(
	struct sqlite *db, struct slice sql, struct store_request *r, struct compiled **out)
{
	struct compiled *c = calloc(1, sizeof(*c));
	const char *tail = NULL;
	enum st st;

	if (!c)
		return ST_NOMEM;
	db->guarded = true;
	st = note(db, r,
		sqlite3_prepare_v3(db->handle, (const char *)sql.p, (int)sql.n,
			SQLITE_PREPARE_PERSISTENT, &c->stmt, &tail));
	db->guarded = false;
	if (st)
		goto out;
	st = ST_BAD;
	if (!c->stmt) {
		snprintf(r->message, sizeof(r->message), "a statement is empty");
		goto out;
	}
	for (; tail < (const char *)sql.p + sql.n; tail++)
		if (!strchr(" \t\r\n;", *tail)) {
			snprintf(r->message, sizeof(r->message), "more than one statement");
			goto out;
		}
	c->sql_length = sql.n;
	c->readonly = sqlite3_stmt_readonly(c->stmt);
	st = read_params(c, r);
out:
	if (st)
		forget(c);
	else
		*out = c;
	return st;
}

/* The compiled form of sql, from the cache or made now in place of the one used longest ago. */
static enum st compiled(
	struct sqlite *db, struct slice sql, struct store_request *r, struct compiled **out)
{
	uint32_t hash = hash_of(sql);
	size_t oldest = 0;
	enum st st;

	for (size_t i = 0; i < CACHED_STATEMENTS; i++) {
		struct compiled *c = db->cache[i];

		if (c && c->hash == hash && c->sql_length == sql.n &&
			memcmp(sqlite3_sql(c->stmt), sql.p, sql.n) == 0) {
			c->used = ++db->tick;
			*out = c;
			return ST_OK;
		}
		if (!c || (db->cache[oldest] && c->used < db->cache[oldest]->used))
			oldest = i;
	}
	st = compile(db, sql, r, out);
	if (st)
		return st;
	(*out)->hash = hash;
	(*out)->used = ++db->tick;
	forget(db->cache[oldest]);
	db->cache[oldest] = *out;
	return ST_OK;
}

static const struct store_statement *statement(const struct store_request *r, size_t i)
{
	return (const struct store_statement *)(const void *)r->statements.p + i;
}

static size_t statement_count(const struct store_request *r)
{
	return r->statements.n / sizeof(struct store_statement);
}

static struct slice sql_of(const struct store_request *r, const struct store_statement *s)
{
	return slice_sub(buf_slice(&r->texts), s->sql_at, s->sql_length);
}

static const struct store_value *param(
	const struct store_request *r, const struct store_statement *s, size_t i)
{
	assert(i < s->param_count);
	return (const struct store_value *)(const void *)r->params.p + s->first_param + i;
}

enum st sqlite_prepare(struct sqlite *db, struct store_request *r, bool *readonly)
{
	*readonly = true;
	for (size_t i = 0; i < statement_count(r) && *readonly; i++) {
		struct compiled *c;
		enum st st = compiled(db, sql_of(r, statement(r, i)), r, &c);

		r->failed_at = i;
		if (st)
			return st;
		*readonly = c->readonly;
	}
	return ST_OK;
}

/* ---- Running ---- */

static int too_slow(void *arg)
{
	const struct sqlite *db = arg;

	return clock_work_us() > db->until;
}

static enum st bind(struct sqlite *db, struct store_request *r, const struct store_statement *s,
	const struct compiled *c)
{
	if (s->param_count != c->param_count) {
		snprintf(r->message, sizeof(r->message), "%u parameters wanted, %zu given",
			c->param_count, s->param_count);
		return ST_BAD;
	}
	for (unsigned i = 0; i < c->order_count; i++) {
		const struct store_value *v = param(r, s, c->order[i]);
		const char *text = (const char *)r->texts.p + v->at;
		int rc = SQLITE_OK;

		switch ((enum store_type)v->type) {
		case STORE_NULL:
			rc = sqlite3_bind_null(c->stmt, (int)i + 1);
			break;
		case STORE_INTEGER:
			rc = sqlite3_bind_int64(c->stmt, (int)i + 1, v->integer);
			break;
		case STORE_REAL:
			rc = sqlite3_bind_double(c->stmt, (int)i + 1, v->real);
			break;
		case STORE_TEXT:
			rc = sqlite3_bind_text(
				c->stmt, (int)i + 1, text, (int)v->length, SQLITE_STATIC);
			break;
		}
		if (rc)
			return note(db, r, rc);
	}
	return ST_OK;
}

static void add_text_cell(struct store_request *r, const void *text, size_t n)
{
	struct store_value v = {.type = STORE_TEXT, .length = (uint32_t)n, .at = r->cell_texts.n};

	buf_add(&r->cell_texts, text, n);
	buf_add(&r->cells, &v, sizeof(v));
}

static void add_cell(struct store_request *r, sqlite3_stmt *stmt, int column)
{
	struct store_value v = {.type = STORE_NULL};
	const void *text;

	switch (sqlite3_column_type(stmt, column)) {
	case SQLITE_INTEGER:
		v = (struct store_value){
			.type = STORE_INTEGER, .integer = sqlite3_column_int64(stmt, column)};
		break;
	case SQLITE_FLOAT:
		v = (struct store_value){
			.type = STORE_REAL, .real = sqlite3_column_double(stmt, column)};
		break;
	case SQLITE_TEXT:
	case SQLITE_BLOB:
		text = sqlite3_column_blob(stmt, column);
		add_text_cell(r, text, (size_t)sqlite3_column_bytes(stmt, column));
		return;
	default:
		break;
	}
	buf_add(&r->cells, &v, sizeof(v));
}

static enum st add_row(struct store_request *r, sqlite3_stmt *stmt, struct store_result *result)
{
	if (result->rows == 0) {
		result->columns = (size_t)sqlite3_column_count(stmt);
		for (size_t i = 0; i < result->columns; i++) {
			const char *name = sqlite3_column_name(stmt, (int)i);

			add_text_cell(r, name ? name : "", name ? strlen(name) : 0);
		}
	}
	for (size_t i = 0; i < result->columns; i++)
		add_cell(r, stmt, (int)i);
	if (r->cells.failed || r->cell_texts.failed)
		return ST_NOMEM;
	if (++result->rows <= ROWS_MAX && r->cell_texts.n <= RESULT_BYTES_MAX &&
		r->cells.n <= RESULT_BYTES_MAX)
		return ST_OK;
	snprintf(r->message, sizeof(r->message), "the result is too large: ask for fewer rows");
	return ST_BAD;
}

static bool as_expected(const struct store_statement *s, int64_t count)
{
	return (s->exactly < 0 || count == s->exactly) && (s->at_least < 0 || count >= s->at_least);
}

static enum st run_statement(
	struct sqlite *db, struct store_request *r, const struct store_statement *s)
{
	struct store_result result = {.first_cell = r->cells.n / sizeof(struct store_value)};
	struct compiled *c;
	enum st st = compiled(db, sql_of(r, s), r, &c);
	int rc;

	if (st)
		return st;
	st = bind(db, r, s, c);
	while (!st && (rc = sqlite3_step(c->stmt)) != SQLITE_DONE)
		st = rc == SQLITE_ROW ? add_row(r, c->stmt, &result) : note(db, r, rc);
	if (!st && !c->readonly)
		result.changes = sqlite3_changes64(db->handle);
	if (!st && !as_expected(s, sqlite3_column_count(c->stmt) ? (int64_t)result.rows : result.changes))
		st = ST_CONFLICT;
	sqlite3_reset(c->stmt);
	/* The texts are the request's and go with it. */
	if (c->order_count)
		sqlite3_clear_bindings(c->stmt);
	if (!st && !buf_add(&r->results, &result, sizeof(result)))
		st = ST_NOMEM;
	return st;
}

enum st sqlite_run(struct sqlite *db, struct store_request *r)
{
	enum st st = ST_OK;

	db->until = clock_work_us() + STATEMENT_US;
	for (size_t i = 0; i < statement_count(r) && !st; i++) {
		r->failed_at = i;
		st = run_statement(db, r, statement(r, i));
	}
	return st;
}

enum st sqlite_control(struct sqlite *db, enum sqlite_control what)
{
	int rc = sqlite3_step(db->controls[what]);

	if (rc != SQLITE_DONE && what != SQL_ROLLBACK)
		log_line(LOG_ERROR, "database error code=%d system_error=%d reason=\"%s\"", rc,
			sqlite3_system_errno(db->handle), sqlite3_errmsg(db->handle));
	sqlite3_reset(db->controls[what]);
	return status_of(rc);
}

bool sqlite_in_transaction(struct sqlite *db)
{
	return sqlite3_get_autocommit(db->handle) == 0;
}

static int on_log_growth(void *arg, sqlite3 *handle, const char *name, int pages)
{
	(void)handle;
	(void)name;
	((struct sqlite *)arg)->log_pages = pages;
	return SQLITE_OK;
}

int sqlite_log_pages(const struct sqlite *db)
{
	return db->log_pages;
}

void sqlite_checkpoint(struct sqlite *db)
{
	int rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

	/* Not lost: it stays in the log, and the next commits try again. */
	if (rc != SQLITE_OK)
		log_line(LOG_WARN, "database checkpoint failed code=%d reason=\"%s\"", rc,
			sqlite3_errmsg(db->handle));
	db->log_pages = 0;
}

/* ---- Migrations ---- */

/* Runs a script of statements without parameters or results. */
static enum st run_script(struct sqlite *db, struct store_request *r, const char *sql)
{
	enum st st;

	db->until = INT64_MAX; /* a large table may take its time */
	db->guarded = true;
	st = note(db, r, sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
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
	st = note(db, r,
		sqlite3_prepare_v2(db->handle,
			"SELECT coalesce(max(number), 0) FROM schema_version", -1, &stmt, NULL));
	if (!st && sqlite3_step(stmt) == SQLITE_ROW)
		r->version = sqlite3_column_int64(stmt, 0);
	else if (!st)
		st = note(db, r, sqlite3_errcode(db->handle));
	sqlite3_finalize(stmt);
	return st;
}

static enum st record_version(
	struct sqlite *db, struct store_request *r, const struct store_statement *s)
{
	const struct store_value *name = param(r, s, 1);
	sqlite3_stmt *stmt = NULL;
	enum st st = note(db, r,
		sqlite3_prepare_v2(db->handle,
			"INSERT INTO schema_version (number, name, applied_at) VALUES (?, ?, ?)",
			-1, &stmt, NULL));

	if (st)
		return st;
	sqlite3_bind_int64(stmt, 1, param(r, s, 0)->integer);
	sqlite3_bind_text(
		stmt, 2, (const char *)r->texts.p + name->at, (int)name->length, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 3, clock_wall());
	st = note(db, r, sqlite3_step(stmt));
	sqlite3_finalize(stmt);
	return st;
}

static enum st migrate_one(struct sqlite *db, struct store_request *r, const struct store_statement *s)
{
	struct slice sql = sql_of(r, s);
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
		r->version = param(r, s, 0)->integer;
	return st;
}

enum st sqlite_migrate(struct sqlite *db, struct store_request *r)
{
	size_t n = statement_count(r);
	int64_t newest = n ? param(r, statement(r, n - 1), 0)->integer : 0;
	enum st st = read_version(db, r);

	if (!st && r->version > newest) {
		snprintf(r->message, sizeof(r->message),
			"the database has schema %lld, this program knows %lld: use a newer "
			"tidelock, or restore a backup",
			(long long)r->version, (long long)newest);
		return ST_REFUSED;
	}
	for (size_t i = 0; i < n && !st; i++) {
		const struct store_statement *s = statement(r, i);

		r->failed_at = i;
		if (param(r, s, 0)->integer > r->version)
			st = migrate_one(db, r, s);
	}
	return st;
}

/* ---- Opening ---- */

static enum st run_pragma(struct sqlite *db, const char *sql)
{
	return status_of(sqlite3_exec(db->handle, sql, NULL, NULL, NULL));
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
	return status_of(rc);
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
	st = status_of(sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(1)", -1, &stmt, NULL));
	if (!st)
		st = status_of(sqlite3_step(stmt));
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
		st = status_of(sqlite3_prepare_v3(
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
			"%s is damaged (%s). The file is kept as it is. To go on with a backup: "
			"tidelock restore FILE",
			path, reason);
	else if (st == ST_BUSY)
		snprintf(error, error_size, "%s is in use by another process", path);
	else
		snprintf(error, error_size, "%s: %s", path, reason);
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
		st = status_of(sqlite3_open_v2(path, &db->handle,
			SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
				(in_memory ? SQLITE_OPEN_MEMORY : 0),
			layer));
	if (!st)
		st = configure(db);
	if (!st && unclean)
		log_line(LOG_WARN, "database was not closed; checking it");
	if (!st)
		st = inspect(db, unclean, error, error_size);
	if (!st)
		st = prepare_controls(db);
	if (st) {
		explain(st, db, path, error, error_size);
		sqlite_close(db);
		return st;
	}
	sqlite3_set_authorizer(db->handle, authorize, db);
	sqlite3_progress_handler(db->handle, 10000, too_slow, db);
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
		forget(db->cache[i]);
	sqlite3_close(db->handle);
	free(db);
}

const char *store_version(void)
{
	return sqlite3_libversion();
}
