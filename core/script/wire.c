/* wire.c: plain Lua data to bytes and back, with bounds on depth and size. */
#include "script/wire.h"

#include <lauxlib.h>
#include <lua.h>
#include <math.h>

const struct wire_limits wire_script_limits = {16, 256u << 10, "result"};
const struct wire_limits wire_config_limits = {32, 16u << 20, "configuration"};

/* One key on the way from the root to the value that is being written. */
struct step {
	const char *name; /* NULL: number counts; the key stands on the Lua stack as long as we need it */
	lua_Integer number;
	const void *table;
};

struct writer {
	lua_State *L;
	const struct wire_limits *limits;
	struct buf *out;
	size_t start;
	char *error;
	size_t error_size;
	unsigned depth;
	struct step path[WIRE_DEPTH_MAX + 1];
};

/* ---- Writing --------------------------------------------------------------------------------------------------------- */

static bool plain_name(const char *name)
{
	if (!*name || (*name >= '0' && *name <= '9'))
		return false;
	for (; *name; name++) {
		if (!(*name >= 'a' && *name <= 'z') && !(*name >= 'A' && *name <= 'Z') &&
			!(*name >= '0' && *name <= '9') && *name != '_')
			return false;
	}
	return true;
}

/* "result.groups[3]" and what is wrong with it, cut to the room there is. */
static enum st refuse(struct writer *w, const char *what)
{
	size_t n = 0;
	int more = snprintf(
		w->error, w->error_size, "%s", w->limits->root ? w->limits->root : "result");

	for (unsigned i = 0; i < w->depth; i++) {
		const struct step *s = &w->path[i];

		n += (size_t)more;
		if (n >= w->error_size)
			return ST_BAD;
		if (!s->name)
			more = snprintf(
				w->error + n, w->error_size - n, "[%lld]", (long long)s->number);
		else if (plain_name(s->name))
			more = snprintf(w->error + n, w->error_size - n, ".%.40s", s->name);
		else
			more = snprintf(w->error + n, w->error_size - n, "[\"%.40s\"]", s->name);
	}
	n += (size_t)more;
	if (n < w->error_size)
		snprintf(w->error + n, w->error_size - n, " %s", what);
	return ST_BAD;
}

static enum st write_value(struct writer *w, int index);

static enum st write_number(struct writer *w, int index)
{
	double number;
	uint64_t bits;

	if (lua_isinteger(w->L, index)) {
		buf_add_u8(w->out, 'i');
		buf_add_u64(w->out, (uint64_t)lua_tointeger(w->L, index));
		return ST_OK;
	}
	number = lua_tonumber(w->L, index);
	if (!isfinite(number))
		return refuse(w, "is not a finite number");
	memcpy(&bits, &number, sizeof bits);
	buf_add_u8(w->out, 'd');
	buf_add_u64(w->out, bits);
	return ST_OK;
}

static enum st write_string(struct writer *w, int index)
{
	size_t n;
	const char *text = lua_tolstring(w->L, index, &n); /* a string already: no conversion, no memory */

	if (n > w->limits->bytes)
		return refuse(w, "is too large");
	buf_add_u8(w->out, 's');
	buf_add_u32(w->out, (uint32_t)n);
	buf_add(w->out, text, n);
	return ST_OK;
}

/* Key at -2, value at -1. Sets the step of this level. */
static enum st take_key(struct writer *w, struct step *step)
{
	if (lua_isinteger(w->L, -2)) {
		step->name = NULL;
		step->number = lua_tointeger(w->L, -2);
		return ST_OK;
	}
	if (lua_type(w->L, -2) == LUA_TSTRING) {
		step->name = lua_tostring(w->L, -2);
		return ST_OK;
	}
	w->depth--;
	return refuse(w, "has a key that is neither text nor an integer");
}

static enum st write_pairs(struct writer *w, int index, lua_Integer items, uint32_t *pairs)
{
	struct step *step = &w->path[w->depth - 1];
	enum st st = ST_OK;

	lua_pushnil(w->L);
	while (st == ST_OK && lua_next(w->L, index)) {
		st = take_key(w, step);
		if (st == ST_OK && (step->name || step->number < 1 || step->number > items)) {
			(*pairs)++;
			st = step->name ? write_string(w, -2) : write_number(w, -2);
			if (st == ST_OK)
				st = write_value(w, lua_gettop(w->L));
		}
		if (st == ST_OK)
			lua_pop(w->L, 1);
	}
	return st;
}

static enum st write_items(struct writer *w, int index, lua_Integer items)
{
	struct step *step = &w->path[w->depth - 1];
	enum st st = ST_OK;

	step->name = NULL;
	for (lua_Integer i = 1; st == ST_OK && i <= items; i++) {
		step->number = i;
		lua_rawgeti(w->L, index, i);
		st = write_value(w, lua_gettop(w->L));
		lua_pop(w->L, 1);
	}
	return st;
}

static enum st write_table(struct writer *w, int index)
{
	lua_Unsigned items = lua_rawlen(w->L, index);
	const void *self = lua_topointer(w->L, index);
	uint32_t pairs = 0;
	size_t count_at;
	enum st st;

	for (unsigned i = 0; i < w->depth; i++) {
		if (w->path[i].table == self)
			return refuse(w, "contains itself");
	}
	if (w->depth >= w->limits->depth)
		return refuse(w, "is nested too deeply");
	if (!lua_checkstack(w->L, 6))
		return ST_NOMEM;
	if (items > w->limits->bytes)
		return refuse(w, "is too large");
	buf_add_u8(w->out, 'T');
	buf_add_u32(w->out, (uint32_t)items);
	count_at = w->out->n;
	buf_add_u32(w->out, 0);
	w->path[w->depth++] = (struct step){.table = self};
	st = write_items(w, index, (lua_Integer)items);
	if (st == ST_OK)
		st = write_pairs(w, index, (lua_Integer)items, &pairs);
	if (st != ST_OK)
		return st; /* depth is left as it was, the message is made */
	w->depth--;
	if (!w->out->failed) {
		for (int i = 0; i < 4; i++)
			w->out->p[count_at + (size_t)i] = (unsigned char)(pairs >> (24 - 8 * i));
	}
	return ST_OK;
}

static enum st write_value(struct writer *w, int index)
{
	enum st st = ST_OK;
	char what[48];

	if (w->out->n - w->start > w->limits->bytes)
		return refuse(w, "makes it too large");
	switch (lua_type(w->L, index)) {
	case LUA_TNIL:
		buf_add_u8(w->out, 'n');
		break;
	case LUA_TLIGHTUSERDATA:
		if (lua_touserdata(w->L, index))
			return refuse(w, "is a userdata");
		buf_add_u8(w->out, 'n');
		break;
	case LUA_TBOOLEAN:
		buf_add_u8(w->out, lua_toboolean(w->L, index) ? 't' : 'f');
		break;
	case LUA_TNUMBER:
		st = write_number(w, index);
		break;
	case LUA_TSTRING:
		st = write_string(w, index);
		break;
	case LUA_TTABLE:
		st = write_table(w, index);
		break;
	default:
		snprintf(what, sizeof what, "is a %s", lua_typename(w->L, lua_type(w->L, index)));
		return refuse(w, what);
	}
	if (st == ST_OK && w->out->failed)
		return ST_NOMEM;
	return st;
}

enum st wire_encode(lua_State *L, int index, const struct wire_limits *limits, struct buf *out,
	char *error, size_t error_size)
{
	struct writer w = {.L = L,
		.limits = limits,
		.out = out,
		.start = out->n,
		.error = error,
		.error_size = error_size};
	int top = lua_gettop(L);
	enum st st;

	assert(limits->depth <= WIRE_DEPTH_MAX && error_size > 0);
	error[0] = '\0';
	if (!lua_checkstack(L, 6))
		return ST_NOMEM;
	st = write_value(&w, lua_absindex(L, index));
	if (st == ST_OK && out->n - w.start > limits->bytes)
		st = refuse(&w, "is too large");
	lua_settop(L, top);
	return st;
}

/* ---- Reading --------------------------------------------------------------------------------------------------------- */

static bool read_value(lua_State *L, struct slice *in, unsigned depth);

static bool read_pair(lua_State *L, struct slice *in, unsigned depth)
{
	if (!in->n || (in->p[0] != 's' && in->p[0] != 'i') || !read_value(L, in, 0))
		return false;
	lua_pushvalue(L, -1);
	if (lua_rawget(L, -3) != LUA_TNIL)
		return false; /* twice the same key */
	lua_pop(L, 1);
	if (!read_value(L, in, depth))
		return false;
	lua_rawset(L, -3); /* a nil changes nothing: encoding a null gives that */
	return true;
}

static bool read_table(lua_State *L, struct slice *in, unsigned depth)
{
	uint32_t items, pairs;

	if (depth == 0 || !read_u32(in, &items) || !read_u32(in, &pairs))
		return false;
	/* A value takes a byte at least and a pair six: no more room is made than the sender paid for. */
	if (items > in->n || pairs > in->n / 6 || !lua_checkstack(L, 6))
		return false;
	lua_createtable(L, items < 4096 ? (int)items : 4096, pairs < 1024 ? (int)pairs : 1024);
	for (uint32_t i = 1; i <= items; i++) {
		if (!read_value(L, in, depth - 1))
			return false;
		lua_rawseti(L, -2, i);
	}
	for (uint32_t i = 0; i < pairs; i++) {
		if (!read_pair(L, in, depth - 1))
			return false;
	}
	return true;
}

static bool read_string(lua_State *L, struct slice *in)
{
	uint32_t n;
	struct slice text;

	if (!read_u32(in, &n) || !read_bytes(in, n, &text))
		return false;
	lua_pushlstring(L, (const char *)text.p, text.n);
	return true;
}

static bool read_float(lua_State *L, struct slice *in)
{
	uint64_t bits;
	double number;

	if (!read_u64(in, &bits))
		return false;
	memcpy(&number, &bits, sizeof number);
	if (!isfinite(number))
		return false;
	lua_pushnumber(L, number);
	return true;
}

static bool read_value(lua_State *L, struct slice *in, unsigned depth)
{
	uint8_t tag;
	uint64_t bits;

	if (!read_u8(in, &tag))
		return false;
	switch (tag) {
	case 'n':
		lua_pushnil(L);
		return true;
	case 't':
	case 'f':
		lua_pushboolean(L, tag == 't');
		return true;
	case 'i':
		if (!read_u64(in, &bits))
			return false;
		lua_pushinteger(L, (lua_Integer)bits);
		return true;
	case 'd':
		return read_float(L, in);
	case 's':
		return read_string(L, in);
	case 'T':
		return read_table(L, in, depth);
	default:
		return false;
	}
}

enum st wire_decode(lua_State *L, struct slice *in, const struct wire_limits *limits)
{
	int top = lua_gettop(L);
	struct slice left = slice_sub(*in, 0, limits->bytes);
	size_t given = left.n;

	if (!lua_checkstack(L, 6) || !read_value(L, &left, limits->depth)) {
		lua_settop(L, top);
		return ST_BAD;
	}
	*in = slice_sub(*in, given - left.n, in->n);
	return ST_OK;
}
