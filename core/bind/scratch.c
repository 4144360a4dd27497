/* scratch.c: one userdata in the registry. */
#include "bind/scratch.h"

#include <lauxlib.h>
#include <lua.h>

enum { KEEP_MAX = 128 * 1024 };

static const char registry_key;

static int collect(lua_State *L)
{
	buf_free(lua_touserdata(L, 1));
	return 0;
}

static struct buf *make(lua_State *L)
{
	struct buf *b = lua_newuserdatauv(L, sizeof(*b), 0);

	memset(b, 0, sizeof(*b));
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, collect);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &registry_key);
	return b;
}

struct buf *scratch_take(lua_State *L)
{
	struct buf *b;

	lua_rawgetp(L, LUA_REGISTRYINDEX, &registry_key);
	b = lua_touserdata(L, -1);
	lua_pop(L, 1);
	if (!b)
		return make(L);
	if (b->cap > KEEP_MAX)
		buf_free(b);
	buf_clear(b);
	b->failed = false;
	return b;
}

void scratch_push(lua_State *L, struct buf *b)
{
	if (b->failed)
		luaL_error(L, "not enough memory");
	lua_pushlstring(L, (const char *)b->p, b->n);
}
