/* jail_spawn.c: fork and exec of our own file with --role=jail. */
#include "script/jail_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define JAIL_FD 3

static enum st start(pid_t *pid, int fd)
{
	char identity[40];
	const char *const argv[] = {"tidelock", "--role=jail", identity, NULL};
	static const char *const environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	int failed;

	snprintf(identity, sizeof identity, "--uid=%u:%u", (unsigned)geteuid(), (unsigned)getegid());
	if (posix_spawn_file_actions_init(&actions) != 0)
		return ST_NOMEM;
	failed = posix_spawn_file_actions_adddup2(&actions, fd, JAIL_FD);
	if (!failed)
		failed = posix_spawn(pid, "/proc/self/exe", &actions, NULL, (char *const *)argv,
			(char *const *)environment);
	posix_spawn_file_actions_destroy(&actions);
	errno = failed;
	return failed ? ST_IO : ST_OK;
}

static enum st direct_request(void *arg)
{
	int pair[2];
	pid_t pid;

	(void)arg;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return ST_IO;
	if (pair[1] == JAIL_FD) { /* dup2 onto itself would keep the close-on-exec flag */
		int other = fcntl(pair[1], F_DUPFD_CLOEXEC, JAIL_FD + 1);

		close(pair[1]);
		pair[1] = other;
	}
	if (pair[1] < 0 || start(&pid, pair[1]) != ST_OK) {
		close(pair[0]);
		if (pair[1] >= 0)
			close(pair[1]);
		return ST_IO;
	}
	close(pair[1]);
	jail_give(pair[0], pid);
	return ST_OK;
}

static void direct_kill(int64_t handle, void *arg)
{
	(void)arg;
	kill((pid_t)handle, SIGKILL);
	while (waitpid((pid_t)handle, NULL, 0) < 0 && errno == EINTR)
		continue;
}

const struct jail_spawner jail_direct_spawner = {direct_request, direct_kill, NULL};
