/* target.c: where a request is addressed to. */
#include "http/target.h"

#include "base/codec.h"

static bool is_alnum(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_hex(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* pchar of RFC 3986, "/" and "%". */
static bool is_path_char(unsigned char c)
{
	static const char marks[] = "-._~!$&'()*+,;=:@/%";

	return is_alnum(c) || (c != '\0' && memchr(marks, c, sizeof marks - 1) != NULL);
}

/* Queries are passed on raw; browsers put more into them than RFC 3986 has. */
static bool is_query_char(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '#';
}

static bool all(struct slice s, bool (*is)(unsigned char c))
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!is(s.p[i]))
			return false;
	return true;
}

static struct slice take_scheme(struct slice text)
{
	static const struct slice schemes[] = {SLICE_LIT("http://"), SLICE_LIT("https://")};
	size_t i;

	for (i = 0; i < ARRAY_LEN(schemes); i++)
		if (slice_eq_nocase(slice_sub(text, 0, schemes[i].n), schemes[i]))
			return slice_sub(text, 0, schemes[i].n);
	return slice_sub(text, 0, 0);
}

static size_t find_authority_end(struct slice s)
{
	size_t i = 0;

	while (i < s.n && s.p[i] != '/' && s.p[i] != '?')
		i++;
	return i;
}

const char *target_parse(struct slice text, bool asterisk_ok, struct target *out)
{
	size_t mark;

	*out = (struct target){0};
	if (asterisk_ok && slice_eq(text, SLICE_LIT("*")))
		return NULL;
	if (text.n > 0 && text.p[0] != '/') {
		struct slice scheme = take_scheme(text);

		if (scheme.n == 0)
			return "bad request target";
		text = slice_sub(text, scheme.n, text.n);
		mark = find_authority_end(text);
		out->absolute = true;
		out->authority = slice_sub(text, 0, mark);
		text = slice_sub(text, mark, text.n);
	}
	mark = slice_find(text, '?');
	out->path = slice_sub(text, 0, mark);
	out->query = slice_sub(text, mark + 1, text.n);
	if (!all(out->path, is_path_char))
		return "bad character in the path";
	if (!all(out->query, is_query_char))
		return "bad character in the query";
	return NULL;
}

static const char *check_decoded(struct slice path)
{
	size_t i, start = 1;

	for (i = 0; i < path.n; i++)
		if (path.p[i] < ' ' || path.p[i] == 0x7f)
			return "control character in the path";
	if (!utf8_valid(path))
		return "path is not UTF-8";
	for (i = 1; i <= path.n; i++) {
		if (i < path.n && path.p[i] != '/')
			continue;
		if ((i - start == 1 && path.p[start] == '.') ||
			(i - start == 2 && path.p[start] == '.' && path.p[start + 1] == '.'))
			return "dot segment in the path";
		start = i + 1;
	}
	return NULL;
}

enum st target_decode_path(struct slice raw, struct buf *out, const char **why)
{
	size_t from = out->n, i;
	enum st st;

	for (i = 0; i < raw.n; i++) {
		if (raw.p[i] != '%')
			continue;
		*why = "bad escape in the path";
		if (raw.n - i < 3 || !is_hex(raw.p[i + 1]) || !is_hex(raw.p[i + 2]))
			return ST_BAD;
		*why = "encoded slash in the path";
		if ((raw.p[i + 1] == '2' && (raw.p[i + 2] | 32) == 'f') ||
			(raw.p[i + 1] == '5' && (raw.p[i + 2] | 32) == 'c'))
			return ST_BAD;
	}
	if (raw.n == 0 || raw.p[0] != '/') {
		*why = "path does not begin with a slash";
		return ST_BAD;
	}
	st = percent_decode(raw, false, out);
	if (st != ST_OK)
		return st;
	*why = check_decoded(slice_sub(buf_slice(out), from, out->n));
	return *why ? ST_BAD : ST_OK;
}

static bool is_host_char(unsigned char c)
{
	return is_alnum(c) || c == '-' || c == '.' || c == '_';
}

static bool is_v6_char(unsigned char c)
{
	return is_hex(c) || c == ':' || c == '.';
}

static bool parse_port(struct slice text, uint16_t *port)
{
	unsigned value = 0;
	size_t i;

	if (text.n == 0 || text.n > 5)
		return false;
	for (i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text.p[i] - '0');
	}
	*port = (uint16_t)value;
	return value > 0 && value <= UINT16_MAX;
}

bool target_parse_authority(struct slice text, struct slice *host, uint16_t *port)
{
	bool v6 = text.n > 0 && text.p[0] == '[';
	size_t end = slice_find(text, v6 ? ']' : ':');

	*port = 0;
	*host = v6 ? slice_sub(text, 1, end > 0 ? end - 1 : 0) : slice_sub(text, 0, end);
	if (v6 && end == text.n)
		return false;
	text = slice_sub(text, v6 ? end + 1 : end, text.n);
	if (host->n == 0 || host->n > 255 || !all(*host, v6 ? is_v6_char : is_host_char))
		return false;
	if (text.n == 0)
		return true;
	return text.p[0] == ':' && parse_port(slice_sub(text, 1, text.n), port);
}
