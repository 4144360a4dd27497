/* l_log.c: the Lua table `log`: log.info(message[, { key = value }]). Texts are quoted, numbers and booleans bare, keys
 * sorted. Logging never fails a request: a value of another kind shows as its type. */
#include "base/log.h"
#include "bind/bind.h"
#include "bind/scratch.h"

#include <lauxlib.h>
#include <lua.h>

#define KEYS_MAX 32

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A key is a word of our own: nothing in it needs quotes. */
static bool plain_key(const char *key)
{
	return *key &&
		strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") ==
		strlen(key);
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
			buf_printf(out, "%lld", (long long)lua_tointeger(L, index));
		else
			buf_printf(out, "%.14g", lua_tonumber(L, index));
		break;
	default:
		buf_printf(out, "(%s)", luaL_typename(L, index));
		break;
	}
}

static void add_fields(lua_State *L, struct buf *out)
{
	const char *keys[KEYS_MAX]; /* borrowed from the table, which stays on the stack */
	size_t n = 0;

	lua_pushnil(L);
	while (lua_next(L, 2)) {
		lua_pop(L, 1);
		if (lua_type(L, -1) == LUA_TSTRING && n < KEYS_MAX && plain_key(lua_tostring(L, -1)))
			keys[n++] = lua_tostring(L, -1);
	}
	qsort(keys, n, sizeof(*keys), by_text);
	for (size_t i = 0; i < n; i++) {
		buf_printf(out, " %s=", keys[i]);
		lua_pushstring(L, keys[i]);
		lua_rawget(L, 2);
		add_value(L, -1, out);
		lua_pop(L, 1);
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
