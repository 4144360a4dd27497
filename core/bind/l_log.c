/* l_log.c: the Lua table `log`: log.info(message[, { key = value }]). Texts are quoted, numbers and booleans bare, keys
 * sorted. Logging never fails a request: a value of another kind shows as its type. */
#include "base/log.h"
#include "bind/bind.h"
#include "bind/scratch.h"

#include <lauxlib.h>
#include <lua.h>

#define FIELDS_MAX 32

/* A key is a word of our own: nothing in it needs quotes. */
static bool plain_key(const char *key)
{
	const char *c = key;

	while ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
		*c == '_' || *c == '.')
		c++;
	return c != key && *c == '\0';
}

static void add_value(lua_State *L, int index, struct buf *out)
{
	struct slice text;

	switch (lua_type(L, index)) {
	case LUA_TSTRING:
		text.p = (const unsigned char *)lua_tolstring(L, index, &text.n);
		log_quote(out, text);
		break;
	case LUA_TBOOLEAN:
		buf_add_str(out, lua_toboolean(L, index) ? "true" : "false");
		break;
	case LUA_TNUMBER:
		if (lua_isinteger(L, index))
			buf_add_integer(out, lua_tointeger(L, index));
		else
			buf_printf(out, "%.14g", lua_tonumber(L, index));
		break;
	default:
		buf_printf(out, "(%s)", luaL_typename(L, index));
		break;
	}
}

/* A field of the table; its value lies on the stack. */
struct field {
	const char *key; /* borrowed from the table */
	int index;
};

/* Inserts f at its place among the n that are sorted already: records are short. */
static void insert_sorted(struct field *fields, size_t n, struct field f)
{
	while (n > 0 && strcmp(fields[n - 1].key, f.key) > 0) {
		fields[n] = fields[n - 1];
		n--;
	}
	fields[n] = f;
}

static void add_fields(lua_State *L, struct buf *out)
{
	struct field fields[FIELDS_MAX];
	size_t n = 0;

	luaL_checkstack(L, FIELDS_MAX + 4, NULL);
	lua_pushnil(L);
	while (n < FIELDS_MAX && lua_next(L, 2)) {
		if (lua_type(L, -2) == LUA_TSTRING && plain_key(lua_tostring(L, -2))) {
			insert_sorted(fields, n++,
				(struct field){lua_tostring(L, -2), lua_gettop(L) - 1});
			lua_insert(L, -2); /* the value stays, below the key that lua_next goes on from */
		} else {
			lua_pop(L, 1);
		}
	}
	for (size_t i = 0; i < n; i++) {
		buf_add_u8(out, ' ');
		buf_add_str(out, fields[i].key);
		buf_add_u8(out, '=');
		add_value(L, fields[i].index, out);
	}
}

static int write_record(lua_State *L, enum log_level level)
{
	struct slice message;
	struct buf *out;

	if (!log_wants(level))
		return 0;
	message.p = (const unsigned char *)luaL_checklstring(L, 1, &message.n);
	out = scratch_take(L);
	buf_add_slice(out, message);
	if (!lua_isnoneornil(L, 2)) {
		luaL_checktype(L, 2, LUA_TTABLE);
		add_fields(L, out);
	}
	log_slice(level, buf_slice(out));
	return 0;
}

static int l_debug(lua_State *L)
{
	return write_record(L, LOG_DEBUG);
}

static int l_info(lua_State *L)
{
	return write_record(L, LOG_INFO);
}

static int l_warn(lua_State *L)
{
	return write_record(L, LOG_WARN);
}

static int l_error(lua_State *L)
{
	return write_record(L, LOG_ERROR);
}

int bind_log(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"debug", l_debug},
		{"info", l_info},
		{"warn", l_warn},
		{"error", l_error},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
