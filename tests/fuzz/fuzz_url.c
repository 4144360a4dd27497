/* fuzz_url.c: the parts of a URL that parses, put together, are the URL; and no part holds another's delimiter. */
#include "base/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_together(const struct url *u, struct buf *out)
{
	buf_add_slice(out, u->scheme);
	buf_add_u8(out, ':');
	if (u->has_authority)
		buf_add_str(out, "//");
	if (u->has_userinfo) {
		buf_add_slice(out, u->userinfo);
		buf_add_u8(out, '@');
	}
	if (u->host_is_ipv6)
		buf_add_u8(out, '[');
	buf_add_slice(out, u->host);
	if (u->host_is_ipv6)
		buf_add_u8(out, ']');
	if (u->has_port) {
		buf_add_u8(out, ':');
		buf_add_slice(out, u->port);
	}
	buf_add_slice(out, u->path);
	if (u->has_query) {
		buf_add_u8(out, '?');
		buf_add_slice(out, u->query);
	}
	if (u->has_fragment) {
		buf_add_u8(out, '#');
		buf_add_slice(out, u->fragment);
	}
}

static bool holds(struct slice s, const char *delimiters)
{
	for (; *delimiters; delimiters++)
		if (slice_find(s, (unsigned char)*delimiters) < s.n)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size);
	struct buf out = {0};
	struct url u;

	if (url_parse(text, &u) != ST_OK)
		return 0;
	put_together(&u, &out);
	if (!slice_eq(buf_slice(&out), text) || holds(u.host, "/?#@\\ ") ||
		holds(u.userinfo, "/?#@\\ ") || holds(u.path, "?#\\ ") || holds(u.query, "#\\ ") ||
		holds(u.fragment, "#\\ "))
		abort();
	buf_free(&out);
	return 0;
}
