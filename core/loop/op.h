/* op.h: one thing a task waits for: the contract between anything asynchronous and the coroutine that yielded on it.
 * An op has one owner or none. Exactly one of these ends it: op_land (it finished; on the loop thread, never inside the
 * call that started it) or cancel (the owner is gone). */
#pragma once

#include "base/base.h"

struct lua_State;
struct task;

struct op {
	struct task *owner; /* borrows; NULL once the task is gone: landing then only frees */
	/* Pushes the results onto L and says how many. Runs inside the coroutine, where Lua may throw: must not hold a
	 * resource in a C local. NULL pushes nothing. */
	int (*push)(struct op *op, struct lua_State *L);
	/* The owner is gone (owner is already NULL). Either free now (a timer), or leave it to land later (a thread). */
	void (*cancel)(struct op *op);
	void (*free)(struct op *op);
	/* For what no task waits for but the core itself: called in place of a resume. NULL everywhere else. */
	void (*landed)(struct op *op);
};

/* Called by the loop when the operation is finished: resumes the owner, or frees an ownerless op and counts it late. */
void op_land(struct op *op);
/* script/task.c sets this to the function that resumes op->owner; tests of the loop set their own. */
void op_set_resume(void (*resume)(struct op *op));
