/* offload.h: what bindings of the pool share: hand a job over and wait for it. */
#pragma once

#include "loop/pool.h"

struct lua_State;
struct task;

/* The running task. To be asked before the job is made: it raises outside of a task. */
struct task *offload_task(struct lua_State *L);
/* Submits the job (owned from here on) and waits: always `return offload(L, t, job)`. Returns nil, "busy" on a full queue. job
 * NULL (its allocation failed) raises. */
int offload(struct lua_State *L, struct task *t, struct job *job);
/* Pushes nil and a text; returns 2. */
int offload_refuse(struct lua_State *L, const char *reason);
