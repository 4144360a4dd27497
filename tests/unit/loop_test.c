/* loop_test.c: deferred work, timers, descriptors, signals, and how operations end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <unistd.h>

#include "base/fault.h"
#include "loop/loop.h"
#include "loop/op.h"

static char trace[64];

static void note(char c)
{
	size_t n = strlen(trace);

	assert_true(n + 1 < sizeof trace);
	trace[n] = c;
	trace[n + 1] = '\0';
}

static int set_up(void **state)
{
	(void)state;
	trace[0] = '\0';
	return loop_open() == ST_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	loop_close();
	return 0;
}

static struct deferred one, two, later;

static void run_later(struct deferred *d)
{
	(void)d;
	note('l');
	loop_stop();
}

static void run_one(struct deferred *d)
{
	(void)d;
	note('1');
	loop_defer(&later, run_later);
}

static void run_two(struct deferred *d)
{
	(void)d;
	note('2');
}

static void deferred_work_runs_in_order_and_its_own_in_the_next_turn(void **state)
{
	(void)state;
	loop_defer(&one, run_one);
	loop_defer(&two, run_two);
	loop_run();
	assert_string_equal(trace, "12l");
}

static void run_stop(struct deferred *d)
{
	(void)d;
	note('d');
	loop_stop();
}

static void fired_a(struct timer *t)
{
	(void)t;
	note('a');
	loop_defer(&one, run_stop);
	note('e');
}

static void fired_b(struct timer *t)
{
	(void)t;
	note('b');
}

static void timers_fire_in_order_and_stopped_ones_do_not(void **state)
{
	struct timer a = {0}, b = {0}, c = {0};

	(void)state;
	assert_int_equal(timer_start(&a, 20000, fired_a), ST_OK);
	assert_int_equal(timer_start(&b, 1000, fired_b), ST_OK);
	assert_int_equal(timer_start(&c, 2000, fired_b), ST_OK);
	timer_stop(&c);
	loop_run();
	assert_string_equal(trace, "baed");
	timer_free(&a);
	timer_free(&b);
	timer_free(&c);
	timer_free(&c);
}

static void fired_stop(struct timer *t)
{
	(void)t;
	loop_stop();
}

static void a_started_timer_can_be_started_anew(void **state)
{
	struct timer a = {0}, stop = {0};

	(void)state;
	assert_int_equal(timer_start(&a, 1000, fired_b), ST_OK);
	assert_int_equal(timer_start(&a, 5000, fired_b), ST_OK);
	assert_int_equal(timer_start(&stop, 30000, fired_stop), ST_OK);
	loop_run();
	assert_string_equal(trace, "b");
	timer_free(&a);
	timer_free(&stop);
}

static void ready(struct watch *w, int what)
{
	char c;

	if (what & WATCH_WRITE) {
		note('w');
		assert_int_equal(watch_want(w, WATCH_READ), ST_OK);
		return;
	}
	assert_int_equal(read(w->fd, &c, 1), 1);
	note(c);
	if (c == 'y')
		loop_stop();
}

static void a_watch_tells_while_there_is_something(void **state)
{
	struct watch w = {0};
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(watch_open(&w, ends[0], ready), ST_OK);
	assert_int_equal(watch_want(&w, WATCH_READ), ST_OK);
	assert_int_equal(write(ends[1], "xy", 2), 2);
	loop_run();
	assert_string_equal(trace, "xy");
	watch_close(&w);
	watch_close(&w);
	close(ends[0]);
	close(ends[1]);
}

static void on_signal(int signo)
{
	assert_int_equal(signo, SIGUSR1);
	note('s');
	loop_stop();
}

static void signals_arrive_on_the_loop(void **state)
{
	(void)state;
	assert_int_equal(loop_on_signal(SIGUSR1, on_signal), ST_OK);
	raise(SIGUSR1);
	assert_string_equal(trace, "");
	loop_run();
	assert_string_equal(trace, "s");
}

static void free_op(struct op *op)
{
	(void)op;
	note('f');
}

static void resume(struct op *op)
{
	note('r');
	op->free(op);
}

static void an_operation_without_owner_only_frees(void **state)
{
	struct op op = {.free = free_op};
	int64_t late = count_get(COUNT_LATE);
	int somebody;

	(void)state;
	op_set_resume(resume);
	op_land(&op);
	assert_string_equal(trace, "f");
	assert_int_equal(count_get(COUNT_LATE), late + 1);
	op.owner = (struct task *)(void *)&somebody;
	op_land(&op);
	assert_string_equal(trace, "frf");
	assert_int_equal(count_get(COUNT_LATE), late + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			deferred_work_runs_in_order_and_its_own_in_the_next_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			timers_fire_in_order_and_stopped_ones_do_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_started_timer_can_be_started_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_watch_tells_while_there_is_something, set_up, tear_down),
		cmocka_unit_test_setup_teardown(signals_arrive_on_the_loop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			an_operation_without_owner_only_frees, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
