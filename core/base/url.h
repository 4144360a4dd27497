/* url.h: strict parsing of absolute URLs and form bodies (RFC 3986, WHATWG form encoding). */
#pragma once

#include "base/bytes.h"

struct url {
	struct slice scheme; /* as written; compare with slice_eq_nocase */
	struct slice userinfo, host, port, path, query,
		fragment; /* raw, borrow from the input; host without brackets */
	bool has_userinfo, has_authority, has_port, has_query, has_fragment, host_is_ipv6;
};

/* Parses an absolute URL. ST_BAD on anything doubtful: control characters, spaces, backslash, bad escapes, bad port. */
must_check enum st url_parse(struct slice text, struct url *out);

/* Calls each(ctx, name, value) with decoded pairs of a form body or query string in order. ST_BAD on a bad escape, a
 * NUL or invalid UTF-8; each's own failure is passed on. At most max_fields pairs. */
must_check enum st form_parse(struct slice text, size_t max_fields,
	enum st (*each)(void *ctx, struct slice name, struct slice value), void *ctx);
