/* task.c: starts, resumes, cancels and finishes tasks.
 *
 *   READY --first slice--> RUN --task_wait--> WAIT --op landed--> RUN --returned or threw--> DONE (freed)
 *
 * Every entry into Lua is a lua_resume of the task's own coroutine or a protected call on the main state; arguments,
 * results of ops and the caller's copying of results all happen inside, so that a failed allocation is a failed request. */
#include "script/task.h"

#include "base/fault.h"
#include "base/log.h"
#include "loop/loop.h"
#include "script/guard.h"
#include "script/vm.h"

#include <lauxlib.h>
#include <lua.h>

enum task_state { TASK_READY, TASK_RUN, TASK_WAIT, TASK_DONE };

struct task {
	struct list link; /* of all tasks */
	struct vm *vm;    /* borrows */
	lua_State *co;    /* owned by the registry through ref */
	int ref;
	enum task_state state;
	bool detached;
	bool unguarded;     /* a start may take in a large configuration at one go */
	bool cancel_wanted; /* cancelled while it ran */
	bool later;         /* stands in the loop's deferred work */
	bool landed;        /* WAIT, but its op is finished: the deferred work resumes it */
	int nargs;          /* function and arguments are on co already; -1 = to be pushed */
	uint64_t deadline;  /* tick of the sweep; 0 = none */
	struct op *op;      /* owns while WAIT */
	struct task_events events;
	void *arg;
	struct deferred deferred;
	char entry[24]; /* when nargs is -1 */
};

static struct list tasks = {&tasks, &tasks};
static struct timer sweep;
static bool sweeping;
static uint64_t now_tick;

/* ---- The coroutine --------------------------------------------------------------------------------------------------- */

static struct task *task_of(lua_State *L)
{
	return *(struct task **)lua_getextraspace(L);
}

static int slice_returned(lua_State *L, int status, lua_KContext ctx)
{
	struct task *t = task_of(L);

	(void)status;
	(void)ctx;
	if (t->events.returned) {
		t->events.returned(L, lua_gettop(L), t->arg);
		memset(&t->events, 0, sizeof t->events); /* it came; nothing else will */
	}
	return 0;
}

/* The bottom of every coroutine. */
static int slice_main(lua_State *L)
{
	struct task *t = task_of(L);

	if (t->nargs < 0) {
		vm_push_entry(t->vm, L, t->entry);
		t->nargs = t->events.push ? t->events.push(L, t->arg) : 0;
	}
	lua_callk(L, t->nargs, LUA_MULTRET, 0, slice_returned);
	return slice_returned(L, LUA_OK, 0);
}

/* Makes the coroutine and anchors it. May throw; then t->ref says whether there is something to release. */
static void open_coroutine(lua_State *L, struct task *t)
{
	t->co = vm_spare_take(t->vm, &t->ref);
	if (!t->co) {
		t->co = lua_newthread(L);
		t->ref = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	*(struct task **)lua_getextraspace(t->co) = t;
	if (!lua_checkstack(t->co, t->nargs + 4))
		luaL_error(L, "out of memory");
	lua_pushcfunction(t->co, slice_main);
}

static int open_coroutine_protected(lua_State *L)
{
	open_coroutine(L, lua_touserdata(L, 1));
	return 0;
}

/* ---- Finishing ------------------------------------------------------------------------------------------------------- */

static void run_deferred(struct deferred *d);

/* Releases everything but the struct, which deferred work may still hold. */
static void task_end(struct task *t, bool clean)
{
	lua_State *L = vm_state(t->vm);

	assert(!t->op);
	t->state = TASK_DONE;
	list_remove(&t->link);
	count_add(COUNT_TASKS, -1);
	if (t->ref != LUA_NOREF) {
		if (!clean) { /* pending to-be-closed variables run here; they may not wait: task_self refuses */
			lua_State *outer = vm_running(t->vm);

			vm_set_running(t->vm, t->co);
			lua_closethread(t->co, NULL);
			vm_set_running(t->vm, outer);
		}
		*(struct task **)lua_getextraspace(t->co) = NULL;
		if (!clean || !vm_spare_keep(t->vm, t->co, t->ref))
			luaL_unref(L, LUA_REGISTRYINDEX, t->ref);
	}
	vm_task_gone(t->vm);
	if (!t->later)
		free(t);
}

static void release_op(struct task *t)
{
	struct op *op = t->op;

	t->op = NULL;
	if (!op)
		return;
	count_add(COUNT_OPS, -1);
	op->owner = NULL;
	if (t->landed)
		op->free(op);
	else
		op->cancel(op);
}

struct failure {
	struct task *task;
	char text[4096];
};

static int describe_failure(lua_State *L)
{
	struct failure *f = lua_touserdata(L, 1);

	if (!lua_checkstack(L, 8))
		return 0;
	lua_xmove(f->task->co, L, 1);
	luaL_traceback(L, f->task->co, luaL_tolstring(L, -1, NULL), 0);
	snprintf(f->text, sizeof f->text, "%s", lua_tostring(L, -1));
	return 0;
}

static void report_failure(struct task *t, int status)
{
	struct failure f = {.task = t};
	char unused[8];

	if (status == LUA_ERRMEM)
		snprintf(f.text, sizeof f.text, "out of memory");
	else if (vm_call(t->vm, describe_failure, &f, unused, sizeof unused) != ST_OK || !f.text[0])
		snprintf(f.text, sizeof f.text, "failed, and there was no memory to say why");
	t->events.failed(f.text, t->arg);
}

/* ---- Running --------------------------------------------------------------------------------------------------------- */

static void task_run(struct task *t)
{
	lua_State *co = t->co;
	struct op *done = t->op;
	int results, status;
	int nargs = t->state == TASK_READY && t->nargs >= 0 ? t->nargs + 1 : 0;

	assert(t->state == TASK_READY || t->state == TASK_WAIT);
	assert(!vm_running(t->vm));
	t->op = NULL;
	t->landed = false;
	t->state = TASK_RUN;
	if (done) {
		done->owner = NULL;
		count_add(COUNT_OPS, -1);
	}
	vm_set_running(t->vm, co);
	if (!t->unguarded)
		guard_enter(co);
	status = lua_resume(co, NULL, nargs, &results);
	guard_leave(co);
	vm_set_running(t->vm, NULL);
	if (done)
		done->free(done);
	if (status == LUA_YIELD) {
		assert(t->state == TASK_WAIT && t->op);
		lua_pop(co, results);
		if (t->cancel_wanted) {
			release_op(t);
			task_end(t, false);
		}
		return;
	}
	t->state = TASK_DONE;
	if (status != LUA_OK && t->events.failed)
		report_failure(t, status);
	task_end(t, status == LUA_OK);
}

static void run_later(struct task *t)
{
	t->later = true;
	loop_defer(&t->deferred, run_deferred);
}

static void run_deferred(struct deferred *d)
{
	struct task *t = container_of(d, struct task, deferred);

	t->later = false;
	if (t->state == TASK_DONE)
		free(t);
	else
		task_run(t);
}

/* An op has landed (from op_land). */
static void task_landed(struct op *op)
{
	struct task *t = op->owner;

	assert(t && t->op == op && t->state == TASK_WAIT && !t->landed);
	if (vm_running(t->vm)) { /* something landed from within a binding of another task */
		t->landed = true;
		run_later(t);
		return;
	}
	task_run(t);
}

void task_init(void)
{
	op_set_resume(task_landed);
}

/* ---- Deadlines: a slow tick over all tasks, so that the hot path never touches a timer of the loop ------------------- */

static void sweep_keep(void);

/* One at a time: ending a task may end others. */
static struct task *overdue(void)
{
	for (struct list *i = tasks.next; i != &tasks; i = i->next) {
		struct task *t = list_item(i, struct task, link);

		if (t->deadline && t->deadline <= now_tick && t->state == TASK_WAIT)
			return t;
	}
	return NULL;
}

static void sweep_fired(struct timer *timer)
{
	struct task *t;

	(void)timer;
	sweeping = false;
	now_tick++;
	while ((t = overdue())) {
		t->deadline = 0;
		release_op(t);
		t->state = TASK_DONE;
		if (t->events.failed)
			t->events.failed("deadline passed", t->arg);
		task_end(t, false);
	}
	if (!list_empty(&tasks))
		sweep_keep();
}

static void sweep_keep(void)
{
	if (!sweeping)
		sweeping = timer_start(&sweep, TASK_SWEEP_US, sweep_fired) == ST_OK;
}

void task_rest(void)
{
	if (list_empty(&tasks)) {
		timer_free(&sweep);
		sweeping = false;
	}
}

/* ---- Starting -------------------------------------------------------------------------------------------------------- */

static struct task *task_new(
	struct vm *vm, int64_t deadline_us, const struct task_events *events, void *arg)
{
	struct task *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->vm = vm;
	t->ref = LUA_NOREF;
	t->state = TASK_READY;
	t->events = *events;
	t->arg = arg;
	if (deadline_us > 0)
		t->deadline = now_tick + 1 +
			(uint64_t)((deadline_us + TASK_SWEEP_US - 1) / TASK_SWEEP_US);
	list_append(&tasks, &t->link);
	count_add(COUNT_TASKS, 1);
	vm_task_came(vm);
	if (t->deadline)
		sweep_keep();
	return t;
}

enum st task_start(struct vm *vm, const char *entry, int64_t deadline_us,
	const struct task_events *events, void *arg, struct task **out)
{
	char unused[64];
	struct task *t;

	assert(strlen(entry) < sizeof t->entry);
	if (vm_retired(vm) || count_get(COUNT_TASKS) >= (int64_t)TASKS_MAX)
		return ST_BUSY;
	t = task_new(vm, deadline_us, events, arg);
	if (!t)
		return ST_NOMEM;
	t->nargs = -1;
	t->unguarded = !strcmp(entry, "start");
	snprintf(t->entry, sizeof t->entry, "%s", entry);
	if (vm_call(vm, open_coroutine_protected, t, unused, sizeof unused) != ST_OK) {
		task_end(t, true);
		return ST_NOMEM;
	}
	if (out)
		*out = t;
	if (vm_running(vm))
		run_later(t);
	else
		task_run(t);
	return ST_OK;
}

/* Stack: light userdata, function, arguments… */
static int spawn_coroutine(lua_State *L)
{
	struct task *t = lua_touserdata(L, 1);

	open_coroutine(L, t);
	lua_xmove(L, t->co, t->nargs + 1);
	return 0;
}

enum st task_spawn(lua_State *L, int nargs, int64_t deadline_us, const struct task_events *events,
	void *arg, struct task **out)
{
	struct vm *vm = vm_of(L);
	struct task *t;

	luaL_checkstack(L, 4, NULL);
	if (count_get(COUNT_TASKS) >= 2 * (int64_t)TASKS_MAX || vm_ending(vm))
		goto busy;
	t = task_new(vm, deadline_us, events, arg);
	if (!t)
		goto busy;
	t->nargs = nargs;
	lua_pushcfunction(L, spawn_coroutine);
	lua_insert(L, -nargs - 2);
	lua_pushlightuserdata(L, t);
	lua_insert(L, -nargs - 2);
	if (lua_pcall(L, nargs + 2, 0, 0) != LUA_OK) {
		lua_pop(L, 1);
		task_end(t, true);
		return ST_NOMEM;
	}
	if (out)
		*out = t;
	run_later(t);
	return ST_OK;
busy:
	lua_pop(L, nargs + 1);
	return ST_BUSY;
}

/* ---- Cancelling ------------------------------------------------------------------------------------------------------ */

static void tell_cancelled(struct task *t)
{
	void (*cancelled)(void *) = t->events.cancelled;

	memset(&t->events, 0, sizeof t->events);
	if (cancelled)
		cancelled(t->arg);
}

static void task_stop(struct task *t)
{
	count_add(COUNT_CANCELLED, 1);
	if (t->state == TASK_RUN) { /* it is on the stack below us; its slice ends first */
		t->cancel_wanted = true;
		return;
	}
	release_op(t);
	task_end(t, false);
}

void task_cancel(struct task *t)
{
	assert(t->state != TASK_DONE);
	tell_cancelled(t);
	if (!t->detached)
		task_stop(t);
}

static struct task *first_of(struct vm *vm)
{
	for (struct list *i = tasks.next; i != &tasks; i = i->next) {
		struct task *t = list_item(i, struct task, link);

		if (t->vm == vm && t->state != TASK_RUN)
			return t;
	}
	return NULL;
}

void task_cancel_all(struct vm *vm)
{
	struct task *t;

	while ((t = first_of(vm))) {
		t->detached = false;
		task_cancel(t);
	}
}

void task_detach(struct task *t)
{
	t->detached = true;
}

/* ---- For bindings ---------------------------------------------------------------------------------------------------- */

struct task *task_self(lua_State *L)
{
	struct task *t = task_of(L);

	if (!t || t->co != L || t->state != TASK_RUN)
		luaL_error(L, "called outside a task");
	return t;
}

static int push_results(lua_State *L, int status, lua_KContext ctx)
{
	struct op *op = (struct op *)ctx;

	(void)status;
	return op->push ? op->push(op, L) : 0;
}

int task_wait(lua_State *L, struct task *t, struct op *op)
{
	assert(t->state == TASK_RUN && !t->op);
	if (!lua_isyieldable(L)) { /* sort comparators, gsub callbacks, module bodies, closing variables */
		op->owner = NULL;
		op->cancel(op);
		return luaL_error(L, "cannot wait here");
	}
	op->owner = t;
	t->op = op;
	t->state = TASK_WAIT;
	count_add(COUNT_OPS, 1);
	return lua_yieldk(L, 0, (lua_KContext)op, push_results);
}
