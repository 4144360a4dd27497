/* l_outgoing.c: the Lua table `outgoing`: HTTP requests of ours to others. lua/kit/fetch.lua puts the settings around it. */
#include "bind/bind.h"
#include "http/client.h"
#include "net/tls_trust.h"
#include "script/task.h"

#include <lauxlib.h>
#include <lua.h>

#define TIMEOUT_S 10
#define TIMEOUT_MAX_S 300
#define BODY_DEFAULT (1 << 20)
#define BODY_MAX (16 << 20)
#define RETRIES_MAX 5
#define FIELDS_MAX 64
#define ALLOW_MAX 64

struct fetch {
	struct op op;
	struct http_call *call; /* owns */
};

/* ---- the answer ---- */

/* Stack top: headers. A field that came twice is one, as lists are (RFC 9110 section 5.3). */
static void push_field(lua_State *L, const struct http_field *f)
{
	lua_pushlstring(L, (const char *)f->name.p, f->name.n);
	lua_pushvalue(L, -1);
	if (lua_rawget(L, -3) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_pushlstring(L, f->value.n ? (const char *)f->value.p : "", f->value.n);
	} else {
		lua_pushliteral(L, ", ");
		lua_pushlstring(L, f->value.n ? (const char *)f->value.p : "", f->value.n);
		lua_concat(L, 3);
	}
	lua_rawset(L, -3);
}

static int refuse(lua_State *L, enum http_failure failure, const char *detail)
{
	lua_pushnil(L);
	lua_pushstring(L, http_failure_name(failure));
	lua_pushstring(L, detail);
	return 3;
}

static int fetch_push(struct op *op, lua_State *L)
{
	const struct http_call *call = container_of(op, struct fetch, op)->call;
	const struct h1_message *m;

	luaL_checkstack(L, 8, NULL);
	if (http_call_failure(call) != HTTP_FINE)
		return refuse(L, http_call_failure(call), http_call_detail(call));
	m = http_call_answer(call);
	lua_createtable(L, 0, 3);
	lua_pushinteger(L, m->status);
	lua_setfield(L, -2, "status");
	lua_createtable(L, 0, (int)m->field_count);
	for (size_t i = 0; i < m->field_count; i++)
		push_field(L, &m->fields[i]);
	lua_setfield(L, -2, "headers");
	lua_pushlstring(L, m->body.n ? (const char *)m->body.p : "", m->body.n);
	lua_setfield(L, -2, "body");
	return 1;
}

static void fetch_free(struct op *op)
{
	struct fetch *f = container_of(op, struct fetch, op);

	http_call_free(f->call);
	free(f);
}

static void fetch_done(struct http_call *call, void *arg)
{
	(void)call;
	op_land(&((struct fetch *)arg)->op);
}

/* ---- the request ---- */

/* The text of field `name` of the table at 1, which stays on the stack; empty when absent. */
static struct slice text_field(lua_State *L, const char *name)
{
	struct slice s = {0};
	int type = lua_getfield(L, 1, name);

	if (type == LUA_TSTRING)
		s.p = (const unsigned char *)lua_tolstring(L, -1, &s.n);
	else if (type != LUA_TNIL)
		luaL_error(L, "outgoing.request: %s is a %s", name, luaL_typename(L, -1));
	return s;
}

static lua_Number number_field(lua_State *L, const char *name, lua_Number otherwise, lua_Number most)
{
	lua_Number n = otherwise;

	if (lua_getfield(L, 1, name) != LUA_TNIL) {
		if (lua_type(L, -1) != LUA_TNUMBER)
			luaL_error(L, "outgoing.request: %s is a %s", name, luaL_typename(L, -1));
		n = lua_tonumber(L, -1);
	}
	lua_pop(L, 1);
	return n < 0 ? 0 : n > most ? most : n;
}

/* { name = value } of texts; the table stays on the stack and holds them. */
static size_t read_fields(lua_State *L, struct http_field fields[static FIELDS_MAX])
{
	size_t n = 0;

	if (lua_getfield(L, 1, "headers") == LUA_TNIL)
		return 0;
	luaL_argcheck(L, lua_istable(L, -1), 1, "headers is no table");
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		struct http_field *f = &fields[n];

		if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
			luaL_error(L, "outgoing.request: a header is no text");
		luaL_argcheck(L, n++ < FIELDS_MAX, 1, "too many headers");
		f->name.p = (const unsigned char *)lua_tolstring(L, -2, &f->name.n);
		f->value.p = (const unsigned char *)lua_tolstring(L, -1, &f->value.n);
		lua_pop(L, 1);
	}
	return n;
}

static size_t read_allow(lua_State *L, struct slice allow[static ALLOW_MAX])
{
	size_t n, i;

	if (lua_getfield(L, 1, "allow") == LUA_TNIL)
		return 0;
	luaL_argcheck(L, lua_istable(L, -1), 1, "allow is no list");
	n = lua_rawlen(L, -1);
	luaL_argcheck(L, n <= ALLOW_MAX, 1, "too much is allowed");
	for (i = 0; i < n; i++) {
		if (lua_rawgeti(L, -1, (lua_Integer)i + 1) != LUA_TSTRING)
			luaL_error(L, "outgoing.request: an item of allow is no text");
		allow[i].p = (const unsigned char *)lua_tolstring(L, -1, &allow[i].n);
		lua_pop(L, 1);
	}
	return n;
}

/* request{ method =, url =, headers =, body =, timeout =, max =, retries =, ca =, roots =, allow =, proxy = } waits →
 * { status, headers, body } | nil, code, detail */
static int l_request(lua_State *L)
{
	struct http_field fields[FIELDS_MAX + 1];
	struct slice allow[ALLOW_MAX];
	struct http_call_options o = {0};
	char detail[HTTP_DETAIL];
	struct task *t = task_self(L);
	enum http_failure failure;
	struct fetch *f;

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checkstack(L, 24, NULL);
	o.method = text_field(L, "method");
	o.url = text_field(L, "url");
	o.body = text_field(L, "body");
	o.ca = text_field(L, "ca");
	o.roots = text_field(L, "roots");
	o.proxy = text_field(L, "proxy");
	o.timeout_us = (int64_t)(number_field(L, "timeout", TIMEOUT_S, TIMEOUT_MAX_S) * 1e6);
	o.max = (size_t)number_field(L, "max", BODY_DEFAULT, BODY_MAX);
	o.retries = (unsigned)number_field(L, "retries", 0, RETRIES_MAX);
	o.field_count = read_fields(L, fields);
	o.allow_count = read_allow(L, allow);
	o.fields = fields;
	o.allow = allow;
	if (o.method.n == 0)
		o.method = SLICE_LIT("GET");
	/* Nothing throws from here to task_wait. */
	f = calloc(1, sizeof *f);
	if (!f)
		return luaL_error(L, "out of memory");
	f->op = (struct op){.push = fetch_push, .cancel = fetch_free, .free = fetch_free};
	failure = http_call_start(&o, fetch_done, f, &f->call, detail);
	if (failure != HTTP_FINE) {
		free(f);
		return refuse(L, failure, detail);
	}
	return task_wait(L, t, &f->op);
}

/* authorities(pem) → true | nil, reason: whether requests could go by them */
static int l_authorities(lua_State *L)
{
	struct tls_trust *trust = NULL;
	struct slice pem;
	enum st st;

	pem.p = (const unsigned char *)luaL_checklstring(L, 1, &pem.n);
	st = tls_trust_get(pem, false, &trust);
	tls_trust_unref(trust);
	if (st == ST_OK) {
		lua_pushboolean(L, 1);
		return 1;
	}
	lua_pushnil(L);
	lua_pushstring(L, st_name(st));
	return 2;
}

int bind_outgoing(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"request", l_request}, {"authorities", l_authorities}, {NULL, NULL}};

	luaL_newlib(L, functions);
	return 1;
}
