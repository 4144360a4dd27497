/* l_http.c: requests in, replies out. */
#include "bind/l_http.h"

#include "base/fault.h"
#include "base/log.h"
#include "http/server.h"
#include "script/task.h"
#include "script/vm.h"

#include <lauxlib.h>
#include <lua.h>

#define HANDLE_DEADLINE_US (30 * INT64_C(1000000))
#define REPLY_FIELDS_MAX 64

struct bridge {
	struct vm *vm; /* borrows; NULL = not ready */
};

/* One request on its way through Lua. */
struct call {
	struct http_exchange *x; /* borrows; NULL = client gone, or answered */
	struct task *task;       /* borrows while x is not NULL */
	char id[17];
};

/* ---- Plain answers of our own ---------------------------------------------------------------------------------------- */

static void reply_plain(struct http_exchange *x, int status, const char *text, const char *id)
{
	struct http_field fields[] = {
		{SLICE_LIT("content-type"), SLICE_LIT("text/plain; charset=utf-8")},
		{SLICE_LIT("cache-control"), SLICE_LIT("no-store")},
		{SLICE_LIT("retry-after"), SLICE_LIT("2")},
	};
	struct http_reply reply = {
		.status = status, .fields = fields, .field_count = status == 503 ? 3 : 2};
	char body[160];

	snprintf(body, sizeof body, "%s\nrequest id: %s\n", text, id);
	reply.body = slice_str(body);
	exchange_reply(x, &reply);
}

static void reply_error(struct call *c)
{
	struct http_exchange *x = c->x;

	c->x = NULL;
	if (x)
		reply_plain(x, 500, "Something went wrong here. It has been logged.", c->id);
}

/* ---- The request's table ----------------------------------------------------------------------------------------------- */

static void set_slice(lua_State *L, const char *name, struct slice s)
{
	lua_pushlstring(L, (const char *)s.p, s.n);
	lua_setfield(L, -2, name);
}

static void set_text(lua_State *L, const char *name, const char *text)
{
	lua_pushstring(L, text);
	lua_setfield(L, -2, name);
}

static void set_integer(lua_State *L, const char *name, lua_Integer n)
{
	lua_pushinteger(L, n);
	lua_setfield(L, -2, name);
}

static void set_boolean(lua_State *L, const char *name, bool b)
{
	lua_pushboolean(L, b);
	lua_setfield(L, -2, name);
}

/* The request's table is at -2, headers at -1. The name stands in headers already: join, and remember that it came twice. */
static void repeat_header(lua_State *L, const struct http_field *f)
{
	/* request headers name old */
	const char *separator = slice_eq(f->name, SLICE_LIT("cookie")) ? "; " : ", ";

	lua_pushvalue(L, -2);
	lua_insert(L, -2); /* request headers name name old */
	lua_pushstring(L, separator);
	lua_pushlstring(L, (const char *)f->value.p, f->value.n);
	lua_concat(L, 3);
	lua_rawset(L, -4); /* request headers name */
	if (lua_getfield(L, -3, "headers_repeated") == LUA_TNIL) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_setfield(L, -5, "headers_repeated");
	}
	lua_insert(L, -2);
	lua_pushboolean(L, true);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

static void push_headers(lua_State *L, const struct http_request *r)
{
	lua_createtable(L, 0, (int)r->field_count);
	for (size_t i = 0; i < r->field_count; i++) {
		const struct http_field *f = &r->fields[i];

		lua_pushlstring(L, (const char *)f->name.p, f->name.n);
		lua_pushvalue(L, -1);
		if (lua_rawget(L, -3) != LUA_TNIL) {
			repeat_header(L, f);
			continue;
		}
		lua_pop(L, 1);
		lua_pushlstring(L, (const char *)f->value.p, f->value.n);
		lua_rawset(L, -3);
	}
	lua_setfield(L, -2, "headers");
}

static int push_request(lua_State *L, void *arg)
{
	struct call *c = arg;
	const struct http_request *r = exchange_request(c->x);

	luaL_checkstack(L, 12, NULL);
	lua_createtable(L, 0, 20);
	set_text(L, "id", r->id);
	set_slice(L, "method", r->method);
	set_slice(L, "path", r->path);
	set_slice(L, "query", r->query);
	set_slice(L, "host", r->host);
	set_integer(L, "port", r->port);
	set_boolean(L, "secure", r->secure);
	set_text(L, "sni", r->sni);
	set_text(L, "tls_version", r->tls_version);
	set_text(L, "peer", r->peer);
	set_integer(L, "listener_port", r->listener_port);
	set_slice(L, "body", r->body);
	set_boolean(L, "control", r->control);
	if (r->control)
		set_integer(L, "uid", r->control_uid);
	push_headers(L, r);
	return 1;
}

/* ---- The response's table ---------------------------------------------------------------------------------------------- */

struct answer {
	struct http_reply reply;
	struct http_field fields[REPLY_FIELDS_MAX];
	const char *wrong; /* what is, when something is */
};

static struct slice slice_at(lua_State *L, int index)
{
	size_t n;
	const char *p = lua_tolstring(L, index, &n);

	return slice_of(p, n);
}

/* The strings stay alive as long as the response's table does. */
static void add_field(lua_State *L, struct answer *a, struct slice name)
{
	if (lua_type(L, -1) != LUA_TSTRING)
		a->wrong = "a header is neither a text nor a list of texts";
	else if (a->reply.field_count == REPLY_FIELDS_MAX)
		a->wrong = "too many headers";
	else
		a->fields[a->reply.field_count++] = (struct http_field){name, slice_at(L, -1)};
}

static void read_headers(lua_State *L, struct answer *a)
{
	int headers = lua_gettop(L);

	lua_pushnil(L);
	while (!a->wrong && lua_next(L, headers)) {
		if (lua_type(L, -2) != LUA_TSTRING) {
			a->wrong = "a header's name is not a text";
		} else if (lua_type(L, -1) == LUA_TTABLE) {
			lua_Integer n = (lua_Integer)lua_rawlen(L, -1);

			for (lua_Integer i = 1; i <= n && !a->wrong; i++) {
				lua_rawgeti(L, -1, i);
				add_field(L, a, slice_at(L, -3));
				lua_pop(L, 1);
			}
		} else {
			add_field(L, a, slice_at(L, -2));
		}
		lua_pop(L, 1);
	}
	lua_settop(L, headers);
}

static void read_response(lua_State *L, int count, struct answer *a)
{
	a->wrong = NULL;
	memset(&a->reply, 0, sizeof a->reply);
	a->reply.fields = a->fields;
	if (count < 1 || lua_type(L, 1) != LUA_TTABLE) {
		a->wrong = "no response table";
		return;
	}
	luaL_checkstack(L, 8, NULL);
	lua_settop(L, 1);
	if (lua_getfield(L, 1, "status") != LUA_TNUMBER || !lua_isinteger(L, -1) ||
		lua_tointeger(L, -1) < 200 || lua_tointeger(L, -1) > 599)
		a->wrong = "status is not an integer from 200 to 599";
	else
		a->reply.status = (int)lua_tointeger(L, -1);
	lua_getfield(L, 1, "body"); /* 3: stays on the stack while its bytes are needed */
	if (lua_type(L, 3) == LUA_TSTRING)
		a->reply.body = slice_at(L, 3);
	else if (!lua_isnil(L, 3))
		a->wrong = "body is not a text";
	lua_getfield(L, 1, "headers"); /* 4 */
	if (lua_type(L, 4) == LUA_TTABLE)
		read_headers(L, a);
	else if (!lua_isnil(L, 4))
		a->wrong = "headers is not a table";
}

/* ---- One request ------------------------------------------------------------------------------------------------------- */

static void handle_returned(lua_State *L, int count, void *arg)
{
	struct call *c = arg;
	struct http_exchange *x = c->x;
	struct answer a;

	read_response(L, count, &a);
	/* Nothing throws from here on. */
	if (a.wrong) {
		log_line(LOG_ERROR, "bad response from handle request=%s error=%s", c->id, a.wrong);
		reply_error(c);
	} else if (x) {
		c->x = NULL;
		exchange_reply(x, &a.reply);
	}
	free(c);
}

static void handle_failed(const char *message, void *arg)
{
	struct call *c = arg;

	log_line(LOG_ERROR, "request failed request=%s error=%s", c->id, message);
	reply_error(c);
	free(c);
}

/* The server's word that the client left; x is gone after this. */
static void client_gone(void *arg)
{
	struct call *c = arg;

	c->x = NULL;
	task_cancel(c->task); /* calls handle_cancelled */
}

/* By client_gone, or because the vm closes: then the client still waits. */
static void handle_cancelled(void *arg)
{
	struct call *c = arg;
	struct http_exchange *x = c->x;

	c->x = NULL;
	if (x)
		reply_plain(x, 503, "Tidelock is restarting.", c->id);
	free(c);
}

void bridge_handler(struct http_exchange *x, void *arg)
{
	static const struct task_events events = {
		push_request, handle_returned, handle_failed, handle_cancelled};
	struct bridge *b = arg;
	const struct http_request *r = exchange_request(x);
	struct call *c = calloc(1, sizeof *c);

	if (!c || !b->vm) {
		reply_plain(x, 503, c ? "Tidelock is starting." : "Tidelock is out of memory.", r->id);
		free(c);
		return;
	}
	c->x = x;
	memcpy(c->id, r->id, sizeof c->id);
	exchange_on_abort(x, client_gone, c);
	/* c may be gone when this returns ST_OK. */
	if (task_start(b->vm, "handle", HANDLE_DEADLINE_US, &events, c, &c->task) != ST_OK) {
		exchange_on_abort(x, NULL, NULL);
		reply_plain(x, 503, "Tidelock is busy.", c->id);
		free(c);
	}
}

struct bridge *bridge_new(void)
{
	return calloc(1, sizeof(struct bridge));
}

void bridge_set_vm(struct bridge *b, struct vm *vm)
{
	b->vm = vm;
}

void bridge_free(struct bridge *b)
{
	free(b);
}
