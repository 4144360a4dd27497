/* l_time.c: the Lua table `time`. */
#include "base/clock.h"
#include "bind/bind.h"

#include <lauxlib.h>
#include <lua.h>
#include <time.h>

/* Years 0 to 9999, which both formats can write. */
#define SECONDS_MIN INT64_C(-62167219200)
#define SECONDS_MAX INT64_C(253402300799)

static int l_now(lua_State *L)
{
	lua_pushinteger(L, clock_wall());
	return 1;
}

static int l_now_ms(lua_State *L)
{
	lua_pushinteger(L, clock_wall_ms());
	return 1;
}

static int l_mono(lua_State *L)
{
	lua_pushnumber(L, (double)clock_mono_us() / 1e6);
	return 1;
}

static struct tm check_time(lua_State *L)
{
	lua_Integer seconds = lua_isnoneornil(L, 1) ? clock_wall() : luaL_checkinteger(L, 1);
	time_t t = (time_t)seconds;
	struct tm tm;

	luaL_argcheck(L, seconds >= SECONDS_MIN && seconds <= SECONDS_MAX, 1, "out of range");
	gmtime_r(&t, &tm);
	return tm;
}

/* http([seconds]) → "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7). Not strftime: its names are the locale's. */
static int l_http(lua_State *L)
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm tm = check_time(L);
	char text[80];

	snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
		tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	lua_pushstring(L, text);
	return 1;
}

/* iso([seconds]) → "1994-11-06T08:49:37Z" (RFC 3339) */
static int l_iso(lua_State *L)
{
	struct tm tm = check_time(L);
	char text[80];

	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	lua_pushstring(L, text);
	return 1;
}

int bind_time(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"now", l_now},
		{"now_ms", l_now_ms},
		{"mono", l_mono},
		{"http", l_http},
		{"iso", l_iso},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
