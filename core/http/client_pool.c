/* client_pool.c: connections to others: how many there may be, who waits for one, and what comes over them. A peer gets a few
 * of all places and a part of the queue, so that a slow one is slow for those who ask it and nobody else. */
#include "http/client_private.h"

#include "base/fault.h"

#include <errno.h>
#include <event2/buffer.h>

#define CONNS_MAX 64u
#define CONNS_PER_KEY 8u
/* Once half of all are in use: several slow peers together do not take the rest. */
#define CONNS_PER_KEY_BUSY 2u
#define WAITING_MAX 512u
#define WAITING_PER_KEY 128u
#define IDLE_US (30 * INT64_C(1000000))

static struct {
	struct list conns, idle, waiting;
	struct deferred look;
	bool open, looking;
} pool;

static void set_up(void)
{
	if (pool.open)
		return;
	list_init(&pool.conns);
	list_init(&pool.idle);
	list_init(&pool.waiting);
	pool.open = true;
}

static unsigned count_conns(const struct list *list, const unsigned char *key)
{
	unsigned n = 0;

	for (const struct list *i = list->next; i != list; i = i->next)
		n += !key || memcmp(container_of(i, struct http_conn, link)->key, key, POOL_KEY) == 0;
	return n;
}

static unsigned count_waiting(const unsigned char *key)
{
	unsigned n = 0;

	for (struct list *i = pool.waiting.next; i != &pool.waiting; i = i->next)
		n += !key || memcmp(list_item(i, struct http_call, link)->key, key, POOL_KEY) == 0;
	return n;
}

/* ---- waiting ---- */

bool pool_may_wait(const struct http_call *call)
{
	return count_waiting(NULL) < WAITING_MAX && count_waiting(call->key) < WAITING_PER_KEY;
}

void pool_wait(struct http_call *call)
{
	list_append(&pool.waiting, &call->link);
}

/* Whoever still finds no place goes to the end of the new queue, in order. */
static void look_again(struct deferred *d)
{
	struct list now;

	(void)d;
	pool.looking = false;
	if (list_empty(&pool.waiting))
		return;
	now = pool.waiting;
	now.next->prev = now.prev->next = &now;
	list_init(&pool.waiting);
	while (!list_empty(&now)) {
		struct http_call *call = list_item(now.next, struct http_call, link);

		list_remove(&call->link);
		call_go(call);
	}
}

static void place_free(void)
{
	if (pool.looking || list_empty(&pool.waiting))
		return;
	pool.looking = true;
	loop_defer(&pool.look, look_again);
}

/* ---- connections ---- */

static void release(struct deferred *d)
{
	struct http_conn *conn = container_of(d, struct http_conn, gone);

	h1_free(&conn->h1);
	timer_free(&conn->idle);
	free(conn);
}

void conn_end(struct http_conn *conn)
{
	if (!conn)
		return;
	list_remove(&conn->link);
	timer_stop(&conn->idle);
	stream_close(conn->stream, false);
	conn->stream = NULL;
	if (conn->call)
		conn->call->conn = NULL;
	conn->call = NULL;
	count_add(COUNT_UPSTREAMS, -1);
	loop_defer(&conn->gone, release);
	place_free();
}

static void idle_too_long(struct timer *t)
{
	conn_end(container_of(t, struct http_conn, idle));
}

void pool_keep(struct http_conn *conn)
{
	conn->call->conn = NULL;
	conn->call = NULL;
	conn->reused = true;
	list_remove(&conn->link);
	list_append(&pool.idle, &conn->link);
	stream_read_pause(conn->stream, false);
	if (timer_start(&conn->idle, IDLE_US, idle_too_long) != ST_OK)
		conn_end(conn);
	place_free();
}

static void take(struct http_conn *conn, struct http_call *call)
{
	list_remove(&conn->link);
	list_append(&pool.conns, &conn->link);
	timer_stop(&conn->idle);
	conn->call = call;
	call->conn = conn;
	conn->h1.limits = call->limits;
	h1_reset(&conn->h1);
	h1_expect(&conn->h1, call->head ? H1_ASKED_HEAD : H1_ASKED);
}

static struct http_conn *idle_one(const unsigned char *key)
{
	/* The one that was used last is the least likely to be closed by now. */
	for (struct list *i = pool.idle.prev; i != &pool.idle; i = i->prev) {
		struct http_conn *conn = list_item(i, struct http_conn, link);

		if (!key || memcmp(conn->key, key, POOL_KEY) == 0)
			return conn;
	}
	return NULL;
}

struct http_conn *pool_take(struct http_call *call)
{
	struct http_conn *conn;

	set_up();
	/* What came unasked would be read as the answer. */
	while (!call->fresh && (conn = idle_one(call->key)) != NULL) {
		if (!stream_has_unread(conn->stream)) {
			take(conn, call);
			return conn;
		}
		conn_end(conn);
	}
	return NULL;
}

/* Idle connections make room. */
static bool make_room(const unsigned char *key)
{
	unsigned mine = count_conns(&pool.conns, key), all = count_conns(&pool.conns, NULL);
	struct http_conn *idle;

	if (mine >= (all < CONNS_MAX / 2 ? CONNS_PER_KEY : CONNS_PER_KEY_BUSY))
		return false;
	idle = idle_one(key);
	if (idle && mine + count_conns(&pool.idle, key) >= CONNS_PER_KEY)
		conn_end(idle);
	if (all + count_conns(&pool.idle, NULL) < CONNS_MAX)
		return true;
	if (list_empty(&pool.idle))
		return false;
	conn_end(list_item(pool.idle.next, struct http_conn, link));
	return true;
}

struct http_conn *pool_new(struct http_call *call, bool *nomem)
{
	struct http_conn *conn;

	set_up();
	*nomem = false;
	if (!make_room(call->key))
		return NULL;
	conn = fault_hit(FAULT_ALLOC) ? NULL : calloc(1, sizeof *conn);
	*nomem = conn == NULL;
	if (!conn)
		return NULL;
	list_init(&conn->link);
	memcpy(conn->key, call->key, POOL_KEY);
	h1_init_response(&conn->h1, &call->limits);
	count_add(COUNT_UPSTREAMS, 1);
	take(conn, call);
	return conn;
}

void http_client_close(void)
{
	if (!pool.open)
		return;
	while (!list_empty(&pool.idle))
		conn_end(list_item(pool.idle.next, struct http_conn, link));
	tls_trust_forget();
}

/* ---- what comes ---- */

static enum http_failure failure_of(const struct h1 *h1)
{
	return h1_status(h1) == 413 || h1_status(h1) == 431 ? HTTP_TOO_LARGE : HTTP_PROTOCOL;
}

static enum st feed(struct http_conn *conn)
{
	struct evbuffer *in = stream_input(conn->stream);
	enum st st = ST_MORE;
	size_t left;

	while (st == ST_MORE && (left = evbuffer_get_length(in)) > 0) {
		size_t n = evbuffer_get_contiguous_space(in), used;
		unsigned char *p = evbuffer_pullup(in, (ev_ssize_t)n);

		if (!p)
			return ST_NOMEM;
		st = h1_feed(&conn->h1, slice_of(p, n), &used);
		if (st == ST_BAD || st == ST_NOMEM)
			return st;
		if (evbuffer_drain(in, used) != 0)
			return ST_NOMEM;
	}
	return st;
}

/* The proxy has connected us, or not. */
static void tunnel_answered(struct http_conn *conn)
{
	struct http_call *call = conn->call;
	int status = h1_message(&conn->h1)->status;
	char detail[HTTP_DETAIL];

	if (status < 200 || status > 299 || evbuffer_get_length(stream_input(conn->stream)) > 0) {
		snprintf(detail, sizeof detail, "the proxy answered %d", status);
		call_broken(call, HTTP_CONNECT, detail);
		return;
	}
	conn->tunnel = false;
	h1_reset(&conn->h1);
	h1_expect(&conn->h1, call->head ? H1_ASKED_HEAD : H1_ASKED);
	if (stream_secure(conn->stream, call->trust, call->place.host) != ST_OK || !conn_ask(conn))
		call_broken(call, HTTP_BUSY, "out of memory");
}

/* Nothing more will come; a body that ends with the connection may be complete. */
static enum st ended(struct http_conn *conn)
{
	if (conn->tunnel || !stream_handshaken(conn->stream))
		return ST_CLOSED;
	return stream_ended_well(conn->stream) && h1_started(&conn->h1) && h1_end(&conn->h1) == ST_OK
		? ST_OK
		: ST_CLOSED;
}

static void on_readable(struct stream *stream, void *arg)
{
	struct http_conn *conn = arg;
	enum st st;

	if (!conn->call) { /* an idle connection that says something says good-bye */
		conn_end(conn);
		return;
	}
	st = feed(conn);
	if (st == ST_MORE && stream_at_end(stream))
		st = ended(conn);
	switch (st) {
	case ST_MORE:
		stream_read_pause(stream, false);
		return;
	case ST_OK:
		if (conn->tunnel)
			tunnel_answered(conn);
		else
			call_answered(conn->call);
		return;
	case ST_BAD:
		call_broken(conn->call, failure_of(&conn->h1), h1_error(&conn->h1));
		return;
	case ST_CLOSED:
		call_broken(conn->call, HTTP_CLOSED, "the peer closed the connection");
		return;
	default:
		call_broken(conn->call, HTTP_BUSY, "out of memory");
	}
}

static void on_drained(struct stream *stream, void *arg)
{
	(void)stream;
	(void)arg;
}

static void on_closed(struct stream *stream, void *arg, enum st why)
{
	struct http_conn *conn = arg;
	bool secure = stream_is_secure(stream);
	char detail[HTTP_DETAIL];

	if (!conn->call) {
		conn_end(conn);
		return;
	}
	snprintf(detail, sizeof detail, "%s", stream_why(stream));
	if (!stream_connected(stream))
		call_broken(conn->call, HTTP_CONNECT, detail);
	else if (secure && (!stream_handshaken(stream) || why == ST_BAD))
		call_broken(conn->call, why == ST_NOMEM ? HTTP_BUSY : HTTP_TLS,
			detail[0] ? detail : "the peer refused");
	else
		call_broken(conn->call, HTTP_CLOSED, detail[0] ? detail : "the connection broke");
}

static const struct stream_events events = {on_readable, on_drained, on_closed};

/* ---- what goes ---- */

static bool ask_tunnel(struct http_conn *conn)
{
	const struct place *to = &conn->call->place;
	bool brackets = to->literal && to->address.v6;
	char text[2 * DNS_NAME_MAX + 80];
	int n = snprintf(text, sizeof text,
		brackets ? "CONNECT [%s]:%u HTTP/1.1\r\nHost: [%s]:%u\r\n\r\n"
			 : "CONNECT %s:%u HTTP/1.1\r\nHost: %s:%u\r\n\r\n",
		to->host, to->port, to->host, to->port);

	conn->tunnel = true;
	h1_expect(&conn->h1, H1_ASKED_CONNECT);
	return stream_write(conn->stream, slice_of(text, (size_t)n)) == ST_OK;
}

bool conn_connect(struct http_conn *conn)
{
	struct http_call *call = conn->call;
	bool tunnel = call->proxied && call->place.secure;

	conn->stream = stream_connect(&call->addresses[call->address_at],
		call->proxied ? call->proxy.port : call->place.port, tunnel ? NULL : call->trust,
		call->place.host, &events, conn);
	if (!conn->stream)
		return false;
	return tunnel ? ask_tunnel(conn) : conn_ask(conn);
}

bool conn_ask(struct http_conn *conn)
{
	struct slice bytes = buf_slice(&conn->call->request);
	enum st st = stream_send(conn->stream, &bytes, 1);

	conn->unsent = st != ST_OK;
	return st == ST_OK;
}
