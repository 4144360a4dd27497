/* target.h: request targets and authorities (RFC 9112 section 3.2, RFC 3986), one reading only. */
#pragma once

#include "base/bytes.h"

struct target {
	struct slice path;      /* raw; empty in "*" and in an absolute form without path */
	struct slice query;     /* raw, without "?" */
	struct slice authority; /* absolute form only */
	bool absolute;
};

/* Origin form, absolute form (http and https), or "*" when asterisk_ok. NULL, or what is wrong. */
must_check const char *target_parse(struct slice text, bool asterisk_ok, struct target *out);

/* Decodes a raw path once. Refuses what a file system, a proxy and we could read differently: NUL and control
 * characters, encoded slashes and backslashes, dot segments, invalid UTF-8. ST_BAD sets *why. */
must_check enum st target_decode_path(struct slice raw, struct buf *out, const char **why);

/* "host", "host:port", "[v6]", "[v6]:port". The host is given without brackets, *port is 0 when absent. */
must_check bool target_parse_authority(struct slice text, struct slice *host, uint16_t *port);
