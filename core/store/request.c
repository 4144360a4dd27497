/* request.c: building a batch and reading its results. */
#include "store/store.h"

struct store_request *store_request_new(enum store_kind kind)
{
	struct store_request *r = calloc(1, sizeof(*r));

	if (r)
		r->kind = kind;
	return r;
}

void store_request_free(struct store_request *r)
{
	if (!r)
		return;
	buf_free(&r->statements);
	buf_free(&r->params);
	buf_free(&r->texts);
	buf_free(&r->results);
	buf_free(&r->cells);
	buf_free(&r->cell_texts);
	free(r);
}

static struct store_statement *last(struct store_request *r)
{
	size_t n = r->statements.n / sizeof(struct store_statement);

	return n && !r->statements.failed ? (struct store_statement *)(void *)r->statements.p + n - 1
					  : NULL;
}

void store_add(struct store_request *r, struct slice sql)
{
	struct store_statement s = {
		.sql_at = r->texts.n,
		.sql_length = sql.n,
		.first_param = r->params.n / sizeof(struct store_value),
		.exactly = -1,
		.at_least = -1,
	};

	buf_add_slice(&r->texts, sql);
	buf_add(&r->statements, &s, sizeof(s));
}

static void add_param(struct store_request *r, struct store_value v)
{
	struct store_statement *s = last(r);

	if (s && buf_add(&r->params, &v, sizeof(v)))
		s->param_count++;
}

void store_add_null(struct store_request *r)
{
	add_param(r, (struct store_value){.type = STORE_NULL});
}

void store_add_integer(struct store_request *r, int64_t v)
{
	add_param(r, (struct store_value){.type = STORE_INTEGER, .integer = v});
}

void store_add_real(struct store_request *r, double v)
{
	add_param(r, (struct store_value){.type = STORE_REAL, .real = v});
}

void store_add_text(struct store_request *r, struct slice v)
{
	struct store_value value = {.type = STORE_TEXT, .length = (uint32_t)v.n, .at = r->texts.n};

	if (v.n > UINT32_MAX)
		r->texts.failed = true;
	buf_add_slice(&r->texts, v);
	add_param(r, value);
}

void store_expect(struct store_request *r, int64_t exactly, int64_t at_least)
{
	struct store_statement *s = last(r);

	if (!s)
		return;
	s->exactly = exactly;
	s->at_least = at_least;
}

size_t store_result_count(const struct store_request *r)
{
	return r->results.n / sizeof(struct store_result);
}

const struct store_result *store_result(const struct store_request *r, size_t statement)
{
	assert(statement < store_result_count(r));
	return (const struct store_result *)(const void *)r->results.p + statement;
}

static const struct store_value *cell_at(const struct store_request *r, size_t i)
{
	assert(i < r->cells.n / sizeof(struct store_value));
	return (const struct store_value *)(const void *)r->cells.p + i;
}

struct slice store_column(
	const struct store_request *r, const struct store_result *result, size_t column)
{
	assert(column < result->columns);
	return store_cell_text(r, cell_at(r, result->first_cell + column));
}

const struct store_value *store_cell(
	const struct store_request *r, const struct store_result *result, size_t row, size_t column)
{
	assert(row < result->rows && column < result->columns);
	return cell_at(r, result->first_cell + (row + 1) * result->columns + column);
}

struct slice store_cell_text(const struct store_request *r, const struct store_value *cell)
{
	return slice_sub(buf_slice(&r->cell_texts), cell->at, cell->length);
}
