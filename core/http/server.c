/* server.c: what connections share: listening, limits, deadlines, the end. */
#include "http/server.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/secret.h"
#include "http/conn.h"
#include "net/listener.h"

#include <arpa/inet.h>
#include <unistd.h>

/* Control connections have their own small number: the owner gets in when the server is full. */
#define CONTROL_MAX 32
#define SPARE_MAX 32
#define SWEEP_US 500000
#define SWEEP_MIN_US 5000

const struct http_limits http_default_limits = {
	.line = 8192,
	.header = 32768,
	.fields = 100,
	.body = 1024 * 1024,
	.header_us = 10 * 1000000,
	.body_us = 30 * 1000000,
	.idle_us = 60 * 1000000,
	.write_us = 30 * 1000000,
	.connections = 1000,
	.per_address = 100,
	.memory = 32u * 1024 * 1024,
};

/* A place where clients come in. */
struct door {
	struct list link;
	struct http_server *server; /* borrows */
	struct listener *listener;  /* owns */
	struct tls_config *tls;     /* a reference; NULL = plain */
	uint16_t port;
	bool control;
};

/* ---- limits ---- */

bool server_is_busy(const struct http_server *s)
{
	return (uint64_t)s->count * 5 > (uint64_t)s->limits.connections * 4;
}

/* Who has an IPv6 network has all its addresses: the first eight bytes count. Loopback stays itself. */
static size_t counted_bytes(const unsigned char address[16])
{
	static const unsigned char zeros[8];

	return memcmp(address, zeros, sizeof zeros) == 0 ? 16 : 8;
}

static bool same_client(const struct conn_origin *a, const struct conn_origin *b)
{
	return a->control == b->control &&
		memcmp(a->address, b->address, counted_bytes(a->address)) == 0;
}

struct list *server_bucket(struct http_server *s, const struct conn_origin *origin)
{
	size_t n = counted_bytes(origin->address), i;
	uint32_t hash = 2166136261u;

	for (i = 0; i < n; i++)
		hash = (hash ^ origin->address[i]) * 16777619u;
	return &s->addresses[(hash ^ hash >> 16) % CONN_ADDRESS_BUCKETS];
}

static bool address_has_room(struct http_server *s, const struct conn_origin *origin)
{
	struct list *bucket = server_bucket(s, origin), *at;
	unsigned n = 0;

	for (at = bucket->next; at != bucket; at = at->next)
		n += same_client(&list_item(at, struct conn, neighbour)->origin, origin);
	return n < s->limits.per_address;
}

/* The longest idle makes room. */
static bool close_an_idle_one(struct http_server *s)
{
	struct list *idle = &s->states[CONN_IDLE], *at, *next;

	for (at = idle->next; at != idle; at = next) {
		next = at->next;
		if (conn_close_idle(list_item(at, struct conn, link)))
			return true;
	}
	return false;
}

static bool door_room(void *arg)
{
	struct door *door = arg;
	struct http_server *s = door->server;

	if (door->control || s->count < s->limits.connections || !list_empty(&s->states[CONN_IDLE]))
		return true;
	s->full = true;
	return false;
}

static void resume_doors(struct http_server *s)
{
	struct list *at;

	s->full = false;
	for (at = s->doors.next; at != &s->doors; at = at->next)
		listener_resume(list_item(at, struct door, link)->listener);
}

/* ---- who comes in ---- */

static void read_origin(struct conn_origin *origin, const struct sockaddr_storage *from)
{
	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)from;

		origin->address[10] = origin->address[11] = 0xff;
		memcpy(origin->address + 12, &v4->sin_addr, 4);
		(void)inet_ntop(AF_INET, &v4->sin_addr, origin->peer, sizeof origin->peer);
	} else if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)from;

		memcpy(origin->address, &v6->sin6_addr, 16);
		if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
			(void)inet_ntop(
				AF_INET, origin->address + 12, origin->peer, sizeof origin->peer);
		else
			(void)inet_ntop(AF_INET6, &v6->sin6_addr, origin->peer, sizeof origin->peer);
	}
}

static int64_t peer_uid(int fd)
{
	struct ucred who;
	socklen_t size = sizeof who;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 ? (int64_t)who.uid : -1;
}

static void sweep(struct timer *t);

static void start_sweeping(struct http_server *s)
{
	const struct http_limits *l = &s->limits;
	const int64_t periods[] = {l->header_us / 4, l->body_us / 4, l->idle_us / 4, l->write_us / 4};
	int64_t us = SWEEP_US;
	size_t i;

	for (i = 0; i < ARRAY_LEN(periods); i++)
		if (periods[i] < us)
			us = periods[i] > SWEEP_MIN_US ? periods[i] : SWEEP_MIN_US;
	s->sweeping = timer_start(&s->sweep, us, sweep) == ST_OK;
}

/* Deadlines are coarse, so that a request arms no timer. */
static void sweep(struct timer *t)
{
	struct http_server *s = container_of(t, struct http_server, sweep);
	int64_t now = clock_mono_us();
	int state;

	for (state = 0; state < CONN_STATES; state++) {
		struct list *all = &s->states[state], *at, *next;

		/* What moves, moves to the end of a list; `next` is safe because only `at` is closed or moved. */
		for (at = state == CONN_HANDLING ? all : all->next; at != all; at = next) {
			next = at->next;
			conn_check_deadline(list_item(at, struct conn, link), now);
		}
	}
	if (s->full && !list_empty(&s->states[CONN_IDLE]))
		resume_doors(s);
	if (s->count + s->control_count > 0)
		start_sweeping(s);
	else
		s->sweeping = false;
}

static bool has_room(struct http_server *s, const struct conn_origin *origin)
{
	if (origin->control)
		return s->control_count < CONTROL_MAX;
	if (!address_has_room(s, origin))
		return false;
	return s->count < s->limits.connections || close_an_idle_one(s);
}

static void door_accepted(void *arg, int fd, const struct sockaddr_storage *from)
{
	struct door *door = arg;
	struct http_server *s = door->server;
	struct conn_origin origin = {
		.listener_port = door->port, .control = door->control, .control_uid = -1};

	read_origin(&origin, from);
	if (door->control)
		origin.control_uid = peer_uid(fd);
	if (!has_room(s, &origin)) {
		close(fd);
		return;
	}
	conn_open(s, fd, door->tls, &origin);
	if (!s->sweeping)
		start_sweeping(s);
}

static const struct listener_events door_events = {door_room, door_accepted};

/* ---- what connections borrow ---- */

struct inbound *server_take_inbound(struct http_server *s)
{
	const struct h1_limits limits = {
		s->limits.line, s->limits.header, s->limits.fields, s->limits.body};
	struct inbound *in = s->spare;

	if (in) {
		s->spare = in->next;
		s->spare_count--;
		in->parser.limits = limits;
		return in;
	}
	in = fault_hit(FAULT_ALLOC) ? NULL : calloc(1, sizeof *in);
	if (in)
		h1_init(&in->parser, &limits);
	return in;
}

bool server_has_memory(struct http_server *s, struct inbound *in)
{
	size_t now = h1_memory(&in->parser);

	s->memory = s->memory - in->memory + now;
	in->memory = now;
	return s->memory <= s->limits.memory;
}

void server_give_inbound(struct http_server *s, struct inbound *in)
{
	s->memory -= in->memory;
	in->memory = 0;
	if (s->spare_count >= SPARE_MAX || s->dead) {
		h1_free(&in->parser);
		free(in);
		return;
	}
	h1_reset(&in->parser);
	in->next = s->spare;
	s->spare = in;
	s->spare_count++;
}

struct slice server_date(struct http_server *s)
{
	int64_t now = clock_wall();

	if (now != s->date_second) {
		s->date_second = now;
		reply_date(now, s->date);
	}
	return slice_of(s->date, REPLY_DATE_SIZE - 1);
}

void server_make_id(struct http_server *s, char id[17])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	/* The kernel is asked once for many; an id is no secret. */
	if (s->random_left == 0) {
		random_bytes(s->random, sizeof s->random);
		s->random_left = sizeof s->random;
	}
	s->random_left -= 8;
	for (i = 0; i < 8; i++) {
		unsigned char byte = s->random[s->random_left + i];

		id[2 * i] = digits[byte >> 4];
		id[2 * i + 1] = digits[byte & 15];
	}
	id[16] = '\0';
}

/* ---- beginning and end ---- */

struct http_server *http_server_new(const struct http_limits *limits, http_handler handler, void *arg)
{
	struct http_server *s = calloc(1, sizeof *s);
	size_t i;

	if (s == NULL)
		return NULL;
	s->limits = *limits;
	s->handler = handler;
	s->arg = arg;
	s->date_second = -1;
	list_init(&s->doors);
	for (i = 0; i < CONN_STATES; i++)
		list_init(&s->states[i]);
	for (i = 0; i < CONN_ADDRESS_BUCKETS; i++)
		list_init(&s->addresses[i]);
	return s;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage at = {0};
	socklen_t size = sizeof at;

	if (getsockname(fd, (struct sockaddr *)&at, &size) != 0)
		return 0;
	if (at.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)(const void *)&at)->sin_port);
	return at.ss_family == AF_INET6
		? ntohs(((const struct sockaddr_in6 *)(const void *)&at)->sin6_port)
		: 0;
}

static void door_free(struct door *door)
{
	list_remove(&door->link);
	listener_free(door->listener);
	tls_config_unref(door->tls);
	free(door);
}

enum st http_server_listen(struct http_server *s, int fd, struct tls_config *tls, bool control)
{
	struct door *door = calloc(1, sizeof *door);

	if (door == NULL) {
		close(fd);
		return ST_NOMEM;
	}
	door->server = s;
	door->control = control;
	door->port = port_of(fd);
	list_init(&door->link);
	door->listener = listener_new(fd, &door_events, door);
	if (door->listener == NULL) {
		free(door);
		return ST_IO;
	}
	door->tls = tls_config_ref(tls);
	list_append(&s->doors, &door->link);
	return ST_OK;
}

void http_server_set_tls(struct http_server *s, struct tls_config *tls)
{
	struct list *at;

	for (at = s->doors.next; at != &s->doors; at = at->next) {
		struct door *door = list_item(at, struct door, link);
		struct tls_config *before = door->tls;

		if (before == NULL)
			continue;
		door->tls = tls_config_ref(tls);
		tls_config_unref(before);
	}
}

void http_server_set_limits(struct http_server *s, const struct http_limits *limits)
{
	s->limits = *limits;
	if (s->sweeping)
		start_sweeping(s);
	if (s->full)
		resume_doors(s);
}

void http_server_unlisten(struct http_server *s)
{
	while (!list_empty(&s->doors))
		door_free(list_item(s->doors.next, struct door, link));
	s->full = false;
}

static void run_drained(struct deferred *d)
{
	struct http_server *s = container_of(d, struct http_server, drained_soon);

	s->drained_queued = false;
	if (!s->dead && s->drained)
		s->drained(s->drained_arg);
}

static void check_drained(struct http_server *s)
{
	if (!s->draining || s->drained_queued || s->dead || s->count + s->control_count > 0)
		return;
	s->drained_queued = true;
	loop_defer(&s->drained_soon, run_drained);
}

void server_conn_ended(struct http_server *s)
{
	if (s->full && !s->dead)
		resume_doors(s);
	check_drained(s);
}

static void close_all(struct list *all, void (*close_one)(struct conn *c))
{
	struct list *at, *next;

	for (at = all->next; at != all; at = next) {
		next = at->next;
		close_one(list_item(at, struct conn, link));
	}
}

static void close_if_idle(struct conn *c)
{
	(void)conn_close_idle(c);
}

void http_server_drain(struct http_server *s, void (*drained)(void *arg), void *arg)
{
	s->draining = true;
	s->drained = drained;
	s->drained_arg = arg;
	http_server_unlisten(s);
	close_all(&s->states[CONN_IDLE], close_if_idle);
	close_all(&s->states[CONN_OPENING], close_if_idle);
	check_drained(s);
}

static void run_gone(struct deferred *d)
{
	free(container_of(d, struct http_server, gone));
}

void http_server_free(struct http_server *s)
{
	struct inbound *in;
	int state;

	if (s == NULL || s->dead)
		return;
	s->dead = true;
	http_server_unlisten(s);
	for (state = 0; state < CONN_STATES; state++)
		close_all(&s->states[state], conn_close);
	timer_free(&s->sweep);
	while ((in = s->spare) != NULL) {
		s->spare = in->next;
		h1_free(&in->parser);
		free(in);
	}
	buf_free(&s->head);
	loop_defer(&s->gone, run_gone);
}
