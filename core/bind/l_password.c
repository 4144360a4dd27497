/* l_password.c: the table `password`. Hashing takes tens of milliseconds and megabytes: always on the pool, whose bounded queue
 * is the answer to a flood ("busy"). */
#include <lauxlib.h>
#include <lua.h>

#include "base/secret.h"
#include "bind/bind.h"
#include "bind/offload.h"
#include "crypto/password.h"

struct password_job {
	struct job job;
	struct buf text;    /* owns; wiped */
	struct buf encoded; /* owns; what is verified, or the new hash */
	struct password_cost cost;
	enum st st;
};

static struct slice check_slice(lua_State *L, int index)
{
	size_t n;
	const char *p = luaL_checklstring(L, index, &n);

	return slice_of(p, n);
}

/* { memory_kib =, passes = } at index, or the defaults. */
static struct password_cost check_cost(lua_State *L, int index)
{
	struct password_cost cost = password_default_cost;

	if (lua_isnoneornil(L, index))
		return cost;
	luaL_checktype(L, index, LUA_TTABLE);
	lua_getfield(L, index, "memory_kib");
	cost.memory_kib = (unsigned)luaL_optinteger(L, -1, cost.memory_kib);
	lua_getfield(L, index, "passes");
	cost.passes = (unsigned)luaL_optinteger(L, -1, cost.passes);
	lua_pop(L, 2);
	luaL_argcheck(L, password_cost_valid(&cost), index, "an impossible cost");
	return cost;
}

static void password_free(struct op *op)
{
	struct password_job *p = container_of(op, struct password_job, job.op);

	buf_wipe(&p->text);
	buf_free(&p->encoded);
	free(p);
}

static struct password_job *new_job(struct slice text)
{
	struct password_job *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->job.op.free = password_free;
	if (!buf_add_slice(&p->text, text)) {
		password_free(&p->job.op);
		return NULL;
	}
	return p;
}

/* ---- hash ---- */

static void hash_work(struct job *job)
{
	struct password_job *p = container_of(job, struct password_job, job);

	p->st = password_hash(buf_slice(&p->text), &p->cost, &p->encoded);
}

static int hash_push(struct op *op, lua_State *L)
{
	struct password_job *p = container_of(op, struct password_job, job.op);

	if (p->st)
		return offload_refuse(L, st_name(p->st));
	lua_pushlstring(L, (const char *)p->encoded.p, p->encoded.n);
	return 1;
}

/* hash(text [, { memory_kib =, passes = }]) waits → encoded | nil, code */
static int l_hash(lua_State *L)
{
	struct slice text = check_slice(L, 1);
	struct password_cost cost = check_cost(L, 2);
	struct task *t = offload_task(L);
	struct password_job *p;

	luaL_argcheck(L, text.n <= PASSWORD_TEXT_MAX, 1, "too long");
	p = new_job(text);
	if (!p)
		return offload(L, t, NULL);
	p->cost = cost;
	p->job.work = hash_work;
	p->job.op.push = hash_push;
	return offload(L, t, &p->job);
}

/* ---- verify ---- */

static void verify_work(struct job *job)
{
	struct password_job *p = container_of(job, struct password_job, job);

	p->st = password_verify(buf_slice(&p->text), buf_slice(&p->encoded));
}

static int verify_push(struct op *op, lua_State *L)
{
	struct password_job *p = container_of(op, struct password_job, job.op);

	/* An encoded text of a kind that we do not know fits no password. */
	if (p->st != ST_OK && p->st != ST_REFUSED && p->st != ST_BAD)
		return offload_refuse(L, st_name(p->st));
	lua_pushboolean(L, p->st == ST_OK);
	return 1;
}

/* verify(text, encoded) waits → true | false | nil, code */
static int l_verify(lua_State *L)
{
	struct slice text = check_slice(L, 1), encoded = check_slice(L, 2);
	struct task *t = offload_task(L);
	struct password_job *p;

	if (text.n > PASSWORD_TEXT_MAX) {
		lua_pushboolean(L, 0);
		return 1;
	}
	p = new_job(text);
	if (!p)
		return offload(L, t, NULL);
	p->job.work = verify_work;
	p->job.op.push = verify_push;
	if (!buf_add_slice(&p->encoded, encoded)) {
		password_free(&p->job.op);
		return offload(L, t, NULL);
	}
	return offload(L, t, &p->job);
}

/* outdated(encoded [, settings]) → bool */
static int l_outdated(lua_State *L)
{
	struct slice encoded = check_slice(L, 1);
	struct password_cost cost = check_cost(L, 2);

	lua_pushboolean(L, password_outdated(encoded, &cost));
	return 1;
}

int bind_password(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"hash", l_hash},
		{"verify", l_verify},
		{"outdated", l_outdated},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
