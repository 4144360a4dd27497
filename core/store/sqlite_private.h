/* sqlite_private.h: what the driver's files share: the connection, and how SQLite's codes read. */
#pragma once

#include "store/sqlite.h"

#include <sqlite3.h>

#define CACHED_STATEMENTS 64
#define PARAMS_MAX 250
#define RESULT_BYTES_MAX (16u << 20)

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

enum st sqlite_status(int rc);
/* The same, with SQLite's words in r->message and, when the disk is to blame, in the log. */
enum st sqlite_note(struct sqlite *db, struct store_request *r, int rc);
void sqlite_forget(struct compiled *c); /* accepts NULL */
/* For sqlite3_set_authorizer and sqlite3_progress_handler; arg is the struct sqlite. */
int sqlite_authorize(
	void *arg, int action, const char *a, const char *b, const char *c, const char *d);
int sqlite_too_slow(void *arg);

/* The i-th statement of a request, and its parts. */
const struct store_statement *sqlite_statement(const struct store_request *r, size_t i);
size_t sqlite_statement_count(const struct store_request *r);
struct slice sqlite_sql(const struct store_request *r, const struct store_statement *s);
const struct store_value *sqlite_param(
	const struct store_request *r, const struct store_statement *s, size_t i);
