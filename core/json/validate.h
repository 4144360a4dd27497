/* validate.h: the strict validator behind json.h, apart from cJSON so that it can be read alone. Linear, no recursion. */
#pragma once

#include "base/bytes.h"
#include "json/json.h"

enum { JSON_DEPTH_MAX = 32 };

/* numbers, when not NULL, gets one byte a number in the order of the text: 1 = integer, 0 = with fraction or exponent. */
must_check enum st json_check(struct slice text, enum json_names names, struct buf *numbers,
	const char **error, size_t *offset);
