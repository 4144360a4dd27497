/* spawn.c: roles of this program as child processes. */
#include "sys/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/channel.h"

extern char **environ;

#define ARGS_MAX 12
#define FIRST_FREE_FD 4
#if defined(__mips__)
#define CALL_CLOSE_RANGE 4436
#else
#define CALL_CLOSE_RANGE 436 /* Linux 5.9; headers may be older */
#endif

static int self = -1;

enum st spawn_open(void)
{
	if (self >= 0)
		return ST_OK;
	self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	/* The appliance's first process may run before /proc is there. */
	const char *name = (const char *)getauxval(AT_EXECFN);
	if (self < 0 && name)
		self = open(name, O_PATH | O_CLOEXEC);
	if (self < 0)
		return ST_IO;
	/* Out of the way of the child's channel. */
	int high = fcntl(self, F_DUPFD_CLOEXEC, 10);
	if (high >= 0) {
		close(self);
		self = high;
	}
	return high < 0 ? ST_IO : ST_OK;
}

/* What a child without environment still gets: the options of the sanitizers. */
static char **sanitizer_environment(void)
{
	static char *kept[4 + 1];
	size_t n = 0;

	for (char **e = environ; e && *e && n < ARRAY_LEN(kept) - 1; e++) {
		char *equals = strchr(*e, '=');
		if (equals && equals - *e > 8 && !strncmp(equals - 8, "_OPTIONS", 8) &&
			strstr(*e, "SAN"))
			kept[n++] = *e;
	}
	kept[n] = NULL;
	return kept;
}

/* Between fork and exec: only calls that are safe there. */
static void become(char **argv, char **env, int fd, pid_t parent)
{
	sigset_t none;

	for (int s = 1; s < 32; s++)
		if (s != SIGKILL && s != SIGSTOP)
			signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid(); /* Ctrl-C on a terminal reaches the master alone, which drains */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(0);
	if (fd == CHANNEL_FD)
		fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, CHANNEL_FD) < 0)
		_exit(126);
	/* All that we open is close-on-exec; what our own parent left open need not be. */
	if (syscall(CALL_CLOSE_RANGE, FIRST_FREE_FD, self - 1, 0) ||
		syscall(CALL_CLOSE_RANGE, self + 1, ~0u, 0))
		for (int other = FIRST_FREE_FD; other < 256; other++)
			if (other != self)
				close(other);
	syscall(SYS_execveat, self, "", argv, env, AT_EMPTY_PATH);
	_exit(127);
}

pid_t spawn_role(const char *role, const char *const *extra, int fd, bool environment)
{
	char name[32];
	char *argv[ARGS_MAX + 3] = {"tidelock", name};
	size_t n = 2;

	snprintf(name, sizeof(name), "--role=%s", role);
	for (; extra && *extra && n < ARGS_MAX; extra++)
		argv[n++] = (char *)(uintptr_t)*extra;
	argv[n] = NULL;
	if (spawn_open())
		return -1;
	char **env = environment ? environ : sanitizer_environment();
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		become(argv, env, fd, parent);
	return pid;
}

void spawn_kill(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
