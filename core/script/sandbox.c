/* sandbox.c: one call in a jail: budgets, the protected run, the answer. */
#include "script/sandbox.h"

#include "base/clock.h"
#include "script/arena.h"
#include "script/wire.h"

#include <lauxlib.h>
#include <lua.h>

#define ARENA_SIZE (16u << 20)
#define HOOK_EVERY 1000
#define MESSAGE_MAX 600

struct request {
	uint8_t verb;
	uint32_t instructions, memory;
	struct slice chunk, source, given;
};

/* A jail has one state and one call at a time. */
static struct {
	struct arena *arena;
	lua_State *L;
	struct request request;
	char chunk[128];
	int64_t left;   /* instructions */
	int hook_every; /* of them */
	enum jail_end spent;
	lua_State *running; /* the script's coroutine; what failed there can be looked at afterwards */
	/* what the failing line was and saw */
	int line;
	struct buf saw; /* owns; texts */
	unsigned saw_count;
	struct buf log; /* owns */
	unsigned log_count, message_count;
	struct buf out; /* owns; encoded results */
	char message[MESSAGE_MAX];
} box;

const char *jail_end_name(enum jail_end end)
{
	static const char *const names[JAIL_END_MAX] = {
		[JAIL_FINE] = "fine",
		[JAIL_ERROR] = "error",
		[JAIL_SYNTAX] = "syntax",
		[JAIL_RESULT] = "result",
		[JAIL_TIMEOUT] = "timeout",
		[JAIL_ASKS] = "asks",
		[JAIL_INSTRUCTIONS_SPENT] = "instructions",
		[JAIL_KILLED] = "killed",
		[JAIL_MEMORY_SPENT] = "memory",
		[JAIL_BUSY] = "busy",
	};

	return end < JAIL_END_MAX ? names[end] : "killed";
}

/* ---- Budgets --------------------------------------------------------------------------------------------------------- */

/* The innermost function that belongs to the script; its line. */
static bool script_frame(lua_State *L, lua_Debug *ar)
{
	for (int level = 0; lua_getstack(L, level, ar); level++) {
		if (lua_getinfo(L, "Sl", ar) && strcmp(ar->source, box.chunk) == 0 &&
			ar->currentline > 0)
			return true;
	}
	return false;
}

static void note_line(void)
{
	lua_Debug ar;

	if (box.running && script_frame(box.running, &ar))
		box.line = ar.currentline;
}

_Noreturn void sandbox_spend(lua_State *L, enum jail_end what)
{
	if (!box.spent) {
		box.spent = what;
		note_line();
	}
	lua_pushlightuserdata(L, &box); /* needs no memory */
	lua_error(L);
	abort();
}

bool sandbox_is_spent(void)
{
	return box.spent != JAIL_FINE;
}

static void count_hook(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	box.left -= box.hook_every;
	if (box.left > 0)
		return;
	lua_sethook(L, count_hook, LUA_MASKCOUNT,
		1); /* whatever catches this fails at its next instruction */
	sandbox_spend(L, JAIL_INSTRUCTIONS_SPENT);
}

void *sandbox_malloc(size_t size, void *unused)
{
	size_t *p = arena_alloc(box.arena, NULL, 0, size + 16);

	(void)unused;
	if (!p)
		return NULL;
	*p = size + 16;
	return (unsigned char *)p + 16;
}

void sandbox_free(void *p, void *unused)
{
	(void)unused;
	if (p) {
		size_t *start = (void *)((unsigned char *)p - 16);

		arena_alloc(box.arena, start, *start, 0);
	}
}

/* ---- Log ------------------------------------------------------------------------------------------------------------- */

static void add_text(struct buf *out, struct slice text, size_t max)
{
	text = slice_sub(text, 0, max);
	buf_add_u32(out, (uint32_t)text.n);
	buf_add_slice(out, text);
}

void sandbox_log(unsigned level, struct slice text)
{
	unsigned *count = level == JAIL_LEVEL_MESSAGE ? &box.message_count : &box.log_count;

	if (*count == (level == JAIL_LEVEL_MESSAGE ? JAIL_MESSAGES_MAX : JAIL_LOG_MAX))
		return;
	(*count)++;
	buf_add_u8(&box.log, (uint8_t)level);
	add_text(&box.log, text, JAIL_LOG_TEXT_MAX);
}

/* ---- The protected run ----------------------------------------------------------------------------------------------- */

/* After a failure the coroutine still stands where it failed. */
static void look_back(lua_State *L, int status)
{
	lua_Debug ar;

	if (box.spent || !script_frame(L, &ar))
		return;
	box.line = ar.currentline;
	if (status != LUA_ERRMEM && lua_checkstack(L, 20))
		box.saw_count = sandbox_saw(L, &ar, box.request.source, box.line, &box.saw);
}

static void set_given(lua_State *L)
{
	struct slice in = box.request.given;

	if (wire_decode(L, &in, &wire_script_limits) != ST_OK || !lua_istable(L, -1))
		luaL_error(L, "malformed given values");
	lua_pushglobaltable(L);
	lua_pushnil(L);
	while (lua_next(L, -3)) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, -4);
	}
	lua_pop(L, 2);
}

static int load_script(lua_State *L)
{
	const struct request *r = &box.request;

	return luaL_loadbufferx(L, (const char *)r->source.p, r->source.n, box.chunk, "t");
}

/* Leaves the end in *ud: JAIL_FINE with results encoded in box.out. Light userdata argument: enum jail_end *. */
static int protected_call(lua_State *L)
{
	enum jail_end *end = lua_touserdata(L, 1);
	char wrong[300];
	lua_State *script;
	int status, results;
	enum st st;

	lua_settop(L, 0);
	if (load_script(L) != LUA_OK) {
		*end = JAIL_SYNTAX;
		return lua_error(L);
	}
	if (box.request.verb == 'c') {
		*end = JAIL_FINE;
		return 0;
	}
	set_given(L);
	lua_getfield(L, LUA_REGISTRYINDEX, SANDBOX_PREPARE);
	lua_call(L, 0, 0);
	script = lua_newthread(L);
	lua_insert(L, 1);
	lua_xmove(L, script, 1);
	lua_sethook(script, count_hook, LUA_MASKCOUNT, box.hook_every);
	box.running = script;
	status = lua_resume(script, L, 0, &results);
	if (status != LUA_OK) {
		look_back(script, status);
		if (status == LUA_ERRMEM)
			sandbox_spend(L, JAIL_MEMORY_SPENT);
		lua_xmove(script, L, 1);
		return lua_error(L);
	}
	box.running = NULL;
	lua_settop(script, 2);
	lua_xmove(script, L, 2);
	st = wire_encode(L, 2, &wire_script_limits, &box.out, wrong, sizeof wrong);
	if (st == ST_OK) {
		struct wire_limits second = wire_script_limits;

		second.root = "second result";
		st = wire_encode(L, 3, &second, &box.out, wrong, sizeof wrong);
	}
	if (st != ST_OK) {
		*end = JAIL_RESULT;
		return luaL_error(L, "%s", st == ST_NOMEM ? "result: out of memory" : wrong);
	}
	*end = JAIL_FINE;
	return 0;
}

/* "chunk:7: text" is taken apart: the line is an answer of its own. */
static void take_message(lua_State *L, int status)
{
	const char *shown = box.chunk + 1, *text;
	size_t n = strnlen(shown, LUA_IDSIZE - 1); /* Lua cuts longer names */
	char *rest;
	long line;

	if (lua_type(L, -1) != LUA_TSTRING) {
		snprintf(box.message, sizeof box.message, "%s",
			status == LUA_ERRMEM ? "out of memory"
					     : "the script threw something that is no text");
		return;
	}
	text = lua_tostring(L, -1);
	if (strncmp(text, shown, n) == 0 && text[n] == ':') {
		line = strtol(text + n + 1, &rest, 10);
		if (line > 0 && line < 1000000 && rest[0] == ':' && rest[1] == ' ') {
			box.line = (int)line;
			text = rest + 2;
		}
	}
	snprintf(box.message, sizeof box.message, "%s", text);
}

static void spent_message(void)
{
	switch (box.spent) {
	case JAIL_INSTRUCTIONS_SPENT:
		snprintf(box.message, sizeof box.message, "used more than %u instructions",
			box.request.instructions);
		break;
	case JAIL_MEMORY_SPENT:
		snprintf(box.message, sizeof box.message, "used more than %u bytes of memory",
			box.request.memory);
		break;
	default:
		break;
	}
}

static enum jail_end run(void)
{
	enum jail_end end = JAIL_ERROR;
	lua_State *L = box.L;
	int status;

	lua_pushcfunction(L, protected_call);
	lua_pushlightuserdata(L, &end);
	status = lua_pcall(L, 1, 0, 0);
	box.running = NULL;
	if (status == LUA_ERRMEM)
		box.spent = JAIL_MEMORY_SPENT;
	if (status == LUA_OK)
		return JAIL_FINE;
	if (box.spent) {
		spent_message();
		return box.spent;
	}
	take_message(L, status);
	return end == JAIL_FINE ? JAIL_ERROR : end;
}

/* ---- One call -------------------------------------------------------------------------------------------------------- */

static bool read_text(struct slice *in, struct slice *text)
{
	uint32_t n;

	return read_u32(in, &n) && read_bytes(in, n, text);
}

static bool read_request(struct slice in, struct request *r)
{
	if (!read_u8(&in, &r->verb) || !read_u32(&in, &r->instructions) || !read_u32(&in, &r->memory) ||
		!read_text(&in, &r->chunk) || !read_text(&in, &r->source))
		return false;
	r->given = in;
	return (r->verb == 'r' || r->verb == 'x' || r->verb == 'c') && r->chunk.n > 1 &&
		r->chunk.n < sizeof box.chunk && slice_find(r->chunk, 0) == r->chunk.n &&
		r->instructions <= JAIL_INSTRUCTIONS && r->memory <= JAIL_MEMORY;
}

static void write_failure(struct buf *out)
{
	add_text(out, slice_str(box.message), MESSAGE_MAX);
	buf_add_u32(out, (uint32_t)box.line);
	buf_add_u8(out, (uint8_t)box.saw_count);
	buf_add_slice(out, buf_slice(&box.saw));
}

/* Keeps the memory, not what is in it. */
static void wipe(struct buf *b)
{
	if (b->n > 0)
		explicit_bzero(b->p, b->n);
	buf_clear(b);
}

static void begin(void)
{
	box.spent = JAIL_FINE;
	box.line = 0;
	box.saw_count = box.log_count = box.message_count = 0;
	box.message[0] = '\0';
	buf_clear(&box.saw);
	buf_clear(&box.log);
	buf_clear(&box.out);
}

void sandbox_call(struct slice frame, struct buf *answer)
{
	struct request *r = &box.request;
	enum jail_end end = JAIL_ERROR;
	int64_t started = clock_mono_us();
	size_t before;

	begin();
	before = arena_used(box.arena);
	if (read_request(frame, r)) {
		memcpy(box.chunk, r->chunk.p, r->chunk.n);
		box.chunk[r->chunk.n] = '\0';
		box.chunk[0] = '='; /* shown as it is */
		box.left = r->instructions;
		box.hook_every = r->verb == 'x' ? 1 : HOOK_EVERY;
		arena_set_limit(box.arena, r->memory);
		end = run();
	} else {
		snprintf(box.message, sizeof box.message, "malformed call");
	}
	buf_add_u8(answer, (uint8_t)end);
	buf_add_u32(answer, r->instructions - (uint32_t)(box.left > 0 ? box.left : 0));
	buf_add_u32(answer, (uint32_t)(arena_peak(box.arena) - before));
	buf_add_u32(answer, (uint32_t)(clock_mono_us() - started));
	if (end == JAIL_FINE)
		buf_add_slice(answer, buf_slice(&box.out));
	else
		write_failure(answer);
	buf_add_u8(answer, (uint8_t)(box.log_count + box.message_count));
	buf_add_slice(answer, buf_slice(&box.log));
	wipe(&box.out);
	wipe(&box.saw);
	wipe(&box.log);
	sandbox_env_end();
	arena_restore(box.arena); /* now, so that nothing waits in memory for the next call */
}

/* ---- Opening --------------------------------------------------------------------------------------------------------- */

static int open_protected(lua_State *L)
{
	sandbox_env_open(L);
	lua_settop(L, 0);
	lua_gc(L, LUA_GCCOLLECT);
	lua_gc(L, LUA_GCINC, 150, 200, 0);
	return 0;
}

/* One call that uses what libraries prepare at first use (seeds, locks, tables): later they would ask the system. */
static enum st warm_up(char *error, size_t error_size)
{
	static const char source[] =
		"local t = json.decode(json.encode({ a = { 1.5, 'x' } }))\n"
		"log.info(sha256('x'), { y = ip.parse('::1').text, z = 1.25, t = localtime(0).hour "
		"})\n"
		"return regex_replace('x', '(?i)(X)', '\\\\1y') or pcall(error, t)";
	struct buf frame = {0}, answer = {0};
	struct slice text = slice_str(source), chunk = SLICE_LIT("=warm-up");
	enum st st = ST_NOMEM;

	buf_add_u8(&frame, 'r');
	buf_add_u32(&frame, JAIL_INSTRUCTIONS);
	buf_add_u32(&frame, JAIL_MEMORY);
	add_text(&frame, chunk, chunk.n);
	add_text(&frame, text, text.n);
	buf_add_u8(&frame, 'T');
	buf_add_u64(&frame, 0);
	if (!frame.failed) {
		sandbox_call(buf_slice(&frame), &answer);
		st = !answer.failed && answer.p[0] == JAIL_FINE ? ST_OK : ST_BAD;
		snprintf(error, error_size, "the first script fails: %s", box.message);
	}
	buf_free(&frame);
	buf_free(&answer);
	return st;
}

enum st sandbox_open(sandbox_asker asker, char *error, size_t error_size)
{
	sandbox_ask_open(asker);
	snprintf(error, error_size, "out of memory");
	box.arena = arena_open(ARENA_SIZE);
	if (!box.arena)
		return ST_NOMEM;
	box.L = lua_newstate(arena_alloc, box.arena);
	if (!box.L)
		return ST_NOMEM;
	lua_pushcfunction(box.L, open_protected);
	if (lua_pcall(box.L, 0, 0, 0) != LUA_OK) {
		if (lua_type(box.L, -1) == LUA_TSTRING)
			snprintf(error, error_size, "%s", lua_tostring(box.L, -1));
		return ST_BAD;
	}
	/* Room for what a call collects, so that sealing finds it there. */
	if (!buf_reserve(&box.saw, 8192) || !buf_reserve(&box.log, 32768) ||
		!buf_reserve(&box.out, 65536))
		return ST_NOMEM;
	if (arena_save(box.arena) != ST_OK)
		return ST_NOMEM;
	return warm_up(error, error_size);
}
