/* store_test.c: batches, expectations, group commit, full and broken disks, damage, and kill -9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "loop/loop.h"
#include "store/store.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], path[96], other[128];
static char error[400];
static unsigned waiting;
static struct store_request *opening; /* of begin_group */

static void landed(struct op *op)
{
	(void)op;
	if (--waiting == 0)
		loop_stop();
}

static void free_request(struct op *op)
{
	store_request_free(container_of(op, struct store_request, job.op));
}

static struct store_request *batch(const char *sql)
{
	struct store_request *r = store_request_new(STORE_BATCH);

	assert_non_null(r);
	store_add(r, slice_str(sql));
	return r;
}

static void submit(struct store_request *r)
{
	static int owner;

	r->job.op.owner = (struct task *)(void *)&owner;
	r->job.op.free = free_request;
	assert_int_equal(store_submit(r), ST_OK);
	waiting++;
}

static enum st finish(struct store_request *r)
{
	enum st st;

	submit(r);
	loop_run();
	st = r->st;
	store_request_free(r);
	return st;
}

static enum st run(const char *sql)
{
	return finish(batch(sql));
}

static int64_t number(const char *sql)
{
	struct store_request *r = batch(sql);
	const struct store_result *result;
	int64_t v;

	submit(r);
	loop_run();
	assert_int_equal(r->st, ST_OK);
	result = store_result(r, 0);
	assert_int_equal(result->rows, 1);
	v = store_cell(r, result, 0, 0)->integer;
	store_request_free(r);
	return v;
}

static void start(void)
{
	assert_int_equal(loop_open(), ST_OK);
	op_set_resume(landed);
	if (store_open(path, error, sizeof(error)))
		fail_msg("%s", error);
}

static void stop(void)
{
	store_close();
	loop_close();
}

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/tidelock-store-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/t.db", folder);
	waiting = 0;
	start();
	assert_int_equal(run("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)"), ST_OK);
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {"t.db", "t.db-wal", "t.db-shm", "reserve"};

	(void)state;
	for (int i = 0; i < FAULT_MAX; i++)
		fault_arm((enum fault)i, 0, false);
	stop();
	store_request_free(opening);
	opening = NULL;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(other, sizeof(other), "%s/%s", folder, names[i]);
		unlink(other);
	}
	return rmdir(folder);
}

static void values_come_back_as_they_went(void **state)
{
	struct store_request *r = batch(
		"SELECT $3 AS c, $1 AS a, $2 AS b, $1 AS again, NULL AS empty");
	const struct store_result *result;

	(void)state;
	store_add_integer(r, INT64_MIN);
	store_add_real(r, 0.5);
	store_add_text(r, slice_of("a\0b", 3));
	submit(r);
	loop_run();
	assert_int_equal(r->st, ST_OK);
	result = store_result(r, 0);
	assert_int_equal(result->columns, 5);
	assert_true(slice_eq(store_column(r, result, 4), SLICE_LIT("empty")));
	assert_true(slice_eq(store_cell_text(r, store_cell(r, result, 0, 0)), slice_of("a\0b", 3)));
	assert_true(store_cell(r, result, 0, 1)->integer == INT64_MIN);
	assert_true(store_cell(r, result, 0, 2)->real == 0.5);
	assert_true(store_cell(r, result, 0, 3)->integer == INT64_MIN);
	assert_int_equal(store_cell(r, result, 0, 4)->type, STORE_NULL);
	store_request_free(r);
}

static void a_mistake_of_ours_has_a_message(void **state)
{
	static const char *const wrong[] = {
		"SELEKT 1",
		"SELECT 1; SELECT 2",
		"",
		"SELECT $1",
		"SELECT ?",
		"SELECT :name",
		"BEGIN",
		"COMMIT",
		"PRAGMA synchronous = OFF",
		"ATTACH 'x' AS y",
		"SELECT * FROM nowhere",
		"WITH n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n LIMIT 200000) SELECT * FROM n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct store_request *r = batch(wrong[i]);

		submit(r);
		loop_run();
		assert_int_equal(r->st, ST_BAD);
		assert_true(strlen(r->message) > 5);
		store_request_free(r);
	}
	assert_int_equal(number("SELECT 7"), 7);
}

static void an_expectation_that_fails_undoes_the_batch(void **state)
{
	struct store_request *r = batch("INSERT INTO t VALUES (1, 'a')");

	(void)state;
	store_add(r, SLICE_LIT("UPDATE t SET v = 'b' WHERE id = 2 RETURNING id"));
	store_expect(r, 1, -1);
	store_add(r, SLICE_LIT("INSERT INTO t VALUES (3, 'a')"));
	submit(r);
	loop_run();
	assert_int_equal(r->st, ST_CONFLICT);
	assert_int_equal(r->failed_at, 1);
	assert_int_equal(store_result_count(r), 0);
	store_request_free(r);
	assert_int_equal(number("SELECT count(*) FROM t"), 0);

	r = batch("INSERT INTO t VALUES (1, 'a')");
	store_expect(r, -1, 1);
	assert_int_equal(finish(r), ST_OK);
	r = batch("UPDATE t SET v = 'b' WHERE id >= 1");
	store_expect(r, -1, 2);
	assert_int_equal(finish(r), ST_CONFLICT);
	assert_int_equal(run("INSERT INTO t VALUES (1, 'again')"), ST_CONFLICT);
}

/* Fills the queue while the thread sleeps in a slow flush, so that what follows is one group. */
static void begin_group(void)
{
	int64_t before = count_get(COUNT_FSYNCS);

	fault_arm(FAULT_FLUSH_DELAY_MS, 60, false);
	opening = batch("INSERT INTO t VALUES (1000, 'first')");
	submit(opening);
	while (count_get(COUNT_FSYNCS) == before)
		usleep(100);
}

static void one_flush_carries_many_batches(void **state)
{
	struct store_request *r[50];
	int64_t flushes, commits;

	(void)state;
	begin_group();
	flushes = count_get(COUNT_FSYNCS);
	commits = count_get(COUNT_COMMITS);
	for (int i = 0; i < 50; i++) {
		/* Every tenth fails, and takes nobody with it. */
		r[i] = batch("INSERT INTO t VALUES ($1, 'group') RETURNING id");
		store_add_integer(r[i], i % 10 == 9 ? 0 : i);
		submit(r[i]);
	}
	loop_run();
	assert_in_range(count_get(COUNT_FSYNCS) - flushes, 1, 2);
	assert_in_range(count_get(COUNT_COMMITS) - commits, 1, 2);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(r[i]->st, i % 10 == 9 ? ST_CONFLICT : ST_OK);
		if (!r[i]->st)
			assert_int_equal(store_cell(r[i], store_result(r[i], 0), 0, 0)->integer, i);
		store_request_free(r[i]);
	}
	assert_int_equal(number("SELECT count(*) FROM t WHERE v = 'group'"), 45);
}

static void a_failed_commit_fails_the_whole_group(void **state)
{
	struct store_request *a = batch("INSERT INTO t VALUES (1, 'a')"),
			     *b = batch("INSERT INTO t VALUES (1, 'b')");
	struct store_request *c = batch("SELECT count(*) FROM t WHERE id = 1");

	(void)state;
	begin_group();
	fault_arm(FAULT_DISK_FULL, 1, true);
	submit(a);
	submit(b);
	submit(c);
	loop_run();
	assert_int_equal(a->st, ST_FULL);
	/* It lost against a, which is not stored: "conflict" would be a lie. */
	assert_int_equal(b->st, ST_FULL);
	assert_int_equal(store_cell(c, store_result(c, 0), 0, 0)->integer, 0);
	store_request_free(a);
	store_request_free(b);
	store_request_free(c);
	fault_arm(FAULT_DISK_FULL, 0, false);
	assert_int_equal(number("SELECT count(*) FROM t WHERE id = 1"), 0);
	assert_int_equal(run("INSERT INTO t VALUES (1, 'later')"), ST_OK);
}

static void references_checked_at_commit_fail_one_batch_only(void **state)
{
	struct store_request *a = batch("INSERT INTO child VALUES (1, 99)");
	struct store_request *b = batch("INSERT INTO child VALUES (2, 1000)");

	(void)state;
	assert_int_equal(run("CREATE TABLE child (id INTEGER PRIMARY KEY, t INTEGER REFERENCES "
			     "t(id) DEFERRABLE INITIALLY DEFERRED)"),
		ST_OK);
	begin_group();
	submit(a);
	submit(b);
	loop_run();
	assert_int_equal(a->st, ST_CONFLICT);
	assert_int_equal(b->st, ST_OK);
	store_request_free(a);
	store_request_free(b);
}

static void on_a_full_disk_the_urgent_is_stored(void **state)
{
	struct store_request *plain = batch("INSERT INTO t VALUES (1, 'a')"),
			     *urgent = batch("INSERT INTO t VALUES (2, 'b')");

	(void)state;
	snprintf(other, sizeof(other), "%s/reserve", folder);
	assert_int_equal(access(other, F_OK), 0);
	begin_group();
	fault_arm(FAULT_DISK_FULL, 1, true);
	urgent->urgent = true;
	submit(plain);
	submit(urgent);
	loop_run();
	assert_int_equal(plain->st, ST_FULL);
	assert_int_equal(urgent->st, ST_OK);
	store_request_free(plain);
	store_request_free(urgent);
	assert_int_not_equal(access(other, F_OK), 0);
	fault_arm(FAULT_DISK_FULL, 0, false);
	assert_int_equal(number("SELECT sum(id) FROM t WHERE id < 1000"), 2);
	stop();
	start();
	assert_int_equal(access(other, F_OK), 0);
}

static void any_write_may_fail(void **state)
{
	int64_t stored = 0;
	bool reached = true;

	(void)state;
	for (int n = 1; reached; n++) {
		struct store_request *r = batch("INSERT INTO t (v) VALUES (hex(zeroblob(9000)))");
		enum st st;

		fault_arm(FAULT_DISK_WRITE, n, false);
		st = finish(r);
		reached = fault_hit(FAULT_DISK_WRITE) == false && st != ST_OK;
		fault_arm(FAULT_DISK_WRITE, 0, false);
		assert_true(st == ST_OK || st == ST_IO);
		stored += st == ST_OK;
		assert_int_equal(number("SELECT count(*) FROM t"), stored);
	}
	assert_int_equal(stored, 1);
}

static struct store_request *migration(int upto)
{
	static const char *const scripts[] = {
		"CREATE TABLE a (x INTEGER); CREATE TABLE b (y INTEGER);",
		"ALTER TABLE a ADD COLUMN z TEXT; INSERT INTO a VALUES (1, 'z');",
		"INSERT INTO a VALUES (2, 'y'); INSERT INTO nowhere VALUES (1);",
	};
	struct store_request *r = store_request_new(STORE_MIGRATE);

	for (int i = 0; i < upto; i++) {
		store_add(r, slice_str(scripts[i]));
		store_add_integer(r, i + 1);
		store_add_text(r, SLICE_LIT("step"));
	}
	return r;
}

static void migrations_run_once_and_whole(void **state)
{
	struct store_request *r = migration(1);

	(void)state;
	submit(r);
	loop_run();
	assert_int_equal(r->st, ST_OK);
	assert_int_equal(r->version, 1);
	store_request_free(r);
	assert_int_equal(finish(migration(2)), ST_OK);
	assert_int_equal(finish(migration(2)), ST_OK);
	assert_int_equal(number("SELECT count(*) FROM a"), 1);
	r = migration(3);
	submit(r);
	loop_run();
	assert_int_equal(r->st, ST_BAD);
	assert_int_equal(r->version, 2);
	store_request_free(r);
	assert_int_equal(number("SELECT count(*) FROM a"), 1);
	r = migration(1);
	submit(r);
	loop_run();
	assert_int_equal(r->st, ST_REFUSED);
	assert_non_null(strstr(r->message, "newer"));
	store_request_free(r);
}

static void the_file_is_ours_alone(void **state)
{
	struct stat info;

	(void)state;
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	snprintf(other, sizeof(other), "%s-wal", path);
	assert_int_equal(stat(other, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
}

static void damage(off_t from, size_t n)
{
	char junk[256];
	int fd = open(path, O_WRONLY);

	memset(junk, 0xa5, sizeof(junk));
	assert_true(fd >= 0);
	for (size_t done = 0; done < n; done += sizeof(junk))
		assert_int_equal(pwrite(fd, junk, sizeof(junk), from + (off_t)done), sizeof(junk));
	close(fd);
}

static void a_damaged_file_is_refused_and_kept(void **state)
{
	struct stat before, after;

	(void)state;
	assert_int_equal(run("INSERT INTO t (v) VALUES ('x')"), ST_OK);
	stop();
	damage(0, 1024);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(loop_open(), ST_OK);
	assert_int_equal(store_open(path, error, sizeof(error)), ST_CORRUPT);
	assert_non_null(strstr(error, "put a good copy of it in its place"));
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	loop_close();
	unlink(path);
	start();
}

static void a_foreign_database_is_refused(void **state)
{
	int fd;
	static const unsigned char id[4] = {1, 2, 3, 4};

	(void)state;
	stop();
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, id, 4, 68), 4); /* application_id in the header */
	close(fd);
	assert_int_equal(loop_open(), ST_OK);
	assert_int_equal(store_open(path, error, sizeof(error)), ST_REFUSED);
	loop_close();
	unlink(path);
	start();
}

/* Writes one row after the other and says so after each, until it is killed. */
static void write_until_killed(int out)
{
	if (loop_open() || store_open(path, error, sizeof(error)))
		_exit(1);
	op_set_resume(landed);
	waiting = 0;
	for (int64_t i = number("SELECT coalesce(max(id), 0) FROM t") + 1;; i++) {
		struct store_request *r = batch("INSERT INTO t VALUES ($1, hex(zeroblob(500)))");

		store_add_integer(r, i);
		if (finish(r) || write(out, &i, sizeof(i)) != sizeof(i))
			_exit(2);
	}
}

static int64_t last_acknowledged(int in)
{
	int64_t i, last = 0;

	while (read(in, &i, sizeof(i)) == sizeof(i))
		last = i;
	return last;
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
	int64_t last = 0;

	(void)state;
	stop();
	for (int round = 0; round < 8; round++) {
		int pipes[2], status;
		int64_t seen;
		pid_t child;

		assert_int_equal(pipe(pipes), 0);
		fcntl(pipes[1], F_SETPIPE_SZ, 1 << 20);
		child = fork();
		if (child == 0)
			write_until_killed(pipes[1]);
		close(pipes[1]);
		usleep(40000 + (unsigned)rand() % 60000);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		assert_true(WIFSIGNALED(status));
		seen = last_acknowledged(pipes[0]);
		close(pipes[0]);
		if (seen)
			last = seen;
		start();
		assert_true(number("SELECT count(*) FROM t") >= last);
		assert_int_equal(number("SELECT max(id) - count(*) FROM t"), 0);
		stop();
	}
	assert_true(last > 0);
	start();
}

static void show_speed(void **state)
{
	enum { N = 3000 };
	struct store_request *r[200];
	int64_t begun;

	(void)state;
	assert_int_equal(run("INSERT INTO t VALUES (1, 'x')"), ST_OK);
	begun = clock_work_us();
	for (int i = 0; i < N; i++)
		(void)number("SELECT id FROM t WHERE id = 1");
	print_message("          one read, there and back: %.1f us\n",
		(double)(clock_work_us() - begun) / N);
	begun = clock_work_us();
	for (int i = 0; i < 200; i++)
		submit(r[i] = batch("UPDATE t SET v = 'y' WHERE id = 1"));
	loop_run();
	print_message("          one write of 200 at once: %.1f us\n",
		(double)(clock_work_us() - begun) / 200);
	for (int i = 0; i < 200; i++)
		store_request_free(r[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(values_come_back_as_they_went, setup, teardown),
		cmocka_unit_test_setup_teardown(a_mistake_of_ours_has_a_message, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_expectation_that_fails_undoes_the_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(one_flush_carries_many_batches, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failed_commit_fails_the_whole_group, setup, teardown),
		cmocka_unit_test_setup_teardown(
			references_checked_at_commit_fail_one_batch_only, setup, teardown),
		cmocka_unit_test_setup_teardown(on_a_full_disk_the_urgent_is_stored, setup, teardown),
		cmocka_unit_test_setup_teardown(any_write_may_fail, setup, teardown),
		cmocka_unit_test_setup_teardown(migrations_run_once_and_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(the_file_is_ours_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_file_is_refused_and_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(a_foreign_database_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_acknowledged_survives_kill_9, setup, teardown),
		cmocka_unit_test_setup_teardown(show_speed, setup, teardown),
	};

	log_set_level(LOG_ERROR + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
