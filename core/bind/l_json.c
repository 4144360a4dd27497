/* l_json.c: the table `json`.
 *
 * A decoded array has the metatable "json.array", an empty decoded object "json.object", so that both are written back as what
 * they were. An unmarked table is an array when its keys are 1..n (an empty one too), an object when all are strings. */
#include "bind/l_json.h"

#include <lauxlib.h>
#include <lua.h>

#include "bind/bind.h"
#include "bind/scratch.h"

#define MARK_ARRAY "json.array"
#define MARK_OBJECT "json.object"
#define TREE "json.tree"

enum { ENCODE_DEPTH_MAX = 64 };

/* ---- Marks ---- */

static void set_mark(lua_State *L, const char *mark)
{
	luaL_getmetatable(L, mark);
	lua_setmetatable(L, -2);
}

static bool has_mark(lua_State *L, int index, const char *mark)
{
	bool same;

	if (!lua_getmetatable(L, index))
		return false;
	luaL_getmetatable(L, mark);
	same = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return same;
}

static int mark_table(lua_State *L, const char *mark)
{
	if (lua_isnoneornil(L, 1)) {
		lua_settop(L, 0);
		lua_newtable(L);
	} else {
		luaL_checktype(L, 1, LUA_TTABLE);
		lua_settop(L, 1);
	}
	set_mark(L, mark);
	return 1;
}

static int mark_array(lua_State *L)
{
	return mark_table(L, MARK_ARRAY);
}

static int mark_object(lua_State *L)
{
	return mark_table(L, MARK_OBJECT);
}

/* True for marked tables and for unmarked ones with something at 1. */
static int is_array(lua_State *L)
{
	bool yes = false;

	if (lua_type(L, 1) == LUA_TTABLE) {
		yes = has_mark(L, 1, MARK_ARRAY);
		if (!yes && !has_mark(L, 1, MARK_OBJECT)) {
			lua_rawgeti(L, 1, 1);
			yes = !lua_isnil(L, -1);
		}
	}
	lua_pushboolean(L, yes);
	return 1;
}

/* ---- Decoding ---- */

static void push_text(lua_State *L, struct slice s)
{
	lua_pushlstring(L, (const char *)s.p, s.n);
}

static void push_array(lua_State *L, const struct json *j)
{
	lua_Integer i = 0;

	lua_newtable(L);
	set_mark(L, MARK_ARRAY);
	for (const struct json *item = json_first(j); item; item = json_next(item)) {
		json_push(L, item);
		lua_rawseti(L, -2, ++i);
	}
}

static void push_object(lua_State *L, const struct json *j)
{
	lua_newtable(L);
	if (!json_first(j))
		set_mark(L, MARK_OBJECT);
	for (const struct json *member = json_first(j); member; member = json_next(member)) {
		push_text(L, json_name(member));
		json_push(L, member);
		lua_rawset(L, -3);
	}
}

void json_push(lua_State *L, const struct json *j)
{
	luaL_checkstack(L, 6, "JSON");
	switch (json_type(j)) {
	case JSON_NULL:
		lua_pushlightuserdata(L, NULL);
		return;
	case JSON_BOOLEAN:
		lua_pushboolean(L, json_bool(j));
		return;
	case JSON_INTEGER:
		lua_pushinteger(L, json_integer(j));
		return;
	case JSON_NUMBER:
		lua_pushnumber(L, json_number(j));
		return;
	case JSON_STRING:
		push_text(L, json_string(j));
		return;
	case JSON_ARRAY:
		push_array(L, j);
		return;
	case JSON_OBJECT:
		push_object(L, j);
		return;
	}
}

static int tree_collect(lua_State *L)
{
	struct json **tree = lua_touserdata(L, 1);

	json_free(*tree);
	*tree = NULL;
	return 0;
}

enum st json_push_text(
	lua_State *L, struct slice text, enum json_names names, const char **error, size_t *offset)
{
	/* The tree stands in a userdata while its values are pushed, which may throw. */
	struct json **tree = lua_newuserdatauv(L, sizeof(*tree), 0);
	enum st st;

	*tree = NULL;
	luaL_setmetatable(L, TREE);
	st = json_parse_names(text, names, tree, error, offset);
	if (st) {
		lua_pop(L, 1);
		return st;
	}
	json_push(L, *tree);
	json_free(*tree);
	*tree = NULL;
	lua_remove(L, -2);
	return ST_OK;
}

static int decode(lua_State *L, enum json_names names)
{
	const char *error;
	size_t n, offset;
	const char *text = luaL_checklstring(L, 1, &n);
	enum st st = json_push_text(L, slice_of(text, n), names, &error, &offset);

	if (st == ST_NOMEM)
		return luaL_error(L, "not enough memory");
	if (st) {
		lua_pushnil(L);
		lua_pushstring(L, error);
		lua_pushinteger(L, (lua_Integer)offset);
		return 3;
	}
	return 1;
}

/* decode(text) → value | nil, reason, offset */
static int l_decode(lua_State *L)
{
	return decode(L, JSON_NAMES_ONCE);
}

/* decode_repeated(text): the same, but an object may name a member twice: the last one counts. */
static int l_decode_repeated(lua_State *L)
{
	return decode(L, JSON_NAMES_REPEATED);
}

/* ---- Encoding ---- */

/* A stack of the member names of the objects that are open, sorted level by level. In the registry, so that nothing leaks when
 * Lua throws. The names' bytes stay where they are: the tables hold them, and no Lua code runs while we write. */
struct encoder {
	struct slice *names; /* owns */
	size_t count, capacity;
	struct buf *out; /* borrows */
	unsigned indent; /* 0 = on one line */
};

static const char encoder_key;

static int encoder_collect(lua_State *L)
{
	struct encoder *e = lua_touserdata(L, 1);

	free(e->names);
	e->names = NULL;
	return 0;
}

static struct encoder *encoder_take(lua_State *L, struct buf *out, unsigned indent)
{
	struct encoder *e;

	lua_rawgetp(L, LUA_REGISTRYINDEX, &encoder_key);
	e = lua_touserdata(L, -1);
	lua_pop(L, 1);
	assert(e); /* bind_json comes before anything that encodes */
	e->count = 0;
	e->out = out;
	e->indent = indent;
	return e;
}

static void push_name(lua_State *L, struct encoder *e, struct slice name)
{
	if (e->count == e->capacity) {
		size_t capacity = e->capacity ? 2 * e->capacity : 64;
		struct slice *names = realloc(e->names, capacity * sizeof(*names));

		if (!names)
			luaL_error(L, "not enough memory");
		e->names = names;
		e->capacity = capacity;
	}
	e->names[e->count++] = name;
}

static int compare_names(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;
	size_t n = x->n < y->n ? x->n : y->n;
	int order = n ? memcmp(x->p, y->p, n) : 0;

	return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* Few members, as nearly always, are not worth qsort's own memory. */
static void sort_names(struct slice *names, size_t count)
{
	if (count > 24) {
		qsort(names, count, sizeof(*names), compare_names);
		return;
	}
	for (size_t i = 1; i < count; i++) {
		struct slice name = names[i];
		size_t at = i;

		for (; at > 0 && compare_names(&names[at - 1], &name) > 0; at--)
			names[at] = names[at - 1];
		names[at] = name;
	}
}

static void new_line(struct encoder *e, unsigned depth)
{
	if (!e->indent)
		return;
	buf_add_u8(e->out, '\n');
	for (unsigned i = 0; i < depth * e->indent; i++)
		buf_add_u8(e->out, ' ');
}

static void write_text(lua_State *L, struct encoder *e, struct slice text)
{
	enum st st = json_write_string(e->out, text);

	if (st)
		luaL_error(L, "json.encode: %s",
			st == ST_BAD ? "a string is not UTF-8" : "not enough memory");
}

enum shape { SHAPE_ARRAY, SHAPE_OBJECT };

/* Collects the member names of an object; a table whose keys are neither all strings nor 1..n raises. */
static enum shape shape_of(lua_State *L, struct encoder *e, int index, lua_Integer *length)
{
	size_t strings = 0, integers = 0, n;
	lua_Integer last = 0;

	for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
		if (lua_type(L, -2) == LUA_TSTRING) {
			const char *p = lua_tolstring(L, -2, &n);

			push_name(L, e, slice_of(p, n));
			strings++;
		} else if (lua_isinteger(L, -2)) {
			lua_Integer k = lua_tointeger(L, -2);

			last = k < 1 ? LUA_MAXINTEGER : k > last ? k : last;
			integers++;
		} else {
			luaL_error(L, "json.encode: a key is a %s", luaL_typename(L, -2));
		}
	}
	if (integers && strings)
		luaL_error(L, "json.encode: a table has both list items and members");
	if ((size_t)last != integers)
		luaL_error(L, "json.encode: a list has holes");
	*length = last;
	if (strings || (!integers && has_mark(L, index, MARK_OBJECT))) {
		if (has_mark(L, index, MARK_ARRAY))
			luaL_error(L, "json.encode: a marked array has members");
		return SHAPE_OBJECT;
	}
	if (integers && has_mark(L, index, MARK_OBJECT))
		luaL_error(L, "json.encode: a marked object has list items");
	return SHAPE_ARRAY;
}

static void write_value(lua_State *L, struct encoder *e, int index, unsigned depth);

static void write_array(lua_State *L, struct encoder *e, int index, lua_Integer length, unsigned depth)
{
	buf_add_u8(e->out, '[');
	for (lua_Integer i = 1; i <= length; i++) {
		if (i > 1)
			buf_add_u8(e->out, ',');
		new_line(e, depth);
		lua_rawgeti(L, index, i);
		write_value(L, e, lua_gettop(L), depth);
		lua_pop(L, 1);
	}
	if (length)
		new_line(e, depth - 1);
	buf_add_u8(e->out, ']');
}

/* Writes the members whose names stand from `first` on. */
static void write_object(lua_State *L, struct encoder *e, int index, size_t first, unsigned depth)
{
	size_t end = e->count;

	if (end > first)
		sort_names(e->names + first, end - first);
	buf_add_u8(e->out, '{');
	for (size_t i = first; i < end; i++) {
		struct slice name = e->names[i]; /* names may move while a member is written */

		if (i > first)
			buf_add_u8(e->out, ',');
		new_line(e, depth);
		write_text(L, e, name);
		buf_add_str(e->out, e->indent ? ": " : ":");
		push_text(L, name);
		lua_rawget(L, index);
		write_value(L, e, lua_gettop(L), depth);
		lua_pop(L, 1);
	}
	if (end > first)
		new_line(e, depth - 1);
	buf_add_u8(e->out, '}');
	e->count = first;
}

static void write_table(lua_State *L, struct encoder *e, int index, unsigned depth)
{
	size_t first = e->count;
	lua_Integer length;

	if (depth > ENCODE_DEPTH_MAX)
		luaL_error(L, "json.encode: nested too deeply, or a cycle");
	luaL_checkstack(L, 8, "JSON");
	if (shape_of(L, e, index, &length) == SHAPE_OBJECT)
		write_object(L, e, index, first, depth);
	else
		write_array(L, e, index, length, depth);
}

static void write_number(lua_State *L, struct encoder *e, int index)
{
	enum st st = ST_OK;

	if (lua_isinteger(L, index)) {
		long long v = lua_tointeger(L, index);

		/* Others read numbers as doubles (RFC 7493 2.2); so does our own decoder. */
		if (v > INT64_C(1) << 53 || v < -(INT64_C(1) << 53))
			luaL_error(L, "json.encode: an integer is beyond 2^53");
		buf_add_integer(e->out, v);
	} else {
		st = json_write_number(e->out, lua_tonumber(L, index));
	}
	if (st)
		luaL_error(L, "json.encode: a number is not finite");
}

static void write_value(lua_State *L, struct encoder *e, int index, unsigned depth)
{
	const char *p;
	size_t n;

	switch (lua_type(L, index)) {
	case LUA_TNIL:
		buf_add_str(e->out, "null");
		return;
	case LUA_TBOOLEAN:
		buf_add_str(e->out, lua_toboolean(L, index) ? "true" : "false");
		return;
	case LUA_TNUMBER:
		write_number(L, e, index);
		return;
	case LUA_TSTRING:
		p = lua_tolstring(L, index, &n);
		write_text(L, e, slice_of(p, n));
		return;
	case LUA_TTABLE:
		write_table(L, e, index, depth + 1);
		return;
	case LUA_TLIGHTUSERDATA:
		if (lua_touserdata(L, index) == NULL) {
			buf_add_str(e->out, "null");
			return;
		}
		break;
	default:
		break;
	}
	luaL_error(L, "json.encode: cannot write a %s", luaL_typename(L, index));
}

static void encode_with(lua_State *L, int index, struct buf *out, unsigned indent)
{
	struct encoder *e = encoder_take(L, out, indent);

	write_value(L, e, lua_absindex(L, index), 0);
	if (out->failed)
		luaL_error(L, "not enough memory");
}

void json_encode(lua_State *L, int index, struct buf *out)
{
	encode_with(L, index, out, 0);
}

/* encode(value [, { pretty = 2 }]) → text; members are always sorted, so that equal values have equal texts. */
static int l_encode(lua_State *L)
{
	lua_Integer indent = 0;
	struct buf *out;

	luaL_checkany(L, 1);
	if (!lua_isnoneornil(L, 2)) {
		luaL_checktype(L, 2, LUA_TTABLE);
		lua_getfield(L, 2, "pretty");
		indent = luaL_optinteger(L, -1, 0);
		luaL_argcheck(L, indent >= 0 && indent <= 8, 2, "pretty is 0 to 8");
	}
	out = scratch_take(L);
	encode_with(L, 1, out, (unsigned)indent);
	scratch_push(L, out);
	return 1;
}

/* ---- The table ---- */

static void make_encoder(lua_State *L)
{
	struct encoder *e = lua_newuserdatauv(L, sizeof(*e), 0);

	memset(e, 0, sizeof(*e));
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, encoder_collect);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &encoder_key);
}

/* getmetatable sees only the name, and setmetatable cannot take the mark away. */
static void make_mark(lua_State *L, const char *mark)
{
	luaL_newmetatable(L, mark);
	lua_pushstring(L, mark);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 1);
}

int bind_json(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"decode", l_decode},
		{"decode_repeated", l_decode_repeated},
		{"encode", l_encode},
		{"array", mark_array},
		{"object", mark_object},
		{"is_array", is_array},
		{NULL, NULL},
	};

	make_mark(L, MARK_ARRAY);
	make_mark(L, MARK_OBJECT);
	luaL_newmetatable(L, TREE);
	lua_pushcfunction(L, tree_collect);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
	make_encoder(L);
	luaL_newlib(L, functions);
	lua_pushlightuserdata(L, NULL);
	lua_setfield(L, -2, "null");
	return 1;
}
