/* store.h: the durable store. A request is a batch of statements that runs in one transaction, with expectations; it is
 * answered when it is on the disk, or not at all. One thread owns the only connection: it takes all that waits, runs the
 * reads, then commits all writes together with one flush. */
#pragma once

#include "base/bytes.h"
#include "loop/pool.h"

enum store_type { STORE_NULL, STORE_INTEGER, STORE_REAL, STORE_TEXT };

/* A parameter or a cell. */
struct store_value {
	uint32_t type; /* enum store_type */
	uint32_t length;
	union {
		int64_t integer;
		double real;
		size_t at; /* of a text: where in the request's texts */
	};
};

struct store_statement {
	size_t sql_at, sql_length;
	size_t first_param, param_count;
	int64_t exactly,
		at_least; /* how many rows come back (or change, when none come back); -1 = any */
};

struct store_result {
	size_t first_cell; /* names of the columns first, then the rows */
	size_t columns, rows;
	int64_t changes;
};

enum store_kind { STORE_BATCH, STORE_MIGRATE };

/* Lifetime: an operation. Built, submitted, read when it landed, freed. Members are for store/ but job.op. */
struct store_request {
	struct job job; /* op.push, op.free and op.owner are the caller's */
	enum store_kind kind;
	bool urgent; /* may use the reserve when the disk is full: sign-out, revoke, disable */
	struct buf statements; /* owns: struct store_statement */
	struct buf params;     /* owns: struct store_value */
	struct buf texts;      /* owns: SQL and texts of parameters */
	struct buf results;    /* owns: struct store_result */
	struct buf cells;      /* owns: struct store_value */
	struct buf cell_texts; /* owns */
	int64_t version;       /* of the schema, after STORE_MIGRATE */
	enum st st;
	size_t failed_at;  /* which statement */
	char message[200]; /* for ST_BAD: what is wrong with it */
};

/* NULL = out of memory. */
struct store_request *store_request_new(enum store_kind kind);
void store_request_free(struct store_request *r); /* accepts NULL */

/* Building. Texts are copied. Out of memory shows in store_submit. Parameters and expectations belong to the statement added
 * last. For STORE_MIGRATE a statement is a script with two parameters, its number and its name, in rising order. */
void store_add(struct store_request *r, struct slice sql);
void store_add_null(struct store_request *r);
void store_add_integer(struct store_request *r, int64_t v);
void store_add_real(struct store_request *r, double v);
void store_add_text(struct store_request *r, struct slice v);
void store_expect(struct store_request *r, int64_t exactly, int64_t at_least);

/* Hands r to the db thread; job.op lands on the loop. On failure (ST_BUSY: the queue is full; ST_NOMEM; ST_CLOSED) r stays the
 * caller's. */
must_check enum st store_submit(struct store_request *r);

/* Reading what landed. r->st: ST_OK; ST_CONFLICT (failed_at: an expectation, a duplicate, a missing reference); ST_FULL, ST_IO,
 * ST_CORRUPT, ST_NOMEM, ST_TIMEOUT (nothing was stored); ST_BAD (our mistake, see message). */
const struct store_result *store_result(const struct store_request *r, size_t statement);
size_t store_result_count(const struct store_request *r);
struct slice store_column(
	const struct store_request *r, const struct store_result *result, size_t column);
const struct store_value *store_cell(const struct store_request *r,
	const struct store_result *result, size_t row, size_t column);
struct slice store_cell_text(const struct store_request *r, const struct store_value *cell);

/* Opens (or makes, mode 0600) the database at path; ":memory:" for tests. Once per process, after loop_open. On failure error
 * holds a sentence for people; ST_CORRUPT: damaged, and kept as it is. */
must_check enum st store_open(const char *path, char *error, size_t error_size);
/* Finishes what waits, then closes. */
void store_close(void);
const char *store_version(void); /* the library's */
