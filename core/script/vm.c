/* vm.c: makes, locks, loads and retires trusted states. */
#include "script/vm.h"

#include "base/fault.h"
#include "base/log.h"
#include "loop/loop.h"
#include "script/heap.h"
#include "script/modules.h"
#include "script/task.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#define SPARE_MAX 16

struct vm {
	lua_State *L;       /* owns */
	lua_State *running; /* borrows; the coroutine that runs now */
	struct heap heap;
	size_t used, max;
	bool refuse_again; /* Lua tries a failed allocation a second time after collecting: fail that too */
	bool retired, ending, freeing, ticking; /* ending: its tasks have been told to stop */
	unsigned generation;
	int entries;    /* registry reference of the entries' table */
	char *lua_dir;  /* owns; NULL = assets */
	unsigned tasks; /* live ones */
	struct {
		lua_State *co; /* owned by the registry through ref */
		int ref;
	} spare[SPARE_MAX];
	unsigned spares;
	struct timer grace;
	struct deferred deferred;
};

/* ---- Memory ---------------------------------------------------------------------------------------------------------- */

static void *vm_alloc(void *ud, void *p, size_t old, size_t size)
{
	struct vm *vm = ud;
	void *q;

	if (!p)
		old = 0; /* then it is the kind of object */
	if (size == 0) {
		(void)heap_resize(&vm->heap, p, old, 0);
		vm->used -= old;
		return NULL;
	}
	if (size > old) {
		if (vm->refuse_again) {
			vm->refuse_again = false;
			return NULL;
		}
		if (fault_hit(FAULT_ALLOC)) {
			vm->refuse_again = true;
			return NULL;
		}
		if (size - old > vm->max - vm->used)
			return NULL;
	}
	q = heap_resize(&vm->heap, p, old, size);
	if (!q && size > old)
		return NULL;
	if (!q)
		q = p; /* Lua expects shrinking to work */
	vm->used += size - old;
	return q;
}

/* Only reached by an error outside every protected call, which is a bug of ours. */
static int vm_panic(lua_State *L)
{
	const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?";

	log_line(LOG_ERROR, "unprotected error in Lua error=%s", message);
	log_flush();
	return 0;
}

/* ---- Globals --------------------------------------------------------------------------------------------------------- */

static int undefined_global(lua_State *L)
{
	return luaL_error(L, "undefined global '%s'", luaL_tolstring(L, 2, NULL));
}

static int locked_global(lua_State *L)
{
	return luaL_error(L, "assignment to global '%s'", luaL_tolstring(L, 2, NULL));
}

static int locked_table(lua_State *L)
{
	return luaL_error(L, "'%s' is read-only (assignment to '%s')",
		lua_tostring(L, lua_upvalueindex(1)), luaL_tolstring(L, 2, NULL));
}

static int next_of_bound(lua_State *L)
{
	lua_settop(L, 2);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushvalue(L, 2);
	return lua_next(L, -2) ? 2 : 0;
}

static int pairs_of_bound(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushcclosure(L, next_of_bound, 1);
	lua_pushnil(L);
	lua_pushnil(L);
	return 3;
}

/* Replaces the table on the top by a userdata that shows it and cannot be changed: neither by assignment nor, being no
 * table, by rawset. */
static void push_locked(lua_State *L, const char *name)
{
	int table = lua_gettop(L);

	lua_newuserdatauv(L, 0, 0);
	lua_createtable(L, 0, 4);
	lua_pushvalue(L, table);
	lua_setfield(L, -2, "__index");
	lua_pushstring(L, name);
	lua_pushcclosure(L, locked_table, 1);
	lua_setfield(L, -2, "__newindex");
	lua_pushvalue(L, table);
	lua_pushcclosure(L, pairs_of_bound, 1);
	lua_setfield(L, -2, "__pairs");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_replace(L, table);
}

static void remove_globals(lua_State *L)
{
	static const char *const unwanted[] = {"_G", "collectgarbage", "dofile", "load", "loadfile",
		"print", "warn", "package", "coroutine", "io", "os", "debug"};

	for (size_t i = 0; i < ARRAY_LEN(unwanted); i++) {
		lua_pushnil(L);
		lua_setglobal(L, unwanted[i]);
	}
	lua_getglobal(L, "string");
	lua_pushnil(L);
	lua_setfield(L, -2, "dump");
	lua_pop(L, 1);
	lua_pushliteral(L, "");
	lua_getmetatable(L, -1);
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);
}

/* Every table among the globals becomes its locked face, then the globals themselves. */
static void lock_globals(lua_State *L)
{
	int globals;

	lua_pushglobaltable(L);
	globals = lua_gettop(L);
	lua_newtable(L); /* name -> locked; a table must not change while it is walked */
	lua_pushnil(L);
	while (lua_next(L, globals)) {
		if (lua_type(L, -1) == LUA_TTABLE && lua_type(L, -2) == LUA_TSTRING) {
			push_locked(L, lua_tostring(L, -2));
			lua_pushvalue(L, -2);
			lua_insert(L, -2);
			lua_rawset(L, globals + 1);
		} else {
			lua_pop(L, 1);
		}
	}
	lua_pushnil(L);
	while (lua_next(L, globals + 1)) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, globals);
	}
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, undefined_global);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, globals);

	lua_newuserdatauv(L, 0, 0);
	lua_createtable(L, 0, 3);
	lua_pushvalue(L, globals);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, locked_global);
	lua_setfield(L, -2, "__newindex");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2);
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
	lua_settop(L, globals - 1);
}

struct opening {
	void (*open)(lua_State *L, void *arg);
	void *arg;
};

static int vm_setup(lua_State *L)
{
	static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
		{LUA_TABLIBNAME, luaopen_table}, {LUA_STRLIBNAME, luaopen_string},
		{LUA_MATHLIBNAME, luaopen_math}, {LUA_UTF8LIBNAME, luaopen_utf8}};
	struct opening *o = lua_touserdata(L, 1);

	for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
		luaL_requiref(L, libraries[i].name, libraries[i].func, true);
		lua_pop(L, 1);
	}
	remove_globals(L);
	modules_open(L);
	if (o->open)
		o->open(L, o->arg);
	lua_settop(L, 0);
	lock_globals(L);
	return 0;
}

/* ---- Life ------------------------------------------------------------------------------------------------------------ */

static void close_vm(struct vm *vm)
{
	assert(vm->tasks == 0);
	timer_free(&vm->grace);
	task_rest();
	if (vm->L)
		lua_close(vm->L);
	assert(vm->used == 0);
	heap_close(&vm->heap);
	free(vm->lua_dir);
	free(vm);
}

struct vm *vm_new(const char *lua_dir, size_t memory_max, void (*open)(lua_State *L, void *arg),
	void *arg, char *error, size_t error_size)
{
	static unsigned generations;
	struct opening o = {open, arg};
	struct vm *vm = calloc(1, sizeof *vm);

	snprintf(error, error_size, "out of memory");
	if (!vm)
		return NULL;
	task_init();
	vm->max = memory_max;
	vm->generation = ++generations;
	vm->entries = LUA_NOREF;
	if (lua_dir && !(vm->lua_dir = strdup(lua_dir)))
		goto failed;
	vm->L = lua_newstate(vm_alloc, vm);
	if (!vm->L)
		goto failed;
	lua_atpanic(vm->L, vm_panic);
	*(void **)lua_getextraspace(vm->L) = NULL; /* new threads start with a copy: no task */
	/* Nearly all that a request makes is garbage when it ends; what stays, stays long. The generational collector is the
	 * younger one and had faults in early 5.4: on 5.4.7 the specifications and the wire tests passed with Lua's own
	 * assertions and API checks, the address sanitizer, and a collection of the young at each 64th allocation, and memory
	 * stood still over 50,000 requests. Were it ever to collect too late, the cap of vm_alloc makes Lua collect all. */
	lua_gc(vm->L, LUA_GCGEN, 40, 100);
	if (vm_call(vm, vm_setup, &o, error, error_size) != ST_OK)
		goto failed;
	return vm;
failed:
	close_vm(vm);
	return NULL;
}

enum st vm_call(struct vm *vm, int (*fn)(lua_State *L), void *data, char *error, size_t error_size)
{
	lua_State *L = vm->L;
	int status;

	if (!lua_checkstack(L, 4))
		return ST_NOMEM;
	lua_pushcfunction(L, fn);
	lua_pushlightuserdata(L, data);
	status = lua_pcall(L, 1, 0, 0);
	if (status == LUA_OK)
		return ST_OK;
	/* No lua_tolstring on anything but a string: it could throw, and nobody would catch. */
	snprintf(error, error_size, "%s",
		lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "error object is not a text");
	lua_pop(L, 1);
	return status == LUA_ERRMEM ? ST_NOMEM : ST_BAD;
}

struct loading {
	const char *name, *chunk;
	struct slice text;
};

static int traceback(lua_State *L)
{
	luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
	return 1;
}

static int load_entries(lua_State *L)
{
	struct loading *l = lua_touserdata(L, 1);
	struct vm *vm = vm_of(L);

	lua_pushcfunction(L, traceback);
	if (l->name) {
		lua_pushcfunction(L, modules_require);
		lua_pushstring(L, l->name);
	} else {
		if (luaL_loadbufferx(L, (const char *)l->text.p, l->text.n, l->chunk, "t") != LUA_OK)
			return lua_error(L);
		lua_pushnil(L);
	}
	if (lua_pcall(L, 1, 1, 2) != LUA_OK)
		return lua_error(L);
	if (lua_type(L, -1) != LUA_TTABLE)
		return luaL_error(
			L, "%s must return a table of functions", l->name ? l->name : l->chunk);
	luaL_unref(L, LUA_REGISTRYINDEX, vm->entries);
	vm->entries = LUA_NOREF;
	vm->entries = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

enum st vm_load(struct vm *vm, const char *name, char *error, size_t error_size)
{
	struct loading l = {.name = name};

	return vm_call(vm, load_entries, &l, error, error_size);
}

enum st vm_load_text(struct vm *vm, const char *chunk, struct slice text, char *error, size_t error_size)
{
	struct loading l = {.chunk = chunk, .text = text};

	return vm_call(vm, load_entries, &l, error, error_size);
}

static void run_deferred_free(struct deferred *d)
{
	struct vm *vm = container_of(d, struct vm, deferred);

	close_vm(vm);
}

lua_State *vm_spare_take(struct vm *vm, int *ref)
{
	if (vm->spares == 0)
		return NULL;
	vm->spares--;
	*ref = vm->spare[vm->spares].ref;
	return vm->spare[vm->spares].co;
}

bool vm_spare_keep(struct vm *vm, lua_State *co, int ref)
{
	if (vm->spares == SPARE_MAX)
		return false;
	lua_settop(co, 0);
	vm->spare[vm->spares].co = co;
	vm->spare[vm->spares].ref = ref;
	vm->spares++;
	return true;
}

void vm_task_came(struct vm *vm)
{
	vm->tasks++;
}

/* Closes a retired vm once its last task is gone. */
static void close_when_idle(struct vm *vm)
{
	if (!vm->retired || vm->freeing || vm->tasks > 0)
		return;
	vm->freeing = true;
	timer_stop(&vm->grace);
	loop_defer(&vm->deferred,
		run_deferred_free); /* the last task's coroutine may still be on the stack */
}

void vm_task_gone(struct vm *vm)
{
	assert(vm->tasks > 0);
	vm->tasks--;
	close_when_idle(vm);
}

static void grace_over(struct timer *t)
{
	struct vm *vm = container_of(t, struct vm, grace);

	vm->ending = true;
	task_cancel_all(vm);
	close_when_idle(vm);
}

void vm_retire(struct vm *vm, int64_t grace_us)
{
	assert(!vm->retired);
	vm->retired = true;
	if (vm->tasks > 0 && timer_start(&vm->grace, grace_us, grace_over) != ST_OK) {
		vm->ending = true;
		task_cancel_all(vm);
	}
	close_when_idle(vm);
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	assert(!vm->running && !vm->freeing);
	vm->retired = vm->ending = vm->freeing = true;
	task_cancel_all(vm);
	close_vm(vm);
}

/* ---- Small answers --------------------------------------------------------------------------------------------------- */

lua_State *vm_state(struct vm *vm)
{
	return vm->L;
}

struct vm *vm_of(lua_State *L)
{
	void *ud;

	lua_getallocf(L, &ud);
	return ud;
}

size_t vm_memory(const struct vm *vm)
{
	return vm->used;
}

unsigned vm_generation(const struct vm *vm)
{
	return vm->generation;
}

const char *vm_lua_dir(const struct vm *vm)
{
	return vm->lua_dir;
}

bool vm_retired(const struct vm *vm)
{
	return vm->retired;
}

bool vm_ending(const struct vm *vm)
{
	return vm->ending;
}

bool vm_ticking(const struct vm *vm)
{
	return vm->ticking;
}

void vm_set_ticking(struct vm *vm, bool ticking)
{
	vm->ticking = ticking;
}

int vm_push_entries(struct vm *vm, lua_State *L)
{
	if (lua_rawgeti(L, LUA_REGISTRYINDEX, vm->entries) != LUA_TTABLE)
		return luaL_error(L, "no entries are loaded");
	return 1;
}

int vm_push_entry(struct vm *vm, lua_State *L, const char *entry)
{
	vm_push_entries(vm, L);
	if (lua_getfield(L, -1, entry) != LUA_TFUNCTION)
		return luaL_error(L, "no entry '%s'", entry);
	lua_remove(L, -2);
	return 1;
}

void vm_set_running(struct vm *vm, lua_State *co)
{
	vm->running = co;
}

lua_State *vm_running(const struct vm *vm)
{
	return vm->running;
}
