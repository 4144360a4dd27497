/* config_state.c: the `host` functions of lua/config/ and the state around them. */
#include "bind/config_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/asset.h"
#include "base/codec.h"
#include "base/url.h"
#include "bind/bind.h"
#include "script/wire.h"

#define FILE_MAX (1u << 20)
#define GLOB_MAX 1000

/* nil, text */
static int refuse(lua_State *L, const char *text)
{
	lua_pushnil(L);
	lua_pushstring(L, text);
	return 2;
}

/* host.read(path, max) → text | nil, reason. Regular files only: a pipe or a device could wait for ever. */
static int host_read(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	size_t max = (size_t)luaL_optinteger(L, 2, FILE_MAX), got = 0;
	struct stat s;

	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return refuse(L, strerror(errno));
	if (fstat(fd, &s) || !S_ISREG(s.st_mode)) {
		close(fd);
		return refuse(L, "not a plain file");
	}
	if ((uint64_t)s.st_size > max) {
		close(fd);
		return refuse(L, "too large");
	}
	char *bytes = malloc(max + 1);
	while (bytes && got <= max) {
		ssize_t n = read(fd, bytes + got, max + 1 - got);
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	close(fd);
	if (!bytes || got > max) {
		free(bytes);
		return refuse(L, bytes ? "too large" : "out of memory");
	}
	lua_pushlstring(L, bytes, got); /* may throw for memory only: the process ends then */
	free(bytes);
	return 1;
}

/* A shell pattern with * and ? over one name. A leading dot must be written out. */
static bool name_matches(const char *pattern, const char *name)
{
	const char *star = NULL, *retry = NULL;

	if (*name == '.' && *pattern != '.')
		return false;
	while (*name) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = name;
		} else if (*pattern == '?' || *pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star;
			name = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

/* host.list(folder, pattern) → unsorted list of names | nil, reason */
static int host_list(lua_State *L)
{
	const char *folder = luaL_checkstring(L, 1), *pattern = luaL_checkstring(L, 2);
	lua_Integer n = 0;

	lua_newtable(L);
	DIR *d = opendir(folder);
	if (!d)
		return refuse(L, strerror(errno));
	for (struct dirent *e; (e = readdir(d)) && n < GLOB_MAX;) {
		if (!name_matches(pattern, e->d_name))
			continue;
		lua_pushstring(L, e->d_name);
		lua_rawseti(L, -2, ++n);
	}
	closedir(d);
	return 1;
}

static int host_env(lua_State *L)
{
	const char *value = getenv(luaL_checkstring(L, 1));

	if (!value)
		return 0;
	lua_pushstring(L, value);
	return 1;
}

/* host.load(text, chunk name, environment) → function | nil, message. Text only. */
static int host_load(lua_State *L)
{
	size_t n;
	const char *text = luaL_checklstring(L, 1, &n);
	const char *chunk = luaL_checkstring(L, 2);

	if (luaL_loadbufferx(L, text, n, chunk, "t") != LUA_OK) {
		lua_pushnil(L);
		lua_insert(L, -2);
		return 2;
	}
	lua_pushvalue(L, 3);
	if (!lua_setupvalue(L, -2, 1))
		lua_pop(L, 1);
	return 1;
}

/* host.where() → chunk name, line of the innermost function that came from a configuration file ("@/path") */
static int host_where(lua_State *L)
{
	lua_Debug d;

	for (int level = 1; lua_getstack(L, level, &d); level++) {
		if (!lua_getinfo(L, "Sl", &d) || d.source[0] != '@')
			continue;
		lua_pushstring(L, d.source + 1);
		lua_pushinteger(L, d.currentline);
		return 2;
	}
	return 0;
}

static void set_slice(lua_State *L, const char *name, struct slice s)
{
	lua_pushlstring(L, (const char *)s.p, s.n);
	lua_setfield(L, -2, name);
}

/* host.url(text) → { scheme, host, port, path, query, fragment, userinfo } as written | nil */
static int host_url(lua_State *L)
{
	size_t n;
	const char *text = luaL_checklstring(L, 1, &n);
	struct url u;

	if (url_parse(slice_of(text, n), &u))
		return 0;
	lua_newtable(L);
	set_slice(L, "scheme", u.scheme);
	set_slice(L, "path", u.path);
	if (u.has_authority)
		set_slice(L, "host", u.host);
	if (u.has_port)
		set_slice(L, "port", u.port);
	if (u.has_query)
		set_slice(L, "query", u.query);
	if (u.has_fragment)
		set_slice(L, "fragment", u.fragment);
	if (u.has_userinfo)
		set_slice(L, "userinfo", u.userinfo);
	return 1;
}

static int host_utf8(lua_State *L)
{
	size_t n;
	const char *text = luaL_checklstring(L, 1, &n);

	lua_pushboolean(L, utf8_valid(slice_of(text, n)));
	return 1;
}

/* require over the program's own files; modules stand in the first upvalue. */
static int config_require(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	char path[128], chunk[140];
	struct slice text;

	lua_pushvalue(L, 1);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
		return 1;
	snprintf(path, sizeof(path), "%s.lua", name);
	for (char *c = path; c + 4 < path + strlen(path); c++)
		if (*c == '.')
			*c = '/';
	if (!asset_get(path, &text))
		return luaL_error(L, "no module \"%s\"", name);
	/* not "@": host.where looks for files of the owner */
	snprintf(chunk, sizeof(chunk), "=%s", path);
	if (luaL_loadbufferx(L, (const char *)text.p, text.n, chunk, "t") != LUA_OK)
		return lua_error(L);
	lua_call(L, 0, 1);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, -2);
	lua_rawset(L, lua_upvalueindex(1));
	return 1;
}

static const luaL_Reg host_functions[] = {
	{"read", host_read},
	{"list", host_list},
	{"env", host_env},
	{"load", host_load},
	{"where", host_where},
	{"url", host_url},
	{"utf8", host_utf8},
	{NULL, NULL},
};

static void open_libraries(lua_State *L)
{
	static const luaL_Reg libraries[] = {
		{LUA_GNAME, luaopen_base},
		{LUA_TABLIBNAME, luaopen_table},
		{LUA_STRLIBNAME, luaopen_string},
		{LUA_MATHLIBNAME, luaopen_math},
		{LUA_UTF8LIBNAME, luaopen_utf8},
	};
	static const char *const unwanted[] = {"dofile", "loadfile", "load", "collectgarbage", "print"};

	for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
		luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
		lua_pop(L, 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(unwanted); i++) {
		lua_pushnil(L);
		lua_setglobal(L, unwanted[i]);
	}
	luaL_requiref(L, "json", bind_json, 1);
	lua_pop(L, 1);
	luaL_newlib(L, host_functions);
	lua_setglobal(L, "host");
	lua_newtable(L);
	lua_pushcclosure(L, config_require, 1);
	lua_setglobal(L, "require");
}

static int traceback(lua_State *L)
{
	const char *text = lua_tostring(L, 1);

	luaL_traceback(L, L, text ? text : "error without text", 1);
	return 1;
}

struct evaluation {
	const char *path;
	struct config_result *result;
	enum st st;
};

/* Adds each text of the list on top, with `end` behind it. */
static void add_list(lua_State *L, struct buf *out, char end)
{
	lua_Integer n = luaL_len(L, -1);

	for (lua_Integer i = 1; i <= n; i++) {
		size_t size;
		lua_rawgeti(L, -1, i);
		const char *text = luaL_tolstring(L, -1, &size);
		buf_add(out, text, size);
		buf_add_u8(out, (uint8_t)end);
		lua_pop(L, 2);
	}
}

/* config.load(path) answers (configuration, list for the master) or (nil, list of errors). */
static int evaluate(lua_State *L)
{
	struct evaluation *e = lua_touserdata(L, 1);
	char error[512] = "";

	open_libraries(L);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "config/load");
	lua_call(L, 1, 1);
	lua_pushstring(L, e->path);
	lua_call(L, 1, 2);
	if (lua_isnil(L, -2)) {
		add_list(L, &e->result->errors, '\n');
		e->st = ST_BAD;
		return 0;
	}
	add_list(L, &e->result->master, '\0');
	e->st = wire_encode(L, -2, &wire_config_limits, &e->result->wire, error, sizeof(error));
	if (e->st)
		buf_printf(&e->result->errors, "%s: %s\n", e->path, error);
	return 0;
}

enum st config_evaluate(const char *path, struct config_result *result)
{
	struct evaluation e = {path, result, ST_BAD};
	lua_State *L = luaL_newstate();

	if (!L)
		return ST_NOMEM;
	lua_pushcfunction(L, traceback);
	lua_pushcfunction(L, evaluate);
	lua_pushlightuserdata(L, &e);
	if (lua_pcall(L, 1, 0, 1) != LUA_OK) {
		const char *text = lua_tostring(L, -1);
		buf_printf(&result->errors, "%s: %s\n", path, text ? text : "out of memory");
		e.st = ST_BAD;
	}
	lua_close(L);
	return e.st;
}

void config_result_free(struct config_result *result)
{
	buf_wipe(&result->wire);
	buf_free(&result->master);
	buf_free(&result->errors);
}

struct body {
	const char *const *argv;
	size_t argc;
	const struct slice *input;
	struct slice config;
	struct buf *out;
	char *error;
	size_t error_size;
	enum st st;
};

static int build_body(lua_State *L)
{
	struct body *b = lua_touserdata(L, 1);

	lua_newtable(L);
	lua_newtable(L);
	for (size_t i = 0; i < b->argc; i++) {
		lua_pushstring(L, b->argv[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "argv");
	if (b->input) {
		lua_pushlstring(L, (const char *)b->input->p, b->input->n);
		lua_setfield(L, -2, "stdin");
	}
	if (b->config.n) {
		b->st = wire_decode(L, &b->config, &wire_config_limits);
		if (b->st)
			return 0;
		lua_setfield(L, -2, "config");
	}
	b->st = wire_encode(L, -1, &wire_config_limits, b->out, b->error, b->error_size);
	return 0;
}

enum st command_body(const char *const *argv, size_t argc, const struct slice *input,
	struct slice config_wire, struct buf *out, char *error, size_t error_size)
{
	struct body b = {argv, argc, input, config_wire, out, error, error_size, ST_NOMEM};
	lua_State *L = luaL_newstate();

	if (!L)
		return ST_NOMEM;
	lua_pushcfunction(L, build_body);
	lua_pushlightuserdata(L, &b);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK)
		b.st = ST_NOMEM;
	lua_close(L);
	return b.st;
}
