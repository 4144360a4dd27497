/* offload.c: see offload.h. */
#include "bind/offload.h"

#include <lauxlib.h>
#include <lua.h>

#include "script/task.h"

struct task *offload_task(lua_State *L)
{
	struct task *t = task_self(L);

	/* Space for what stands between here and task_wait, so that nothing there can throw. */
	luaL_checkstack(L, 8, NULL);
	return t;
}

int offload_refuse(lua_State *L, const char *reason)
{
	lua_pushnil(L);
	lua_pushstring(L, reason);
	return 2;
}

int offload(lua_State *L, struct task *t, struct job *job)
{
	enum st st;

	if (!job)
		return luaL_error(L, "not enough memory");
	st = pool_submit(job);
	if (st) {
		job->op.free(&job->op);
		return offload_refuse(L, st_name(st));
	}
	return task_wait(L, t, &job->op);
}
