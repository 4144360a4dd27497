/* validate.c: RFC 8259's grammar as a loop over "what may come now", with I-JSON's (RFC 7493) extra rules. */
#include "json/validate.h"

#include <math.h>

#include "base/codec.h"
#include "json/names.h"

enum { NUMBER_MAX = 60, INTEGER_DIGITS_MAX = 16 };
#define INTEGER_MAX (INT64_C(1) << 53)

enum expect {
	EXPECT_VALUE,
	EXPECT_FIRST_ITEM,
	EXPECT_FIRST_NAME,
	EXPECT_NAME,
	EXPECT_COLON,
	EXPECT_AFTER
};

struct checker {
	struct slice text;
	size_t at;
	const char *error;
	struct buf *numbers; /* borrows; may be NULL */
	struct names names;
	bool repeated; /* a name may come twice in one object */
	enum expect expect;
	unsigned depth;
	uint32_t objects;                /* serial number of the newest object */
	uint32_t object[JSON_DEPTH_MAX]; /* serial number of each open object, 0 = an array */
};

/* The byte `ahead` of the current one; 0 behind the end, which no rule accepts. */
static unsigned char peek(const struct checker *c, size_t ahead)
{
	return c->at + ahead < c->text.n ? c->text.p[c->at + ahead] : 0;
}

static enum st bad(struct checker *c, const char *error)
{
	c->error = error;
	return ST_BAD;
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static void skip_space(struct checker *c)
{
	while (c->at < c->text.n && strchr(" \t\n\r", c->text.p[c->at]) && c->text.p[c->at])
		c->at++;
}

/* ---- Strings ---- */

/* The four hexadecimal digits `ahead`, or -1. */
static int hex4_at(const struct checker *c, size_t ahead)
{
	int v = 0;

	for (size_t i = 0; i < 4; i++) {
		unsigned char d = peek(c, ahead + i);

		if (is_digit(d))
			v = v * 16 + d - '0';
		else if ((d | 0x20) >= 'a' && (d | 0x20) <= 'f')
			v = v * 16 + (d | 0x20) - 'a' + 10;
		else
			return -1;
	}
	return v;
}

static enum st check_escape(struct checker *c)
{
	int code, low;

	if (peek(c, 1) != 'u') {
		if (!peek(c, 1) || !strchr("\"\\/bfnrt", peek(c, 1)))
			return bad(c, "wrong escape");
		c->at += 2;
		return ST_OK;
	}
	code = hex4_at(c, 2);
	if (code < 0)
		return bad(c, "wrong escape");
	if (code == 0)
		return bad(c, "NUL in a string");
	c->at += 6;
	if (code < 0xd800 || code > 0xdfff)
		return ST_OK;
	low = peek(c, 0) == '\\' && peek(c, 1) == 'u' ? hex4_at(c, 2) : -1;
	if (code > 0xdbff || low < 0xdc00 || low > 0xdfff)
		return bad(c, "lone surrogate");
	c->at += 6;
	return ST_OK;
}

/* At the opening quote; leaves `at` behind the closing one and the body, still escaped, in *raw. */
static enum st check_string(struct checker *c, struct slice *raw)
{
	size_t start = ++c->at;

	while (peek(c, 0) != '"') {
		if (c->at == c->text.n)
			return bad(c, "unfinished string");
		if (peek(c, 0) < 0x20)
			return bad(c, "control character in a string");
		if (peek(c, 0) == '\\') {
			enum st st = check_escape(c);

			if (st)
				return st;
		} else {
			c->at++;
		}
	}
	*raw = slice_sub(c->text, start, c->at - start);
	c->at++;
	return ST_OK;
}

/* ---- Numbers ---- */

static void skip_digits(struct checker *c)
{
	while (is_digit(peek(c, 0)))
		c->at++;
}

static bool in_range(struct slice number, bool integer)
{
	char z[NUMBER_MAX + 1];
	long long v;

	memcpy(z, number.p, number.n);
	z[number.n] = 0;
	if (!integer)
		return isfinite(strtod(z, NULL));
	if (number.n > INTEGER_DIGITS_MAX + 1)
		return false;
	v = strtoll(z, NULL, 10);
	return v >= -INTEGER_MAX && v <= INTEGER_MAX;
}

static enum st check_number(struct checker *c)
{
	size_t start = c->at;
	bool integer = true;

	if (peek(c, 0) == '-')
		c->at++;
	if (!is_digit(peek(c, 0)))
		return bad(c, "wrong number");
	if (peek(c, 0) == '0')
		c->at++;
	else
		skip_digits(c);
	if (peek(c, 0) == '.') {
		integer = false;
		c->at++;
		if (!is_digit(peek(c, 0)))
			return bad(c, "wrong number");
		skip_digits(c);
	}
	if ((peek(c, 0) | 0x20) == 'e') {
		integer = false;
		c->at += peek(c, 1) == '+' || peek(c, 1) == '-' ? 2 : 1;
		if (!is_digit(peek(c, 0)))
			return bad(c, "wrong number");
		skip_digits(c);
	}
	/* "01" ends the number after "0", and the rest is then no separator. */
	if (c->at - start > NUMBER_MAX ||
		!in_range(slice_sub(c->text, start, c->at - start), integer)) {
		c->at = start;
		return bad(c, "number out of range");
	}
	if (c->numbers && !buf_add_u8(c->numbers, integer))
		return ST_NOMEM;
	return ST_OK;
}

/* ---- Structure ---- */

static enum st check_literal(struct checker *c)
{
	static const char *const words[] = {"true", "false", "null"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct slice word = slice_str(words[i]);

		if (slice_has_prefix(slice_sub(c->text, c->at, word.n), word)) {
			c->at += word.n;
			return ST_OK;
		}
	}
	return bad(c, "a value was expected");
}

static enum st open_container(struct checker *c, bool object)
{
	if (c->depth == JSON_DEPTH_MAX)
		return bad(c, "nested too deeply");
	c->object[c->depth++] = object ? ++c->objects : 0;
	c->expect = object ? EXPECT_FIRST_NAME : EXPECT_FIRST_ITEM;
	c->at++;
	return ST_OK;
}

static enum st close_container(struct checker *c)
{
	c->depth--;
	c->expect = EXPECT_AFTER;
	c->at++;
	return ST_OK;
}

static enum st check_value(struct checker *c)
{
	unsigned char first = peek(c, 0);
	struct slice raw;

	if (first == '{' || first == '[')
		return open_container(c, first == '{');
	c->expect = EXPECT_AFTER;
	if (first == '"')
		return check_string(c, &raw);
	if (first == '-' || is_digit(first))
		return check_number(c);
	return check_literal(c);
}

static enum st check_name(struct checker *c)
{
	struct slice raw;
	size_t start = c->at;
	enum st st;

	if (peek(c, 0) != '"')
		return bad(c, "a member name was expected");
	st = check_string(c, &raw);
	if (!st && !c->repeated)
		st = names_add(&c->names, c->object[c->depth - 1], raw);
	if (st == ST_CONFLICT) {
		c->at = start;
		return bad(c, "duplicate member name");
	}
	c->expect = EXPECT_COLON;
	return st;
}

static enum st check_after(struct checker *c)
{
	bool object = c->object[c->depth - 1] != 0;

	if (peek(c, 0) == (object ? '}' : ']'))
		return close_container(c);
	if (peek(c, 0) != ',')
		return bad(c, object ? "',' or '}' was expected" : "',' or ']' was expected");
	c->at++;
	c->expect = object ? EXPECT_NAME : EXPECT_VALUE;
	return ST_OK;
}

static enum st step(struct checker *c)
{
	switch (c->expect) {
	case EXPECT_FIRST_ITEM:
		return peek(c, 0) == ']' ? close_container(c) : check_value(c);
	case EXPECT_VALUE:
		return check_value(c);
	case EXPECT_FIRST_NAME:
		return peek(c, 0) == '}' ? close_container(c) : check_name(c);
	case EXPECT_NAME:
		return check_name(c);
	case EXPECT_COLON:
		if (peek(c, 0) != ':')
			return bad(c, "':' was expected");
		c->at++;
		c->expect = EXPECT_VALUE;
		return ST_OK;
	case EXPECT_AFTER:
		return check_after(c);
	}
	abort();
}

enum st json_check(struct slice text, enum json_names names, struct buf *numbers,
	const char **error, size_t *offset)
{
	struct checker c = {.text = text, .numbers = numbers, .repeated = names == JSON_NAMES_REPEATED};
	enum st st = ST_OK;

	*error = NULL;
	*offset = 0;
	if (!utf8_valid(text)) {
		*error = "not UTF-8";
		return ST_BAD;
	}
	names_init(&c.names);
	skip_space(&c);
	while (!st && !(c.expect == EXPECT_AFTER && c.depth == 0)) {
		st = step(&c);
		skip_space(&c);
	}
	if (!st && c.at != text.n)
		st = bad(&c, "something follows the value");
	names_free(&c.names);
	*error = c.error;
	*offset = c.at;
	return st;
}
