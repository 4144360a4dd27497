/* modules.c: finds, compiles and runs modules of trusted Lua, each once. */
#include "script/modules.h"

#include "base/asset.h"
#include "script/vm.h"

#include <lauxlib.h>
#include <lua.h>

#define MODULE_NAME_MAX 128
#define MODULE_TEXT_MAX (1u << 20)

static const char loaded_key, chain_key;

/* "auth.session" and "auth/session" become "auth/session"; false for anything else than such names. */
static bool module_path(struct slice name, char out[static MODULE_NAME_MAX])
{
	bool part_begins = true;

	if (name.n == 0 || name.n >= MODULE_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = name.p[i];
		bool separator = c == '.' || c == '/';

		if (separator && part_begins)
			return false;
		if (!separator && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
			return false;
		part_begins = separator;
		out[i] = (char)(separator ? '/' : c);
	}
	out[name.n] = '\0';
	return !part_begins;
}

/* Leaves the file's text on the stack, or returns false. */
static bool push_file(lua_State *L, const char *dir, const char *file)
{
	const char *path = lua_pushfstring(L, "%s/%s", dir, file);
	char *room = lua_newuserdatauv(L, MODULE_TEXT_MAX, 0);
	FILE *f = fopen(path, "rbe");
	size_t n;

	if (!f) {
		lua_pop(L, 2);
		return false;
	}
	n = fread(room, 1, MODULE_TEXT_MAX, f);
	fclose(f);
	lua_pushlstring(L, room, n);
	lua_replace(L, -3);
	lua_pop(L, 1);
	return true;
}

/* Compiles module `path` and leaves the function on the stack. */
static void push_module(lua_State *L, const char *path)
{
	const char *dir = vm_lua_dir(vm_of(L));
	const char *file = lua_pushfstring(L, "%s.lua", path);
	const char *chunk = lua_pushfstring(L, "@lua/%s", file);
	struct slice text;
	size_t n;

	if (dir) {
		if (!push_file(L, dir, file))
			luaL_error(L, "module '%s' not found (%s/%s)", path, dir, file);
		text.p = (const unsigned char *)lua_tolstring(L, -1, &n);
		text.n = n;
	} else if (!asset_get(file, &text)) {
		luaL_error(L, "module '%s' not found (lua/%s)", path, file);
	}
	if (luaL_loadbufferx(L, (const char *)text.p, text.n, chunk, "t") != LUA_OK)
		lua_error(L);
}

/* The names that are being loaded, first to last, with the one that closes the ring. */
static int cyclic(lua_State *L, int chain, const char *path)
{
	luaL_Buffer b;
	lua_Integer n = (lua_Integer)lua_rawlen(L, chain);

	luaL_buffinit(L, &b);
	luaL_addstring(&b, "cyclic require: ");
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, chain, i);
		luaL_addvalue(&b);
		luaL_addstring(&b, " -> ");
	}
	luaL_addstring(&b, path);
	luaL_pushresult(&b);
	return lua_error(L);
}

int modules_require(lua_State *L)
{
	size_t n;
	const char *name = luaL_checklstring(L, 1, &n);
	char path[MODULE_NAME_MAX];
	lua_Integer depth;
	int status;

	if (!module_path(slice_of(name, n), path))
		return luaL_error(L, "bad module name '%s'", name);
	lua_settop(L, 1);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &loaded_key); /* 2 */
	if (lua_getfield(L, 2, path) != LUA_TNIL) {
		if (lua_touserdata(L, -1) != (void *)&loaded_key)
			return 1;
		lua_rawgetp(L, LUA_REGISTRYINDEX, &chain_key);
		return cyclic(L, 4, path);
	}
	lua_pop(L, 1);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &chain_key); /* 3 */
	push_module(L, path);
	lua_replace(L, 1);
	lua_settop(L, 3);
	depth = (lua_Integer)lua_rawlen(L, 3) + 1;
	lua_pushstring(L, path);
	lua_rawseti(L, 3, depth);
	lua_pushlightuserdata(L, (void *)&loaded_key);
	lua_setfield(L, 2, path);
	lua_pushvalue(L, 1);
	lua_pushstring(L, path);
	status = lua_pcall(L, 1, 1, 0);
	lua_pushnil(L);
	lua_rawseti(L, 3, depth);
	if (status == LUA_OK && lua_isnil(L, -1)) {
		lua_pushfstring(L, "module '%s' returns nothing", path);
		status = LUA_ERRRUN;
	}
	if (status != LUA_OK) {
		lua_pushnil(L);
		lua_setfield(L, 2, path);
		return lua_error(L);
	}
	lua_pushvalue(L, -1);
	lua_setfield(L, 2, path);
	return 1;
}

void modules_open(lua_State *L)
{
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &loaded_key);
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &chain_key);
	lua_pushcfunction(L, modules_require);
	lua_setglobal(L, "require");
}
