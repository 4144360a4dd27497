/* jail_test.c: what a sealed process cannot do, tried from inside; that the pool survives every way a jail can end; that
 * nothing of a call is left in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "script/arena.h"
#include "script/confine.h"
#include "script/jail.h"
#include "script/jailer.h"
#include "sys/assets.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- From inside --------------------------------------------------------------------------------------------------------- */

static void try_open(void)
{
	open("/etc/passwd", O_RDONLY);
}

static void try_socket(void)
{
	socket(AF_INET, SOCK_STREAM, 0);
}

static void try_execve(void)
{
	char *const argv[] = {"true", NULL};

	execve("/bin/true", argv, argv + 1);
}

static void try_fork(void)
{
	syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void try_kill(void)
{
	syscall(SYS_kill, 1, 0);
}

static void try_ptrace(void)
{
	syscall(SYS_ptrace, 0, 0, 0, 0);
}

static void try_prctl(void)
{
	syscall(SYS_prctl, 4, 1, 0, 0, 0);
}

static void try_mmap_exec(void)
{
	syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void try_mprotect_exec(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	syscall(SYS_mprotect, p, 4096, PROT_READ | PROT_EXEC);
}

static void try_other_descriptor(void)
{
	char c;

	syscall(SYS_read, 9, &c, 1);
}

#ifdef __x86_64__
static void try_int80(void)
{
	long r;

	/* 5 is open in the 32-bit table, fstat in ours. */
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L), "b"(0), "c"(0), "d"(0) : "memory");
	(void)r;
}

static void try_x32(void)
{
	syscall(0x40000000 | SYS_getpid);
}
#endif

/* Seals a child and lets it try. What it was ended by, 0 = it got away with it. */
static int ended_by(void (*attempt)(void))
{
	pid_t pid = fork();
	int status, fd;

	assert_true(pid >= 0);
	if (pid == 0) {
		fd = open("/dev/null", O_RDWR);
		if (dup2(fd, 3) != 3 || confine_process(3) != ST_OK || confine_seal(3) != ST_OK)
			_exit(7);
		if (attempt)
			attempt();
		syscall(SYS_exit_group, 0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void every_way_out_ends_the_process(void **state)
{
	(void)state;
	assert_int_equal(ended_by(NULL), 0);
	assert_int_equal(ended_by(try_open), SIGSYS);
	assert_int_equal(ended_by(try_socket), SIGSYS);
	assert_int_equal(ended_by(try_execve), SIGSYS);
	assert_int_equal(ended_by(try_fork), SIGSYS);
	assert_int_equal(ended_by(try_kill), SIGSYS);
	assert_int_equal(ended_by(try_ptrace), SIGSYS);
	assert_int_equal(ended_by(try_prctl), SIGSYS);
	assert_int_equal(ended_by(try_mmap_exec), SIGSYS);
	assert_int_equal(ended_by(try_mprotect_exec), SIGSYS);
	assert_int_equal(ended_by(try_other_descriptor), SIGSYS);
#ifdef __x86_64__
	/* SIGSEGV where the kernel has no 32-bit entry at all. */
	int signo = ended_by(try_int80);
	assert_true(signo == SIGSYS || signo == SIGSEGV);
	assert_int_equal(ended_by(try_x32), SIGSYS);
#endif
}

/* ---- The pool -------------------------------------------------------------------------------------------------------------- */

struct test_call {
	struct jail_call call;
	enum jail_end end;
	uint64_t ticket; /* it asks, and waits for reply or jail_leave */
	char message[100];
};

static int open_calls;

static void note_end(struct op *op)
{
	struct test_call *c = container_of(op, struct test_call, call.op);
	struct jail_answer a;
	uint32_t n;

	c->end = c->call.end;
	c->ticket = c->call.ticket;
	if (c->end == JAIL_FINE && jail_answer_read(buf_slice(&c->call.answer), &a)) {
		c->end = a.end;
		if (a.end == JAIL_ERROR && read_u32(&a.rest, &n) && n < sizeof c->message)
			memcpy(c->message, a.rest.p, n);
	}
	jail_call_free(&c->call);
	if (--open_calls == 0)
		loop_stop();
}

static void submit(struct test_call *c, const char *source)
{
	static const unsigned char nothing[] = {'T', 0, 0, 0, 0, 0, 0, 0, 0};

	memset(c, 0, sizeof *c);
	c->call.op.free = note_end; /* no owner: op_land frees */
	jail_frame_begin(&c->call.request, 'r', JAIL_INSTRUCTIONS, JAIL_MEMORY, slice_str("=t.lua"),
		slice_str(source));
	buf_add(&c->call.request, nothing, sizeof nothing);
	assert_int_equal(jail_frame_end(&c->call.request), ST_OK);
	open_calls++;
	assert_int_equal(jail_submit(&c->call), ST_OK);
}

static enum jail_end call(const char *source)
{
	struct test_call c;

	submit(&c, source);
	loop_run();
	return c.end;
}

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(loop_open(), ST_OK);
	assert_int_equal(jail_open(), ST_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	jail_close();
	loop_close();
	jail_set_spawner(NULL);
	return 0;
}

static void calls_are_answered(void **state)
{
	(void)state;
	assert_int_equal(call("return 1"), JAIL_FINE);
	assert_int_equal(call("return x.y"), JAIL_ERROR);
	assert_int_equal(call("return ="), JAIL_SYNTAX);
	assert_int_equal(call("return print"), JAIL_RESULT);
}

static void a_runaway_is_ended_and_the_next_call_served(void **state)
{
	int64_t from;

	(void)state;
	assert_int_equal(call("return 1"), JAIL_FINE);
	from = clock_mono_us();
	assert_int_equal(
		call("return (('a'):rep(28)):find(('a?'):rep(28) .. ('a'):rep(29))"), JAIL_TIMEOUT);
	assert_int_equal(call("return 1"), JAIL_FINE);
	print_message("runaway ended, replaced and serving after %.1f ms\n",
		(double)(clock_mono_us() - from) / 1e3);
	assert_in_range(clock_mono_us() - from, 40000, 5000000);
}

static int round_trips = 2000;

static void a_round_trip_is_fast(void **state)
{
	int64_t from;

	(void)state;
	assert_int_equal(call("return 1"), JAIL_FINE);
	from = clock_mono_us();
	for (int i = 0; i < round_trips; i++)
		assert_int_equal(call("return { groups = { 'a', 'b' } }"), JAIL_FINE);
	print_message("a call takes %.1f us\n", (double)(clock_mono_us() - from) / round_trips);
}

static void the_queue_is_bounded(void **state)
{
	static struct test_call calls[JAIL_QUEUE_MAX + 40];
	struct test_call refused = {0};
	int taken = 0;

	(void)state;
	assert_int_equal(call("return 1"), JAIL_FINE);
	while (taken < JAIL_QUEUE_MAX + 1) /* one runs, the others wait */
		submit(&calls[taken++], "return 1");
	assert_int_equal(jail_submit(&refused.call), ST_BUSY);
	loop_run();
	for (int i = 0; i < taken; i++)
		assert_int_equal(calls[i].end, JAIL_FINE);
}

static void a_cancelled_call_in_the_queue_is_freed_at_once(void **state)
{
	struct test_call first, second;

	(void)state;
	assert_int_equal(call("return 1"), JAIL_FINE);
	submit(&first, "return 1");
	submit(&second, "return 1");
	second.call.op.cancel(&second.call.op);
	assert_int_equal(open_calls, 1);
	first.call.op.cancel(&first.call.op); /* on its way: lands late */
	assert_int_equal(open_calls, 1);
	loop_run();
	assert_int_equal(open_calls, 0);
}

/* ---- Scripts that ask ------------------------------------------------------------------------------------------------------ */

/* { true, { "answer" } } and { false, "no" } */
static const unsigned char yes[] = {'T', 0, 0, 0, 2, 0, 0, 0, 0, 't', 'T', 0, 0, 0, 1, 0, 0, 0, 0,
	's', 0, 0, 0, 6, 'a', 'n', 's', 'w', 'e', 'r'};
static const unsigned char no[] = {'T', 0, 0, 0, 2, 0, 0, 0, 0, 'f', 's', 0, 0, 0, 2, 'n', 'o'};

static void bring(struct test_call *c, uint64_t ticket, const unsigned char *reply, size_t n)
{
	memset(c, 0, sizeof *c);
	c->call.op.free = note_end;
	c->call.ticket = ticket;
	buf_add_u32(&c->call.request, 0);
	buf_add(&c->call.request, reply, n);
	assert_int_equal(jail_frame_end(&c->call.request), ST_OK);
	open_calls++;
	assert_int_equal(jail_submit(&c->call), ST_OK);
}

static uint64_t asking(const char *source)
{
	struct test_call c;

	submit(&c, source);
	loop_run();
	assert_int_equal(c.end, JAIL_ASKS);
	assert_true(c.ticket > 0);
	return c.ticket;
}

static void S24_a_script_asks_and_goes_on_with_the_reply(void **state)
{
	static const char source[] = "return resolve_dns('x')[1] == 'answer' or error('other')";
	struct test_call c;

	(void)state;
	bring(&c, asking(source), yes, sizeof yes);
	loop_run();
	assert_int_equal(c.end, JAIL_FINE);
	assert_int_equal(c.ticket, 0);
	bring(&c, asking(source), no, sizeof no);
	loop_run();
	assert_int_equal(c.end, JAIL_ERROR);
	assert_string_equal(c.message, "no");
	bring(&c, asking(source), no + 1, 3); /* our own mistake ends the call, not the jail */
	loop_run();
	assert_int_equal(c.end, JAIL_ERROR);
	assert_int_equal(call("return 1"), JAIL_FINE);
}

static void S24_it_may_ask_more_than_once(void **state)
{
	uint64_t ticket = asking("for i = 1, 3 do resolve_dns('x') end return 1");
	struct test_call c;

	(void)state;
	for (int i = 0; i < 3; i++) {
		bring(&c, ticket, yes, sizeof yes);
		loop_run();
		assert_int_equal(c.end, i < 2 ? JAIL_ASKS : JAIL_FINE);
		ticket = c.ticket;
	}
}

static void S23_waiting_does_not_count_and_running_does(void **state)
{
	static const char spins[] =
		"local function spin() for i = 1, 40000 do local x = tostring(i) end end\n"
		"for i = 1, 100 do resolve_dns('x') spin() end";
	uint64_t ticket = asking("resolve_dns('x') return 1");
	struct test_call c;
	int times = 0;

	(void)state;
	usleep(JAIL_RUNNING_MS * 1000 * 2);
	bring(&c, ticket, yes, sizeof yes);
	loop_run();
	assert_int_equal(c.end, JAIL_FINE);
	for (ticket = asking(spins); ticket > 0; ticket = c.ticket, times++) {
		bring(&c, ticket, yes, sizeof yes);
		loop_run();
	}
	assert_in_range(times, 1, 60);
	assert_true(c.end == JAIL_TIMEOUT || c.end == JAIL_INSTRUCTIONS_SPENT);
	assert_int_equal(call("return 1"), JAIL_FINE);
}

static void S23_a_waiting_call_keeps_its_jail_and_others_get_another(void **state)
{
	uint64_t tickets[JAILS_MAX];
	struct test_call c, queued;

	(void)state;
	for (int i = 0; i < JAILS_MAX; i++)
		tickets[i] = asking("return resolve_dns('x')");
	memset(&c, 0, sizeof c);
	assert_int_equal(jail_submit(&c.call), ST_BUSY);
	jail_leave(tickets[0]);
	submit(&queued, "return resolve_dns('x')");
	loop_run();
	assert_int_equal(queued.end, JAIL_ASKS);
	jail_leave(queued.ticket);
	jail_leave(queued.ticket); /* a stale one is nobody's */
	bring(&c, tickets[0], yes, sizeof yes);
	loop_run();
	assert_int_equal(c.end, JAIL_KILLED);
	for (int i = 1; i < JAILS_MAX; i++) {
		bring(&c, tickets[i], yes, sizeof yes);
		loop_run();
		assert_int_equal(c.end, JAIL_FINE);
	}
}

static void a_reply_whose_owner_is_gone_lands_late(void **state)
{
	struct test_call c;

	(void)state;
	bring(&c, asking("resolve_dns('x') return 1"), yes, sizeof yes);
	c.call.op.cancel(&c.call.op);
	assert_int_equal(open_calls, 1);
	loop_run();
	assert_int_equal(open_calls, 0);
	asking("resolve_dns('x') return 1"); /* left to jail_close */
}

/* ---- Jails that misbehave -------------------------------------------------------------------------------------------------- */

static const char *script_of_the_fake; /* what the fake jail sends, or what it does */

static enum st fake_request(void *arg)
{
	int pair[2];
	pid_t pid;

	(void)arg;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		char frame[4096];

		close(pair[0]);
		if (script_of_the_fake[0] == 'd') /* dies at once */
			_exit(0);
		if (read(pair[1], frame, sizeof frame) < 0)
			_exit(1);
		if (script_of_the_fake[0] == 'n') /* nonsense */
			(void)!write(pair[1], "\0\0\0\3xyz", 7);
		if (script_of_the_fake[0] == 'h') /* huge */
			(void)!write(pair[1], "\xff\xff\xff\xff", 4);
		if (script_of_the_fake[0] == 'c') /* cut off */
			(void)!write(pair[1], "\0\0\1\0abc", 7);
		if (script_of_the_fake[0] == 'a') /* asks, and is gone or goes on talking */
			(void)!write(pair[1], "\0\0\0\16\7\0\0\0\0\0\0\0\0\0\0\0\0n", 18);
		if (script_of_the_fake[0] == 'a' && script_of_the_fake[4] == ',')
			(void)!write(pair[1], "\0\0\0\1x", 5);
		if (script_of_the_fake[0] == 's' || script_of_the_fake[4] == ',') /* silent */
			pause();
		_exit(0);
	}
	close(pair[1]);
	jail_give(pair[0], pid);
	return ST_OK;
}

static void fake_kill(int64_t handle, void *arg)
{
	(void)arg;
	kill((pid_t)handle, SIGKILL);
	waitpid((pid_t)handle, NULL, 0);
}

static enum jail_end with_fake(const char *how)
{
	static const struct jail_spawner fake = {fake_request, fake_kill, NULL};
	struct test_call c;
	enum jail_end end;

	script_of_the_fake = how;
	jail_set_spawner(&fake);
	set_up(NULL);
	submit(&c, "return 1");
	loop_run();
	end = c.end;
	tear_down(NULL);
	return end;
}

static void a_jail_is_not_believed(void **state)
{
	(void)state;
	assert_int_equal(with_fake("nonsense"), JAIL_KILLED);
	assert_int_equal(with_fake("huge"), JAIL_KILLED);
	assert_int_equal(with_fake("cut off"), JAIL_KILLED);
	assert_int_equal(with_fake("silent"), JAIL_KILLED);
	assert_int_equal(with_fake("dies at once"), JAIL_KILLED);
}

/* It asks; what it does next makes the reply useless. */
static void an_asking_jail_is_not_believed(void **state)
{
	static const struct jail_spawner fake = {fake_request, fake_kill, NULL};
	static const char *const ways[] = {"asks and dies", "asks, and talks on"};
	struct test_call c, reply;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		script_of_the_fake = ways[i];
		jail_set_spawner(&fake);
		set_up(NULL);
		submit(&c, "return 1");
		loop_run();
		if (c.end == JAIL_ASKS) { /* else all of it came at once */
			bring(&reply, c.ticket, yes, sizeof yes);
			loop_run();
			c.end = reply.end;
		}
		assert_int_equal(c.end, JAIL_KILLED);
		tear_down(NULL);
	}
}

static enum st refuse(void *arg)
{
	(void)arg;
	return ST_IO;
}

static void without_a_spawner_calls_are_told_busy(void **state)
{
	static const struct jail_spawner none = {refuse, fake_kill, NULL};
	struct test_call c;

	(void)state;
	jail_set_spawner(&none);
	set_up(NULL);
	submit(&c, "return 1");
	loop_run();
	assert_int_equal(c.end, JAIL_BUSY);
	tear_down(NULL);
}

/* ---- The state that is put back -------------------------------------------------------------------------------------------- */

static void nothing_of_a_call_is_left_in_memory(void **state)
{
	struct arena *a = arena_open(1u << 20);
	char *p, *q;

	(void)state;
	assert_non_null(a);
	p = arena_alloc(a, NULL, 0, 100);
	strcpy(p, "before");
	assert_int_equal(arena_save(a), ST_OK);
	for (int i = 0; i < 3; i++) {
		strcpy(p, "secret");
		q = arena_alloc(a, NULL, 0, 5000);
		strcpy(q, "secret");
		p = arena_alloc(a, p, 100, 0) ? NULL : p;
		arena_restore(a);
		assert_string_equal(p, "before");
		assert_int_equal(q[0], 0);
		assert_ptr_equal(arena_alloc(a, NULL, 0, 5000), q);
		arena_restore(a);
	}
	munmap(a, 1u << 20);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_out_ends_the_process),
		cmocka_unit_test_setup_teardown(calls_are_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_runaway_is_ended_and_the_next_call_served, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_round_trip_is_fast, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_queue_is_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_cancelled_call_in_the_queue_is_freed_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			S24_a_script_asks_and_goes_on_with_the_reply, set_up, tear_down),
		cmocka_unit_test_setup_teardown(S24_it_may_ask_more_than_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			S23_waiting_does_not_count_and_running_does, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			S23_a_waiting_call_keeps_its_jail_and_others_get_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_reply_whose_owner_is_gone_lands_late, set_up, tear_down),
		cmocka_unit_test(a_jail_is_not_believed),
		cmocka_unit_test(an_asking_jail_is_not_believed),
		cmocka_unit_test(without_a_spawner_calls_are_told_busy),
		cmocka_unit_test(nothing_of_a_call_is_left_in_memory),
	};

	assets_open(NULL);
	if (argc > 1 && strcmp(argv[1], "--role=jail") == 0)
		return jail_main(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
