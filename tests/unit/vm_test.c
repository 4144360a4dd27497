/* vm_test.c: trusted states: modules, locked globals, capped memory, what is absent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/asset.h"
#include "base/fault.h"
#include "loop/loop.h"
#include "script/vm.h"

#include <lauxlib.h>
#include <lua.h>

static struct vm *vm;
static char error[600];

static void give(const char *name, const char *text)
{
	asset_set(name, text, strlen(text));
}

static void open_table(lua_State *L, void *arg)
{
	(void)arg;
	lua_newtable(L);
	lua_pushinteger(L, 7);
	lua_setfield(L, -2, "seven");
	lua_setglobal(L, "bound");
}

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(loop_open(), ST_OK);
	vm = vm_new(NULL, VM_MEMORY_DEFAULT, open_table, NULL, error, sizeof error);
	assert_non_null(vm);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	vm_free(vm);
	loop_close();
	return 0;
}

static void runs(const char *text)
{
	char whole[2000];

	snprintf(whole, sizeof whole, "%s return {}", text);
	if (vm_load_text(vm, "@t.lua", slice_str(whole), error, sizeof error) != ST_OK)
		fail_msg("%s", error);
}

static void fails(const char *text, const char *message)
{
	char whole[2000];

	snprintf(whole, sizeof whole, "%s return {}", text);
	assert_int_equal(vm_load_text(vm, "@t.lua", slice_str(whole), error, sizeof error), ST_BAD);
	if (!strstr(error, message))
		fail_msg("'%s' does not contain '%s'", error, message);
}

static void modules_are_found_by_both_spellings(void **state)
{
	(void)state;
	give("one/two.lua", "return { name = 'two' }");
	runs("assert(require 'one/two' == require 'one.two') assert(require('one.two').name == "
	     "'two')");
}

static void a_cyclic_require_is_an_error_with_the_chain(void **state)
{
	(void)state;
	give("a.lua", "return { b = require 'b' }");
	give("b.lua", "return { c = require 'c' }");
	give("c.lua", "return { a = require 'a' }");
	fails("require 'a'", "cyclic require: a -> b -> c -> a");
	fails("require 'b'", "cyclic require: b -> c -> a -> b");
}

static void chunks_are_named_after_their_file(void **state)
{
	(void)state;
	give("broken/run.lua", "local x\n\nreturn x.y");
	give("broken/text.lua", "return return");
	fails("require 'broken/run'", "lua/broken/run.lua:3:");
	fails("require 'broken/text'", "lua/broken/text.lua:1:");
	fails("require 'broken/run'", "lua/broken/run.lua:3:"); /* a failed module is not half there */
}

static void odd_module_names_are_refused(void **state)
{
	(void)state;
	fails("require '../x'", "bad module name");
	fails("require '/x'", "bad module name");
	fails("require 'x/'", "bad module name");
	fails("require 'x..y'", "bad module name");
	fails("require 'X'", "bad module name");
	fails("require ''", "bad module name");
	fails("require 'no/such'", "module 'no/such' not found");
	give("nothing.lua", "local x = 1");
	fails("require 'nothing'", "returns nothing");
}

static void binary_chunks_are_refused(void **state)
{
	(void)state;
	asset_set("binary.lua", "\x1bLuaT", 5);
	fails("require 'binary'", "attempt to load a binary chunk");
}

static void globals_are_strict_and_locked(void **state)
{
	(void)state;
	fails("local _ = wrong_name", "undefined global 'wrong_name'");
	fails("wrong_name = 1", "assignment to global 'wrong_name'");
	fails("string = nil", "assignment to global 'string'");
	fails("bound.seven = 8", "'bound' is read-only (assignment to 'seven')");
	fails("rawset(bound, 'seven', 8)", "table expected");
	fails("rawset(_ENV, 'x', 8)", "table expected");
	runs("assert(bound.seven == 7) assert(getmetatable(bound) == false)");
	runs("local n = 0 for k, v in pairs(bound) do n = n + v end assert(n == 7)");
	runs("assert(('x'):rep(2) == 'xx') assert(getmetatable('') == false)");
}

static void dangerous_functions_are_absent(void **state)
{
	static const char *const names[] = {"io", "os", "debug", "load", "loadfile", "dofile", "_G",
		"package", "coroutine", "collectgarbage", "print"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char text[60];

		snprintf(text, sizeof text, "local _ = %s", names[i]);
		fails(text, "undefined global");
	}
	runs("assert(string.dump == nil)");
}

static void memory_is_capped(void **state)
{
	struct vm *small = vm_new(NULL, 1u << 20, NULL, NULL, error, sizeof error);

	(void)state;
	assert_non_null(small);
	assert_int_equal(vm_load_text(small, "@t.lua",
				 slice_str("local t = {} for i = 1, 1e7 do t[i] = i end return t"),
				 error, sizeof error),
		ST_NOMEM);
	assert_non_null(strstr(error, "not enough memory"));
	assert_true(vm_memory(small) < 1u << 20);
	vm_free(small);
	assert_null(vm_new(NULL, 4096, NULL, NULL, error, sizeof error));
}

static void a_state_that_finds_no_memory_is_not_made(void **state)
{
	(void)state;
#ifdef TIDELOCK_DEBUG
	bool made = false;

	for (int i = 1; i < 5000 && !made; i++) {
		struct vm *other;

		fault_arm(FAULT_ALLOC, i, true);
		other = vm_new(NULL, VM_MEMORY_DEFAULT, open_table, NULL, error, sizeof error);
		fault_arm(FAULT_ALLOC, 0, false);
		made = other != NULL;
		vm_free(other);
	}
	assert_true(made);
#endif
}

static void entries_must_be_a_table(void **state)
{
	(void)state;
	assert_int_equal(
		vm_load_text(vm, "@t.lua", slice_str("return 7"), error, sizeof error), ST_BAD);
	assert_non_null(strstr(error, "must return a table"));
	give("entries.lua", "return { handle = function() end }");
	assert_int_equal(vm_load(vm, "entries", error, sizeof error), ST_OK);
}

int main(void)
{
#define ONE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ONE(modules_are_found_by_both_spellings),
		ONE(a_cyclic_require_is_an_error_with_the_chain),
		ONE(chunks_are_named_after_their_file),
		ONE(odd_module_names_are_refused),
		ONE(binary_chunks_are_refused),
		ONE(globals_are_strict_and_locked),
		ONE(dangerous_functions_are_absent),
		ONE(memory_is_capped),
		ONE(a_state_that_finds_no_memory_is_not_made),
		ONE(entries_must_be_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
