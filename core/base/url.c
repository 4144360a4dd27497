/* url.c: absolute URLs (RFC 3986) and form bodies. */
#include "base/url.h"
#include "base/codec.h"

#include <arpa/inet.h>

/* What a part of a URL may hold beside unreserved characters and percent escapes. */
#define SUB_DELIMS "!$&'()*+,;="

static bool alpha(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool hex(unsigned char c)
{
	return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool among(unsigned char c, const char *set)
{
	return c && strchr(set, c);
}

/* Every character is unreserved, one of extra, or (escapes) part of a well-formed escape. */
static bool made_of(struct slice s, const char *extra, bool escapes)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = s.p[i];

		if (c == '%' && escapes) {
			if (s.n - i < 3 || !hex(s.p[i + 1]) || !hex(s.p[i + 2]))
				return false;
			i += 2;
		} else if (!alpha(c) && !digit(c) && !among(c, "-._~") && !among(c, extra)) {
			return false;
		}
	}
	return true;
}

static bool ipv6_valid(struct slice host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (host.n == 0 || host.n >= sizeof(text))
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = 0;
	return strlen(text) == host.n && inet_pton(AF_INET6, text, &address) == 1;
}

static bool port_valid(struct slice port)
{
	unsigned long value = 0;

	if (port.n == 0 || port.n > 5 || port.p[0] == '0')
		return false;
	for (size_t i = 0; i < port.n; i++) {
		if (!digit(port.p[i]))
			return false;
		value = value * 10 + (unsigned long)(port.p[i] - '0');
	}
	return value <= 65535;
}

/* RFC 3986 section 3.2: [ userinfo "@" ] host [ ":" port ]. Escapes in a host are refused: two readers might differ. */
static enum st parse_authority(struct slice s, struct url *out)
{
	size_t at = slice_find(s, '@');
	size_t end;

	out->has_authority = true;
	if (at < s.n) {
		out->has_userinfo = true;
		out->userinfo = slice_sub(s, 0, at);
		if (!made_of(out->userinfo, SUB_DELIMS ":", true))
			return ST_BAD;
		s = slice_sub(s, at + 1, s.n);
	}
	if (s.n && s.p[0] == '[') {
		end = slice_find(s, ']');
		if (end == s.n)
			return ST_BAD;
		out->host_is_ipv6 = true;
		out->host = slice_sub(s, 1, end - 1);
		if (!ipv6_valid(out->host))
			return ST_BAD;
		s = slice_sub(s, end + 1, s.n);
	} else {
		end = slice_find(s, ':');
		out->host = slice_sub(s, 0, end);
		if (!made_of(out->host, SUB_DELIMS, false))
			return ST_BAD;
		s = slice_sub(s, end, s.n);
	}
	if (s.n) {
		out->has_port = true;
		out->port = slice_sub(s, 1, s.n);
		if (s.p[0] != ':' || !port_valid(out->port))
			return ST_BAD;
	}
	return out->host.n == 0 && (out->has_userinfo || out->has_port) ? ST_BAD : ST_OK;
}

static bool scheme_valid(struct slice s)
{
	if (s.n == 0 || !alpha(s.p[0]))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!alpha(s.p[i]) && !digit(s.p[i]) && !among(s.p[i], "+-."))
			return false;
	return true;
}

/* Cuts s before the first c; true, with what follows c in *rest, when there is one. */
static bool cut(struct slice *s, unsigned char c, struct slice *rest)
{
	size_t at = slice_find(*s, c);

	if (at == s->n)
		return false;
	*rest = slice_sub(*s, at + 1, s->n);
	*s = slice_sub(*s, 0, at);
	return true;
}

enum st url_parse(struct slice text, struct url *out)
{
	struct slice rest;
	bool web;

	*out = (struct url){0};
	out->scheme = text;
	if (!cut(&out->scheme, ':', &rest) || !scheme_valid(out->scheme))
		return ST_BAD;
	out->has_fragment = cut(&rest, '#', &out->fragment);
	out->has_query = cut(&rest, '?', &out->query);
	if (slice_has_prefix(rest, SLICE_LIT("//"))) {
		struct slice authority = slice_sub(rest, 2, rest.n);
		size_t slash = slice_find(authority, '/');

		rest = slice_sub(authority, slash, authority.n);
		if (parse_authority(slice_sub(authority, 0, slash), out))
			return ST_BAD;
	}
	out->path = rest;
	if (!made_of(out->path, SUB_DELIMS ":@/", true) ||
		!made_of(out->query, SUB_DELIMS ":@/?", true) ||
		!made_of(out->fragment, SUB_DELIMS ":@/?", true))
		return ST_BAD;
	/* http:host and http:///path are read as http://host by some. */
	web = slice_eq_nocase(out->scheme, SLICE_LIT("http")) ||
		slice_eq_nocase(out->scheme, SLICE_LIT("https"));
	return web && out->host.n == 0 ? ST_BAD : ST_OK;
}

static enum st decode_field(struct slice raw, struct buf *out)
{
	enum st st;

	buf_clear(out);
	st = percent_decode(raw, true, out);
	if (st)
		return st;
	return slice_find(buf_slice(out), 0) == out->n && utf8_valid(buf_slice(out)) ? ST_OK : ST_BAD;
}

enum st form_parse(struct slice text, size_t max_fields,
	enum st (*each)(void *ctx, struct slice name, struct slice value), void *ctx)
{
	struct buf name = {0}, value = {0};
	enum st st = ST_OK;

	while (text.n && !st) {
		struct slice pair = text, rest = {0}, raw = {0};

		text = cut(&pair, '&', &rest) ? rest : (struct slice){0};
		if (pair.n == 0)
			continue;
		if (max_fields-- == 0) {
			st = ST_BAD;
			break;
		}
		cut(&pair, '=', &raw);
		st = decode_field(pair, &name);
		if (!st)
			st = decode_field(raw, &value);
		if (!st)
			st = each(ctx, buf_slice(&name), buf_slice(&value));
	}
	/* Form fields carry passwords. */
	buf_wipe(&name);
	buf_wipe(&value);
	return st;
}
