/* h1_private.h: what the parser's two halves know of each other: h1.c takes lines and bodies in, h1_head.c reads heads. */
#pragma once

#include "http/h1.h"

enum {
	REQUEST_LINE,
	FIELD,
	BODY,
	REST, /* a body that ends with the connection */
	CHUNK_SIZE,
	CHUNK_DATA,
	CHUNK_END,
	TRAILER,
	DONE,
	FAILED,
	EMPTY_HANDED
};

/* ---- h1.c ---- */
enum st h1_bad(struct h1 *p, int status, const char *error); /* always ST_BAD */
enum st h1_nomem(struct h1 *p);                              /* always ST_NOMEM */
struct h1_span h1_span_of(const struct h1 *p, struct slice s);
struct slice h1_at(const struct h1 *p, struct h1_span span);
must_check enum st h1_finish(struct h1 *p); /* the message is whole */

/* ---- h1_head.c: ST_MORE, or the end of the message ---- */
must_check enum st h1_read_request_line(struct h1 *p, struct slice line);
must_check enum st h1_read_status_line(struct h1 *p, struct slice line);
/* keep: a field of the head, else of the trailers. */
must_check enum st h1_read_field(struct h1 *p, struct slice line, bool keep);
must_check enum st h1_end_head(struct h1 *p);
