/* seal_test.c: forbidden things are tried from a child that sealed itself as the worker or the configuration process does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/seal.h"

static char folder[64];

enum { FINE = 100, NOT_SEALED = 101 };

static enum st as_worker(void)
{
	return seal_worker(folder, false);
}

static enum st as_upstream_worker(void)
{
	return seal_worker(folder, true);
}

/* What a sealed child does: its exit status is the errno it met, FINE, or minus the signal that ended it. */
static int in_child(enum st (*seal)(void), int (*attempt)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (seal())
			_exit(NOT_SEALED);
		_exit(attempt());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int result(long r)
{
	return r < 0 ? errno : FINE;
}

static int read_outside(void)
{
	return result(open("/etc/passwd", O_RDONLY));
}

static int write_outside(void)
{
	return result(open("/tmp/tidelock-seal-test", O_WRONLY | O_CREAT, 0600));
}

static int write_inside(void)
{
	char path[100];
	snprintf(path, sizeof(path), "%s/file", folder);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) || ftruncate(fd, 0))
		return errno;
	return result(unlink(path));
}

static int folder_inside(void)
{
	char path[100];
	snprintf(path, sizeof(path), "%s/folder", folder);
	return result(mkdir(path, 0700));
}

static int execute(void)
{
	char *args[] = {"/bin/true", NULL};
	return result(execv(args[0], args));
}

static int make_process(void)
{
	return result(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static int open_datagram(void)
{
	return result(socket(AF_INET, SOCK_DGRAM, 0));
}

static int open_stream(void)
{
	return result(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

/* Binding is the resolver's; taking connections is nobody's. */
static int listen_on_stream(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? NOT_SEALED : result(listen(fd, 1));
}

static int bind_to(int type)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	return fd < 0 ? NOT_SEALED : result(bind(fd, (struct sockaddr *)&at, sizeof at));
}

static int bind_stream(void)
{
	return bind_to(SOCK_STREAM);
}

static int bind_datagram(void)
{
	return bind_to(SOCK_DGRAM);
}

static int read_names(void)
{
	return result(open("/etc/hosts", O_RDONLY));
}

static int write_names(void)
{
	return result(open("/etc/hosts", O_WRONLY));
}

static int list_etc(void)
{
	return result(open("/etc", O_RDONLY | O_DIRECTORY));
}

static int read_private_keys(void)
{
	return result(open("/etc/ssl/private", O_RDONLY | O_DIRECTORY));
}

static int open_raw(void)
{
	return result(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

/* Protocols beside TCP and UDP are much kernel that nothing here needs; some are loaded when they are first asked for. */
static int open_unusual(void)
{
	static const int unusual[][2] = {{SOCK_STREAM, 132 /* SCTP */},
		{SOCK_STREAM, 262 /* MPTCP */}, {SOCK_DGRAM, IPPROTO_ICMP},
		{SOCK_DGRAM, 136 /* UDPLITE */}, {SOCK_STREAM, 256 /* SMC */}};

	for (size_t i = 0; i < ARRAY_LEN(unusual); i++) {
		int failed = result(socket(AF_INET, unusual[i][0], unusual[i][1]));

		if (failed != EACCES)
			return failed;
	}
	return EACCES;
}

static int open_named_protocols(void)
{
	int failed = result(socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP));

	return failed != FINE ? failed : result(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP));
}

static int open_local(void)
{
	return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int open_packet(void)
{
	return result(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		? errno
		: FINE;
}

static int turn_into_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return page == MAP_FAILED ? NOT_SEALED : result(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int trace(void)
{
	return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int signal_parent(void)
{
	return result(kill(getppid(), SIGCONT));
}

static int raise_limit(void)
{
	struct rlimit l = {1, 1};
	return result(setrlimit(RLIMIT_NOFILE, &l));
}

static int map_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		? errno
		: FINE;
}

#if defined(__x86_64__)
/* getpid as the 32-bit kernel numbers it: the call that walked out of the first filter. */
static int other_architecture(void)
{
	long r;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
	return r > 0 ? FINE : NOT_SEALED;
}

static int x32_bit(void)
{
	return result(syscall(SYS_getpid | 0x40000000));
}
#endif

static void worker_has_only_its_folder(void **state)
{
	(void)state;
	if (seal_landlock_version() > 0) {
		assert_int_equal(in_child(as_worker, read_outside), EACCES);
		assert_int_equal(in_child(as_worker, write_outside), EACCES);
	}
	assert_int_equal(in_child(as_worker, write_inside), FINE);
	assert_int_equal(in_child(as_worker, folder_inside), EPERM);
}

static void worker_that_asks_others_reads_what_finds_them(void **state)
{
	(void)state;
	assert_int_equal(in_child(as_upstream_worker, read_names), FINE);
	assert_int_equal(in_child(as_upstream_worker, write_inside), FINE);
	if (seal_landlock_version() == 0)
		return;
	assert_int_equal(in_child(as_worker, read_names), EACCES);
	assert_int_equal(in_child(as_upstream_worker, write_names), EACCES);
	assert_int_equal(in_child(as_upstream_worker, read_outside), EACCES);
	assert_int_equal(in_child(as_upstream_worker, write_outside), EACCES);
	assert_int_equal(in_child(as_upstream_worker, list_etc), EACCES);
	assert_int_not_equal(in_child(as_upstream_worker, read_private_keys), FINE);
}

static void worker_starts_nothing(void **state)
{
	(void)state;
	assert_int_equal(in_child(as_worker, execute), -SIGSYS);
	assert_int_equal(in_child(as_worker, make_process), EPERM);
	assert_int_equal(in_child(as_worker, trace), -SIGSYS);
	assert_int_equal(in_child(as_worker, signal_parent), EPERM);
	assert_int_equal(in_child(as_worker, raise_limit), EPERM);
}

static void worker_opens_no_sockets(void **state)
{
	(void)state;
	assert_int_equal(in_child(as_worker, open_stream), EPERM);
	assert_int_equal(in_child(as_worker, open_datagram), EPERM);
	assert_int_equal(in_child(as_worker, open_local), EPERM);
	assert_int_equal(in_child(as_worker, open_packet), EPERM);
	assert_int_equal(in_child(as_upstream_worker, open_stream), FINE);
	assert_int_equal(in_child(as_upstream_worker, open_datagram), FINE);
	assert_int_equal(in_child(as_upstream_worker, listen_on_stream), EPERM);
	assert_int_equal(in_child(as_upstream_worker, bind_datagram), FINE);
	if (seal_landlock_version() >= 4)
		assert_int_equal(in_child(as_upstream_worker, bind_stream), EACCES);
	assert_int_equal(in_child(as_upstream_worker, open_local), EACCES);
	assert_int_equal(in_child(as_upstream_worker, open_packet), EACCES);
	assert_int_equal(in_child(as_upstream_worker, open_raw), EACCES);
	assert_int_equal(in_child(as_upstream_worker, open_unusual), EACCES);
	assert_int_equal(in_child(as_upstream_worker, open_named_protocols), FINE);
}

static void worker_makes_no_code(void **state)
{
	(void)state;
	assert_int_equal(in_child(as_worker, map_memory), FINE);
	assert_int_equal(in_child(as_worker, map_code), EPERM);
	assert_int_equal(in_child(as_worker, turn_into_code), EPERM);
}

static void config_reads_and_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(in_child(seal_config, read_outside), FINE);
	assert_int_equal(in_child(seal_config, write_outside), EACCES);
	assert_int_equal(in_child(seal_config, folder_inside), EPERM);
	assert_int_equal(in_child(seal_config, open_stream), EPERM);
	assert_int_equal(in_child(seal_config, open_local), EPERM);
	assert_int_equal(in_child(seal_config, make_process), EPERM);
	assert_int_equal(in_child(seal_config, execute), -SIGSYS);
	assert_int_equal(in_child(seal_config, map_code), EPERM);
}

static void no_other_numbering(void **state)
{
	(void)state;
#if defined(__x86_64__)
	assert_int_equal(in_child(as_worker, x32_bit), -SIGSYS);
	assert_int_equal(in_child(seal_config, x32_bit), -SIGSYS);
	/* a kernel without the 32-bit interface answers with SIGSEGV itself */
	assert_true(in_child(as_worker, other_architecture) < 0);
	assert_true(in_child(seal_config, other_architecture) < 0);
#endif
}

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/tidelock-seal-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worker_has_only_its_folder),
		cmocka_unit_test(worker_that_asks_others_reads_what_finds_them),
		cmocka_unit_test(worker_starts_nothing),
		cmocka_unit_test(worker_opens_no_sockets),
		cmocka_unit_test(worker_makes_no_code),
		cmocka_unit_test(config_reads_and_nothing_else),
		cmocka_unit_test(no_other_numbering),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
