/* conn.h: one connection of the server and the part of the server it works with. Private to server.c and conn.c. */
#pragma once

#include "http/h1.h"
#include "http/reply.h"
#include "http/server.h"
#include "loop/loop.h"
#include "net/stream.h"

#include <netinet/in.h>

/* The list a connection stands on is its state. Each state has its deadline, counted from its beginning. */
enum conn_state {
	CONN_OPENING, /* nothing of a request yet: handshake, or silence. From here to the end of a header: header_us */
	CONN_IDLE,     /* between requests */
	CONN_HEAD,     /* part of a header has come */
	CONN_BODY,     /* part of a body has come */
	CONN_HANDLING, /* the handler has the request */
	CONN_ORPHANED, /* the same, but the client stopped sending: maybe it only half-closed, probably it left */
	CONN_WRITING, /* the answer is on its way */
	CONN_LINGER,  /* our side is closed; what still comes is thrown away */
	CONN_STATES,
};

/* Memory of a request; lent to connections that have one. */
struct inbound {
	struct inbound *next;
	size_t memory; /* of the parser, as counted in server->memory */
	struct h1 parser;
	struct http_request request;
};

struct http_exchange {
	void (*aborted)(void *arg);
	void *arg;
};

struct conn_origin {
	unsigned char address[16]; /* IPv6, or IPv4 mapped; of IPv6 only the network part counts for limits */
	char peer[INET6_ADDRSTRLEN];
	uint16_t listener_port;
	bool control;
	int64_t control_uid;
};

struct conn {
	struct list link;      /* on server->states[state] */
	struct list neighbour; /* on server->addresses[…] */
	enum conn_state state;
	int64_t since;              /* when the state's deadline began, in microseconds */
	struct http_server *server; /* borrows */
	struct stream *stream;      /* owns */
	struct inbound *in;         /* owns while reading and handling */
	struct http_exchange exchange;
	struct conn_origin origin;
	bool head_only, keep_alive, continued, dead;
	bool again_queued;
	struct deferred again, gone;
};

#define CONN_ADDRESS_BUCKETS 256

struct http_server {
	struct http_limits limits;
	http_handler handler;
	void *arg;         /* borrows */
	struct list doors; /* owns: what it listens on */
	struct list states[CONN_STATES];
	struct list addresses[CONN_ADDRESS_BUCKETS];
	unsigned count, control_count; /* connections: all but control, control */
	bool full;                     /* doors are paused until a connection ends */
	bool draining;
	void (*drained)(void *arg);
	void *drained_arg;
	struct deferred drained_soon, gone;
	bool drained_queued, dead;
	struct timer sweep;
	bool sweeping;
	struct inbound *spare; /* owns */
	unsigned spare_count;
	size_t memory;   /* of all requests that came in part or whole */
	struct buf head; /* owns: heads of answers are made here */
	int64_t date_second;
	char date[REPLY_DATE_SIZE];
	unsigned char random[512];
	size_t random_left;
};

/* ---- conn.c ---- */
/* Takes ownership of fd. tls NULL = plain. */
void conn_open(struct http_server *s, int fd, struct tls_config *tls, const struct conn_origin *origin);
void conn_close(struct conn *c); /* tells the handler; frees at the end of the turn */
/* Judges one connection's deadline. */
void conn_check_deadline(struct conn *c, int64_t now);
/* Closes a connection that stands idle; false when a request is just arriving. */
bool conn_close_idle(struct conn *c);

/* ---- server.c ---- */
struct inbound *server_take_inbound(struct http_server *s);
/* Counts what the request holds; false when all together hold too much. */
bool server_has_memory(struct http_server *s, struct inbound *in);
void server_give_inbound(struct http_server *s, struct inbound *in);
struct slice server_date(struct http_server *s);
void server_make_id(struct http_server *s, char id[17]);
bool server_is_busy(const struct http_server *s);
struct list *server_bucket(struct http_server *s, const struct conn_origin *origin);
void server_conn_ended(struct http_server *s);
