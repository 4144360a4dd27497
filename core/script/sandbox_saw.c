/* sandbox_saw.c: what the failing line saw. The names that stand on the line (user, user.email, groups) are looked up as
 * locals, upvalues and globals of the running function, without calling anything. */
#include "script/sandbox.h"

#include <ctype.h>
#include <lauxlib.h>
#include <lua.h>

#define PATH_MAX_BYTES 100
#define VALUE_MAX 60

static struct slice line_of(struct slice source, int line)
{
	size_t from = 0, n;

	while (--line > 0) {
		n = slice_find(slice_sub(source, from, source.n), '\n');
		from += n + 1;
		if (from >= source.n)
			return (struct slice){0};
	}
	source = slice_sub(source, from, source.n);
	return slice_sub(source, 0, slice_find(source, '\n'));
}

/* ---- Values as short texts --------------------------------------------------------------------------------------------- */

static void show_text(struct slice text, char *out, size_t size)
{
	size_t n = 0;

	out[n++] = '"';
	for (size_t i = 0; i < text.n && n + 6 < size; i++) {
		unsigned char c = text.p[i];

		if (c == '"' || c == '\\')
			out[n++] = '\\';
		out[n++] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
	}
	snprintf(out + n, size - n, "%s", n + 6 >= size ? "…\"" : "\"");
}

static void show_table(lua_State *L, char *out, size_t size)
{
	lua_Unsigned items = lua_rawlen(L, -1);
	int names = 0;

	if (items > 0) {
		snprintf(out, size, "a list of %u", (unsigned)items);
		return;
	}
	lua_pushnil(L);
	while (names < 1000 && lua_next(L, -2)) {
		lua_pop(L, 1);
		names++;
	}
	if (names == 1000)
		lua_pop(L, 1);
	snprintf(out, size, names ? "a table of %d names" : "an empty table", names);
}

/* The value on the top; false for what tells nothing. */
static bool show(lua_State *L, char *out, size_t size)
{
	size_t n;
	const char *p;

	switch (lua_type(L, -1)) {
	case LUA_TNIL:
		snprintf(out, size, "nil");
		return true;
	case LUA_TBOOLEAN:
		snprintf(out, size, "%s", lua_toboolean(L, -1) ? "true" : "false");
		return true;
	case LUA_TNUMBER:
		if (lua_isinteger(L, -1))
			snprintf(out, size, "%lld", (long long)lua_tointeger(L, -1));
		else
			snprintf(out, size, "%.14g", (double)lua_tonumber(L, -1));
		return true;
	case LUA_TSTRING:
		p = lua_tolstring(L, -1, &n);
		show_text(slice_of(p, n), out, size);
		return true;
	case LUA_TTABLE:
		show_table(L, out, size);
		return true;
	default:
		return false;
	}
}

/* ---- Names ------------------------------------------------------------------------------------------------------------- */

/* Pushes the local, upvalue or global of that name as the function sees it; false (nothing pushed) when there is none. */
static bool push_name(lua_State *L, lua_Debug *ar, const char *name)
{
	const char *other;
	bool found = false;

	for (int i = 1; (other = lua_getlocal(L, ar, i)); i++) {
		if (strcmp(other, name) != 0) {
			lua_pop(L, 1);
			continue;
		}
		if (found)
			lua_replace(L, -2); /* the later one shadows */
		found = true;
	}
	if (found)
		return true;
	lua_getinfo(L, "f", ar);
	for (int i = 1; (other = lua_getupvalue(L, -1, i)); i++) {
		if (strcmp(other, name) == 0) {
			lua_remove(L, -2);
			return true;
		}
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	lua_pushglobaltable(L);
	lua_pushstring(L, name);
	lua_rawget(L, -2);
	lua_remove(L, -2);
	if (!lua_isnil(L, -1))
		return true;
	lua_pop(L, 1);
	return false;
}

static bool is_word(const char *word)
{
	static const char *const words[] = {"and", "break", "do", "else", "elseif", "end", "false",
		"for", "function", "goto", "if", "in", "local", "nil", "not", "or", "repeat",
		"return", "then", "true", "until", "while"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i], word) == 0)
			return true;
	}
	return false;
}

static bool name_byte(unsigned char c)
{
	return isalnum(c) || c == '_';
}

static size_t name_length(struct slice text)
{
	size_t n = 0;

	while (n < text.n && name_byte(text.p[n]))
		n++;
	return n;
}

static bool seen_before(const struct buf *out, const char *path)
{
	struct slice left = buf_slice(out), text;
	size_t n = strlen(path);
	uint32_t length;

	while (read_u32(&left, &length) && read_bytes(&left, length, &text)) {
		if (text.n > n && memcmp(text.p, path, n) == 0 && text.p[n] == ' ')
			return true;
	}
	return false;
}

/* Adds "path = value" for the value on the top. */
static bool add(lua_State *L, const char *path, struct buf *out)
{
	char value[VALUE_MAX + 8], text[PATH_MAX_BYTES + sizeof value + 4];
	int n;

	if (seen_before(out, path) || !show(L, value, sizeof value))
		return false;
	n = snprintf(text, sizeof text, "%s = %s", path, value);
	buf_add_u32(out, (uint32_t)n);
	return buf_add(out, text, (size_t)n);
}

/* At a name on the line: follows ".field" as far as there are tables. Returns the bytes read; *count grows. */
static size_t follow(lua_State *L, lua_Debug *ar, struct slice text, struct buf *out, unsigned *count)
{
	char path[PATH_MAX_BYTES], name[PATH_MAX_BYTES];
	size_t n = name_length(text), at, length;

	if (n >= sizeof path)
		return n;
	memcpy(path, text.p, n);
	path[n] = '\0';
	if (is_word(path) || !push_name(L, ar, path))
		return n;
	at = n;
	while (lua_istable(L, -1) && at < text.n && text.p[at] == '.') {
		length = name_length(slice_sub(text, at + 1, text.n));
		if (length == 0 || n + 1 + length >= sizeof path)
			break;
		memcpy(name, text.p + at + 1, length);
		name[length] = '\0';
		lua_pushstring(L, name);
		lua_rawget(L, -2);
		lua_remove(L, -2);
		path[n++] = '.';
		memcpy(path + n, name, length + 1);
		n += length;
		at += 1 + length;
	}
	if (add(L, path, out))
		(*count)++;
	lua_pop(L, 1);
	return at;
}

unsigned sandbox_saw(lua_State *L, void *activation, struct slice source, int line, struct buf *out)
{
	struct slice text = line_of(source, line);
	unsigned count = 0;
	unsigned char quote = 0;

	for (size_t i = 0; i < text.n && count < JAIL_SAW_MAX;) {
		unsigned char c = text.p[i], before = i ? text.p[i - 1] : ' ';

		if (quote) { /* inside a text */
			quote = c == quote ? 0 : quote;
			i += c == '\\' ? 2 : 1;
		} else if (c == '"' || c == '\'') {
			quote = c;
			i++;
		} else if (c == '-' && i + 1 < text.n && text.p[i + 1] == '-') {
			break;
		} else if (name_byte(c) && !name_byte(before) && before != '.' && before != ':' &&
			!isdigit(c)) {
			i += follow(L, activation, slice_sub(text, i, text.n), out, &count);
		} else {
			i++;
		}
	}
	return count;
}
