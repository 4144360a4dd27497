/* vm.h: the trusted Lua state: capped allocator, text-only loader over embedded files or a folder, strict globals,
 * generations (a reload builds a second one and swaps). */
#pragma once

#include "base/bytes.h"

struct lua_State;
struct vm;

#define VM_MEMORY_DEFAULT (64u << 20)

/* Makes a state with base, table, string, math, utf8 (no io, os, debug, package, coroutine, load, dofile,
 * collectgarbage), a `require` that finds modules by path ("auth/session" or "auth.session" is lua/auth/session.lua)
 * among the assets (base/asset.h) or under lua_dir when not NULL, and read-only globals: reading or writing an unknown
 * name raises, and so does writing to a bound table. open(L, arg) registers bindings as globals before globals are locked.
 * memory_max bytes. NULL = failed, with the reason in error. */
struct vm *vm_new(const char *lua_dir, size_t memory_max,
	void (*open)(struct lua_State *L, void *arg), void *arg, char *error, size_t error_size);
/* Runs module `name` (require) and keeps the table of functions that it returns as entries for task_start. */
must_check enum st vm_load(struct vm *vm, const char *name, char *error, size_t error_size);
/* The same with a text that is no module (the test runner, the configuration): chunk is "@tests/lua/x_spec.lua". */
must_check enum st vm_load_text(
	struct vm *vm, const char *chunk, struct slice text, char *error, size_t error_size);
/* Runs fn(L) protected on the main state with `data` as its light userdata argument 1. */
must_check enum st vm_call(
	struct vm *vm, int (*fn)(struct lua_State *L), void *data, char *error, size_t error_size);
/* New tasks can no longer start; closed and freed when its last task ends (cancelled after grace_us). */
void vm_retire(struct vm *vm, int64_t grace_us);
/* Cancels every task and closes at once. Never from inside a task. Accepts NULL. */
void vm_free(struct vm *vm);
struct lua_State *vm_state(struct vm *vm);
struct vm *vm_of(struct lua_State *L);
size_t vm_memory(const struct vm *vm);
unsigned vm_generation(const struct vm *vm);
bool vm_retired(const struct vm *vm);
bool vm_ending(const struct vm *vm); /* retired, and its tasks' time is over: none may be begun by another */
const char *vm_lua_dir(const struct vm *vm); /* NULL = assets */

/* Whether the entry "tick" runs now; bind/ keeps it. */
bool vm_ticking(const struct vm *vm);
void vm_set_ticking(struct vm *vm, bool ticking);

/* For script/task.c. */
int vm_push_entries(struct vm *vm, struct lua_State *L); /* may throw; pushes the table */
int vm_push_entry(
	struct vm *vm, struct lua_State *L, const char *entry); /* may throw; pushes the function */
/* Coroutines that ended well are used again: their stacks have grown already. NULL = none left; false = kept enough. */
struct lua_State *vm_spare_take(struct vm *vm, int *ref);
bool vm_spare_keep(struct vm *vm, struct lua_State *co, int ref);
void vm_task_came(struct vm *vm);
void vm_task_gone(struct vm *vm);
void vm_set_running(struct vm *vm, struct lua_State *co); /* NULL = none */
struct lua_State *vm_running(const struct vm *vm);
