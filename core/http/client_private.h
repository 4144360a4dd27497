/* client_private.h: what client.c (calls), client_pool.c (connections) and client_request.c (what may be asked, and its
 * bytes) share. */
#pragma once

#include "base/list.h"
#include "http/client.h"
#include "loop/address.h"
#include "loop/dns.h"
#include "loop/loop.h"
#include "net/stream.h"
#include "net/tls_trust.h"

#define POOL_KEY 32

/* Where a request goes. */
struct place {
	bool secure, literal;
	char host[DNS_NAME_MAX + 1]; /* lower case, without brackets */
	uint16_t port;
	struct address address; /* when literal */
};

/* One connection; it belongs to a call, or is idle. */
struct http_conn {
	struct list link;
	unsigned char key[POOL_KEY];
	struct http_call *call; /* borrows; NULL = idle */
	struct stream *stream;  /* owns; NULL while the name is looked up */
	struct h1 h1;
	bool reused, tunnel; /* tunnel: the proxy has not answered yet */
	bool unsent;         /* of a reused connection: the kernel took nothing */
	struct timer idle;
	struct deferred gone;
};

enum call_state {
	CALL_QUEUED,
	CALL_WAITING,
	CALL_RESOLVING,
	CALL_CONNECTING,
	CALL_ASKED,
	CALL_PAUSED,
	CALL_DONE
};

struct http_call {
	struct list link; /* of those that wait for a connection; self-linked otherwise */
	enum call_state state;
	struct place place, proxy;
	bool proxied, idempotent, head, name_allowed;
	bool fresh;            /* a kept connection turned out dead: only a new one now */
	struct buf request;    /* owns: the bytes to send */
	struct network *allow; /* owns */
	size_t allow_count;
	struct tls_trust *trust; /* a reference; NULL = plain */
	unsigned char key[POOL_KEY];
	struct h1_limits limits;
	unsigned retries, tried;
	int64_t ends; /* clock_work_us */
	struct timer deadline, pause;
	struct dns_waiter waiter;
	struct address addresses[DNS_ADDRESSES_MAX];
	unsigned address_count, address_at;
	struct http_conn *conn; /* borrows */
	struct h1 answer;
	enum http_failure failure;
	char detail[HTTP_DETAIL];
	void (*done)(struct http_call *call, void *arg);
	void *arg;
	bool queued, dead; /* dead: freed by its owner while deferred work still knows it */
	struct deferred deferred;
};

/* client_request.c: fills place, request, allow, trust and key. detail says what is wrong. */
must_check enum http_failure request_prepare(struct http_call *call,
	const struct http_call_options *options, char detail[static HTTP_DETAIL]);
bool request_may_connect(const struct http_call *call, const struct address *address);

/* client_pool.c. An idle connection to where the call goes, or NULL. */
struct http_conn *pool_take(struct http_call *call);
/* A new one without a stream. NULL: all places are taken, or no memory (*nomem). */
struct http_conn *pool_new(struct http_call *call, bool *nomem);
void pool_keep(struct http_conn *conn); /* idle from here on */
void conn_end(struct http_conn *conn);  /* closes; accepts NULL; no callback comes after */
bool pool_may_wait(const struct http_call *call);
void pool_wait(struct http_call *call);    /* call_go comes when there may be a place */
bool conn_connect(struct http_conn *conn); /* to the call's next address; false: errno says why */
bool conn_ask(struct http_conn *conn);     /* sends the request; false: the connection is no good */

/* client.c, for the pool. */
void call_go(struct http_call *call);
void call_answered(struct http_call *call);
/* The connection failed: why, and whether it stood. */
void call_broken(struct http_call *call, enum http_failure failure, const char *detail);
