/* sandbox_env.c: the globals of scripts: Lua's own functions as far as they are harmless, with caps where one call could
 * take long, and the C half of the helpers; lua/mapping/jail/ is the other half. */
#include "base/asset.h"
#include "base/codec.h"
#include "crypto/hash.h"
#include "script/regex.h"
#include "script/sandbox.h"
#include "json/json.h"

#include <arpa/inet.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <time.h>

#define REP_MAX (1u << 20)
#define RANGE_MAX 100000
#define UNPACK_MAX 10000
#define JSON_MAX (256u << 10)

static struct json *parsed; /* owns; json.decode's tree while it becomes tables, or threw */
static struct buf scratch;  /* owns */
static lua_CFunction string_find, string_match, string_gmatch, string_gsub, string_rep, table_move,
	table_unpack;

static struct slice check_slice(lua_State *L, int index)
{
	size_t n;
	const char *p = luaL_checklstring(L, index, &n);

	return slice_of(p, n);
}

/* ---- Base -------------------------------------------------------------------------------------------------------------- */

/* A spent budget is no error of the script's: its own pcall does not catch it. */
static int l_pcall(lua_State *L)
{
	int status;

	luaL_checkany(L, 1);
	lua_pushboolean(L, true);
	lua_insert(L, 1);
	status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
	if (status == LUA_ERRMEM || sandbox_is_spent())
		sandbox_spend(L, JAIL_MEMORY_SPENT);
	if (status == LUA_OK)
		return lua_gettop(L);
	lua_pushboolean(L, false);
	lua_insert(L, -2);
	return 2;
}

/* Not for a spent budget: the hook that threw it is still on the stack, and no other hook would stop the handler. */
static int guarded_handler(lua_State *L)
{
	if (sandbox_is_spent())
		return 1;
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, 1, 1);
	return 1;
}

/* xpcall(f, handler, …) */
static int l_xpcall(lua_State *L)
{
	int status;

	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_pushvalue(L, 2);
	lua_pushcclosure(L, guarded_handler, 1);
	lua_pushvalue(L, 1);
	lua_replace(L, 2);
	lua_replace(L, 1); /* handler f … */
	status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 1);
	if (status == LUA_ERRMEM || sandbox_is_spent())
		sandbox_spend(L, JAIL_MEMORY_SPENT);
	lua_pushboolean(L, status == LUA_OK);
	lua_replace(L, 1);
	return lua_gettop(L);
}

static int l_setmetatable(lua_State *L)
{
	int type = lua_type(L, 2);

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
	if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
		return luaL_error(L, "cannot change a protected metatable");
	if (type == LUA_TTABLE) {
		lua_pushliteral(L, "__gc"); /* would run where no budget counts */
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "a metatable with __gc is not allowed");
		lua_pop(L, 1);
	}
	lua_settop(L, 2);
	lua_setmetatable(L, 1);
	return 1;
}

/* Values that a call may lack read as nil; any other unknown name is a slip of the pen. */
static int undefined_name(lua_State *L)
{
	static const char *const optional[] = {"user", "application", "provider", "token", "session",
		"request", "http_request", "info", "claims", "properties", "source", "client",
		"group_id", "context", "scope", "ak_client_ip", "ak_is_sso_flow", "utc_offset", NULL};
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";

	for (const char *const *o = optional; *o; o++) {
		if (strcmp(*o, name) == 0)
			return 0;
	}
	return luaL_error(L, "undefined name '%s'", luaL_tolstring(L, 2, NULL));
}

/* ---- Caps -------------------------------------------------------------------------------------------------------------- */

/* Called in the same frame, so that messages still name the script's line and the argument. */
static int capped(lua_State *L, lua_CFunction original)
{
	size_t n;

	luaL_checklstring(L, 1, &n);
	luaL_argcheck(L, n <= SANDBOX_SUBJECT_MAX, 1, "text is too long to match against");
	luaL_checklstring(L, 2, &n);
	luaL_argcheck(L, n <= 4096, 2, "pattern is too long");
	return original(L);
}

static int l_find(lua_State *L)
{
	return lua_toboolean(L, 4) ? string_find(L) : capped(L, string_find);
}

static int l_match(lua_State *L)
{
	return capped(L, string_match);
}

static int l_gmatch(lua_State *L)
{
	return capped(L, string_gmatch);
}

static int l_gsub(lua_State *L)
{
	return capped(L, string_gsub);
}

static int l_rep(lua_State *L)
{
	size_t n, between = 0;
	lua_Integer times = luaL_checkinteger(L, 2);

	luaL_checklstring(L, 1, &n);
	if (!lua_isnoneornil(L, 3))
		luaL_checklstring(L, 3, &between);
	luaL_argcheck(L,
		times <= 0 || ((size_t)times <= REP_MAX && (n + between) <= REP_MAX / (size_t)times),
		2, "result is too long");
	return string_rep(L);
}

static int l_move(lua_State *L)
{
	lua_Integer from = luaL_checkinteger(L, 2), to = luaL_checkinteger(L, 3);

	luaL_argcheck(L, to < from || (lua_Unsigned)to - (lua_Unsigned)from < RANGE_MAX, 3,
		"range is too large");
	return table_move(L);
}

static int l_unpack(lua_State *L)
{
	lua_Integer from = luaL_optinteger(L, 2, 1);
	lua_Integer to = lua_isnoneornil(L, 3) ? luaL_len(L, 1) : luaL_checkinteger(L, 3);

	luaL_argcheck(L, to < from || (lua_Unsigned)to - (lua_Unsigned)from < UNPACK_MAX, 3,
		"range is too large");
	return table_unpack(L);
}

/* ---- Helpers ----------------------------------------------------------------------------------------------------------- */

static int push_scratch(lua_State *L)
{
	if (scratch.failed)
		sandbox_spend(L, JAIL_MEMORY_SPENT);
	lua_pushlstring(L, (const char *)scratch.p, scratch.n);
	return 1;
}

static int codec(lua_State *L, enum st (*fn)(struct slice, struct buf *))
{
	struct slice in = check_slice(L, 1);

	luaL_argcheck(L, in.n <= REP_MAX, 1, "text is too long");
	buf_clear(&scratch);
	if (fn(in, &scratch) == ST_OK)
		return push_scratch(L);
	lua_pushnil(L);
	return 1;
}

static int l_base64_encode(lua_State *L)
{
	return codec(L, base64_encode);
}

static int l_base64_decode(lua_State *L)
{
	return codec(L, base64_decode);
}

static int l_base64_url_encode(lua_State *L)
{
	return codec(L, base64url_encode);
}

static int l_base64_url_decode(lua_State *L)
{
	return codec(L, base64url_decode);
}

static int l_sha256(lua_State *L)
{
	unsigned char digest[HASH_SIZE_MAX];
	struct slice in = check_slice(L, 1);

	luaL_argcheck(L, in.n <= REP_MAX, 1, "text is too long");
	hash_bytes(HASH_SHA256, in, digest);
	buf_clear(&scratch);
	if (hex_encode(slice_of(digest, hash_size(HASH_SHA256)), &scratch) != ST_OK)
		sandbox_spend(L, JAIL_MEMORY_SPENT);
	return push_scratch(L);
}

static void push_json(lua_State *L, const struct json *j)
{
	lua_Integer i = 0;

	luaL_checkstack(L, 6, NULL);
	switch (json_type(j)) {
	case JSON_NULL:
		lua_pushlightuserdata(L, NULL);
		break;
	case JSON_BOOLEAN:
		lua_pushboolean(L, json_bool(j));
		break;
	case JSON_INTEGER:
		lua_pushinteger(L, json_integer(j));
		break;
	case JSON_NUMBER:
		lua_pushnumber(L, json_number(j));
		break;
	case JSON_STRING:
		lua_pushlstring(L, (const char *)json_string(j).p, json_string(j).n);
		break;
	case JSON_ARRAY:
		lua_newtable(L);
		for (const struct json *item = json_first(j); item; item = json_next(item)) {
			push_json(L, item);
			lua_rawseti(L, -2, ++i);
		}
		break;
	case JSON_OBJECT:
		lua_newtable(L);
		for (const struct json *item = json_first(j); item; item = json_next(item)) {
			lua_pushlstring(L, (const char *)json_name(item).p, json_name(item).n);
			push_json(L, item);
			lua_rawset(L, -3);
		}
		break;
	}
}

/* json.decode(text) → value, or nil, reason, offset */
static int l_json_decode(lua_State *L)
{
	struct slice in = check_slice(L, 1);
	const char *error = "out of memory";
	size_t offset = 0;

	luaL_argcheck(L, in.n <= JSON_MAX, 1, "text is too long");
	sandbox_env_end();
	if (json_parse(in, &parsed, &error, &offset) != ST_OK) {
		parsed = NULL;
		lua_pushnil(L);
		lua_pushstring(L, error);
		lua_pushinteger(L, (lua_Integer)offset);
		return 3;
	}
	push_json(L, parsed);
	sandbox_env_end();
	return 1;
}

/* core.quote(text): a JSON string; core.number(n): a JSON number */
static int l_quote(lua_State *L)
{
	buf_clear(&scratch);
	if (json_write_string(&scratch, check_slice(L, 1)) == ST_BAD)
		return luaL_error(L, "json.encode: a text is not UTF-8");
	return push_scratch(L);
}

static int l_number(lua_State *L)
{
	buf_clear(&scratch);
	if (lua_isinteger(L, 1))
		buf_printf(&scratch, "%lld", (long long)lua_tointeger(L, 1));
	else if (json_write_number(&scratch, luaL_checknumber(L, 1)) == ST_BAD)
		return luaL_error(L, "json.encode: a number is not finite");
	return push_scratch(L);
}

/* core.log(level, text) */
static int l_log(lua_State *L)
{
	lua_Integer level = luaL_checkinteger(L, 1);

	sandbox_log((unsigned)level, check_slice(L, 2));
	return 0;
}

/* core.address(text) → 4 or 16 bytes, or nil */
static int l_address(lua_State *L)
{
	unsigned char bytes[16];
	struct slice text = check_slice(L, 1);

	if (slice_find(text, 0) == text.n && inet_pton(AF_INET, (const char *)text.p, bytes) == 1)
		lua_pushlstring(L, (const char *)bytes, 4);
	else if (slice_find(text, 0) == text.n && inet_pton(AF_INET6, (const char *)text.p, bytes) == 1)
		lua_pushlstring(L, (const char *)bytes, 16);
	else
		lua_pushnil(L);
	return 1;
}

/* core.address_text(bytes) → canonical text */
static int l_address_text(lua_State *L)
{
	struct slice in = check_slice(L, 1);
	char text[INET6_ADDRSTRLEN];

	luaL_argcheck(L, in.n == 4 || in.n == 16, 1, "4 or 16 bytes expected");
	inet_ntop(in.n == 4 ? AF_INET : AF_INET6, in.p, text, sizeof text);
	lua_pushstring(L, text);
	return 1;
}

/* core.localtime(seconds, offset or nil) → { year, month, day, hour, minute, second, weekday (1 = Monday), utc_offset } where this machine
 * stands, or so many seconds east of Greenwich */
static int l_localtime(lua_State *L)
{
	time_t at = (time_t)luaL_checkinteger(L, 1);
	const bool elsewhere = !lua_isnoneornil(L, 2);
	const time_t offset = elsewhere ? (time_t)luaL_checkinteger(L, 2) : 0;
	struct tm tm;

	at += offset;
	if (!(elsewhere ? gmtime_r(&at, &tm) : localtime_r(&at, &tm)))
		return luaL_error(L, "localtime: out of range");
	const struct {
		const char *name;
		lua_Integer value;
	} fields[] = {{"year", tm.tm_year + 1900}, {"month", tm.tm_mon + 1}, {"day", tm.tm_mday},
		{"hour", tm.tm_hour}, {"minute", tm.tm_min}, {"second", tm.tm_sec},
		{"weekday", (tm.tm_wday + 6) % 7 + 1},
		{"utc_offset", elsewhere ? offset : tm.tm_gmtoff}};
	lua_createtable(L, 0, ARRAY_LEN(fields));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		lua_pushinteger(L, fields[i].value);
		lua_setfield(L, -2, fields[i].name);
	}
	return 1;
}

/* ---- Putting it together ------------------------------------------------------------------------------------------------- */

static void clear_fields(lua_State *L, const char *const *names)
{
	for (; *names; names++) {
		lua_pushnil(L);
		lua_setfield(L, -2, *names);
	}
}

/* Table on the top: remembers the original and puts the wrapper in its place. */
static lua_CFunction wrap(lua_State *L, const char *name, lua_CFunction wrapper)
{
	lua_CFunction original;

	lua_getfield(L, -1, name);
	original = lua_tocfunction(L, -1);
	assert(original);
	lua_pop(L, 1);
	lua_pushcfunction(L, wrapper);
	lua_setfield(L, -2, name);
	return original;
}

static void open_libraries(lua_State *L)
{
	static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
		{LUA_TABLIBNAME, luaopen_table}, {LUA_STRLIBNAME, luaopen_string},
		{LUA_MATHLIBNAME, luaopen_math}, {LUA_UTF8LIBNAME, luaopen_utf8}};

	for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
		luaL_requiref(L, libraries[i].name, libraries[i].func, true);
		lua_pop(L, 1);
	}
	lua_pushnil(L); /* package.loaded would keep the originals */
	lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
}

static void tame_libraries(lua_State *L)
{
	static const char *const base[] = {
		"_G", "collectgarbage", "dofile", "load", "loadfile", "print", "warn", NULL};
	static const char *const math[] = {"random", "randomseed", NULL};
	static const char *const string[] = {"dump", NULL};

	lua_pushglobaltable(L);
	clear_fields(L, base);
	lua_register(L, "pcall", l_pcall);
	lua_register(L, "xpcall", l_xpcall);
	lua_register(L, "setmetatable", l_setmetatable);
	lua_getfield(L, -1, "math");
	clear_fields(L, math);
	lua_pop(L, 1);
	lua_getfield(L, -1, "table");
	table_move = wrap(L, "move", l_move);
	table_unpack = wrap(L, "unpack", l_unpack);
	lua_pop(L, 1);
	lua_getfield(L, -1, "string");
	clear_fields(L, string);
	string_find = wrap(L, "find", l_find);
	string_match = wrap(L, "match", l_match);
	string_gmatch = wrap(L, "gmatch", l_gmatch);
	string_gsub = wrap(L, "gsub", l_gsub);
	string_rep = wrap(L, "rep", l_rep);
	lua_pop(L, 2);
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1);
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);
}

/* The primitives, which only our own files hold; what these share among themselves they put there, too. */
static void push_core(lua_State *L)
{
	static const luaL_Reg core[] = {{"quote", l_quote}, {"number", l_number},
		{"decode", l_json_decode}, {"log", l_log}, {"address", l_address},
		{"address_text", l_address_text}, {"ask", sandbox_ask}, {"localtime", l_localtime},
		{NULL, NULL}};

	luaL_newlib(L, core);
	lua_pushlightuserdata(L, NULL);
	lua_setfield(L, -2, "null");
}

/* Runs lua/mapping/jail/NAME.lua with the core at that index as its argument; it sets globals. Pushes what it returns. */
static void run_asset(lua_State *L, int core, const char *name)
{
	struct slice text;
	char file[64], chunk[80];

	snprintf(file, sizeof file, "mapping/jail/%s.lua", name);
	snprintf(chunk, sizeof chunk, "@lua/%s", file);
	if (!asset_get(file, &text))
		luaL_error(L, "%s is missing", file);
	if (luaL_loadbufferx(L, (const char *)text.p, text.n, chunk, "t") != LUA_OK)
		lua_error(L);
	lua_pushvalue(L, core);
	lua_call(L, 1, 1);
}

void sandbox_env_open(lua_State *L)
{
	static const luaL_Reg base64[] = {{"encode", l_base64_encode}, {"decode", l_base64_decode},
		{"url_encode", l_base64_url_encode}, {"url_decode", l_base64_url_decode},
		{NULL, NULL}};
	static const char *const files[] = {"log", "json", "ip", "users", "texts", "world", "rules"};
	int core;

	open_libraries(L);
	tame_libraries(L);
	regex_open(L);
	luaL_newlib(L, base64);
	lua_setglobal(L, "base64");
	lua_register(L, "sha256", l_sha256);
	push_core(L);
	core = lua_gettop(L);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		run_asset(L, core, files[i]);
		lua_pop(L, 1);
	}
	run_asset(L, core, "given");
	lua_setfield(L, LUA_REGISTRYINDEX, SANDBOX_PREPARE);
	lua_pop(L, 1);
	lua_pushglobaltable(L);
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, undefined_name);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
}

void sandbox_env_end(void)
{
	json_free(parsed);
	parsed = NULL;
	if (scratch.cap > 0)
		explicit_bzero(scratch.p, scratch.cap);
	buf_clear(&scratch);
}
