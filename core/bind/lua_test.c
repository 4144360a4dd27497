/* lua_test.c: finds the files, runs their functions one after the other, prints what failed. */
#include "bind/lua_test.h"

#include "base/bytes.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/secret.h"
#include "bind/bind.h"
#include "crypto/master.h"
#include "http/client.h"
#include "loop/dns.h"
#include "loop/loop.h"
#include "loop/pool.h"
#include "script/jail.h"
#include "script/task.h"
#include "script/vm.h"
#include "store/store.h"

#include <dirent.h>
#include <lauxlib.h>
#include <lua.h>

#define FILE_MAX (1u << 20)
#define NAMES_MAX 400
#define SPEC_DEADLINE_US (60 * INT64_C(1000000))

struct run {
	struct vm *vm;
	char *names[NAMES_MAX]; /* owns */
	size_t count;
	const char *name; /* the one that runs */
	bool over, failed;
	char message[4096];
	unsigned passed, broken;
};

/* ---- One specification ------------------------------------------------------------------------------------------------- */

static void spec_returned(lua_State *L, int count, void *arg)
{
	struct run *r = arg;

	(void)L;
	(void)count;
	r->over = true;
	loop_stop();
}

static void spec_failed(const char *message, void *arg)
{
	struct run *r = arg;

	snprintf(r->message, sizeof r->message, "%s", message);
	r->over = r->failed = true;
	loop_stop();
}

static int spawn_spec(lua_State *L)
{
	static const struct task_events events = {.returned = spec_returned, .failed = spec_failed};
	struct run *r = lua_touserdata(L, 1);

	vm_push_entry(r->vm, L, r->name);
	if (task_spawn(L, 0, SPEC_DEADLINE_US, &events, r, NULL) != ST_OK)
		return luaL_error(L, "no task to be had");
	return 0;
}

static void run_spec(struct run *r, const char *file)
{
	r->over = r->failed = false;
	if (vm_call(r->vm, spawn_spec, r, r->message, sizeof r->message) != ST_OK)
		r->over = r->failed = true;
	while (!r->over)
		loop_run();
	printf("%s - %s: %s\n", r->failed ? "not ok" : "ok", file, r->name);
	if (r->failed)
		printf("%s\n", r->message);
	fflush(stdout);
	r->passed += !r->failed;
	r->broken += r->failed;
}

/* ---- One file ---------------------------------------------------------------------------------------------------------- */

static int collect_names(lua_State *L)
{
	struct run *r = lua_touserdata(L, 1);

	vm_push_entries(r->vm, L);
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		if (lua_type(L, -2) != LUA_TSTRING || r->count == NAMES_MAX)
			return luaL_error(L, "names must be texts, and not too many");
		r->names[r->count] = strdup(lua_tostring(L, -2));
		r->count += r->names[r->count] != NULL;
		lua_pop(L, 1);
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool read_whole(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rbe");
	size_t n;

	if (!f)
		return false;
	if (!buf_reserve(out, FILE_MAX)) {
		fclose(f);
		return false;
	}
	n = fread(out->p, 1, FILE_MAX, f);
	out->n = n;
	fclose(f);
	return true;
}

static bool services_open(char *error, size_t size)
{
	unsigned char key[32];

	random_bytes(key, sizeof key);
	snprintf(error, size, "cannot start");
	return crypto_master_set(key) == ST_OK && pool_open(LANE_WORK, 2, 64) == ST_OK &&
		pool_open(LANE_NAMES, 2, 32) == ST_OK && jail_open() == ST_OK &&
		store_open(":memory:", error, size) == ST_OK;
}

static void services_close(void)
{
	jail_close();
	store_close();
	http_client_close();
	pool_close();
	dns_close();
}

static void run_file(struct run *r, const char *dir, const char *file)
{
	char path[1200], chunk[1210], error[4096] = "cannot be read";
	struct buf text = {0};

	snprintf(path, sizeof path, "%s/%s", dir, file);
	snprintf(chunk, sizeof chunk, "@%s", path);
	r->count = 0;
	r->vm = NULL;
	if (loop_open() == ST_OK && services_open(error, sizeof error) && read_whole(path, &text) &&
		(r->vm = vm_new(NULL, VM_MEMORY_DEFAULT, bind_open, NULL, error, sizeof error)) &&
		vm_load_text(r->vm, chunk, buf_slice(&text), error, sizeof error) == ST_OK &&
		vm_call(r->vm, collect_names, r, error, sizeof error) == ST_OK) {
		qsort(r->names, r->count, sizeof r->names[0], by_text);
		for (size_t i = 0; i < r->count; i++) {
			r->name = r->names[i];
			run_spec(r, file);
		}
	} else {
		printf("not ok - %s\n%s\n", file, error);
		r->broken++;
	}
	while (r->count > 0)
		free(r->names[--r->count]);
	buf_free(&text);
	vm_free(r->vm);
	services_close();
	loop_close();
	log_flush();
}

/* ---- All of them ------------------------------------------------------------------------------------------------------- */

static const char *wanted;

static int is_spec(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 9 && strcmp(e->d_name + n - 9, "_spec.lua") == 0 &&
		(!wanted || strstr(e->d_name, wanted));
}

int bind_lua_test(const char *dir, const char *only)
{
	struct run *r = calloc(1, sizeof *r);
	struct dirent **files = NULL;
	int n, status;

	wanted = only;
	n = r ? scandir(dir, &files, is_spec, alphasort) : -1;
	for (int i = 0; i < n; i++) {
		run_file(r, dir, files[i]->d_name);
		free(files[i]);
	}
	free(files);
	if (n < 0)
		printf("cannot read %s\n", dir);
	else
		printf("%u passed, %u failed\n", r->passed, r->broken);
	status = n > 0 && r->broken == 0 ? 0 : 1;
	free(r);
	return status;
}
