/* l_url.c: the Lua table `url`: absolute URLs, percent encoding, forms, the Cookie field. */
#include "base/codec.h"
#include "base/url.h"
#include "bind/bind.h"
#include "bind/scratch.h"

#include <lauxlib.h>
#include <lua.h>

#define FIELDS_MAX 100
#define TEXT_MAX (1u << 20)

static struct slice check_text(lua_State *L, int index)
{
	struct slice s;

	s.p = (const unsigned char *)luaL_checklstring(L, index, &s.n);
	luaL_argcheck(L, s.n <= TEXT_MAX, index, "too long");
	return s;
}

static int refuse(lua_State *L, const char *reason)
{
	lua_pushnil(L);
	lua_pushstring(L, reason);
	return 2;
}

/* ---- URLs ---- */

static void set_part(lua_State *L, const char *name, struct slice part, bool present)
{
	if (!present)
		return;
	lua_pushlstring(L, part.n ? (const char *)part.p : "", part.n);
	lua_setfield(L, -2, name);
}

static void add_lower(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_add_u8(out, s.p[i] >= 'A' && s.p[i] <= 'Z' ? (uint8_t)(s.p[i] + 32) : s.p[i]);
}

static void set_lower(lua_State *L, const char *name, struct slice part)
{
	struct buf *out = scratch_take(L);

	add_lower(out, part);
	scratch_push(L, out);
	lua_setfield(L, -2, name);
}

static bool default_port(const struct url *u)
{
	return (slice_eq_nocase(u->scheme, SLICE_LIT("https")) && slice_eq(u->port, SLICE_LIT("443"))) ||
		(slice_eq_nocase(u->scheme, SLICE_LIT("http")) && slice_eq(u->port, SLICE_LIT("80")));
}

/* RFC 6454: scheme, host and a port that is not the scheme's own. */
static void set_origin(lua_State *L, const struct url *u)
{
	struct buf *out = scratch_take(L);

	add_lower(out, u->scheme);
	buf_add_str(out, u->host_is_ipv6 ? "://[" : "://");
	add_lower(out, u->host);
	if (u->host_is_ipv6)
		buf_add_u8(out, ']');
	if (u->has_port && !default_port(u)) {
		buf_add_u8(out, ':');
		buf_add_slice(out, u->port);
	}
	scratch_push(L, out);
	lua_setfield(L, -2, "origin");
}

static lua_Integer port_number(struct slice port)
{
	lua_Integer n = 0;

	for (size_t i = 0; i < port.n; i++)
		n = n * 10 + (port.p[i] - '0');
	return n;
}

/* parse(text) → { scheme, host, port, path, query, fragment, userinfo, origin } | nil, reason. scheme and host in lower case, the
 * rest as written; port a number, when given; host and origin only with an authority ("//"). */
static int l_parse(lua_State *L)
{
	struct url u;

	if (url_parse(check_text(L, 1), &u))
		return refuse(L, "not a well-formed absolute URL");
	lua_createtable(L, 0, 8);
	set_lower(L, "scheme", u.scheme);
	set_part(L, "path", u.path, true);
	set_part(L, "query", u.query, u.has_query);
	set_part(L, "fragment", u.fragment, u.has_fragment);
	set_part(L, "userinfo", u.userinfo, u.has_userinfo);
	if (u.has_authority) {
		set_lower(L, "host", u.host);
		set_origin(L, &u);
	}
	if (u.has_port) {
		lua_pushinteger(L, port_number(u.port));
		lua_setfield(L, -2, "port");
	}
	return 1;
}

/* encode(text): everything but A-Z a-z 0-9 - . _ ~ */
static int l_encode(lua_State *L)
{
	struct slice text = check_text(L, 1);
	struct buf *out = scratch_take(L);

	if (percent_encode(text, out))
		return luaL_error(L, "not enough memory");
	scratch_push(L, out);
	return 1;
}

/* decode(text) → text | nil, reason */
static int l_decode(lua_State *L)
{
	struct slice text = check_text(L, 1);
	struct buf *out = scratch_take(L);
	enum st st = percent_decode(text, false, out);

	if (st == ST_NOMEM)
		return luaL_error(L, "not enough memory");
	if (st)
		return refuse(L, "a bad percent escape");
	scratch_push(L, out);
	return 1;
}

/* ---- Forms ---- */

static void add_length(struct buf *out, struct slice s)
{
	buf_add_u32(out, (uint32_t)s.n);
	buf_add_slice(out, s);
}

/* form_parse must not be left by a longjmp: it owns memory. So the fields are collected first. */
static enum st collect_field(void *ctx, struct slice name, struct slice value)
{
	struct buf *out = ctx;

	add_length(out, name);
	add_length(out, value);
	return out->failed ? ST_NOMEM : ST_OK;
}

static bool take_text(struct slice *in, struct slice *text)
{
	uint32_t n;

	return read_u32(in, &n) && read_bytes(in, n, text);
}

/* Expects the list, the map and the duplicates at 1, 2 and 3 from base. */
static void push_field(lua_State *L, int base, lua_Integer i, struct slice name, struct slice value)
{
	lua_createtable(L, 2, 0);
	lua_pushlstring(L, (const char *)name.p, name.n);
	lua_pushlstring(L, (const char *)value.p, value.n);
	lua_pushvalue(L, -2); /* field name value name */
	lua_rawget(L, base + 1);
	if (lua_isnil(L, -1)) {
		lua_pushvalue(L, -3);
		lua_pushvalue(L, -3);
		lua_rawset(L, base + 1);
	} else {
		lua_pushvalue(L, -3);
		lua_pushboolean(L, true);
		lua_rawset(L, base + 2);
	}
	lua_pop(L, 1);
	lua_rawseti(L, -3, 2);
	lua_rawseti(L, -2, 1);
	lua_rawseti(L, base, i);
}

/* form_parse(text[, max = 100]) → list of { name, value }, name → first value, name → true when it came twice | nil, reason */
static int l_form_parse(lua_State *L)
{
	struct slice text = check_text(L, 1), in, name, value;
	lua_Integer max = luaL_optinteger(L, 2, FIELDS_MAX);
	struct buf *fields = scratch_take(L);
	enum st st;
	int base;

	luaL_argcheck(L, max > 0 && max <= 10000, 2, "1 to 10000");
	st = form_parse(text, (size_t)max, collect_field, fields);
	if (st == ST_NOMEM)
		return luaL_error(L, "not enough memory");
	if (st)
		return refuse(L, "too many fields, a bad percent escape, a NUL or invalid UTF-8");
	base = lua_gettop(L) + 1;
	for (int i = 0; i < 3; i++)
		lua_newtable(L);
	in = buf_slice(fields);
	for (lua_Integer i = 1; take_text(&in, &name) && take_text(&in, &value); i++)
		push_field(L, base, i, name, value);
	/* It may have been a password. */
	if (fields->n)
		memset(fields->p, 0, fields->n);
	return 3;
}

/* application/x-www-form-urlencoded: a space is "+". */
static void add_form_text(struct buf *out, struct slice s)
{
	while (s.n) {
		size_t space = slice_find(s, ' ');

		if (percent_encode(slice_sub(s, 0, space), out))
			return;
		if (space < s.n)
			buf_add_u8(out, '+');
		s = slice_sub(s, space + 1, s.n);
	}
}

static void check_form_text(lua_State *L, int index)
{
	if (lua_type(L, index) != LUA_TSTRING && !lua_isinteger(L, index))
		luaL_error(L, "url.form_encode: a name or value is a %s", luaL_typename(L, index));
}

/* A place for a pair: sorting a map's names makes the same table give the same text. */
struct pair {
	struct slice name, value;
};

static int by_name(const void *a, const void *b)
{
	const struct slice *x = &((const struct pair *)a)->name, *y = &((const struct pair *)b)->name;
	int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

	return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* The text at index, a number turned into text. Stays on the stack or in the table that is encoded. */
static struct slice form_text(lua_State *L, int index)
{
	struct slice s;

	check_form_text(L, index);
	s.p = (const unsigned char *)lua_tolstring(L, index, &s.n);
	return s;
}

/* Pushes what keeps the pair's texts alive. */
static void push_item(lua_State *L, lua_Integer i, struct pair *pair)
{
	if (lua_rawgeti(L, 1, i) != LUA_TTABLE)
		luaL_error(L, "url.form_encode: an item is a %s", luaL_typename(L, -1));
	lua_rawgeti(L, -1, 1);
	lua_rawgeti(L, -2, 2);
	lua_remove(L, -3);
	pair->name = form_text(L, -2);
	pair->value = form_text(L, -1);
}

/* Leaves name and value of every entry on the stack, and their number. */
static int push_map(lua_State *L, struct pair *pairs)
{
	int n = 0;

	lua_pushnil(L);
	while (lua_next(L, 1)) {
		luaL_argcheck(L, n < FIELDS_MAX, 1, "too many fields");
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "url.form_encode: a name is a %s", luaL_typename(L, -2));
		pairs[n].value = form_text(L, -1);
		pairs[n++].name = form_text(L, -2);
		lua_pushvalue(L, -2); /* name value name: the last goes into lua_next */
	}
	qsort(pairs, (size_t)n, sizeof(*pairs), by_name);
	return n;
}

/* form_encode(list of { name, value } | name → value, sorted by name) → text. At most 100. */
static int l_form_encode(lua_State *L)
{
	struct pair pairs[FIELDS_MAX];
	struct buf *out;
	int n;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	luaL_checkstack(L, 2 * FIELDS_MAX + 8, "too many fields");
	luaL_argcheck(L, lua_rawlen(L, 1) <= FIELDS_MAX, 1, "too many fields");
	n = (int)lua_rawlen(L, 1);
	for (int i = 0; i < n; i++)
		push_item(L, i + 1, &pairs[i]);
	if (n == 0)
		n = push_map(L, pairs);
	out = scratch_take(L);
	for (int i = 0; i < n; i++) {
		if (i)
			buf_add_u8(out, '&');
		add_form_text(out, pairs[i].name);
		buf_add_u8(out, '=');
		add_form_text(out, pairs[i].value);
	}
	scratch_push(L, out);
	return 1;
}

/* cookie(header, name) → value | nil, reason: "notfound", or "bad" when it came twice or is malformed */
static int l_cookie(lua_State *L)
{
	struct slice header = {0}, name = check_text(L, 2), value;
	enum st st;

	if (!lua_isnoneornil(L, 1))
		header = check_text(L, 1);
	st = cookie_find(header, name, &value);
	if (st)
		return refuse(L, st_name(st));
	lua_pushlstring(L, value.n ? (const char *)value.p : "", value.n);
	return 1;
}

int bind_url(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"parse", l_parse},
		{"encode", l_encode},
		{"decode", l_decode},
		{"form_parse", l_form_parse},
		{"form_encode", l_form_encode},
		{"cookie", l_cookie},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
