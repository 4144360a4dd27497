/* base.c: names of status codes. */
#include "base/base.h"

const char *st_name(enum st st)
{
	static const char *const names[] = {
		[ST_OK] = "ok",
		[ST_MORE] = "more",
		[ST_BAD] = "bad",
		[ST_NOMEM] = "nomem",
		[ST_IO] = "io",
		[ST_BUSY] = "busy",
		[ST_FULL] = "full",
		[ST_CONFLICT] = "conflict",
		[ST_CORRUPT] = "corrupt",
		[ST_TIMEOUT] = "timeout",
		[ST_CLOSED] = "closed",
		[ST_NOTFOUND] = "notfound",
		[ST_REFUSED] = "refused",
	};

	return (size_t)st < ARRAY_LEN(names) ? names[st] : "unknown";
}
