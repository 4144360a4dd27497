/* client.h: HTTP requests of ours to others: connections are kept and shared, everything is bounded, and no address is
 * connected to that is not on the internet or allowed. A redirect is an answer like any other: nobody follows it. */
#pragma once

#include "http/h1.h"

enum http_failure {
	HTTP_FINE,
	HTTP_BAD_URL,   /* or a method or field that cannot be sent */
	HTTP_BLOCKED,   /* the address is private, and nobody allowed it */
	HTTP_DNS,       /* the name has no address, or no name server answers */
	HTTP_CONNECT,   /* no address takes the connection */
	HTTP_TLS,       /* certificate or handshake */
	HTTP_TIMEOUT,   /* the whole took too long */
	HTTP_TOO_LARGE, /* the answer's header or body */
	HTTP_PROTOCOL,  /* the answer is not HTTP as we read it */
	HTTP_CLOSED,    /* the connection ended before the answer did */
	HTTP_BUSY,      /* too many requests wait; or no memory */
};
const char *http_failure_name(enum http_failure failure); /* "bad_url"; static storage */

struct http_call_options {
	struct slice method; /* GET HEAD POST PUT PATCH DELETE */
	struct slice url;
	struct slice body;
	const struct http_field *fields; /* names in any case; those that frame the message are refused */
	size_t field_count;
	int64_t timeout_us; /* for all of it: looking up, connecting, TLS, sending, receiving, trying again */
	size_t max;         /* bytes of the answer's body */
	unsigned retries;   /* of requests that may be repeated: not connected, closed, 503 */
	struct slice ca;    /* PEM: these authorities and no others; empty = the machine's */
	struct slice roots; /* PEM: believed beside the machine's */
	const struct slice *allow; /* host names, addresses, networks that may be private */
	size_t allow_count;
	struct slice proxy; /* "http://host:port"; empty = none. It looks up names; literal addresses are judged here all the same */
};

enum { HTTP_DETAIL = 160, HTTP_REQUEST_BODY_MAX = 1 << 20 };

struct http_call;

/* Starts a request; everything is copied. HTTP_FINE with *out: done comes once, later. Anything else: it cannot be made, and
 * detail says why. */
must_check enum http_failure http_call_start(const struct http_call_options *options,
	void (*done)(struct http_call *call, void *arg), void *arg, struct http_call **out,
	char detail[static HTTP_DETAIL]);
/* Also before done, which then never comes. Accepts NULL. */
void http_call_free(struct http_call *call);

/* After done. */
enum http_failure http_call_failure(const struct http_call *call);
const char *http_call_detail(const struct http_call *call);
const struct h1_message *http_call_answer(
	const struct http_call *call); /* of HTTP_FINE; lives as long as the call */

/* Ends what is kept. All calls must be gone. */
void http_client_close(void);
