/* l_dns.c: the Lua table `dns`: what the machine's resolver says of names and addresses. */
#include "bind/bind.h"
#include "bind/offload.h"
#include "loop/dns.h"
#include "loop/loop.h"
#include "loop/pool.h"
#include "script/task.h"

#include <lauxlib.h>
#include <lua.h>
#include <netdb.h>
#include <netinet/in.h>

#define TIMEOUT_S 5
#define TIMEOUT_MAX_S 30

struct naming;

/* One question of a task. */
struct question {
	struct op op;
	struct timer timer;
	struct dns_waiter waiter;
	struct naming *naming; /* borrows from the pool; NULL = none under way */
	enum st st;
	lua_Integer version; /* 4, 6, 0 = both */
	char name[NI_MAXHOST];
};

/* The way from an address to its name; outlives a question that is given up. */
struct naming {
	struct job job;
	struct question *question; /* borrows; NULL = nobody waits */
	struct address address;
	int failure;
	char name[NI_MAXHOST];
};

static void question_free(struct op *op)
{
	struct question *q = container_of(op, struct question, op);

	dns_forget(&q->waiter);
	if (q->naming)
		q->naming->question = NULL;
	timer_free(&q->timer);
	free(q);
}

static void answered(struct question *q, enum st st)
{
	q->st = st;
	timer_stop(&q->timer);
	dns_forget(&q->waiter);
	if (q->naming)
		q->naming->question = NULL;
	q->naming = NULL;
	op_land(&q->op);
}

static void too_late(struct timer *t)
{
	answered(container_of(t, struct question, timer), ST_TIMEOUT);
}

/* { timeout = seconds } at index, or nothing. */
static lua_Number timeout_of(lua_State *L, int index)
{
	lua_Number seconds = TIMEOUT_S;

	if (lua_isnoneornil(L, index))
		return seconds;
	luaL_checktype(L, index, LUA_TTABLE);
	lua_getfield(L, index, "timeout");
	seconds = luaL_optnumber(L, -1, seconds);
	lua_pop(L, 1);
	return seconds < 0 ? 0 : seconds > TIMEOUT_MAX_S ? TIMEOUT_MAX_S : seconds;
}

/* NULL: no memory. Nothing throws from here until it is waited for. */
static struct question *question_new(int (*push)(struct op *, lua_State *), lua_Number seconds)
{
	struct question *q = calloc(1, sizeof *q);

	if (!q)
		return NULL;
	q->op = (struct op){.push = push, .cancel = question_free, .free = question_free};
	if (timer_start(&q->timer, (int64_t)(seconds * 1e6), too_late) != ST_OK) {
		question_free(&q->op);
		return NULL;
	}
	return q;
}

/* ---- resolve ---- */

static int push_addresses(lua_State *L, enum st st, lua_Integer version, const struct dns_waiter *w)
{
	char text[ADDRESS_TEXT];
	lua_Integer n = 0;

	if (st != ST_OK)
		return offload_refuse(L, st_name(st));
	lua_newtable(L);
	for (unsigned i = 0; i < w->count; i++) {
		if (version && version != (w->addresses[i].v6 ? 6 : 4))
			continue;
		address_text(&w->addresses[i], text);
		lua_pushstring(L, text);
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

static int resolve_push(struct op *op, lua_State *L)
{
	const struct question *q = container_of(op, struct question, op);

	return push_addresses(L, q->st, q->version, &q->waiter);
}

static void resolved(struct dns_waiter *w, enum st st)
{
	answered(container_of(w, struct question, waiter), st);
}

/* resolve(name[, { version = 4 | 6, timeout = 5 }]) waits → list of addresses | nil, "notfound" | "timeout" | "busy" | "bad" */
static int l_resolve(lua_State *L)
{
	struct task *t = task_self(L);
	lua_Number seconds = timeout_of(L, 2);
	lua_Integer version = 0;
	struct dns_waiter kept;
	struct question *q;
	struct slice name;
	enum st st;

	name.p = (const unsigned char *)luaL_checklstring(L, 1, &name.n);
	if (!lua_isnoneornil(L, 2)) {
		lua_getfield(L, 2, "version");
		version = luaL_optinteger(L, -1, 0);
		lua_pop(L, 1);
	}
	if (address_looks_numeric(name) || slice_find(name, ':') < name.n)
		return offload_refuse(L, st_name(ST_BAD));
	luaL_checkstack(L, 8, NULL);
	q = question_new(resolve_push, seconds);
	if (!q)
		return luaL_error(L, "not enough memory");
	q->version = version;
	q->waiter.done = resolved;
	st = dns_resolve(name, &q->waiter);
	if (st == ST_MORE)
		return task_wait(L, t, &q->op);
	kept = q->waiter;
	question_free(&q->op);
	return push_addresses(L, st, version, &kept);
}

/* ---- reverse ---- */

static void find_name(struct job *job)
{
	struct naming *n = container_of(job, struct naming, job);
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	const void *address = n->address.v6 ? (const void *)&v6 : (const void *)&v4;

	memcpy(&v6.sin6_addr, n->address.bytes, 16);
	memcpy(&v4.sin_addr, n->address.bytes, 4);
	n->failure = getnameinfo(address, n->address.v6 ? sizeof v6 : sizeof v4, n->name,
		sizeof n->name, NULL, 0, NI_NAMEREQD);
}

static void naming_free(struct op *op)
{
	free(container_of(op, struct naming, job.op));
}

static void named(struct op *op)
{
	struct naming *n = container_of(op, struct naming, job.op);
	struct question *q = n->question;
	enum st st = n->failure == 0 ? ST_OK : n->failure == EAI_AGAIN ? ST_TIMEOUT : ST_NOTFOUND;

	if (q)
		memcpy(q->name, n->name, sizeof q->name);
	n->question = NULL;
	if (q)
		q->naming = NULL;
	naming_free(op);
	if (q)
		answered(q, st);
}

static int reverse_push(struct op *op, lua_State *L)
{
	const struct question *q = container_of(op, struct question, op);

	if (q->st != ST_OK)
		return offload_refuse(L, st_name(q->st));
	lua_pushstring(L, q->name);
	return 1;
}

static enum st start_naming(struct question *q, const struct address *address)
{
	struct naming *n = calloc(1, sizeof *n);
	enum st st;

	if (!n)
		return ST_NOMEM;
	n->address = *address;
	n->job = (struct job){
		.op = {.free = naming_free, .landed = named}, .work = find_name, .lane = LANE_NAMES};
	st = pool_submit(&n->job);
	if (st != ST_OK) {
		free(n);
		return st;
	}
	n->question = q;
	q->naming = n;
	return ST_OK;
}

/* reverse(address[, { timeout = 5 }]) waits → host name | nil, "notfound" | "timeout" | "busy" | "bad" */
static int l_reverse(lua_State *L)
{
	struct task *t = offload_task(L);
	lua_Number seconds = timeout_of(L, 2);
	struct address address;
	struct question *q;
	struct slice text;
	enum st st;

	text.p = (const unsigned char *)luaL_checklstring(L, 1, &text.n);
	if (!address_parse(text, &address))
		return offload_refuse(L, st_name(ST_BAD));
	q = question_new(reverse_push, seconds);
	if (!q)
		return luaL_error(L, "not enough memory");
	st = start_naming(q, &address);
	if (st == ST_OK)
		return task_wait(L, t, &q->op);
	question_free(&q->op);
	return offload_refuse(L, st_name(st));
}

int bind_dns(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"resolve", l_resolve}, {"reverse", l_reverse}, {NULL, NULL}};

	luaL_newlib(L, functions);
	return 1;
}
