/* entry.c: runs the entries start, command and tick for sys/, which does not see Lua. */
#include "bind/entry.h"

#include "base/log.h"
#include "bind/l_json.h"
#include "bind/l_key.h"
#include "crypto/pk.h"
#include "net/tls.h"
#include "script/task.h"
#include "script/vm.h"
#include "script/wire.h"

#include <lauxlib.h>
#include <lua.h>

#define START_DEADLINE_US (120 * INT64_C(1000000))
#define COMMAND_DEADLINE_US (60 * INT64_C(1000000))
#define TICK_DEADLINE_US (50 * INT64_C(1000000))
#define NAMES_MAX 64

struct run {
	struct buf args; /* owns: one wire value */
	char mode[16];
	bool started_with_mode;
	struct tls_config *tls; /* owns */
	struct buf json;        /* owns */
	bridge_started started;
	bridge_answered answered;
	void *arg;
};

static void run_free(struct run *r)
{
	tls_config_unref(r->tls);
	buf_free(&r->args);
	buf_free(&r->json);
	free(r);
}

static int push_arguments(lua_State *L, void *arg)
{
	struct run *r = arg;
	struct slice in = buf_slice(&r->args);

	if (wire_decode(L, &in, &wire_config_limits) != ST_OK)
		return luaL_error(L, "malformed arguments");
	buf_free(&r->args);
	if (!r->started_with_mode)
		return 1;
	lua_pushstring(L, r->mode);
	return 2;
}

/* ---- start ------------------------------------------------------------------------------------------------------------- */

/* Stack top: one entry of tls. Appends its names to list; they live as long as the table does. */
static size_t read_names(lua_State *L, const char *names[static NAMES_MAX])
{
	size_t n = 0;

	if (lua_getfield(L, -1, "names") == LUA_TTABLE) {
		for (lua_Integer i = 1; n < NAMES_MAX && lua_rawgeti(L, -1, i) == LUA_TSTRING; i++) {
			names[n++] = lua_tostring(L, -1);
			lua_pop(L, 1);
		}
		if (n < NAMES_MAX)
			lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return n;
}

static void add_certificate(lua_State *L, struct run *r)
{
	const char *names[NAMES_MAX];
	char error[200] = "out of memory";
	struct buf pem = {0};
	struct slice chain;
	size_t name_count;
	enum st st;

	if (lua_type(L, -1) != LUA_TTABLE || lua_getfield(L, -1, "chain") != LUA_TSTRING)
		luaL_error(L, "start: tls: a certificate has no chain");
	chain.p = (const unsigned char *)lua_tolstring(L, -1, &chain.n);
	lua_pop(L, 1);
	lua_getfield(L, -1, "key");
	struct pk *key = key_check(L, -1);
	lua_pop(L, 1);
	name_count = read_names(L, names);
	/* Nothing throws while the PEM exists. */
	st = pk_private_pem(key, &pem);
	if (st == ST_OK)
		st = tls_config_add(
			r->tls, chain, buf_slice(&pem), names, name_count, error, sizeof error);
	buf_wipe(&pem);
	if (st != ST_OK)
		luaL_error(L, "start: tls: %s", error);
}

static void read_certificates(lua_State *L, struct run *r)
{
	lua_Integer n;

	if (lua_type(L, -1) != LUA_TTABLE)
		luaL_error(L, "start: tls is not a list");
	n = (lua_Integer)lua_rawlen(L, -1);
	if (n == 0)
		return;
	r->tls = tls_config_new();
	if (!r->tls)
		luaL_error(L, "out of memory");
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, -1, i);
		add_certificate(L, r);
		lua_pop(L, 1);
	}
}

static void start_returned(lua_State *L, int count, void *arg)
{
	struct run *r = arg;
	struct tls_config *tls;

	luaL_checkstack(L, 10, NULL);
	if (count > 1 && lua_isnil(L, 1)) {
		luaL_tolstring(L, 2, NULL);
		r->started(r->arg, ST_BAD, lua_tostring(L, -1), NULL);
		run_free(r);
		return;
	}
	if (count > 0 && lua_type(L, 1) == LUA_TTABLE && lua_getfield(L, 1, "tls") != LUA_TNIL)
		read_certificates(L, r);
	tls = r->tls;
	r->tls = NULL;
	r->started(r->arg, ST_OK, "", tls);
	run_free(r);
}

static void start_failed(const char *message, void *arg)
{
	struct run *r = arg;

	r->started(r->arg, ST_BAD, message, NULL);
	run_free(r);
}

static void start_cancelled(void *arg)
{
	start_failed("cancelled", arg);
}

static struct run *run_new(struct slice wire, void *arg)
{
	struct run *r = calloc(1, sizeof *r);

	if (r && !buf_add_slice(&r->args, wire)) {
		run_free(r);
		return NULL;
	}
	if (r)
		r->arg = arg;
	return r;
}

enum st bridge_start(
	struct vm *vm, struct slice config_wire, const char *mode, bridge_started done, void *arg)
{
	static const struct task_events events = {
		push_arguments, start_returned, start_failed, start_cancelled};
	struct run *r = run_new(config_wire, arg);
	enum st st;

	if (!r)
		return ST_NOMEM;
	r->started = done;
	r->started_with_mode = true;
	snprintf(r->mode, sizeof r->mode, "%s", mode);
	st = task_start(vm, "start", START_DEADLINE_US, &events, r, NULL);
	if (st != ST_OK)
		run_free(r);
	return st;
}

/* ---- command ----------------------------------------------------------------------------------------------------------- */

static void command_returned(lua_State *L, int count, void *arg)
{
	struct run *r = arg;

	if (count < 1 || lua_type(L, 1) != LUA_TTABLE)
		luaL_error(L, "command: no answer table");
	json_encode(L, 1, &r->json); /* r owns what it builds, should this throw */
	r->answered(r->arg, buf_slice(&r->json), NULL);
	run_free(r);
}

static void command_failed(const char *message, void *arg)
{
	struct run *r = arg;

	r->answered(r->arg, (struct slice){0}, message);
	run_free(r);
}

static void command_cancelled(void *arg)
{
	command_failed("cancelled", arg);
}

enum st bridge_command(struct vm *vm, struct slice body_wire, bridge_answered done, void *arg)
{
	static const struct task_events events = {
		push_arguments, command_returned, command_failed, command_cancelled};
	struct run *r = run_new(body_wire, arg);
	enum st st;

	if (!r)
		return ST_NOMEM;
	r->answered = done;
	st = task_start(vm, "command", COMMAND_DEADLINE_US, &events, r, NULL);
	if (st != ST_OK)
		run_free(r);
	return st;
}

/* ---- tick -------------------------------------------------------------------------------------------------------------- */

static void tick_over(struct vm *vm)
{
	vm_set_ticking(vm, false);
}

static void tick_returned(lua_State *L, int count, void *arg)
{
	(void)L;
	(void)count;
	tick_over(arg);
}

static void tick_failed(const char *message, void *arg)
{
	log_line(LOG_ERROR, "tick failed error=%s", message);
	tick_over(arg);
}

void bridge_tick(struct vm *vm)
{
	static const struct task_events events = {NULL, tick_returned, tick_failed, NULL};

	if (vm_ticking(vm))
		return;
	vm_set_ticking(vm, true);
	if (task_start(vm, "tick", TICK_DEADLINE_US, &events, vm, NULL) != ST_OK)
		tick_over(vm);
}
