/* guard.c: a timer that counts this process's own running time, so that an idle one is never woken, looks whether the slice
 * that it saw last is still there. The hot path counts slices and asks nobody. */
#include "script/guard.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

#define LOOK_US 250000
#define INTERRUPT_US INT64_C(1000000)
#define GIVE_UP_US \
	INT64_C(5000000) /* what no hook reaches: a pattern that backtracks, a pcall in a loop */

/* Shared with the signal's handler, which interrupts this same thread. */
static struct {
	lua_State *volatile co; /* borrows; NULL = no Lua runs */
	volatile unsigned slice;
	volatile sig_atomic_t hooked;
} now;

static void raise_interrupted(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	lua_sethook(L, NULL, 0, 0);
	luaL_traceback(L, L, "interrupted: it ran for a second without waiting", 0);
	lua_error(L);
}

/* Of this thread, so that neither a busy pool nor a busy machine makes a slice look long. */
static int64_t own_time_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void give_up(void)
{
	static const char text[] =
		"a handler ran for 5 s and cannot be interrupted: the worker ends\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);

	(void)n;
	_exit(1);
}

static void look(int signo)
{
	static unsigned seen;
	static int64_t since;
	lua_State *co = now.co;
	int saved = errno;
	int64_t us = own_time_us();

	(void)signo;
	if (!co || now.slice != seen) {
		seen = now.slice;
		since = us;
	} else if (us - since >= GIVE_UP_US) {
		give_up();
	} else if (us - since >= INTERRUPT_US && !now.hooked) {
		now.hooked = true;
		lua_sethook(co, raise_interrupted, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
	}
	errno = saved;
}

enum st guard_open(void)
{
	struct itimerval every = {{0, LOOK_US}, {0, LOOK_US}};
	struct sigaction action = {.sa_handler = look, .sa_flags = SA_RESTART};

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGPROF, &action, NULL) || setitimer(ITIMER_PROF, &every, NULL))
		return ST_IO;
	return ST_OK;
}

void guard_enter(lua_State *co)
{
	now.slice++;
	now.co = co;
}

void guard_leave(lua_State *co)
{
	now.co = NULL;
	if (now.hooked) { /* perhaps it ended just so; the coroutine is used again */
		lua_sethook(co, NULL, 0, 0);
		now.hooked = false;
	}
}
