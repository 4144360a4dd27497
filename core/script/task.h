/* task.h: one request, one coroutine of the trusted state. Started by a handler, yields on ops, finished from the loop's
 * end of turn, cancelled when nobody waits for it any more. */
#pragma once

#include "base/base.h"
#include "loop/op.h"

struct lua_State;
struct vm;
struct task;

#define TASKS_MAX 1000u      /* requests; what they start themselves may double it */
#define TASK_SWEEP_US 250000 /* deadlines are kept to this grain */

struct task_events {
	/* Pushes the arguments onto L (inside a protected call) and says how many. NULL = none. */
	int (*push)(struct lua_State *L, void *arg);
	/* The function returned: its results are on L, count of them. Runs protected, inside the coroutine; copy what is
	 * needed. When it throws, failed follows; apart from that exactly one of returned, failed and cancelled comes. */
	void (*returned)(struct lua_State *L, int count, void *arg);
	/* It failed; message is a text with traceback, or says that the deadline passed. */
	void (*failed)(const char *message, void *arg);
	void (*cancelled)(void *arg); /* may be NULL */
};

/* Registers the resuming of tasks with op_land; vm_new calls it. */
void task_init(void);
/* Gives the deadlines' timer back to the loop when no task is left; with the end of each vm. */
void task_rest(void);

/* Starts vm's registered function `entry` (see vm_load) as a task. ST_BUSY over the cap of live tasks or when vm is
 * retired, ST_NOMEM; no event comes then. deadline_us total (0 = none). The first slice runs before this returns (from
 * the end of the turn when a task is running now); *out (may be NULL) is set before that, so it is stale when
 * an event came already. */
must_check enum st task_start(struct vm *vm, const char *entry, int64_t deadline_us,
	const struct task_events *events, void *arg, struct task **out);
/* The same for the function and its nargs arguments on the top of L, which are popped. May throw (memory). The
 * first slice runs at the end of the turn. events is copied; its push is not used. */
must_check enum st task_spawn(struct lua_State *L, int nargs, int64_t deadline_us,
	const struct task_events *events, void *arg, struct task **out);
/* The one who waits is gone: calls events.cancelled, cancels the op, closes pending to-be-closed variables, frees the
 * task. A task that said task.detach() goes on without its events (cancelled is called all the same). */
void task_cancel(struct task *t);
void task_cancel_all(struct vm *vm); /* detached ones too */

/* For bindings: the running task; raises "called outside a task" in the main state or in a foreign coroutine. */
struct task *task_self(struct lua_State *L);
/* Yields the running task on op. Always called as `return task_wait(L, t, op)`. From here op belongs to the task: it is
 * freed after its results were pushed, or through cancel. */
int task_wait(struct lua_State *L, struct task *t, struct op *op);
/* From now on the task outlives the one who waits for it. */
void task_detach(struct task *t);
