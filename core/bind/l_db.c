/* l_db.c: the Lua table `db`. A call copies its SQL and parameters into a request and waits; the results become tables when
 * the task goes on. */
#include "base/codec.h"
#include "bind/bind.h"
#include "script/task.h"
#include "store/store.h"

#include <lauxlib.h>
#include <lua.h>

#define BATCH_MAX 50000 /* a configuration of thousands of people is one batch */
#define ITEM_PARAMS_MAX 250

/* Upvalues of the functions: the names of an item's fields, at hand without an allocation. */
enum { FIELD_N = 1, FIELD_ROWS, FIELD_MIN, FIELD_URGENT };
static const char *const field_names[] = {"n", "rows", "min", "urgent"};

/* ---- Arguments: checked first, when Lua may still throw; then copied by functions that do not ---- */

static void check_param(lua_State *L, int index, const char *where)
{
	struct slice text;

	switch (lua_type(L, index)) {
	case LUA_TNIL:
	case LUA_TNUMBER:
	case LUA_TBOOLEAN:
		return;
	case LUA_TLIGHTUSERDATA:
		if (!lua_touserdata(L, index))
			return;
		break;
	case LUA_TSTRING:
		text.p = (const unsigned char *)lua_tolstring(L, index, &text.n);
		/* PostgreSQL takes nothing else, and SQLite's functions stop at a NUL. */
		if (slice_find(text, 0) == text.n && utf8_valid(text))
			return;
		luaL_error(L,
			"%s: a text parameter is not UTF-8 without NUL (encode bytes as base64url)",
			where);
		break;
	default:
		break;
	}
	luaL_error(L, "%s: a parameter is a %s", where, luaL_typename(L, index));
}

static void add_param(lua_State *L, int index, struct store_request *r)
{
	struct slice text;

	switch (lua_type(L, index)) {
	case LUA_TBOOLEAN:
		store_add_integer(r, lua_toboolean(L, index));
		break;
	case LUA_TNUMBER:
		if (lua_isinteger(L, index))
			store_add_integer(r, lua_tointeger(L, index));
		else
			store_add_real(r, lua_tonumber(L, index));
		break;
	case LUA_TSTRING:
		text.p = (const unsigned char *)lua_tolstring(L, index, &text.n);
		store_add_text(r, text);
		break;
	default:
		store_add_null(r);
		break;
	}
}

static struct slice sql_at(lua_State *L, int index)
{
	size_t n;
	const char *p = lua_tolstring(L, index, &n);

	return slice_of(p, n);
}

/* Pushes the item's field; raw, so that nothing of ours is called. */
static void push_field(lua_State *L, int item, int field)
{
	lua_pushvalue(L, lua_upvalueindex(field));
	lua_rawget(L, item);
}

/* The item's count under field: -1 when absent. */
static lua_Integer count_field(lua_State *L, int item, int field)
{
	lua_Integer v = -1;

	push_field(L, item, field);
	if (lua_isinteger(L, -1))
		v = lua_tointeger(L, -1);
	lua_pop(L, 1);
	return v;
}

static int item_params(lua_State *L, int item)
{
	lua_Integer n = count_field(L, item, FIELD_N);

	return n >= 0 ? (int)n : (int)lua_rawlen(L, item) - 1;
}

static void check_count(lua_State *L, int item, int field)
{
	push_field(L, item, field);
	if (!lua_isnil(L, -1) && !(lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 0))
		luaL_error(L, "db.batch: %s is not a count", field_names[field - 1]);
	lua_pop(L, 1);
}

static void check_item(lua_State *L, int item)
{
	if (!lua_istable(L, item))
		luaL_error(L, "db.batch: an item is a %s, not a table", luaL_typename(L, item));
	for (int field = FIELD_N; field <= FIELD_MIN; field++)
		check_count(L, item, field);
	if (lua_rawgeti(L, item, 1) != LUA_TSTRING)
		luaL_error(L, "db.batch: an item begins with its SQL");
	lua_pop(L, 1);
	if (count_field(L, item, FIELD_N) > ITEM_PARAMS_MAX ||
		lua_rawlen(L, item) > ITEM_PARAMS_MAX + 1)
		luaL_error(L, "db.batch: too many parameters");
	for (int i = 1; i <= item_params(L, item); i++) {
		lua_rawgeti(L, item, i + 1);
		check_param(L, -1, "db.batch");
		lua_pop(L, 1);
	}
}

static void add_item(lua_State *L, int item, struct store_request *r)
{
	int params = item_params(L, item);

	lua_rawgeti(L, item, 1);
	store_add(r, sql_at(L, -1));
	lua_pop(L, 1);
	for (int i = 1; i <= params; i++) {
		lua_rawgeti(L, item, i + 1);
		add_param(L, -1, r);
		lua_pop(L, 1);
	}
	store_expect(r, count_field(L, item, FIELD_ROWS), count_field(L, item, FIELD_MIN));
}

/* ---- Results ---- */

static struct store_request *request_of(struct op *op)
{
	return container_of(op, struct store_request, job.op);
}

static void free_op(struct op *op)
{
	store_request_free(request_of(op));
}

/* Our mistakes raise; what happens in production is nil, code[, which statement]. */
static int push_failure(lua_State *L, const struct store_request *r)
{
	if (r->st == ST_BAD)
		return luaL_error(L, "db: statement %d: %s", (int)r->failed_at + 1, r->message);
	lua_pushnil(L);
	lua_pushstring(L, st_name(r->st));
	if (r->st != ST_CONFLICT)
		return 2;
	lua_pushinteger(L, (lua_Integer)r->failed_at + 1);
	return 3;
}

static void push_cell(lua_State *L, const struct store_request *r, const struct store_value *cell)
{
	struct slice text;

	switch ((enum store_type)cell->type) {
	case STORE_NULL:
		lua_pushnil(L);
		break;
	case STORE_INTEGER:
		lua_pushinteger(L, cell->integer);
		break;
	case STORE_REAL:
		lua_pushnumber(L, cell->real);
		break;
	case STORE_TEXT:
		text = store_cell_text(r, cell);
		lua_pushlstring(L, text.n ? (const char *)text.p : "", text.n);
		break;
	}
}

/* The names of the columns, pushed once, lie from `names` on. */
static void push_row(lua_State *L, const struct store_request *r, const struct store_result *result,
	size_t row, int names)
{
	lua_createtable(L, 0, (int)result->columns);
	for (size_t c = 0; c < result->columns; c++) {
		const struct store_value *cell = store_cell(r, result, row, c);

		if (cell->type == STORE_NULL)
			continue;
		lua_pushvalue(L, names + (int)c);
		push_cell(L, r, cell);
		lua_rawset(L, -3);
	}
}

/* Pushes the column names and returns where they begin. */
static int push_names(lua_State *L, const struct store_request *r, const struct store_result *result)
{
	int names = lua_gettop(L) + 1;

	luaL_checkstack(L, (int)result->columns + 8, "too many columns");
	for (size_t c = 0; c < result->columns; c++) {
		struct slice name = store_column(r, result, c);

		lua_pushlstring(L, (const char *)name.p, name.n);
	}
	return names;
}

static void push_list(lua_State *L, const struct store_request *r, const struct store_result *result)
{
	int names, list;

	lua_createtable(L, (int)result->rows, 0);
	list = lua_gettop(L);
	names = push_names(L, r, result);
	for (size_t row = 0; row < result->rows; row++) {
		push_row(L, r, result, row, names);
		lua_rawseti(L, list, (lua_Integer)row + 1);
	}
	lua_settop(L, list);
}

static int push_rows(struct op *op, lua_State *L)
{
	const struct store_request *r = request_of(op);

	if (r->st)
		return push_failure(L, r);
	push_list(L, r, store_result(r, 0));
	return 1;
}

static int push_first(struct op *op, lua_State *L)
{
	const struct store_request *r = request_of(op);
	const struct store_result *result;

	if (r->st)
		return push_failure(L, r);
	result = store_result(r, 0);
	if (result->rows)
		push_row(L, r, result, 0, push_names(L, r, result));
	else
		lua_pushnil(L);
	return 1;
}

static int push_results(struct op *op, lua_State *L)
{
	const struct store_request *r = request_of(op);
	size_t n = store_result_count(r);

	if (r->st)
		return push_failure(L, r);
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		lua_createtable(L, 0, 2);
		push_list(L, r, store_result(r, i));
		lua_setfield(L, -2, "rows");
		lua_pushinteger(L, store_result(r, i)->changes);
		lua_setfield(L, -2, "changes");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int push_version(struct op *op, lua_State *L)
{
	const struct store_request *r = request_of(op);

	if (!r->st) {
		lua_pushinteger(L, r->version);
		return 1;
	}
	lua_pushnil(L);
	if (r->st == ST_REFUSED)
		lua_pushstring(L, r->message);
	else
		lua_pushfstring(L, "migration %d: %s", (int)r->failed_at + 1,
			*r->message ? r->message : st_name(r->st));
	return 2;
}

/* ---- The functions ---- */

static struct store_request *begin(
	lua_State *L, enum store_kind kind, int (*push)(struct op *op, lua_State *L))
{
	struct store_request *r = store_request_new(kind);

	if (!r)
		luaL_error(L, "not enough memory");
	r->job.op.push = push;
	r->job.op.free = free_op;
	return r;
}

static int submit(lua_State *L, struct task *t, struct store_request *r)
{
	enum st st = store_submit(r);

	if (!st)
		return task_wait(L, t, &r->job.op);
	store_request_free(r);
	lua_pushnil(L);
	lua_pushstring(L, st_name(st));
	return 2;
}

static int query(lua_State *L, const char *name, int (*push)(struct op *op, lua_State *L))
{
	struct task *t = task_self(L);
	int top = lua_gettop(L);
	struct store_request *r;

	luaL_checktype(L, 1, LUA_TSTRING);
	luaL_argcheck(L, top <= ITEM_PARAMS_MAX + 1, 2, "too many parameters");
	for (int i = 2; i <= top; i++)
		check_param(L, i, name);
	r = begin(L, STORE_BATCH, push);
	store_add(r, sql_at(L, 1));
	for (int i = 2; i <= top; i++)
		add_param(L, i, r);
	return submit(L, t, r);
}

/* rows(sql, …) → list of rows | nil, code */
static int l_rows(lua_State *L)
{
	return query(L, "db.rows", push_rows);
}

/* row(sql, …) → first row | nil | nil, code */
static int l_row(lua_State *L)
{
	return query(L, "db.row", push_first);
}

/* batch{ {sql, …}, … } → list of { rows =, changes = } | nil, "conflict", index | nil, code */
static int l_batch(lua_State *L)
{
	struct task *t = task_self(L);
	struct store_request *r;
	lua_Integer n;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	n = (lua_Integer)lua_rawlen(L, 1);
	luaL_argcheck(L, n >= 1 && n <= BATCH_MAX, 1, "1 to 50000 statements");
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, 1, i);
		check_item(L, 2);
		lua_settop(L, 1);
	}
	r = begin(L, STORE_BATCH, push_results);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, 1, i);
		add_item(L, 2, r);
		lua_settop(L, 1);
	}
	push_field(L, 1, FIELD_URGENT);
	r->urgent = lua_toboolean(L, -1);
	lua_settop(L, 1);
	return submit(L, t, r);
}

static void check_migration(lua_State *L, lua_Integer i, lua_Integer after)
{
	if (!lua_istable(L, 2) || lua_rawgeti(L, 2, 1) != LUA_TNUMBER || !lua_isinteger(L, -1) ||
		lua_tointeger(L, -1) <= after || lua_rawgeti(L, 2, 2) != LUA_TSTRING ||
		lua_rawgeti(L, 2, 3) != LUA_TSTRING)
		luaL_error(L, "db.migrate: item %I is not { rising number, name, sql }",
			(LUAI_UACINT)i);
}

/* migrate{ { number, name, sql }, … } → version | nil, message */
static int l_migrate(lua_State *L)
{
	struct task *t = task_self(L);
	struct store_request *r;
	lua_Integer n, number = 0;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	n = (lua_Integer)lua_rawlen(L, 1);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, 1, i);
		check_migration(L, i, number);
		number = lua_tointeger(L, 3);
		lua_settop(L, 1);
	}
	r = begin(L, STORE_MIGRATE, push_version);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, 1, i);
		for (int k = 1; k <= 3; k++)
			lua_rawgeti(L, 2, k);
		store_add(r, sql_at(L, 5));
		store_add_integer(r, lua_tointeger(L, 3));
		store_add_text(r, sql_at(L, 4));
		lua_settop(L, 1);
	}
	return submit(L, t, r);
}

int bind_db(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"rows", l_rows},
		{"row", l_row},
		{"batch", l_batch},
		{"migrate", l_migrate},
		{NULL, NULL},
	};

	luaL_newlibtable(L, functions);
	for (size_t i = 0; i < ARRAY_LEN(field_names); i++)
		lua_pushstring(L, field_names[i]);
	luaL_setfuncs(L, functions, (int)ARRAY_LEN(field_names));
	lua_pushlightuserdata(L, NULL); /* json.null is the same value */
	lua_setfield(L, -2, "null");
	return 1;
}
