/* reply.h: the bytes of an answer's head (RFC 9112), with the fields that are the server's own. */
#pragma once

#include "http/server.h"

#define REPLY_DATE_SIZE 30

/* Appends the head. ST_BAD when the status or a field is not fit to be sent: nobody may split a response. */
must_check enum st reply_head(
	const struct http_reply *reply, struct slice date, bool close, struct buf *out);
/* Whether a body follows at all: not after 204 and 304. */
bool reply_has_body(int status);
const char *reply_reason(int status); /* "OK"; static storage */
/* RFC 9110 section 5.6.7, with a NUL. */
void reply_date(int64_t wall, char out[REPLY_DATE_SIZE]);
