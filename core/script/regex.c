/* regex.c: regular expressions as Python's `re` has them, as far as scripts of authentik use it: search anywhere, replace all,
 * \1 and \g<name> in the replacement. Match, depth and memory are limited; compiled patterns live as long as the call. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "script/regex.h"

#include "base/codec.h"
#include "script/sandbox.h"

#include <lauxlib.h>
#include <lua.h>
#include <pcre2.h>

#define PATTERN_MAX 8192
#define PATTERNS_MAX 100
#define MATCH_LIMIT 200000
#define DEPTH_LIMIT 20000
#define HEAP_LIMIT_KIB 2048

static const char cache_key;
static pcre2_general_context *general;
static pcre2_compile_context *compiling;
static pcre2_match_context *matching;

struct search {
	lua_State *L;
	const char *function;
	pcre2_code *code;
	pcre2_match_data *found;
	struct slice text;
	PCRE2_SIZE *at; /* found's offsets */
};

static pcre2_code *compile(lua_State *L, const char *function, struct slice pattern)
{
	int error;
	PCRE2_SIZE offset;
	pcre2_code *code = pcre2_compile(pattern.p, pattern.n,
		PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset, compiling);
	PCRE2_UCHAR message[160];

	if (code)
		return code;
	if (error == PCRE2_ERROR_HEAP_FAILED)
		sandbox_spend(L, JAIL_MEMORY_SPENT);
	if (pcre2_get_error_message(error, message, sizeof message) < 0)
		message[0] = '\0';
	luaL_error(L, "%s: bad pattern at character %d: %s", function, (int)offset + 1,
		(const char *)message);
	return NULL;
}

/* The compiled form of the pattern at index, from this call's cache when it is there. */
static pcre2_code *cached(lua_State *L, int index, const char *function)
{
	size_t n;
	const char *text = luaL_checklstring(L, index, &n);
	pcre2_code *code;

	luaL_argcheck(L, n <= PATTERN_MAX, index, "pattern is too long");
	lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key);
	lua_pushvalue(L, index);
	if (lua_rawget(L, -2) == LUA_TLIGHTUSERDATA) {
		code = lua_touserdata(L, -1);
		lua_pop(L, 2);
		return code;
	}
	lua_pop(L, 1);
	code = compile(L, function, slice_of(text, n));
	if (lua_rawlen(L, -1) < PATTERNS_MAX) { /* the list part counts them */
		lua_pushvalue(L, index);
		lua_pushlightuserdata(L, code);
		lua_rawset(L, -3);
		lua_pushboolean(L, true);
		lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	}
	lua_pop(L, 1);
	return code;
}

static void open_search(lua_State *L, struct search *s, const char *function)
{
	s->L = L;
	s->function = function;
	s->text.p = (const unsigned char *)luaL_checklstring(L, 1, &s->text.n);
	luaL_argcheck(L, s->text.n <= SANDBOX_SUBJECT_MAX, 1, "text is too long");
	luaL_argcheck(L, utf8_valid(s->text), 1, "text is not UTF-8");
	s->code = cached(L, 2, function);
	s->found = pcre2_match_data_create_from_pattern(s->code, general);
	if (!s->found)
		sandbox_spend(L, JAIL_MEMORY_SPENT);
	s->at = pcre2_get_ovector_pointer(s->found);
}

static bool search_from(struct search *s, size_t from, uint32_t options)
{
	int n = pcre2_match(s->code, s->text.p, s->text.n, from, options | PCRE2_NO_UTF_CHECK,
		s->found, matching);

	if (n > 0)
		return true;
	if (n == PCRE2_ERROR_NOMATCH)
		return false;
	if (n == PCRE2_ERROR_NOMEMORY)
		sandbox_spend(s->L, JAIL_MEMORY_SPENT);
	return luaL_error(s->L, "%s: this pattern takes too long on this text", s->function);
}

static int l_regex_match(lua_State *L)
{
	struct search s;

	open_search(L, &s, "regex_match");
	lua_pushboolean(L, search_from(&s, 0, 0));
	pcre2_match_data_free(s.found);
	return 1;
}

/* ---- Replacing --------------------------------------------------------------------------------------------------------- */

static void add_group(struct search *s, luaL_Buffer *b, uint32_t group)
{
	if (group >= pcre2_get_ovector_count(s->found))
		luaL_error(s->L, "%s: the replacement names group %d, which the pattern does not have",
			s->function, (int)group);
	if (s->at[2 * group] == PCRE2_UNSET)
		return; /* took no part: empty, as in Python */
	luaL_addlstring(b, (const char *)s->text.p + s->at[2 * group],
		s->at[2 * group + 1] - s->at[2 * group]);
}

/* After "\g<". Returns the bytes up to and with ">". */
static size_t add_named(struct search *s, luaL_Buffer *b, struct slice rest)
{
	size_t end = slice_find(rest, '>');
	char name[64], *tail;
	long number;

	if (end == rest.n || end == 0 || end >= sizeof name)
		luaL_error(s->L, "%s: bad \\g<name> in the replacement", s->function);
	memcpy(name, rest.p, end);
	name[end] = '\0';
	number = strtol(name, &tail, 10);
	if (*tail)
		number = pcre2_substring_number_from_name(s->code, (PCRE2_SPTR)name);
	if (number < 0 || number > 65535)
		luaL_error(s->L, "%s: the pattern has no group '%s'", s->function, name);
	add_group(s, b, (uint32_t)number);
	return end + 1;
}

/* \1 to \99, \g<1>, \g<name>, \\ and \n; anything else after a backslash is a mistake, as in Python. */
static void add_replacement(struct search *s, luaL_Buffer *b, struct slice r)
{
	for (size_t i = 0; i < r.n; i++) {
		unsigned char next = i + 1 < r.n ? r.p[i + 1] : 0;

		if (r.p[i] != '\\') {
			luaL_addchar(b, (char)r.p[i]);
			continue;
		}
		i++;
		if (next >= '1' && next <= '9') {
			uint32_t group = next - '0';

			if (i + 1 < r.n && r.p[i + 1] >= '0' && r.p[i + 1] <= '9')
				group = group * 10 + r.p[++i] - '0';
			add_group(s, b, group);
		} else if (next == 'g' && i + 1 < r.n && r.p[i + 1] == '<') {
			i += 1 + add_named(s, b, slice_sub(r, i + 2, r.n));
		} else if (next == '\\') {
			luaL_addchar(b, '\\');
		} else if (next == 'n') {
			luaL_addchar(b, '\n');
		} else if (next == 't') {
			luaL_addchar(b, '\t');
		} else {
			luaL_error(s->L, "%s: bad escape in the replacement", s->function);
		}
	}
}

/* The bytes of the character at i. */
static size_t character_bytes(struct slice text, size_t i)
{
	size_t n = 1;

	while (i + n < text.n && (text.p[i + n] & 0xc0) == 0x80)
		n++;
	return n;
}

static int l_regex_replace(lua_State *L)
{
	struct search s;
	struct slice replacement;
	size_t from = 0, copied = 0;
	uint32_t options = 0;
	luaL_Buffer b;

	replacement.p = (const unsigned char *)luaL_checklstring(L, 3, &replacement.n);
	lua_settop(L, 3);
	open_search(L, &s, "regex_replace");
	luaL_buffinit(L, &b);
	while (from <= s.text.n) {
		if (!search_from(&s, from, options)) {
			if (!options || from == s.text.n)
				break;
			/* Only an empty match was possible here, and it is done: one character on. */
			from += character_bytes(s.text, from);
			options = 0;
			continue;
		}
		if (s.at[0] > s.at[1] || s.at[0] < copied)
			luaL_error(L, "regex_replace: \\K inside a look-around is not supported");
		luaL_addlstring(&b, (const char *)s.text.p + copied, s.at[0] - copied);
		add_replacement(&s, &b, replacement);
		options = s.at[0] == s.at[1] ? PCRE2_NOTEMPTY_ATSTART | PCRE2_ANCHORED : 0;
		from = copied = s.at[1];
	}
	luaL_addlstring(&b, (const char *)s.text.p + copied, s.text.n - copied);
	luaL_pushresult(&b);
	pcre2_match_data_free(s.found);
	return 1;
}

void regex_open(lua_State *L)
{
	general = pcre2_general_context_create(sandbox_malloc, sandbox_free, NULL);
	compiling = general ? pcre2_compile_context_create(general) : NULL;
	matching = general ? pcre2_match_context_create(general) : NULL;
	if (!compiling || !matching)
		luaL_error(L, "out of memory");
	pcre2_set_max_pattern_length(compiling, PATTERN_MAX);
	pcre2_set_parens_nest_limit(compiling, 100);
	pcre2_set_match_limit(matching, MATCH_LIMIT);
	pcre2_set_depth_limit(matching, DEPTH_LIMIT);
	pcre2_set_heap_limit(matching, HEAP_LIMIT_KIB);
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
	lua_register(L, "regex_match", l_regex_match);
	lua_register(L, "regex_replace", l_regex_replace);
}

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const char *regex_version(void)
{
	return TEXT(PCRE2_MAJOR) "." TEXT(PCRE2_MINOR);
}
