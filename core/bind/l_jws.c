/* l_jws.c: the table `jws`: signs and checks compact signed tokens. Which claims mean what is Lua's business. */
#include <lauxlib.h>
#include <lua.h>

#include "bind/bind.h"
#include "bind/l_json.h"
#include "bind/l_key.h"
#include "bind/offload.h"
#include "bind/scratch.h"
#include "crypto/hash.h"
#include "jose/jws.h"

static const char cache_key; /* registry: userdata with struct jws_cache * */

static struct slice check_slice(lua_State *L, int index)
{
	size_t n;
	const char *p = luaL_checklstring(L, index, &n);

	return slice_of(p, n);
}

/* ---- sign ---- */

struct sign_job {
	struct job job;
	struct pk *key; /* owns */
	enum pk_alg alg;
	struct buf compact;
	enum st st;
};

static void sign_work(struct job *job)
{
	struct sign_job *s = container_of(job, struct sign_job, job);

	s->st = jws_sign(s->key, s->alg, &s->compact);
}

static int sign_push(struct op *op, lua_State *L)
{
	struct sign_job *s = container_of(op, struct sign_job, job.op);

	if (s->st)
		return offload_refuse(L, st_name(s->st));
	lua_pushlstring(L, (const char *)s->compact.p, s->compact.n);
	return 1;
}

static void sign_free(struct op *op)
{
	struct sign_job *s = container_of(op, struct sign_job, job.op);

	pk_unref(s->key);
	buf_free(&s->compact);
	free(s);
}

/* The algorithm of the key, or the named one when it fits. */
static enum pk_alg signing_alg(lua_State *L, const struct pk *k, int index)
{
	enum pk_alg alg = lua_isnoneornil(L, index) ? pk_alg(k) : pk_alg_of(check_slice(L, index));

	luaL_argcheck(L, pk_is_private(k), 1, "not a private key");
	luaL_argcheck(
		L, pk_alg_signs(alg) && pk_fits(k, alg), index, "the key is for another algorithm");
	return alg;
}

/* Writes the header with its alg, which the caller's table does not name. */
static void write_header(lua_State *L, int index, enum pk_alg alg, struct buf *out)
{
	size_t start;

	luaL_checktype(L, index, LUA_TTABLE);
	lua_getfield(L, index, "alg");
	luaL_argcheck(L, lua_isnil(L, -1), index, "alg comes from the key");
	lua_pop(L, 1);
	buf_printf(out, "{\"alg\":\"%s\",", pk_alg_name(alg));
	start = out->n;
	json_encode(L, index, out);
	/* Behind the comma stands "[]", "{}" or "{…}". */
	if (out->n - start <= 2) {
		out->p[start - 1] = '}';
		out->n = start;
	} else {
		memmove(out->p + start, out->p + start + 1, out->n - start - 1);
		out->n--;
	}
}

static struct job *sign_job(struct pk *k, enum pk_alg alg, struct slice header, struct slice payload)
{
	struct sign_job *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->key = pk_ref(k);
	s->alg = alg;
	s->job.work = sign_work;
	s->job.op.push = sign_push;
	s->job.op.free = sign_free;
	if (jws_signing_input(header, payload, &s->compact)) {
		sign_free(&s->job.op);
		return NULL;
	}
	return &s->job;
}

/* sign(handle, header, payload [, alg]) waits → compact | nil, code */
static int l_sign(lua_State *L)
{
	struct pk *k = key_check(L, 1);
	struct slice payload = check_slice(L, 3);
	enum pk_alg alg = signing_alg(L, k, 4);
	struct task *t = offload_task(L);
	struct buf *header = scratch_take(L);

	write_header(L, 2, alg, header);
	return offload(L, t, sign_job(k, alg, buf_slice(header), payload));
}

/* ---- parse ---- */

/* jws_parse's result in a box that Lua owns. */
static int parsed_collect(lua_State *L)
{
	jws_free(lua_touserdata(L, 1));
	return 0;
}

static struct jws *new_parsed(lua_State *L)
{
	struct jws *j = lua_newuserdatauv(L, sizeof(*j), 0);

	memset(j, 0, sizeof(*j));
	luaL_setmetatable(L, "jws.parsed");
	return j;
}

static void set_text(lua_State *L, const char *name, struct slice s)
{
	lua_pushlstring(L, (const char *)s.p, s.n);
	lua_setfield(L, -2, name);
}

static int push_parsed(lua_State *L, struct slice compact, struct jws *j)
{
	lua_createtable(L, 0, 5);
	json_push(L, j->fields);
	lua_setfield(L, -2, "header");
	set_text(L, "payload", buf_slice(&j->payload));
	set_text(L, "signing_input", j->signing_input);
	set_text(L, "signature", buf_slice(&j->signature));
	set_text(L, "compact", compact);
	jws_free(j);
	return 1;
}

/* parse(compact) → { header, payload, signing_input, signature, compact } | nil, reason. Proves nothing. */
static int l_parse(lua_State *L)
{
	struct slice compact = check_slice(L, 1);
	const char *error;
	struct jws *j = new_parsed(L);
	enum st st = jws_parse(compact, j, &error);

	if (st)
		return offload_refuse(L, error ? error : st_name(st));
	return push_parsed(L, compact, j);
}

/* open_hmac(compact, secret) → parse's table of an HS256 token whose signature is right | nil, reason */
static int l_open_hmac(lua_State *L)
{
	struct slice compact = check_slice(L, 1), secret = check_slice(L, 2);
	const char *error;
	struct jws *j;
	enum st st;

	luaL_argcheck(L, secret.n >= HASH_HMAC_SIZE, 2, "RFC 7518 3.2: a secret of 32 bytes or more");
	j = new_parsed(L);
	st = jws_open_hmac(compact, secret, j, &error);
	if (st)
		return offload_refuse(L, error ? error : st_name(st));
	return push_parsed(L, compact, j);
}

/* ---- check ---- */

struct check_job {
	struct job job;
	struct pk *key; /* owns */
	struct buf compact;
	struct jws jws;          /* borrows from compact */
	struct jws_cache *cache; /* borrows from the Lua state, which outlives its tasks */
	enum st st;
};

static void check_work(struct job *job)
{
	struct check_job *c = container_of(job, struct check_job, job);

	c->st = jws_verify(&c->jws, c->key);
}

static int push_verdict(lua_State *L, enum st st)
{
	if (st)
		return offload_refuse(L, st == ST_BAD ? "the signature is wrong" : st_name(st));
	lua_pushboolean(L, 1);
	return 1;
}

static int check_push(struct op *op, lua_State *L)
{
	struct check_job *c = container_of(op, struct check_job, job.op);

	if (!c->st)
		jws_cache_add(c->cache, c->key, buf_slice(&c->compact));
	return push_verdict(L, c->st);
}

static void check_free(struct op *op)
{
	struct check_job *c = container_of(op, struct check_job, job.op);

	pk_unref(c->key);
	jws_free(&c->jws);
	buf_free(&c->compact);
	free(c);
}

static struct job *check_job(struct slice compact, struct pk *k, struct jws_cache *cache)
{
	struct check_job *c = calloc(1, sizeof(*c));
	const char *error;

	if (!c)
		return NULL;
	c->key = pk_ref(k);
	c->cache = cache;
	c->job.work = check_work;
	c->job.op.push = check_push;
	c->job.op.free = check_free;
	/* It was parsed before, so that only memory can fail now. */
	if (!buf_add_slice(&c->compact, compact) ||
		jws_parse(buf_slice(&c->compact), &c->jws, &error)) {
		check_free(&c->job.op);
		return NULL;
	}
	return &c->job;
}

/* Whether the list at index (nil = the key's own algorithm) names alg. */
static bool is_allowed(lua_State *L, int index, const struct pk *k, enum pk_alg alg)
{
	bool found = false;

	if (lua_isnoneornil(L, index))
		return alg == pk_alg(k);
	for (lua_Integer i = 1; !found && lua_rawgeti(L, index, i) != LUA_TNIL; i++) {
		found = pk_alg_of(check_slice(L, -1)) == alg;
		lua_pop(L, 1);
	}
	return found;
}

static struct jws_cache *cache_of(lua_State *L)
{
	struct jws_cache **box;

	lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key);
	box = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return *box;
}

/* The compact text of a string or of parse's table, at index 1. */
static struct slice compact_of(lua_State *L)
{
	if (lua_type(L, 1) == LUA_TTABLE) {
		lua_getfield(L, 1, "compact");
		lua_replace(L, 1);
	}
	return check_slice(L, 1);
}

/* check(compact or parsed, handle [, algorithms]) waits → true | nil, reason */
static int l_check(lua_State *L)
{
	struct jws_cache *cache = cache_of(L);
	struct slice compact;
	struct pk *k = key_check(L, 2);
	const char *error;
	struct task *t;
	struct jws *j;
	enum st st;

	if (!lua_isnoneornil(L, 3))
		luaL_checktype(L, 3, LUA_TTABLE);
	lua_settop(L, 3);
	compact = compact_of(L);
	j = new_parsed(L);
	st = jws_parse(compact, j, &error);
	if (!st)
		st = jws_fits(j, k, &error);
	if (st)
		return offload_refuse(L, error ? error : st_name(st));
	if (!is_allowed(L, 3, k, j->alg))
		return offload_refuse(L, "the algorithm is not allowed");
	if (jws_cache_has(cache, k, compact))
		return push_verdict(L, ST_OK);
	if (pk_alg_is_slow(j->alg)) {
		t = offload_task(L);
		return offload(L, t, check_job(compact, k, cache));
	}
	st = jws_verify(j, k);
	if (!st)
		jws_cache_add(cache, k, compact);
	return push_verdict(L, st);
}

/* ---- The table ---- */

static int cache_collect(lua_State *L)
{
	struct jws_cache **box = lua_touserdata(L, 1);

	jws_cache_free(*box);
	*box = NULL;
	return 0;
}

static void make_cache(lua_State *L)
{
	struct jws_cache **box = lua_newuserdatauv(L, sizeof(*box), 0);

	*box = NULL;
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, cache_collect);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	*box = jws_cache_new();
	if (!*box)
		luaL_error(L, "not enough memory");
	lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
}

int bind_jws(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"sign", l_sign},
		{"parse", l_parse},
		{"open_hmac", l_open_hmac},
		{"check", l_check},
		{NULL, NULL},
	};

	make_cache(L);
	luaL_newmetatable(L, "jws.parsed");
	lua_pushcfunction(L, parsed_collect);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}
