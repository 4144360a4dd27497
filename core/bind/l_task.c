/* l_task.c: the Lua table `task`: waiting, detaching, and tasks that a task starts. */
#include "base/log.h"
#include "bind/bind.h"
#include "loop/loop.h"
#include "script/task.h"

#include <lauxlib.h>
#include <lua.h>

#define SLEEP_MAX_S 3600
#define SPAWNED_DEADLINE_US (300 * INT64_C(1000000))
#define ALL_MAX 16

/* ---- task.sleep(seconds) --------------------------------------------------------------------------------------------- */

struct sleep {
	struct op op;
	struct timer timer;
};

static void sleep_free(struct op *op)
{
	struct sleep *s = container_of(op, struct sleep, op);

	timer_free(&s->timer);
	free(s);
}

static void sleep_over(struct timer *timer)
{
	op_land(&container_of(timer, struct sleep, timer)->op);
}

static int l_sleep(lua_State *L)
{
	struct task *t = task_self(L);
	double seconds = luaL_checknumber(L, 1);
	struct sleep *s;

	luaL_argcheck(L, seconds >= 0 && seconds <= SLEEP_MAX_S, 1, "out of range");
	s = calloc(1, sizeof *s);
	if (!s || timer_start(&s->timer, (int64_t)(seconds * 1e6), sleep_over) != ST_OK) {
		free(s);
		return luaL_error(L, "out of memory");
	}
	s->op.cancel = s->op.free = sleep_free;
	return task_wait(L, t, &s->op);
}

/* ---- task.detach(), task.spawn(fn, …) -------------------------------------------------------------------------------- */

static int l_detach(lua_State *L)
{
	task_detach(task_self(L));
	return 0;
}

static void spawned_failed(const char *message, void *arg)
{
	(void)arg;
	log_line(LOG_ERROR, "background task failed error=%s", message);
}

static int l_spawn(lua_State *L)
{
	static const struct task_events events = {.failed = spawned_failed};
	enum st st;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	st = task_spawn(L, lua_gettop(L) - 1, SPAWNED_DEADLINE_US, &events, NULL, NULL);
	if (st != ST_OK) {
		lua_pushnil(L);
		lua_pushstring(L, st_name(ST_BUSY));
		return 2;
	}
	lua_pushboolean(L, true);
	return 1;
}

/* ---- task.all{ f, g } ------------------------------------------------------------------------------------------------ */

/* The parent waits on `op`; the children hold the table of results on their own stacks: results[i] is what the i-th
 * function returned first, results.thrown the error of the one that failed first. */
struct all {
	struct op op;
	unsigned count, ended;
	bool landed, failed, waiting;
	struct child {
		struct all *all;
		struct task *task; /* borrows; NULL = ended */
	} children[ALL_MAX];
};

static void all_free(struct op *op)
{
	free(container_of(op, struct all, op));
}

static void cancel_children(struct all *all)
{
	for (unsigned i = 0; i < all->count; i++) {
		struct task *t = all->children[i].task;

		all->children[i].task = NULL;
		if (t)
			task_cancel(t);
	}
}

/* The parent is gone: so are the children. */
static void all_cancel(struct op *op)
{
	cancel_children(container_of(op, struct all, op));
	all_free(op);
}

/* Returned, failed and cancelled children alike; the last one lands the op. A failure does not wait for the others. */
static void child_ended(struct child *c)
{
	struct all *all = c->all;

	c->task = NULL;
	all->ended++;
	if (all->landed || !all->waiting || (all->ended < all->count && !all->failed))
		return;
	all->landed = true;
	cancel_children(all);
	op_land(&all->op);
}

static void child_returned(lua_State *L, int count, void *arg)
{
	struct child *c = arg;

	if (count > 0 && !lua_toboolean(L, 1))
		c->all->failed = true;
	child_ended(c);
}

/* Out of memory or the deadline: what the function throws is caught in child_main. */
static void child_failed(const char *message, void *arg)
{
	struct child *c = arg;

	log_line(LOG_ERROR, "task of task.all failed error=%s", message);
	c->all->failed = true;
	child_ended(c);
}

/* By us, or with all tasks of a state that closes; then the parent's turn comes too. */
static void child_cancelled(void *arg)
{
	struct child *c = arg;

	c->task = NULL;
}

/* Stack: results, index, value or error. Touches nothing of C: a child that detached itself may outlive the parent. */
static int child_done(lua_State *L, int status, lua_KContext ctx)
{
	bool fine = status == LUA_OK || status == LUA_YIELD;

	(void)ctx;
	lua_settop(L, 3);
	if (fine)
		lua_rawset(L, 1);
	else if (lua_getfield(L, 1, "thrown") == LUA_TNIL) {
		lua_pushvalue(L, 3);
		lua_setfield(L, 1, "thrown");
	}
	lua_pushboolean(L, fine);
	return 1;
}

/* Arguments: results, index, function. */
static int child_main(lua_State *L)
{
	return child_done(L, lua_pcallk(L, 0, 1, 0, 0, child_done), 0);
}

static int all_push(struct op *op, lua_State *L)
{
	struct all *all = container_of(op, struct all, op);

	lua_settop(L, 2);
	if (all->failed) {
		if (lua_getfield(L, 2, "thrown") == LUA_TNIL)
			return luaL_error(L, "a task of task.all was stopped");
		return lua_error(L);
	}
	luaL_checkstack(L, (int)all->count, NULL);
	for (unsigned i = 1; i <= all->count; i++)
		lua_rawgeti(L, 2, (lua_Integer)i);
	return (int)all->count;
}

static bool start_child(lua_State *L, struct all *all, unsigned i)
{
	static const struct task_events events = {
		.returned = child_returned, .failed = child_failed, .cancelled = child_cancelled};
	struct child *c = &all->children[i];

	c->all = all;
	lua_pushcfunction(L, child_main);
	lua_pushvalue(L, 2);
	lua_pushinteger(L, (lua_Integer)i + 1);
	lua_rawgeti(L, 1, (lua_Integer)i + 1);
	return task_spawn(L, 3, SPAWNED_DEADLINE_US, &events, c, &c->task) == ST_OK;
}

static int l_all(lua_State *L)
{
	struct task *t = task_self(L);
	lua_Unsigned count;
	struct all *all;

	luaL_checktype(L, 1, LUA_TTABLE);
	count = lua_rawlen(L, 1);
	luaL_argcheck(L, count <= ALL_MAX, 1, "too many functions");
	for (lua_Unsigned i = 1; i <= count; i++) {
		luaL_argcheck(L, lua_rawgeti(L, 1, (lua_Integer)i) == LUA_TFUNCTION, 1,
			"functions expected");
		lua_pop(L, 1);
	}
	if (count == 0)
		return 0;
	if (!lua_isyieldable(L))
		return luaL_error(L, "cannot wait here");
	luaL_checkstack(L, 16, NULL);
	lua_settop(L, 1);
	lua_createtable(L, (int)count, 1); /* 2: results */
	all = calloc(1, sizeof *all);
	if (!all)
		return luaL_error(L, "out of memory");
	all->op.push = all_push;
	all->op.cancel = all_cancel;
	all->op.free = all_free;
	/* Children start at the end of the turn: none can end before we wait. Nothing throws from here on. */
	for (all->count = 0; all->count < count; all->count++) {
		if (!start_child(L, all, all->count)) {
			all_cancel(&all->op);
			return luaL_error(L, "too many tasks");
		}
	}
	all->waiting = true;
	return task_wait(L, t, &all->op);
}

int bind_task(lua_State *L)
{
	static const luaL_Reg functions[] = {{"sleep", l_sleep}, {"detach", l_detach},
		{"spawn", l_spawn}, {"all", l_all}, {NULL, NULL}};

	luaL_newlib(L, functions);
	return 1;
}
