/* l_key.c: the table `key`. A private key is a handle: Lua can have it sign, seal it for the database and show its public
 * half, but never see it. */
#include "bind/l_key.h"

#include <lauxlib.h>
#include <lua.h>

#include "base/codec.h"
#include "base/secret.h"
#include "bind/bind.h"
#include "bind/l_json.h"
#include "bind/offload.h"
#include "bind/scratch.h"
#include "crypto/aead.h"
#include "crypto/master.h"
#include "crypto/x509.h"
#include "jose/jwk.h"

#define HANDLE "key"

/* ---- Handles ---- */

struct pk *key_check(lua_State *L, int index)
{
	struct pk **handle = luaL_checkudata(L, index, HANDLE);

	return *handle;
}

struct pk *key_test(lua_State *L, int index)
{
	struct pk **handle = luaL_testudata(L, index, HANDLE);

	return handle ? *handle : NULL;
}

static struct pk **new_handle(lua_State *L)
{
	struct pk **handle = lua_newuserdatauv(L, sizeof(*handle), 0);

	*handle = NULL;
	luaL_setmetatable(L, HANDLE);
	return handle;
}

void key_push(lua_State *L, struct pk *k)
{
	struct pk **handle = new_handle(L);

	*handle = pk_ref(k);
}

static int handle_collect(lua_State *L)
{
	struct pk **handle = lua_touserdata(L, 1);

	pk_unref(*handle);
	*handle = NULL;
	return 0;
}

static struct slice check_slice(lua_State *L, int index)
{
	size_t n;
	const char *p = luaL_checklstring(L, index, &n);

	return slice_of(p, n);
}

/* ---- generate ---- */

struct generate_job {
	struct job job;
	enum pk_alg alg;
	struct pk *key; /* owns */
	enum st st;
};

static void generate_work(struct job *job)
{
	struct generate_job *g = container_of(job, struct generate_job, job);

	g->st = pk_generate(g->alg, &g->key);
}

static int generate_push(struct op *op, lua_State *L)
{
	struct generate_job *g = container_of(op, struct generate_job, job.op);

	if (g->st)
		return offload_refuse(L, st_name(g->st));
	key_push(L, g->key);
	return 1;
}

static void generate_free(struct op *op)
{
	struct generate_job *g = container_of(op, struct generate_job, job.op);

	pk_unref(g->key);
	free(g);
}

/* generate(alg) waits → handle | nil, code */
static int l_generate(lua_State *L)
{
	enum pk_alg alg = pk_alg_of(check_slice(L, 1));
	struct task *t = offload_task(L);
	struct generate_job *g;

	luaL_argcheck(L, pk_alg_signs(alg), 1, "RS256, ES256, ES384 or ES512");
	g = calloc(1, sizeof(*g));
	if (!g)
		return offload(L, t, NULL);
	g->alg = alg;
	g->job.work = generate_work;
	g->job.op.push = generate_push;
	g->job.op.free = generate_free;
	return offload(L, t, &g->job);
}

/* ---- Sealing ---- */

/* Nothing here calls Lua: the buffers are always freed. */
static enum st seal_key(const struct pk *k, struct slice aad, struct buf *text)
{
	unsigned char wrapping[MASTER_KEY_SIZE];
	struct buf plain = {0}, sealed = {0};
	enum st st = crypto_master_derive(SLICE_LIT("keys"), wrapping);

	if (!st)
		st = pk_private_bytes(k, &plain);
	if (!st)
		st = aead_seal(wrapping, buf_slice(&plain), aad, &sealed);
	if (!st)
		st = base64url_encode(buf_slice(&sealed), text);
	buf_free(&sealed);
	buf_wipe(&plain);
	secret_wipe(wrapping, sizeof(wrapping));
	return st;
}

static enum st open_key(struct slice text, struct slice aad, struct pk **out)
{
	unsigned char wrapping[MASTER_KEY_SIZE];
	struct buf sealed = {0}, plain = {0};
	enum st st = crypto_master_derive(SLICE_LIT("keys"), wrapping);

	if (!st)
		st = base64url_decode(text, &sealed);
	if (!st)
		st = aead_open(wrapping, buf_slice(&sealed), aad, &plain);
	if (!st)
		st = pk_from_private_bytes(buf_slice(&plain), out);
	buf_free(&sealed);
	buf_wipe(&plain);
	secret_wipe(wrapping, sizeof(wrapping));
	return st;
}

/* seal(handle, aad) → base64url of the sealed private key */
static int l_seal(lua_State *L)
{
	struct pk *k = key_check(L, 1);
	struct slice aad = check_slice(L, 2);
	struct buf *text;
	enum st st;

	luaL_argcheck(L, pk_is_private(k), 1, "not a private key");
	text = scratch_take(L);
	st = seal_key(k, aad, text);
	if (st)
		return luaL_error(L, "key.seal: %s", st_name(st));
	scratch_push(L, text);
	return 1;
}

/* open(sealed, aad) → handle | nil, reason */
static int l_open(lua_State *L)
{
	struct slice text = check_slice(L, 1), aad = check_slice(L, 2);
	struct pk **handle = new_handle(L);
	enum st st = open_key(text, aad, handle);

	if (st == ST_NOTFOUND)
		return luaL_error(L, "key.open: no master key");
	return st ? offload_refuse(L,
			    st == ST_BAD ? "not sealed by this installation for this place"
					 : st_name(st))
		  : 1;
}

/* ---- The public half ---- */

/* jwk(handle) → { kty, n, e | crv, x, y, alg, use } */
static int l_jwk(lua_State *L)
{
	struct pk *k = key_check(L, 1);
	struct buf *text = scratch_take(L);
	const char *error;
	size_t offset;

	if (jwk_write(k, text) || json_push_text(L, buf_slice(text), JSON_NAMES_ONCE, &error, &offset))
		return luaL_error(L, "not enough memory");
	return 1;
}

/* thumbprint(handle) → RFC 7638, base64url */
static int l_thumbprint(lua_State *L)
{
	struct pk *k = key_check(L, 1);
	unsigned char digest[JWK_THUMBPRINT_SIZE];
	struct buf *text = scratch_take(L);

	if (jwk_thumbprint(k, digest) || base64url_encode(slice_of(digest, sizeof(digest)), text))
		return luaL_error(L, "not enough memory");
	scratch_push(L, text);
	return 1;
}

static enum st import_text(struct slice text, struct pk **out, const char **error)
{
	struct json *root;
	size_t offset;
	enum st st = json_parse(text, &root, error, &offset);

	if (st)
		return st;
	st = jwk_import(root, out, error);
	json_free(root);
	return st;
}

/* import_jwk(table) → public key handle | nil, reason */
static int l_import_jwk(lua_State *L)
{
	struct pk **handle;
	struct buf *text;
	const char *error = NULL;
	enum st st;

	luaL_checktype(L, 1, LUA_TTABLE);
	handle = new_handle(L);
	text = scratch_take(L);
	json_encode(L, 1, text);
	st = import_text(buf_slice(text), handle, &error);
	return st ? offload_refuse(L, error ? error : st_name(st)) : 1;
}

/* alg(handle) → text; nil for an imported RSA key that names none */
static int l_alg(lua_State *L)
{
	enum pk_alg alg = pk_alg(key_check(L, 1));

	if (alg == PK_ALG_NONE)
		lua_pushnil(L);
	else
		lua_pushstring(L, pk_alg_name(alg));
	return 1;
}

static int l_is_private(lua_State *L)
{
	lua_pushboolean(L, pk_is_private(key_check(L, 1)));
	return 1;
}

/* ---- Certificates ---- */

struct certificate_job {
	struct job job;
	struct pk *key, *ca_key; /* owns; ca_key NULL = make an authority */
	struct buf texts;        /* owns: what the request's slices borrow from */
	struct slice ca_pem, names[X509_NAMES_MAX];
	struct x509_request request;
	struct buf pem;
	const char *error; /* static */
	enum st st;
};

static void certificate_work(struct job *job)
{
	struct certificate_job *c = container_of(job, struct certificate_job, job);

	if (c->ca_key)
		c->st = x509_make_cert(c->ca_pem, c->ca_key, c->key, &c->request, &c->pem, &c->error);
	else
		c->st = x509_make_ca(c->key, &c->request, &c->pem, &c->error);
}

static int certificate_push(struct op *op, lua_State *L)
{
	struct certificate_job *c = container_of(op, struct certificate_job, job.op);

	if (c->st)
		return offload_refuse(L, c->error ? c->error : st_name(c->st));
	lua_pushlstring(L, (const char *)c->pem.p, c->pem.n);
	return 1;
}

static void certificate_free(struct op *op)
{
	struct certificate_job *c = container_of(op, struct certificate_job, job.op);

	pk_unref(c->key);
	pk_unref(c->ca_key);
	buf_free(&c->texts);
	buf_free(&c->pem);
	free(c);
}

/* A text field of the table at 1, left on the stack; absent = empty when optional. */
static struct slice text_field(lua_State *L, const char *name, bool optional)
{
	size_t n;
	const char *p;

	if (lua_getfield(L, 1, name) == LUA_TNIL && optional)
		return slice_of(NULL, 0);
	p = lua_tolstring(L, -1, &n);
	if (!p)
		luaL_error(L, "%s is missing", name);
	return slice_of(p, n);
}

static int64_t time_field(lua_State *L, const char *name)
{
	int is_integer;
	lua_Integer v;

	lua_getfield(L, 1, name);
	v = lua_tointegerx(L, -1, &is_integer);
	if (!is_integer)
		luaL_error(L, "%s is missing", name);
	lua_pop(L, 1);
	return v;
}

static struct pk *key_field(lua_State *L, const char *name)
{
	struct pk *k;

	lua_getfield(L, 1, name);
	k = key_test(L, -1);
	if (!k || !pk_is_private(k))
		luaL_error(L, "%s is not a private key handle", name);
	return k;
}

/* Reads the request; its slices borrow from strings that stay on the Lua stack. */
static void check_request(lua_State *L, struct x509_request *request, struct slice *names)
{
	size_t count;

	request->name = text_field(L, "name", true);
	request->serial = text_field(L, "serial", true);
	request->not_before = time_field(L, "not_before");
	request->not_after = time_field(L, "not_after");
	if (lua_getfield(L, 1, "names") != LUA_TTABLE)
		luaL_error(L, "names is not a list");
	count = lua_rawlen(L, -1);
	if (count < 1 || count > X509_NAMES_MAX)
		luaL_error(L, "1 to 64 names");
	luaL_checkstack(L, (int)count + 8, NULL);
	for (size_t i = 0; i < count; i++) {
		size_t n;
		const char *p;

		lua_rawgeti(L, -1 - (int)i, (lua_Integer)i + 1);
		p = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &n) : NULL;
		if (!p)
			luaL_error(L, "a name is not a text");
		names[i] = slice_of(p, n);
	}
	request->name_count = count;
}

/* Room for all texts is reserved first, so that slices into the buffer stay right. */
static bool copy_texts(struct certificate_job *c, struct slice **texts, size_t count)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += texts[i]->n;
	if (!buf_reserve(&c->texts, total + 1))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct slice copy = slice_of(c->texts.p + c->texts.n, texts[i]->n);

		buf_add_slice(&c->texts, *texts[i]);
		*texts[i] = copy;
	}
	return true;
}

static struct job *certificate_job(const struct x509_request *request, const struct slice *names,
	struct slice ca_pem, struct pk *key, struct pk *ca_key)
{
	struct certificate_job *c = calloc(1, sizeof(*c));
	struct slice *texts[X509_NAMES_MAX + 3];
	size_t count = 0;

	if (!c)
		return NULL;
	c->request = *request;
	c->request.names = c->names;
	c->ca_pem = ca_pem;
	texts[count++] = &c->ca_pem;
	texts[count++] = &c->request.name;
	texts[count++] = &c->request.serial;
	for (size_t i = 0; i < request->name_count; i++) {
		c->names[i] = names[i];
		texts[count++] = &c->names[i];
	}
	if (!copy_texts(c, texts, count)) {
		certificate_free(&c->job.op);
		return NULL;
	}
	c->key = pk_ref(key);
	c->ca_key = ca_key ? pk_ref(ca_key) : NULL;
	c->job.work = certificate_work;
	c->job.op.push = certificate_push;
	c->job.op.free = certificate_free;
	return &c->job;
}

/* make_ca{ key=, names=, not_before=, not_after= [, name=, serial=] } waits → PEM | nil, reason */
static int l_make_ca(lua_State *L)
{
	struct slice names[X509_NAMES_MAX];
	struct x509_request request = {0};
	struct task *t;
	struct pk *key;

	luaL_checktype(L, 1, LUA_TTABLE);
	key = key_field(L, "key");
	check_request(L, &request, names);
	t = offload_task(L);
	return offload(L, t, certificate_job(&request, names, slice_of(NULL, 0), key, NULL));
}

/* make_cert{ ca_pem=, ca_key=, key=, names=, not_before=, not_after= [, name=, serial=] } waits → PEM | nil, reason */
static int l_make_cert(lua_State *L)
{
	struct slice names[X509_NAMES_MAX], ca_pem;
	struct x509_request request = {0};
	struct task *t;
	struct pk *key, *ca_key;

	luaL_checktype(L, 1, LUA_TTABLE);
	key = key_field(L, "key");
	ca_key = key_field(L, "ca_key");
	ca_pem = text_field(L, "ca_pem", false);
	check_request(L, &request, names);
	t = offload_task(L);
	return offload(L, t, certificate_job(&request, names, ca_pem, key, ca_key));
}

/* ---- The table ---- */

int bind_key(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"generate", l_generate},
		{"seal", l_seal},
		{"open", l_open},
		{"jwk", l_jwk},
		{"thumbprint", l_thumbprint},
		{"import_jwk", l_import_jwk},
		{"alg", l_alg},
		{"is_private", l_is_private},
		{"make_ca", l_make_ca},
		{"make_cert", l_make_cert},
		{NULL, NULL},
	};

	luaL_newmetatable(L, HANDLE);
	lua_pushcfunction(L, handle_collect);
	lua_setfield(L, -2, "__gc");
	lua_pushliteral(L, HANDLE);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}
