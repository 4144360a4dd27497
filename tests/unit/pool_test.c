/* pool_test.c: jobs on threads: they land on the loop, are bounded, and may lose their owner at any time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "loop/loop.h"
#include "loop/pool.h"

struct sum {
	struct job job;
	int in, out;
	pthread_t thread;
	bool signals_blocked;
};

static int owner; /* stands for a task */
static int landed, freed, wanted;
static atomic_int begun;
static atomic_bool gate_shut;
static struct sum *last;

static void work(struct job *job)
{
	struct sum *s = container_of(job, struct sum, job);
	sigset_t mask;

	atomic_fetch_add(&begun, 1);
	while (atomic_load(&gate_shut))
		usleep(1000);
	s->out = s->in * 2;
	s->thread = pthread_self();
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	s->signals_blocked = sigismember(&mask, SIGTERM) == 1;
}

static void free_sum(struct op *op)
{
	freed++;
	free(container_of(op, struct sum, job.op));
	if (freed == wanted)
		loop_stop();
}

static void resume(struct op *op)
{
	struct sum *s = container_of(op, struct sum, job.op);

	assert_int_equal(s->out, s->in * 2);
	assert_false(pthread_equal(s->thread, pthread_self()));
	assert_true(s->signals_blocked);
	landed++;
	op->free(op);
}

static enum st submit(int in)
{
	struct sum *s = calloc(1, sizeof *s);
	enum st st;

	s->in = in;
	s->job.work = work;
	s->job.op.free = free_sum;
	s->job.op.owner = (struct task *)(void *)&owner;
	st = pool_submit(&s->job);
	if (st != ST_OK)
		free(s);
	else
		last = s;
	return st;
}

static void cancel(struct sum *s)
{
	s->job.op.owner = NULL;
	s->job.op.cancel(&s->job.op);
}

static int set_up(void **state)
{
	(void)state;
	landed = freed = wanted = 0;
	atomic_store(&begun, 0);
	atomic_store(&gate_shut, false);
	op_set_resume(resume);
	return loop_open() == ST_OK && pool_open(LANE_WORK, 2, 4) == ST_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	pool_close();
	loop_close();
	return count_get(COUNT_JOBS) == 0 ? 0 : -1;
}

static void wait_until_begun(int n)
{
	while (atomic_load(&begun) < n)
		usleep(1000);
}

static void jobs_land_on_the_loop(void **state)
{
	int i;

	(void)state;
	wanted = 3;
	for (i = 0; i < wanted; i++)
		assert_int_equal(submit(i), ST_OK);
	loop_run();
	assert_int_equal(landed, 3);
}

static void many_rounds_lose_nothing(void **state)
{
	int round;

	(void)state;
	for (round = 0; round < 300; round++) {
		int i, n = 1 + round % 4;

		wanted = freed + n;
		for (i = 0; i < n; i++)
			assert_int_equal(submit(i), ST_OK);
		loop_run();
	}
	assert_int_equal(landed, freed);
}

static void a_full_queue_says_busy(void **state)
{
	int i;

	(void)state;
	atomic_store(&gate_shut, true);
	wanted = 6;
	for (i = 0; i < 2; i++)
		assert_int_equal(submit(i), ST_OK);
	wait_until_begun(2);
	for (i = 0; i < 4; i++)
		assert_int_equal(submit(i), ST_OK);
	assert_int_equal(submit(9), ST_BUSY);
	atomic_store(&gate_shut, false);
	loop_run();
	assert_int_equal(landed, 6);
}

static void a_running_job_without_owner_lands_late(void **state)
{
	int64_t late = count_get(COUNT_LATE);

	(void)state;
	atomic_store(&gate_shut, true);
	wanted = 1;
	assert_int_equal(submit(1), ST_OK);
	wait_until_begun(1);
	cancel(last);
	assert_int_equal(freed, 0);
	atomic_store(&gate_shut, false);
	loop_run();
	assert_int_equal(landed, 0);
	assert_int_equal(count_get(COUNT_LATE), late + 1);
}

static void a_waiting_job_without_owner_is_never_begun(void **state)
{
	struct sum *middle;

	(void)state;
	atomic_store(&gate_shut, true);
	wanted = 5;
	assert_int_equal(submit(1), ST_OK);
	assert_int_equal(submit(2), ST_OK);
	wait_until_begun(2);
	assert_int_equal(submit(3), ST_OK);
	assert_int_equal(submit(4), ST_OK);
	middle = last;
	assert_int_equal(submit(5), ST_OK);
	cancel(middle);
	assert_int_equal(freed, 1);
	cancel(last);
	assert_int_equal(freed, 2);
	atomic_store(&gate_shut, false);
	loop_run();
	assert_int_equal(landed, 3);
	assert_int_equal(atomic_load(&begun), 3);
}

static void closing_waits_for_what_runs_and_drops_the_rest(void **state)
{
	int i;

	(void)state;
	atomic_store(&gate_shut, true);
	for (i = 0; i < 2; i++) {
		assert_int_equal(submit(i), ST_OK);
		last->job.op.owner = NULL;
	}
	wait_until_begun(2);
	for (i = 0; i < 3; i++) {
		assert_int_equal(submit(i), ST_OK);
		last->job.op.owner = NULL;
	}
	atomic_store(&gate_shut, false);
	pool_close();
	assert_int_equal(freed, 5);
	assert_int_equal(landed, 0);
}

static struct landing landing;

static void *post_from_thread(void *arg)
{
	landing_post(&landing, arg);
	return NULL;
}

static void other_threads_hand_over_through_a_landing(void **state)
{
	struct sum *s = calloc(1, sizeof *s);
	pthread_t thread;

	(void)state;
	wanted = 1;
	s->job.op.free = free_sum;
	assert_int_equal(landing_open(&landing), ST_OK);
	assert_int_equal(pthread_create(&thread, NULL, post_from_thread, &s->job), 0);
	loop_run();
	pthread_join(thread, NULL);
	assert_int_equal(freed, 1);
	landing_close(&landing);
	landing_close(&landing);
}

/* ---- lanes ---- */

static atomic_int names_done;

static void look_up_slowly(struct job *job)
{
	usleep((useconds_t)container_of(job, struct sum, job)->in * 1000);
	atomic_fetch_add(&names_done, 1);
}

static void free_quietly(struct op *op)
{
	free(container_of(op, struct sum, job.op));
}

static enum st submit_name(int milliseconds)
{
	struct sum *s = calloc(1, sizeof *s);
	enum st st;

	s->in = milliseconds;
	s->job = (struct job){.op = {.free = free_quietly}, .work = look_up_slowly, .lane = LANE_NAMES};
	st = pool_submit(&s->job);
	if (st != ST_OK)
		free(s);
	return st;
}

static void lanes_do_not_wait_for_each_other(void **state)
{
	(void)state;
	assert_int_equal(pool_open(LANE_NAMES, 1, 2), ST_OK);
	atomic_store(&names_done, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(submit_name(300), ST_OK);
		usleep(20000); /* the first has begun */
	}
	assert_int_equal(submit_name(300), ST_BUSY);
	wanted = 3;
	for (int i = 0; i < 3; i++)
		assert_int_equal(submit(i), ST_OK);
	loop_run();
	assert_int_equal(landed, 3);
	assert_int_equal(atomic_load(&names_done), 0);
}

static void a_look_up_that_hangs_does_not_hold_the_end(void **state)
{
	struct timespec a, b;

	(void)state;
	assert_int_equal(pool_open(LANE_NAMES, 1, 2), ST_OK);
	atomic_store(&names_done, 0);
	assert_int_equal(submit_name(2500), ST_OK);
	usleep(20000);
	clock_gettime(CLOCK_MONOTONIC, &a);
	pool_close();
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true(b.tv_sec - a.tv_sec <= 2);
	assert_int_equal(atomic_load(&names_done), 0);
	assert_int_equal(count_get(COUNT_JOBS), 0);
	/* It comes home to another opening, which does not take it for its own. */
	assert_int_equal(pool_open(LANE_NAMES, 1, 2), ST_OK);
	while (atomic_load(&names_done) == 0)
		usleep(10000);
	usleep(20000);
	assert_int_equal(submit_name(0), ST_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(jobs_land_on_the_loop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_rounds_lose_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_queue_says_busy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_running_job_without_owner_lands_late, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_waiting_job_without_owner_is_never_begun, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			closing_waits_for_what_runs_and_drops_the_rest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			other_threads_hand_over_through_a_landing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lanes_do_not_wait_for_each_other, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_look_up_that_hangs_does_not_hold_the_end, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
