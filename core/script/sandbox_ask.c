/* sandbox_ask.c: what a script asks of the world is said to the worker, which judges and does it (S24); the jail waits. */
#include "script/sandbox.h"
#include "script/wire.h"

#include <lauxlib.h>
#include <lua.h>

static const struct wire_limits ask_limits = {8, 128u << 10, "argument"};

static sandbox_asker asker;
static struct buf frame; /* owns; keeps its memory, not what was in it */

void sandbox_ask_open(sandbox_asker fn)
{
	asker = fn;
}

/* kind and costs as in every answer, then the question. */
static enum st write_question(lua_State *L, char *wrong, size_t size)
{
	buf_clear(&frame);
	buf_add_u32(&frame, 0);
	buf_add_u8(&frame, JAIL_ASKS);
	for (int i = 0; i < 3; i++)
		buf_add_u32(&frame, 0);
	return wire_encode(L, -1, &ask_limits, &frame, wrong, size);
}

int sandbox_ask(lua_State *L)
{
	int n = lua_gettop(L);
	char wrong[300] = "";
	struct slice reply;
	enum st st;

	lua_createtable(L, n, 0);
	lua_insert(L, 1);
	for (int i = n; i >= 1; i--)
		lua_rawseti(L, 1, i);
	st = write_question(L, wrong, sizeof wrong);
	if (st == ST_NOMEM)
		sandbox_spend(L, JAIL_MEMORY_SPENT);
	if (st != ST_OK) {
		lua_pushstring(L, wrong);
		return lua_error(L);
	}
	reply = asker(&frame);
	explicit_bzero(frame.p, frame.n);
	if (wire_decode(L, &reply, &wire_script_limits) != ST_OK || !lua_istable(L, -1))
		return luaL_error(L, "malformed reply");
	lua_rawgeti(L, -1, 2);
	lua_rawgeti(L, -2, 1);
	if (lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		return 1;
	}
	lua_pop(L, 1);
	return lua_error(L); /* without a place in front: it is the script's line that counts */
}
