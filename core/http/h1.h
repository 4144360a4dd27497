/* h1.h: an incremental HTTP/1.1 parser (RFC 9112). No I/O; its memory is capped by its limits. Refuses what two
 * implementations could read differently. A response differs from a request in its first line and in how its body ends. */
#pragma once

#include "http/field.h"

struct h1_limits {
	size_t line, header, fields, body;
};

/* A finished message. Borrows from the parser until h1_reset. */
struct h1_message {
	struct slice method, target, path, query, host; /* of a request */
	uint16_t port;
	int status; /* of a response */
	const struct http_field *fields;
	size_t field_count;
	struct slice body;
	bool keep_alive;
};

/* A place in the head that stays right when the head's memory moves. */
struct h1_span {
	uint32_t at, n;
};

struct h1_line {
	struct h1_span name, value;
};

/* All members are the parser's own but those that functions below tell of. */
struct h1 {
	struct h1_limits limits;
	int state;
	struct buf head; /* owns: request line and field lines as received, names in lower case */
	struct buf text; /* owns: decoded path, then host in lower case */
	struct buf body; /* owns */
	struct h1_line *lines;     /* owns: one for each field */
	struct http_field *fields; /* owns */
	size_t line_count, line_room, field_room;
	size_t line_at;     /* where the line being received begins in head */
	size_t header_used; /* bytes of fields and trailers so far */
	size_t body_left;   /* of the body or chunk */
	size_t extension_used;
	struct h1_span method, target, query, authority;
	size_t path_n;
	unsigned hosts, lengths, codings, expects, trailers;
	size_t host_line;
	bool cr, blank, old, absolute, close, chunked, expects_continue;
	bool response, bodiless, tunnel;
	int status;
	const char *error;
	struct h1_message message;
};

void h1_init(struct h1 *p, const struct h1_limits *limits);
/* For responses. Informational ones (1xx) are passed over. */
void h1_init_response(struct h1 *p, const struct h1_limits *limits);
/* Before a response: what was asked decides whether a body follows (RFC 9112 section 6.3). */
enum h1_asked { H1_ASKED, H1_ASKED_HEAD, H1_ASKED_CONNECT };
void h1_expect(struct h1 *p, enum h1_asked asked);
/* The peer ended the connection. ST_OK: that ended a response whose length nothing else told; ST_BAD. */
must_check enum st h1_end(struct h1 *p);
/* Ready for the next message of the same kind. Keeps a little memory. */
void h1_reset(struct h1 *p);
void h1_free(struct h1 *p);

/* Feeds bytes. ST_OK: a message is complete, *used bytes of `in` belong to it. ST_MORE: all were taken and more is
 * needed. ST_BAD: h1_status and h1_error say what the peer did wrong; *used says nothing. ST_NOMEM. After anything but
 * ST_MORE the parser gives the same answer until h1_reset. */
must_check enum st h1_feed(struct h1 *p, struct slice in, size_t *used);

const struct h1_message *h1_message(const struct h1 *p); /* after ST_OK */
int h1_status(const struct h1 *p);                       /* after ST_BAD: 400, 413, … */
const char *h1_error(const struct h1 *p);                /* after ST_BAD: static storage */
bool h1_is_head(const struct h1 *p);  /* the method is HEAD, as far as it is known */
size_t h1_memory(const struct h1 *p); /* bytes held for the message */
bool h1_started(const struct h1 *p);  /* a byte of the message has come */
bool h1_in_body(const struct h1 *p);  /* the header passed all checks, the body is not complete */
bool h1_expects_continue(const struct h1 *p); /* the client waits for 100 before it sends the body */
