/* l_sys.c: the Lua table `sys`: versions, the program's files, files for the owner, counters; in debug builds the clock and
 * the faults that tests set. */
#include "bind/l_sys.h"
#include "base/asset.h"
#include "base/clock.h"
#include "base/fault.h"
#include "bind/bind.h"
#include "bind/versions.h"
#include "loop/dns.h"
#include "script/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <sys/stat.h>
#include <unistd.h>

static char *data_dir; /* owns */

void bind_sys_data_dir(const char *path)
{
	free(data_dir);
	data_dir = path ? strdup(path) : NULL;
	if (path && !data_dir)
		abort(); /* start-up */
}

static int l_version(lua_State *L)
{
	lua_newtable(L);
	for (size_t i = 0; i < library_count; i++) {
		lua_pushstring(L, libraries[i].version());
		lua_setfield(L, -2, libraries[i].name);
	}
	return 1;
}

/* asset(name) → text | nil */
static int l_asset(lua_State *L)
{
	struct slice text;

	if (!asset_get(luaL_checkstring(L, 1), &text))
		return 0;
	lua_pushlstring(L, text.n ? (const char *)text.p : "", text.n);
	return 1;
}

static int l_data_dir(lua_State *L)
{
	lua_pushstring(L, data_dir);
	return 1;
}

static void push_counters(lua_State *L)
{
	lua_createtable(L, 0, COUNT_MAX);
	for (int i = 0; i < COUNT_MAX; i++) {
		lua_pushinteger(L, count_get((enum counter)i));
		lua_setfield(L, -2, count_name((enum counter)i));
	}
}

static int l_counters(lua_State *L)
{
	push_counters(L);
	return 1;
}

/* ---- Files for the owner ---- */

/* Letters, digits, "-" and "_", then ".pem" or ".txt": no other file of the data folder has such a name. */
static bool public_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n > 0 && n < 64 && (strcmp(name + n, ".pem") == 0 || strcmp(name + n, ".txt") == 0);
}

static bool write_file(const char *path, struct slice text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	bool done = fd >= 0 && fchmod(fd, 0644) == 0;

	while (done && text.n) {
		ssize_t wrote = write(fd, text.p, text.n);

		if (wrote < 0 && errno == EINTR)
			continue;
		done = wrote > 0;
		text = slice_sub(text, done ? (size_t)wrote : 0, text.n);
	}
	done = done && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return done;
}

static bool sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool done = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return done;
}

/* write_public(name, text) → true | nil, "io": whole or not at all, readable by everybody */
static int l_write_public(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	char path[PATH_MAX], temporary[PATH_MAX];
	struct slice text;

	text.p = (const unsigned char *)luaL_checklstring(L, 2, &text.n);
	luaL_argcheck(L, public_name(name), 1, "a plain name that ends in .pem or .txt");
	if (!data_dir || snprintf(path, sizeof(path), "%s/%s", data_dir, name) >= (int)sizeof(path) ||
		snprintf(temporary, sizeof(temporary), "%s/%s.new", data_dir, name) >=
			(int)sizeof(temporary) ||
		!write_file(temporary, text) || rename(temporary, path) != 0 ||
		!sync_folder(data_dir)) {
		lua_pushnil(L);
		lua_pushstring(L, st_name(ST_IO));
		return 2;
	}
	lua_pushboolean(L, true);
	return 1;
}

/* wire_decode(bytes) → value | nil, reason */
static int l_wire_decode(lua_State *L)
{
	struct slice in;

	in.p = (const unsigned char *)luaL_checklstring(L, 1, &in.n);
	if (wire_decode(L, &in, &wire_config_limits) == ST_OK && in.n == 0)
		return 1;
	lua_pushnil(L);
	lua_pushstring(L, "malformed");
	return 2;
}

/* ---- Tests ---- */

#ifdef TIDELOCK_DEBUG

static lua_Integer integer_field(lua_State *L, const char *name, lua_Integer otherwise)
{
	lua_Integer v = otherwise;

	if (lua_getfield(L, 1, name) != LUA_TNIL) {
		if (!lua_isnumber(L, -1))
			luaL_error(L, "sys.debug: %s is not a number", name);
		v = (lua_Integer)lua_tonumber(L, -1);
	}
	lua_pop(L, 1);
	return v;
}

static void arm_fault(lua_State *L, const char *name)
{
	lua_Integer n = integer_field(L, "n", 0);
	enum fault which;
	bool forever;

	if (!fault_named(name, &which))
		luaL_error(L, "sys.debug: there is no fault %s", name);
	lua_getfield(L, 1, "forever");
	forever = lua_toboolean(L, -1);
	lua_pop(L, 1);
	fault_arm(which, n, forever);
}

/* The name leads where the test says: the answer of a name server, come late or otherwise. */
static void pretend_name(lua_State *L, const char *name)
{
	lua_Integer delay = integer_field(L, "delay_ms", 0);

	lua_getfield(L, 1, "addresses");
	if (dns_pretend(name, lua_tostring(L, -1), (unsigned)delay) != ST_OK)
		luaL_error(L, "sys.debug: bad name or addresses");
	lua_pop(L, 1);
}

/* debug{ name =, addresses = "a b", delay_ms =, advance = seconds, fault = name, n =, forever =, counters = true } → counters when asked, else {} */
static int l_debug(lua_State *L)
{
	lua_Integer advance;

	luaL_checktype(L, 1, LUA_TTABLE);
	advance = integer_field(L, "advance", 0);
	luaL_argcheck(L, advance >= 0, 1, "time does not go back");
	clock_advance(advance);
	if (lua_getfield(L, 1, "fault") == LUA_TSTRING)
		arm_fault(L, lua_tostring(L, -1));
	if (lua_getfield(L, 1, "name") == LUA_TSTRING)
		pretend_name(L, lua_tostring(L, -1));
	if (lua_getfield(L, 1, "counters") == LUA_TBOOLEAN && lua_toboolean(L, -1))
		push_counters(L);
	else
		lua_newtable(L);
	return 1;
}

#endif

int bind_sys(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"version", l_version},
		{"asset", l_asset},
		{"data_dir", l_data_dir},
		{"counters", l_counters},
		{"write_public", l_write_public},
		{"wire_decode", l_wire_decode},
#ifdef TIDELOCK_DEBUG
		{"debug", l_debug},
#endif
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
