/* server.h: the HTTP/1.1 server: connections, limits, one request at a time on each, keep-alive, total deadlines. Knows
 * nothing of Lua: a handler is registered by bind/. */
#pragma once

#include "http/field.h"
#include "net/tls.h"

/* Everything borrows from the connection and lives until the answer is given. */
struct http_request {
	struct slice method;
	struct slice target; /* as sent; "*" has the path "/" */
	struct slice path; /* decoded once; no NUL, no encoded slash, valid UTF-8, begins with "/" */
	struct slice query; /* raw, without "?" */
	struct slice host; /* lower case, without port or brackets; an absolute-form target wins over the
			      * field; empty only in HTTP/1.0 */
	uint16_t port; /* of the Host field, 0 when absent */
	const struct http_field *fields;
	size_t field_count;
	struct slice body;
	const char *peer; /* address text, "" on the control socket */
	uint16_t listener_port;
	bool secure;
	const char *sni;         /* "" when none */
	const char *tls_version; /* "" when plain */
	bool control;            /* came over data/control.sock */
	int64_t control_uid;
	char id[17]; /* request id: 16 lower-case hex characters */
};

struct http_reply {
	int status;
	const struct http_field *fields; /* content-length, date and connection are the server's own */
	size_t field_count;
	struct slice body;
};

/* One request that waits for its answer. */
struct http_exchange;
typedef void (*http_handler)(struct http_exchange *x, void *arg);

const struct http_request *exchange_request(const struct http_exchange *x);
/* aborted(arg) is called when the client goes away or the server stops; after it x is gone. */
void exchange_on_abort(struct http_exchange *x, void (*aborted)(void *arg), void *arg);
/* Copies the reply and ends the exchange. A field with CR, LF or NUL, or a bad status, becomes a 500. The next request
 * on the connection is handled from the loop, not from this stack. */
void exchange_reply(struct http_exchange *x, const struct http_reply *reply);

struct http_limits {
	size_t line, header, fields, body; /* 8192, 32768, 100, 1 MiB */
	int64_t header_us, body_us, idle_us,
		write_us; /* total deadlines: 10 s, 30 s, 60 s (shorter when busy), 30 s */
	unsigned connections, per_address; /* 1000, 100 */
	size_t memory; /* of all requests that are being received, together: 32 MiB */
};
extern const struct http_limits http_default_limits;

struct http_server;
struct http_server *http_server_new(const struct http_limits *limits, http_handler handler, void *arg);
/* Serves an already listening descriptor (ownership taken). tls NULL = plain; tls_config may be replaced later. */
must_check enum st http_server_listen(
	struct http_server *s, int fd, struct tls_config *tls, bool control);
/* New connections of TLS listeners use this from now on. */
void http_server_set_tls(struct http_server *s, struct tls_config *tls);
void http_server_set_limits(struct http_server *s, const struct http_limits *limits);
/* Stops listening on everything (reload passes new descriptors), open connections go on. */
void http_server_unlisten(struct http_server *s);
/* Stops accepting, answers what is open with Connection: close, calls drained when no connection is left. */
void http_server_drain(struct http_server *s, void (*drained)(void *arg), void *arg);
void http_server_free(struct http_server *s);
