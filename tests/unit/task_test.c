/* task_test.c: tasks and the Lua table `task`: results, failures, cancellation, deadlines, late landings, caps, failing
 * memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fault.h"
#include "bind/bind.h"
#include "loop/loop.h"
#include "loop/op.h"
#include "script/guard.h"
#include "script/task.h"
#include "script/vm.h"

#include <lauxlib.h>
#include <lua.h>

struct seen {
	int returned, failed, cancelled;
	long long number;
	char text[512];
};

static struct vm *vm;
static struct seen seen;

/* An op that lands when the test says so. */
struct manual {
	struct op op;
	bool cancelled;
};
static struct manual *manual;
static int manual_freed;

static int manual_push(struct op *op, lua_State *L)
{
	(void)op;
	lua_pushinteger(L, 42);
	return 1;
}

static void manual_cancel(struct op *op)
{
	container_of(op, struct manual, op)->cancelled = true;
}

static void manual_free(struct op *op)
{
	manual_freed++;
	if (manual == container_of(op, struct manual, op))
		manual = NULL;
	free(container_of(op, struct manual, op));
}

static int l_manual(lua_State *L)
{
	struct task *t = task_self(L);
	struct manual *m = calloc(1, sizeof *m);

	m->op = (struct op){.push = manual_push, .cancel = manual_cancel, .free = manual_free};
	manual = m;
	return task_wait(L, t, &m->op);
}

static int l_note(lua_State *L)
{
	snprintf(seen.text, sizeof seen.text, "%s", luaL_checkstring(L, 1));
	return 0;
}

static int l_stop(lua_State *L)
{
	(void)L;
	loop_stop();
	return 0;
}

static void open_bindings(lua_State *L, void *arg)
{
	(void)arg;
	bind_task(L);
	lua_setglobal(L, "task");
	lua_register(L, "manual", l_manual);
	lua_register(L, "note", l_note);
	lua_register(L, "stop", l_stop);
}

static int push_seven(lua_State *L, void *arg)
{
	(void)arg;
	lua_pushinteger(L, 7);
	return 1;
}

static void returned(lua_State *L, int count, void *arg)
{
	struct seen *s = arg;

	s->returned++;
	if (count > 0 && lua_isinteger(L, 1))
		s->number = lua_tointeger(L, 1);
	else if (count > 0 && lua_type(L, 1) == LUA_TSTRING)
		snprintf(s->text, sizeof s->text, "%s", lua_tostring(L, 1));
}

static void failed(const char *message, void *arg)
{
	struct seen *s = arg;

	s->failed++;
	snprintf(s->text, sizeof s->text, "%s", message);
}

static void cancelled(void *arg)
{
	((struct seen *)arg)->cancelled++;
}

static const struct task_events events = {push_seven, returned, failed, cancelled};

static struct task *start(const char *body, int64_t deadline_us)
{
	char text[2048], error[256] = "";
	struct task *t = NULL;

	memset(&seen, 0, sizeof seen);
	snprintf(text, sizeof text, "return { handle = function(n) %s end }", body);
	if (vm_load_text(vm, "@test.lua", slice_str(text), error, sizeof error) != ST_OK)
		fail_msg("%s", error);
	assert_int_equal(task_start(vm, "handle", deadline_us, &events, &seen, &t), ST_OK);
	return t;
}

/* Runs the loop until the script says stop(), or for a while. */
static void stop_timer(struct timer *t)
{
	(void)t;
	loop_stop();
}

static void run_for(int64_t us)
{
	struct timer t = {0};

	assert_int_equal(timer_start(&t, us, stop_timer), ST_OK);
	loop_run();
	timer_free(&t);
}

static int set_up(void **state)
{
	char error[256];

	(void)state;
	manual_freed = 0;
	assert_int_equal(loop_open(), ST_OK);
	vm = vm_new(NULL, VM_MEMORY_DEFAULT, open_bindings, NULL, error, sizeof error);
	if (!vm)
		fail_msg("%s", error);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	vm_free(vm);
	vm = NULL;
	if (manual) /* a cancelled one lands late, as a thread's would */
		op_land(&manual->op);
	run_for(1000);
	assert_int_equal(count_get(COUNT_TASKS), 0);
	assert_int_equal(count_get(COUNT_OPS), 0);
	loop_close();
	return 0;
}

static void a_task_that_never_waits_returns_at_once(void **state)
{
	(void)state;
	start("return n * 6", 0);
	assert_int_equal(seen.returned, 1);
	assert_int_equal(seen.number, 42);
	assert_int_equal(count_get(COUNT_TASKS), 0);
}

static void results_arrive_in_the_coroutine(void **state)
{
	(void)state;
	start("local a = manual() local ok, b = pcall(manual) return a + b + n", 0);
	assert_int_equal(seen.returned, 0);
	assert_int_equal(count_get(COUNT_OPS), 1);
	op_land(&manual->op);
	op_land(&manual->op);
	assert_int_equal(seen.returned, 1);
	assert_int_equal(seen.number, 91);
	assert_int_equal(manual_freed, 2);
}

static void a_failure_has_text_and_traceback(void **state)
{
	(void)state;
	start("manual() error('boom')", 0);
	op_land(&manual->op);
	assert_int_equal(seen.failed, 1);
	assert_non_null(strstr(seen.text, "test.lua:1: boom"));
	assert_non_null(strstr(seen.text, "stack traceback"));
	start("error(setmetatable({}, { __tostring = function() return 'a table' end }))", 0);
	assert_non_null(strstr(seen.text, "a table"));
}

static void cancelling_drops_a_late_landing(void **state)
{
	int64_t late = count_get(COUNT_LATE);
	struct task *t = start("local r <close> = setmetatable({}, {__close = function() "
			       "note('closed') end}) manual()",
		0);

	(void)state;
	task_cancel(t);
	assert_int_equal(seen.cancelled, 1);
	assert_string_equal(seen.text, "closed");
	assert_true(manual->cancelled);
	assert_int_equal(count_get(COUNT_TASKS), 0);
	op_land(&manual->op);
	assert_int_equal(count_get(COUNT_LATE), late + 1);
	assert_int_equal(seen.returned + seen.failed, 0);
}

static void waiting_while_closing_is_refused(void **state)
{
	struct task *t = start("local r <close> = setmetatable({}, {__close = function() "
			       "note(select(2, pcall(manual))) end}) manual()",
		0);

	(void)state;
	task_cancel(t);
	assert_non_null(strstr(seen.text, "called outside a task"));
}

static void a_detached_task_goes_on_without_its_events(void **state)
{
	struct task *t = start("task.detach() manual() note('went on')", 0);

	(void)state;
	task_cancel(t);
	assert_int_equal(seen.cancelled, 1);
	op_land(&manual->op);
	assert_string_equal(seen.text, "went on");
	assert_int_equal(seen.returned, 0);
}

static void waiting_where_lua_cannot_is_an_error(void **state)
{
	(void)state;
	start("table.sort({3, 2, 1}, function() manual() end)", 0);
	assert_int_equal(seen.failed, 1);
	assert_non_null(strstr(seen.text, "cannot wait here"));
	assert_non_null(manual);
	assert_true(manual->cancelled);
}

static void a_deadline_ends_a_waiting_task(void **state)
{
	(void)state;
	start("manual()", 1);
	run_for(900000);
	assert_int_equal(seen.failed, 1);
	assert_string_equal(seen.text, "deadline passed");
	assert_true(manual->cancelled);
}

static void too_many_tasks_are_refused(void **state)
{
	char error[200];
	int started = 0;

	(void)state;
	start("task.sleep(5)", 0);
	while (task_start(vm, "handle", 0, &events, &seen, NULL) == ST_OK)
		started++;
	assert_int_equal(started, TASKS_MAX - 1);
	task_cancel_all(vm);
	assert_int_equal(seen.cancelled, TASKS_MAX);
	(void)error;
}

static void sleep_waits(void **state)
{
	(void)state;
	start("task.sleep(0.01) stop() return 1", 0);
	assert_int_equal(seen.returned, 0);
	run_for(2000000);
	assert_int_equal(seen.returned, 1);
}

static void all_gives_first_results_in_order(void **state)
{
	(void)state;
	start("local a, b, c = task.all{ function() task.sleep(0.02) return 1 end, function() "
	      "return 2 end, "
	      "function() task.sleep(0.01) return nil end } stop() return a * 10 + b + (c == nil "
	      "and 100 or 0)",
		0);
	run_for(2000000);
	assert_int_equal(seen.number, 112);
}

static void all_throws_what_one_threw_and_stops_the_others(void **state)
{
	(void)state;
	start("local ok, e = pcall(task.all, { function() task.sleep(3) note('no') end, "
	      "function() task.sleep(0.01) error({ code = 'x' }) end }) stop() return e.code",
		0);
	run_for(2000000);
	assert_int_equal(seen.returned, 1);
	assert_string_equal(seen.text, "x");
	assert_int_equal(count_get(COUNT_TASKS), 0);
}

static void cancelling_the_parent_stops_all(void **state)
{
	struct task *t = start(
		"task.all{ function() task.sleep(1) note('no') end, function() manual() end }", 0);

	(void)state;
	run_for(10000);
	task_cancel(t);
	assert_int_equal(count_get(COUNT_TASKS), 0);
	assert_string_equal(seen.text, "");
}

static void closing_the_state_stops_parents_and_children(void **state)
{
	(void)state;
	start("task.all{ function() task.sleep(1) end, function() task.detach() manual() end }", 0);
	run_for(10000);
	task_cancel_all(vm);
	assert_int_equal(count_get(COUNT_TASKS), 0);
}

static void spawned_tasks_run_after_the_spawner_waits(void **state)
{
	(void)state;
	start("task.spawn(function(a, b) note(a .. b) stop() end, 'x', 'y') note('first') return 1", 0);
	assert_string_equal(seen.text, "first");
	run_for(1000000);
	assert_string_equal(seen.text, "xy");
}

static void a_retired_state_closes_with_its_last_task(void **state)
{
	(void)state;
	start("task.sleep(0.05) note('ended') stop()", 0);
	vm_retire(vm, 5000000);
	assert_int_equal(task_start(vm, "handle", 0, &events, &seen, NULL), ST_BUSY);
	run_for(2000000);
	assert_string_equal(seen.text, "ended");
	run_for(1000); /* freed at the end of a turn: the leak checker says whether */
	vm = NULL;
}

static void what_a_task_of_a_retired_state_begins_ends_too(void **state)
{
	(void)state;
	start("task.sleep(0.05) task.spawn(function() task.sleep(0.01) note('written') stop() end) "
	      "return 1",
		0);
	vm_retire(vm, 5000000);
	run_for(2000000);
	assert_string_equal(seen.text, "written");
	run_for(1000);
	vm = NULL;
}

static void failing_memory_is_a_failed_task(void **state)
{
	(void)state;
#ifdef TIDELOCK_DEBUG
	int i;

	for (i = 1; i < 500; i++) {
		struct task *t;

		start("local t = {} for i = 1, 20 do t[i] = ('x'):rep(i) .. n end manual() "
		      "return #table.concat(t)",
			0);
		if (manual)
			op_land(&manual->op);
		memset(&seen, 0, sizeof seen);
		fault_arm(FAULT_ALLOC, i, true);
		if (task_start(vm, "handle", 0, &events, &seen, &t) == ST_OK && manual)
			op_land(&manual->op);
		fault_arm(FAULT_ALLOC, 0, false);
		if (seen.returned)
			break;
		assert_int_equal(count_get(COUNT_TASKS), 0);
	}
	assert_in_range(i, 8, 499);
#endif
}

static void a_runaway_fails_with_a_traceback_and_the_next_task_runs(void **state)
{
	(void)state;
	assert_int_equal(guard_open(), ST_OK);
	start("local function forever() while true do n = 1 end end forever()", 0);
	assert_int_equal(seen.failed, 1);
	assert_non_null(strstr(seen.text, "interrupted"));
	assert_non_null(strstr(seen.text, "forever"));
	memset(&seen, 0, sizeof seen);
	start("local caught = pcall(function() while true do end end) return caught and 1 or 2", 0);
	assert_int_equal(seen.number, 2);
	start("for i = 1, 1e6 do end return 3", 0); /* the coroutine is used again without the hook */
	assert_int_equal(seen.number, 3);
}

int main(void)
{
#define ONE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ONE(a_task_that_never_waits_returns_at_once),
		ONE(results_arrive_in_the_coroutine),
		ONE(a_failure_has_text_and_traceback),
		ONE(cancelling_drops_a_late_landing),
		ONE(waiting_while_closing_is_refused),
		ONE(a_detached_task_goes_on_without_its_events),
		ONE(waiting_where_lua_cannot_is_an_error),
		ONE(a_deadline_ends_a_waiting_task),
		ONE(too_many_tasks_are_refused),
		ONE(sleep_waits),
		ONE(all_gives_first_results_in_order),
		ONE(all_throws_what_one_threw_and_stops_the_others),
		ONE(cancelling_the_parent_stops_all),
		ONE(closing_the_state_stops_parents_and_children),
		ONE(spawned_tasks_run_after_the_spawner_waits),
		ONE(a_retired_state_closes_with_its_last_task),
		ONE(what_a_task_of_a_retired_state_begins_ends_too),
		ONE(failing_memory_is_a_failed_task),
		ONE(a_runaway_fails_with_a_traceback_and_the_next_task_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
