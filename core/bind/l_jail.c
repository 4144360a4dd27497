/* l_jail.c: the Lua table `jail`: runs and compiles the owner's scripts, and brings them what they ask for. */
#include "base/codec.h"
#include "bind/bind.h"
#include "script/jail.h"
#include "script/task.h"
#include "script/wire.h"

#include <lauxlib.h>
#include <lua.h>

#define CHUNK_MAX 120
#define CHUNK_TAIL 100
#define CHUNK_LONGEST 8192
#define SOURCE_MAX (200u << 10)

#define PAUSED "tidelock.paused_script"

struct request {
	struct jail_call call;
	char verb;
};

/* A userdata: a script that waits. */
struct paused {
	uint64_t ticket; /* 0 = no longer */
	char verb;
};

static const struct wire_limits given_limits = {16, 256u << 10, "given"};
static const struct wire_limits reply_limits = {15, 256u << 10, "reply"};

/* ---- Answers ----------------------------------------------------------------------------------------------------------- */

static bool read_text(struct slice *in, struct slice *text)
{
	uint32_t n;

	return read_u32(in, &n) && read_bytes(in, n, text);
}

/* What a script says goes into events, terminals and JSON: bytes that are no UTF-8 become question marks. */
static void push_text(lua_State *L, struct slice text)
{
	luaL_Buffer b;

	if (utf8_valid(text)) {
		lua_pushlstring(L, (const char *)text.p, text.n);
		return;
	}
	luaL_buffinitsize(L, &b, text.n);
	for (size_t i = 0; i < text.n; i++)
		luaL_addchar(&b, text.p[i] < 0x80 ? (char)text.p[i] : '?');
	luaL_pushresult(&b);
}

static void set_text(lua_State *L, const char *name, struct slice text)
{
	push_text(L, text);
	lua_setfield(L, -2, name);
}

/* The lines that the script logged, into field "log" of the table on the top. */
static bool set_log(lua_State *L, struct slice in)
{
	static const char *const levels[] = {"debug", "info", "warning", "error", "message"};
	uint8_t count, level;
	struct slice text;

	if (!read_u8(&in, &count))
		return false;
	lua_createtable(L, count, 0);
	for (int i = 1; i <= count; i++) {
		if (!read_u8(&in, &level) || level >= ARRAY_LEN(levels) || !read_text(&in, &text))
			return false;
		lua_createtable(L, 0, 2);
		set_text(L, "level", slice_str(levels[level]));
		set_text(L, "text", text);
		lua_rawseti(L, -2, i);
	}
	lua_setfield(L, -2, "log");
	return in.n == 0;
}

static int push_failure(lua_State *L, enum jail_end end, const char *message)
{
	lua_pushnil(L);
	lua_createtable(L, 0, 4);
	set_text(L, "kind", slice_str(jail_end_name(end)));
	set_text(L, "message", slice_str(message));
	lua_newtable(L);
	lua_setfield(L, -2, "log");
	lua_newtable(L);
	lua_setfield(L, -2, "saw");
	return 2;
}

static void set_costs(lua_State *L, const struct jail_answer *a)
{
	lua_pushinteger(L, a->instructions);
	lua_setfield(L, -2, "instructions");
	lua_pushinteger(L, a->memory);
	lua_setfield(L, -2, "memory");
	lua_pushnumber(L, a->microseconds / 1e3);
	lua_setfield(L, -2, "ms");
}

/* A jail is not believed: whatever does not parse is an answer of a broken one. */
static int push_nonsense(lua_State *L)
{
	return push_failure(L, JAIL_KILLED, "the script runner answered nonsense");
}

static int push_thrown(lua_State *L, const struct jail_answer *a)
{
	struct slice in = a->rest, text;
	uint32_t line;
	uint8_t count;

	lua_pushnil(L);
	lua_createtable(L, 0, 8);
	set_text(L, "kind", slice_str(jail_end_name(a->end)));
	if (!read_text(&in, &text) || !read_u32(&in, &line) || !read_u8(&in, &count))
		return push_nonsense(L);
	set_text(L, "message", text);
	if (line > 0) {
		lua_pushinteger(L, line);
		lua_setfield(L, -2, "line");
	}
	lua_createtable(L, count, 0);
	for (int i = 1; i <= count; i++) {
		if (!read_text(&in, &text))
			return push_nonsense(L);
		push_text(L, text);
		lua_rawseti(L, -2, i);
	}
	lua_setfield(L, -2, "saw");
	set_costs(L, a);
	return set_log(L, in) ? 2 : push_nonsense(L);
}

static int push_fine(lua_State *L, const struct jail_answer *a)
{
	struct slice in = a->rest;

	lua_createtable(L, 0, 6);
	if (wire_decode(L, &in, &wire_script_limits) != ST_OK)
		return push_nonsense(L);
	lua_setfield(L, -2, "result");
	if (wire_decode(L, &in, &wire_script_limits) != ST_OK)
		return push_nonsense(L);
	lua_setfield(L, -2, "second");
	set_costs(L, a);
	return set_log(L, in) ? 1 : push_nonsense(L);
}

/* { asks = list, call = the paused script } */
static int push_question(lua_State *L, struct request *r, const struct jail_answer *a)
{
	struct slice in = a->rest;
	struct paused *p;

	lua_createtable(L, 0, 2);
	if (wire_decode(L, &in, &wire_script_limits) != ST_OK || in.n > 0)
		return push_nonsense(L);
	lua_setfield(L, -2, "asks");
	p = lua_newuserdatauv(L, sizeof *p, 0);
	p->ticket = 0;
	luaL_setmetatable(L, PAUSED);
	lua_setfield(L, -2, "call");
	p->verb = r->verb;
	p->ticket = r->call.ticket; /* now it is the userdata's */
	r->call.ticket = 0;
	return 1;
}

static int request_push(struct op *op, lua_State *L)
{
	struct request *r = container_of(op, struct request, call.op);
	struct jail_answer a;

	luaL_checkstack(L, 10, NULL);
	if (r->call.end == JAIL_BUSY)
		return push_failure(L, JAIL_BUSY, "every script runner is at work");
	if (r->call.end != JAIL_FINE)
		return push_failure(L, JAIL_KILLED, "the script runner was ended");
	if (!jail_answer_read(buf_slice(&r->call.answer), &a))
		return push_nonsense(L);
	if (a.end == JAIL_ASKS)
		return push_question(L, r, &a);
	if (a.end != JAIL_FINE)
		return push_thrown(L, &a);
	if (r->verb != 'c')
		return push_fine(L, &a);
	lua_pushboolean(L, true);
	return 1;
}

static void request_free(struct op *op)
{
	struct request *r = container_of(op, struct request, call.op);

	if (r->call.ticket)
		jail_leave(r->call.ticket);
	jail_call_free(&r->call);
	free(r);
}

/* ---- jail.run{ … }, jail.compile{ … } ---------------------------------------------------------------------------------- */

static struct slice text_field(lua_State *L, const char *name, size_t max)
{
	struct slice text;

	if (lua_getfield(L, 1, name) != LUA_TSTRING)
		luaL_error(L, "field '%s' must be a text", name);
	text.p = (const unsigned char *)lua_tolstring(L, -1, &text.n);
	if (text.n > max)
		luaL_error(L, "field '%s' is too long", name);
	return text; /* stays on the stack */
}

static uint32_t limit_field(lua_State *L, const char *name, uint32_t most)
{
	lua_Integer n = most;

	if (lua_getfield(L, 1, "limits") == LUA_TTABLE) {
		if (lua_getfield(L, -1, name) == LUA_TNUMBER)
			n = lua_tointeger(L, -1);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return n < 1 ? 1 : n > most ? most : (uint32_t)n;
}

/* "=mappings/groups.lua"; of a long one the end: that is what a message can show. */
static struct slice chunk_field(lua_State *L)
{
	struct slice chunk = text_field(L, "chunk", CHUNK_LONGEST);

	if (chunk.n < 2 || (chunk.p[0] != '=' && chunk.p[0] != '@') || slice_find(chunk, 0) != chunk.n)
		luaL_error(L, "field 'chunk' must begin with '='");
	if (chunk.n <= CHUNK_MAX)
		return chunk;
	lua_pushlstring(L, "=...", 4);
	lua_pushlstring(L, (const char *)chunk.p + chunk.n - CHUNK_TAIL, CHUNK_TAIL);
	lua_concat(L, 2);
	chunk.p = (const unsigned char *)lua_tolstring(L, -1, &chunk.n);
	return chunk;
}

static struct request *request_new(lua_State *L, char verb)
{
	struct request *r = calloc(1, sizeof *r);

	if (!r)
		luaL_error(L, "out of memory");
	r->verb = verb;
	r->call.op.push = request_push;
	r->call.op.free = request_free;
	return r;
}

static int run(lua_State *L, char verb)
{
	struct task *t = task_self(L);
	char wrong[300] = "";
	struct slice chunk, source;
	uint32_t instructions, memory;
	struct request *r;
	enum st st;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	luaL_checkstack(L, 10, NULL);
	instructions = limit_field(L, "instructions", JAIL_INSTRUCTIONS);
	memory = limit_field(L, "memory", JAIL_MEMORY);
	chunk = chunk_field(L);
	source = text_field(L, "source", SOURCE_MAX);
	if (verb == 'r' && lua_getfield(L, 1, "exact") == LUA_TBOOLEAN && lua_toboolean(L, -1))
		verb = 'x';
	if (verb == 'c' || lua_getfield(L, 1, "given") == LUA_TNIL)
		lua_newtable(L);
	r = request_new(L, verb);
	/* Nothing throws until r belongs to the task, or is freed. */
	jail_frame_begin(&r->call.request, verb, instructions, memory, chunk, source);
	st = wire_encode(L, -1, &given_limits, &r->call.request, wrong, sizeof wrong);
	if (st == ST_OK)
		st = jail_frame_end(&r->call.request);
	if (st == ST_OK)
		st = jail_submit(&r->call);
	if (st == ST_OK)
		return task_wait(L, t, &r->call.op);
	request_free(&r->call.op);
	if (st == ST_BUSY)
		return push_failure(L, JAIL_BUSY, "every script runner is at work");
	return push_failure(L, JAIL_ERROR, wrong[0] ? wrong : "what the script is given is too large");
}

static int l_run(lua_State *L)
{
	return run(L, 'r');
}

static int l_compile(lua_State *L)
{
	return run(L, 'c');
}

/* ---- paused:reply(ok, value), paused:close() --------------------------------------------------------------------------- */

static int leave(lua_State *L)
{
	struct paused *p = luaL_checkudata(L, 1, PAUSED);

	if (p->ticket)
		jail_leave(p->ticket);
	p->ticket = 0;
	return 0;
}

/* The table { ok, value } on the top as a frame; what cannot be said that way becomes { false, why }. */
static enum st reply_frame(lua_State *L, struct buf *frame)
{
	char wrong[300] = "";
	enum st st;

	buf_add_u32(frame, 0);
	st = wire_encode(L, -1, &reply_limits, frame, wrong, sizeof wrong);
	if (st == ST_BAD) {
		static const unsigned char refused[] = {'T', 0, 0, 0, 2, 0, 0, 0, 0, 'f', 's', 0, 0, 0};

		buf_clear(frame);
		buf_add_u32(frame, 0);
		buf_add(frame, refused, sizeof refused);
		buf_add_u8(frame, (uint8_t)strnlen(wrong, 255));
		buf_add(frame, wrong, strnlen(wrong, 255));
	}
	return st == ST_NOMEM ? st : jail_frame_end(frame);
}

/* As jail.run answers. */
static int reply(lua_State *L)
{
	struct paused *p = luaL_checkudata(L, 1, PAUSED);
	struct task *t = task_self(L);
	struct request *r;
	enum st st;

	luaL_checkany(L, 3);
	lua_settop(L, 3);
	if (!p->ticket)
		return luaL_error(L, "this script waits no longer");
	lua_createtable(L, 2, 0);
	lua_insert(L, 2);
	lua_rawseti(L, 2, 2);
	lua_rawseti(L, 2, 1);
	r = request_new(L, p->verb);
	st = reply_frame(L, &r->call.request);
	r->call.ticket = p->ticket;
	p->ticket = 0;
	if (st == ST_OK)
		st = jail_submit(&r->call);
	if (st == ST_OK)
		return task_wait(L, t, &r->call.op);
	request_free(&r->call.op);
	return push_failure(L, JAIL_KILLED, "the script runner was ended");
}

int bind_jail(lua_State *L)
{
	static const luaL_Reg methods[] = {{"reply", reply}, {"close", leave}, {"__close", leave},
		{"__gc", leave}, {NULL, NULL}};
	static const luaL_Reg functions[] = {{"run", l_run}, {"compile", l_compile}, {NULL, NULL}};

	luaL_newmetatable(L, PAUSED);
	luaL_setfuncs(L, methods, 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}
