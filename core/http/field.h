/* field.h: a header field, and what its name and value may be made of (RFC 9110 section 5). */
#pragma once

#include "base/bytes.h"

struct http_field {
	struct slice name; /* lower case */
	struct slice value;
};

bool field_is_token_char(unsigned char c);
bool field_is_token(struct slice s); /* not empty */
/* Visible characters, spaces, tabs and bytes from 0x80 on: nothing that could end a line. */
bool field_is_value(struct slice s);
/* True when a comma-separated list of tokens has this one (lower case) among them. */
bool field_list_has(struct slice list, struct slice token);
