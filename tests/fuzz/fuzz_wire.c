/* fuzz_wire.c: what wire_decode accepts it can encode, and the second reading is the first. */
#include "script/wire.h"

#include <lauxlib.h>
#include <lua.h>

static lua_State *L;

static int round_trip(lua_State *state)
{
	struct slice *in = lua_touserdata(state, 1);
	struct buf first = {0}, second = {0};
	struct slice again;
	char error[200];

	lua_settop(state, 0);
	if (wire_decode(state, in, &wire_script_limits) != ST_OK)
		return 0;
	/* A null inside a table is dropped, so sizes may shrink, never grow. */
	if (wire_encode(state, 1, &wire_script_limits, &first, error, sizeof error) != ST_OK)
		abort();
	again = buf_slice(&first);
	if (wire_decode(state, &again, &wire_script_limits) != ST_OK || again.n != 0)
		abort();
	if (wire_encode(state, 2, &wire_script_limits, &second, error, sizeof error) != ST_OK ||
		second.n != first.n)
		abort();
	buf_free(&first);
	buf_free(&second);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);

	if (!L && !(L = luaL_newstate()))
		abort();
	lua_pushcfunction(L, round_trip);
	lua_pushlightuserdata(L, &in);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK)
		abort();
	lua_gc(L, LUA_GCSTEP, 0);
	return 0;
}
