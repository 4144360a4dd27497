/* sqlite.c: the SQLite driver: compiling and running statements. */
#include "base/clock.h"
#include "base/log.h"
#include "store/sqlite_private.h"

#define ROWS_MAX 100000
#define STATEMENT_US (5 * 1000000) /* how long one batch may compute */

/* ---- Results ---- */

enum st sqlite_status(int rc)
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

enum st sqlite_note(struct sqlite *db, struct store_request *r, int rc)
{
	enum st st = sqlite_status(rc);

	if (st)
		snprintf(r->message, sizeof(r->message), "%s", sqlite3_errmsg(db->handle));
	if (st == ST_IO || st == ST_CORRUPT || st == ST_FULL)
		log_line(LOG_ERROR, "database error code=%d system_error=%d reason=\"%s\"", rc,
			sqlite3_system_errno(db->handle), r->message);
	return st;
}

/* ---- Compiling ---- */

/* Asked by SQLite while it compiles. */
int sqlite_authorize(void *arg, int action, const char *a, const char *b, const char *c, const char *d)
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

/* Of the end, where statements differ most; whoever finds one compares the whole text. */
static uint32_t hash_of(struct slice s)
{
	uint32_t h = 2166136261u ^ (uint32_t)s.n; /* FNV-1a */

	for (size_t i = s.n > 48 ? s.n - 48 : 0; i < s.n; i++)
		h = (h ^ s.p[i]) * 16777619u;
	return h;
}

void sqlite_forget(struct compiled *c)
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
	st = sqlite_note(db, r,
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
		sqlite_forget(c);
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
	sqlite_forget(db->cache[oldest]);
	db->cache[oldest] = *out;
	return ST_OK;
}

const struct store_statement *sqlite_statement(const struct store_request *r, size_t i)
{
	return (const struct store_statement *)(const void *)r->statements.p + i;
}

size_t sqlite_statement_count(const struct store_request *r)
{
	return r->statements.n / sizeof(struct store_statement);
}

struct slice sqlite_sql(const struct store_request *r, const struct store_statement *s)
{
	return slice_sub(buf_slice(&r->texts), s->sql_at, s->sql_length);
}

const struct store_value *sqlite_param(
	const struct store_request *r, const struct store_statement *s, size_t i)
{
	assert(i < s->param_count);
	return (const struct store_value *)(const void *)r->params.p + s->first_param + i;
}

enum st sqlite_prepare(struct sqlite *db, struct store_request *r, bool *readonly)
{
	*readonly = true;
	for (size_t i = 0; i < sqlite_statement_count(r) && *readonly; i++) {
		struct compiled *c;
		enum st st = compiled(db, sqlite_sql(r, sqlite_statement(r, i)), r, &c);

		r->failed_at = i;
		if (st)
			return st;
		*readonly = c->readonly;
	}
	return ST_OK;
}

/* ---- Running ---- */

int sqlite_too_slow(void *arg)
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
		const struct store_value *v = sqlite_param(r, s, c->order[i]);
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
			return sqlite_note(db, r, rc);
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
	enum st st = compiled(db, sqlite_sql(r, s), r, &c);
	int rc;

	if (st)
		return st;
	st = bind(db, r, s, c);
	while (!st && (rc = sqlite3_step(c->stmt)) != SQLITE_DONE)
		st = rc == SQLITE_ROW ? add_row(r, c->stmt, &result) : sqlite_note(db, r, rc);
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
	for (size_t i = 0; i < sqlite_statement_count(r) && !st; i++) {
		r->failed_at = i;
		st = run_statement(db, r, sqlite_statement(r, i));
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
	return sqlite_status(rc);
}

bool sqlite_in_transaction(struct sqlite *db)
{
	return sqlite3_get_autocommit(db->handle) == 0;
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
