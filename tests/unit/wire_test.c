/* wire_test.c: plain data survives the way there and back; everything else is refused with its path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "script/wire.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static lua_State *L;

static int set_up(void **state)
{
	(void)state;
	L = luaL_newstate();
	luaL_openlibs(L);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	lua_close(L);
	return 0;
}

static void evaluate(const char *text)
{
	char whole[1000];

	snprintf(whole, sizeof whole, "return %s", text);
	if (luaL_dostring(L, whole))
		fail_msg("%s", lua_tostring(L, -1));
}

static void refused(const char *text, const char *message)
{
	struct buf out = {0};
	char error[200];
	int top = lua_gettop(L);

	evaluate(text);
	assert_int_equal(wire_encode(L, -1, &wire_script_limits, &out, error, sizeof error), ST_BAD);
	assert_string_equal(error, message);
	assert_int_equal(lua_gettop(L), top + 1);
	buf_free(&out);
	lua_settop(L, top);
}

/* Encodes, decodes, and compares with a function written in Lua. */
static void survives(const char *text)
{
	static const char same[] =
		"local function same(a, b)"
		"  if math.type(a) ~= math.type(b) or type(a) ~= type(b) then return false end"
		"  if type(a) ~= 'table' then return a == b end"
		"  for k, v in pairs(a) do if not same(v, b[k]) then return false end end"
		"  for k in pairs(b) do if a[k] == nil then return false end end"
		"  return true end return same(...)";
	struct buf out = {0};
	struct slice in;
	char error[200];

	assert_int_equal(luaL_loadstring(L, same), LUA_OK);
	evaluate(text);
	if (wire_encode(L, -1, &wire_script_limits, &out, error, sizeof error) != ST_OK)
		fail_msg("%s: %s", text, error);
	in = buf_slice(&out);
	assert_int_equal(wire_decode(L, &in, &wire_script_limits), ST_OK);
	assert_int_equal(in.n, 0);
	lua_call(L, 2, 1);
	assert_true(lua_toboolean(L, -1));
	/* Every shorter text is malformed. */
	for (size_t n = 0; n < out.n; n++) {
		in = slice_of(out.p, n);
		assert_int_equal(wire_decode(L, &in, &wire_script_limits), ST_BAD);
		assert_int_equal(in.n, n);
	}
	buf_free(&out);
	lua_settop(L, 0);
}

static void plain_data_survives(void **state)
{
	(void)state;
	survives("nil");
	survives("true");
	survives("false");
	survives("math.mininteger");
	survives("-1");
	survives("0.5");
	survives("-0.0");
	survives("1e308");
	survives("''");
	survives("'a\\0b\\xff'");
	survives("{}");
	survives("{1, 2.5, 'x', {true, {}}, a = {b = {c = 1}}, [-5] = 'n', [100] = 'far'}");
	survives("{[1] = 1, [2] = 2, [4] = 4, ['3'] = 'text'}");
}

static void the_rest_is_refused_with_its_path(void **state)
{
	(void)state;
	refused("print", "result is a function");
	refused("{groups = {1, 2, print}}", "result.groups[3] is a function");
	refused("{['a b'] = {x = io.stdout}}", "result[\"a b\"].x is a userdata");
	refused("{a = coroutine.create(print)}", "result.a is a thread");
	refused("{a = {[1.5] = 1}}", "result.a has a key that is neither text nor an integer");
	refused("{[true] = 1}", "result has a key that is neither text nor an integer");
	refused("{x = 0/0}", "result.x is not a finite number");
	refused("{x = {-1/0}}", "result.x[1] is not a finite number");
	refused("(function() local t = {} t.a = {t} return t end)()", "result.a[1] contains itself");
	refused("{s = ('x'):rep(300000)}", "result.s is too large");
	refused("(function() local t = {} for i = 1, 300 do t[i] = ('x'):rep(1000) end return t "
		"end)()",
		"result[262] makes it too large");
}

static void depth_is_bounded(void **state)
{
	char text[200] = "";

	(void)state;
	for (int i = 0; i < 16; i++)
		strcat(text, "{");
	for (int i = 0; i < 16; i++)
		strcat(text, "}");
	survives(text);
	memmove(text + 1, text, strlen(text) + 1);
	text[0] = '{';
	strcat(text, "}");
	refused(text, "result[1][1][1][1][1][1][1][1][1][1][1][1][1][1][1][1] is nested too deeply");
}

static void json_null_counts_as_nil(void **state)
{
	struct buf out = {0};
	char error[100];

	(void)state;
	lua_pushlightuserdata(L, NULL);
	assert_int_equal(wire_encode(L, -1, &wire_script_limits, &out, error, sizeof error), ST_OK);
	assert_int_equal(out.n, 1);
	assert_int_equal(out.p[0], 'n');
	buf_free(&out);
}

static void malformed(const char *bytes, size_t n)
{
	struct slice in = slice_of(bytes, n);

	assert_int_equal(wire_decode(L, &in, &wire_script_limits), ST_BAD);
	assert_int_equal(lua_gettop(L), 0);
}

static void malformed_bytes_are_refused(void **state)
{
	(void)state;
	malformed("x", 1);
	malformed("T\xff\xff\xff\xff\0\0\0\0", 9); /* more items than bytes */
	malformed("T\0\0\0\0\xff\xff\xff\xff", 9); /* more pairs than bytes */
	malformed("s\xff\xff\xff\xff", 5);
	malformed("T\0\0\0\0\0\0\0\1tt\0\0\0\0\0\0", 17);         /* a key that is a boolean */
	malformed("T\0\0\0\0\0\0\0\2s\0\0\0\1ats\0\0\0\1af", 24); /* the same key twice */
	malformed("d\x7f\xf0\0\0\0\0\0\0", 9);                    /* infinity */
}

static void trailing_bytes_stay_for_the_next_value(void **state)
{
	struct slice in = slice_of("tfn", 3);

	(void)state;
	assert_int_equal(wire_decode(L, &in, &wire_script_limits), ST_OK);
	assert_int_equal(in.n, 2);
	assert_int_equal(wire_decode(L, &in, &wire_script_limits), ST_OK);
	assert_int_equal(wire_decode(L, &in, &wire_script_limits), ST_OK);
	assert_int_equal(in.n, 0);
	assert_int_equal(wire_decode(L, &in, &wire_script_limits), ST_BAD);
}

int main(void)
{
#define ONE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ONE(plain_data_survives),
		ONE(the_rest_is_refused_with_its_path),
		ONE(depth_is_bounded),
		ONE(json_null_counts_as_nil),
		ONE(malformed_bytes_are_refused),
		ONE(trailing_bytes_stay_for_the_next_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
