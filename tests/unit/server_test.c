/* server_test.c: the HTTP server over real sockets. The loop runs on a thread of its own; the test is a
 * blocking client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "http/server.h"
#include "loop/loop.h"
#include "tls_fixture.h"

#define WAITING_MAX 64
/* More than the kernel keeps for one connection. */
#define BIG (16u << 20)

static struct {
	pthread_t thread;
	struct http_limits limits;
	struct http_server *server;
	struct watch commands;
	int command_fd;
	uint16_t port, tls_port;
	atomic_int handled, aborted, drained;
} world;

/* Requests that are answered when the test says so. */
static struct waiting {
	struct http_exchange *x;
} waiting[WAITING_MAX];
static char big[BIG];

/* ---- the server's side ---- */

static void answer(struct http_exchange *x, int status, struct slice body)
{
	static const struct http_field fields[] = {
		{SLICE_LIT("content-type"), SLICE_LIT("text/plain")},
		{SLICE_LIT("content-length"), SLICE_LIT("99")},
		{SLICE_LIT("Connection"), SLICE_LIT("upgrade")}};
	struct http_reply reply = {
		.status = status, .fields = fields, .field_count = ARRAY_LEN(fields), .body = body};

	exchange_reply(x, &reply);
}

static void on_abort(void *arg)
{
	struct waiting *w = arg;

	w->x = NULL;
	atomic_fetch_add(&world.aborted, 1);
}

static void keep(struct http_exchange *x)
{
	size_t i = 0;

	while (i < WAITING_MAX - 1 && waiting[i].x)
		i++;
	waiting[i].x = x;
	exchange_on_abort(x, on_abort, &waiting[i]);
}

static void tell(struct http_exchange *x)
{
	const struct http_request *r = exchange_request(x);
	struct buf b = {0};

	buf_printf(&b, "%.*s %.*s %.*s %zu", (int)r->method.n, r->method.p, (int)r->path.n,
		r->path.p, (int)r->host.n, r->host.p, r->body.n);
	buf_printf(&b, " %s %s %s %zu %d", r->peer, r->tls_version, r->sni, strlen(r->id),
		r->listener_port == world.port);
	answer(x, 200, buf_slice(&b));
	buf_free(&b);
}

static void split(struct http_exchange *x)
{
	struct http_field field = {SLICE_LIT("location"), SLICE_LIT("/x\r\nset-cookie: stolen=1")};
	struct http_reply reply = {.status = 302, .fields = &field, .field_count = 1};

	exchange_reply(x, &reply);
}

static void handler(struct http_exchange *x, void *arg)
{
	const struct http_request *r = exchange_request(x);

	(void)arg;
	atomic_fetch_add(&world.handled, 1);
	if (slice_eq(r->path, SLICE_LIT("/wait")))
		keep(x);
	else if (slice_eq(r->path, SLICE_LIT("/big")))
		answer(x, 200, slice_of(big, sizeof big));
	else if (slice_eq(r->path, SLICE_LIT("/empty")))
		answer(x, 204, SLICE_LIT("ignored"));
	else if (slice_eq(r->path, SLICE_LIT("/echo")))
		answer(x, 200, r->body);
	else if (slice_eq(r->path, SLICE_LIT("/split")))
		split(x);
	else if (slice_eq(r->path, SLICE_LIT("/odd")))
		answer(x, 99, SLICE_LIT("odd"));
	else
		tell(x);
}

static void answer_waiting(void)
{
	size_t i;

	for (i = 0; i < WAITING_MAX; i++) {
		struct http_exchange *x = waiting[i].x;

		waiting[i].x = NULL;
		if (x)
			answer(x, 200, SLICE_LIT("waited"));
	}
}

static void on_drained(void *arg)
{
	(void)arg;
	atomic_store(&world.drained, 1);
}

/* The test speaks to the loop by single letters. */
static void commanded(struct watch *w, int what)
{
	char command;

	(void)what;
	if (read(w->fd, &command, 1) != 1)
		return;
	switch (command) {
	case 'a':
		answer_waiting();
		break;
	case 'd':
		http_server_drain(world.server, on_drained, NULL);
		break;
	default:
		loop_stop();
	}
}

static int bound(uint16_t *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 128) ||
		getsockname(fd, (struct sockaddr *)&at, &size))
		abort();
	*port = ntohs(at.sin_port);
	return fd;
}

static void *run(void *arg)
{
	loop_run();
	http_server_free(world.server);
	watch_close(&world.commands);
	loop_close();
	return arg;
}

static void start(const struct http_limits *limits)
{
	static const char *const names[] = {"localhost"};
	struct tls_config *tls = tls_fixture(names, 1);
	int ends[2];

	memset(waiting, 0, sizeof waiting);
	memset(big, 'b', sizeof big);
	atomic_store(&world.handled, 0);
	atomic_store(&world.aborted, 0);
	atomic_store(&world.drained, 0);
	if (loop_open() || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		abort();
	world.server = http_server_new(limits, handler, NULL);
	world.command_fd = ends[1];
	if (world.server == NULL || watch_open(&world.commands, ends[0], commanded) ||
		watch_want(&world.commands, WATCH_READ) ||
		http_server_listen(world.server, bound(&world.port), NULL, false) ||
		http_server_listen(world.server, bound(&world.tls_port), tls, false))
		abort();
	tls_config_unref(tls);
	if (pthread_create(&world.thread, NULL, run, NULL))
		abort();
}

static void command(char letter)
{
	assert_int_equal(write(world.command_fd, &letter, 1), 1);
}

static int set_up(void **state)
{
	struct http_limits limits = http_default_limits;

	if (*state)
		limits = *(const struct http_limits *)*state;
	start(&limits);
	return 0;
}

static int tear_down(void **state)
{
	int fd = world.commands.fd;

	(void)state;
	command('q');
	pthread_join(world.thread, NULL);
	close(world.command_fd);
	close(fd);
	return count_get(COUNT_CONNECTIONS) == 0 ? 0 : -1;
}

/* ---- the client's side ---- */

static int dial_port(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port)};
	struct timeval patience = {10, 0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return fd;
}

static int dial(void)
{
	return dial_port(world.port);
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* All that comes until the end; a reset is a failure. */
static struct buf hear(int fd)
{
	struct buf b = {0};
	char piece[65536];
	ssize_t n;

	while ((n = recv(fd, piece, sizeof piece, 0)) > 0)
		buf_add(&b, piece, (size_t)n);
	if (n < 0)
		fail_msg("no end came: %s", strerror(errno));
	buf_add_u8(&b, 0);
	b.n--;
	return b;
}

/* Until that text was seen. */
static void hear_until(int fd, const char *text)
{
	char all[8192] = "";
	size_t n = 0;

	while (strstr(all, text) == NULL) {
		ssize_t r = recv(fd, all + n, sizeof all - 1 - n, 0);

		if (r <= 0)
			fail_msg("no \"%s\" in: %s", text, all);
		n += (size_t)r;
		all[n] = '\0';
	}
}

static void ends(int fd)
{
	struct buf b = hear(fd);

	assert_int_equal(b.n, 0);
	buf_free(&b);
	close(fd);
}

static size_t count_of(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

/* Says it, hears to the end; the caller frees. */
static struct buf ask(const char *text)
{
	int fd = dial();
	struct buf b;

	say(fd, text);
	b = hear(fd);
	close(fd);
	return b;
}

static void gives(const char *text, const char *wanted)
{
	struct buf b = ask(text);

	if (strstr((const char *)b.p, wanted) == NULL)
		fail_msg("no \"%s\" in the answer to \"%.60s\": %s", wanted, text, (const char *)b.p);
	buf_free(&b);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void eventually(bool (*is)(void), const char *what)
{
	int64_t until = now_ms() + 8000;

	while (!is()) {
		if (now_ms() > until)
			fail_msg("not within eight seconds: %s", what);
		usleep(2000);
	}
}

#define CLOSE "Connection: close\r\n"

/* ---- behaviour ---- */

static void a_request_is_described_to_the_handler(void **state)
{
	(void)state;
	gives("PUT /a%20b HTTP/1.1\r\nHost: Example.org:1\r\n" CLOSE "Content-Length: 3\r\n\r\nabc",
		"PUT /a b example.org 3 127.0.0.1   16 1");
}

static void answers_carry_the_servers_own_fields_once(void **state)
{
	struct buf b = ask("GET / HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n");

	(void)state;
	assert_int_equal(count_of((char *)b.p, "content-length: "), 1);
	assert_int_equal(count_of((char *)b.p, "onnection: "), 1);
	assert_non_null(strstr((char *)b.p, "connection: close\r\n"));
	assert_int_equal(count_of((char *)b.p, "date: "), 1);
	assert_non_null(strstr((char *)b.p, " GMT\r\n"));
	assert_non_null(strstr((char *)b.p, "content-type: text/plain\r\n"));
	buf_free(&b);
}

static void a_connection_serves_many_requests(void **state)
{
	int fd = dial(), i;

	(void)state;
	for (i = 0; i < 20; i++) {
		say(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
		hear_until(fd, "GET /x a 0");
	}
	close(fd);
	assert_int_equal(atomic_load(&world.handled), 20);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	int fd = dial();
	struct buf b;
	const char *first, *second, *third;

	(void)state;
	say(fd, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /wait HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n");
	usleep(30000);
	assert_int_equal(atomic_load(&world.handled), 2);
	command('a');
	b = hear(fd);
	first = strstr((char *)b.p, "GET /1");
	second = strstr((char *)b.p, "waited");
	third = strstr((char *)b.p, "GET /3");
	assert_true(first && second && third && first < second && second < third);
	buf_free(&b);
	close(fd);
}

static void head_and_204_have_no_body(void **state)
{
	struct buf b = ask("HEAD / HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n");

	(void)state;
	assert_true(slice_has_prefix(buf_slice(&b), SLICE_LIT("HTTP/1.1 200 OK\r\n")));
	assert_memory_equal(b.p + b.n - 4, "\r\n\r\n", 4);
	buf_free(&b);
	b = ask("GET /empty HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n");
	assert_memory_equal(b.p + b.n - 4, "\r\n\r\n", 4);
	assert_null(strstr((char *)b.p, "content-length"));
	buf_free(&b);
}

static void bad_requests_get_a_short_answer_and_the_end(void **state)
{
	(void)state;
	gives("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n");
	gives("GET / HTTP/1.1\r\n\r\n", "connection: close\r\n");
	gives("GET / HTTP/1.1\r\n\r\n", "400 Bad Request: no Host\n");
	gives("GET / HTTP/3.0\r\n\r\n", " 505 ");
	gives("\x16\x03\x01", " 400 ");
	assert_int_equal(atomic_load(&world.handled), 0);
}

static void a_refused_upload_still_reads_its_answer(void **state)
{
	int fd = dial(), i;
	struct buf b;

	(void)state;
	say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
	for (i = 0; i < 46; i++)
		assert_true(send(fd, big, 65536, MSG_NOSIGNAL) > 0);
	(void)shutdown(fd, SHUT_WR);
	b = hear(fd);
	assert_non_null(strstr((char *)b.p, " 413 "));
	buf_free(&b);
	close(fd);
}

static void unsafe_answers_become_500(void **state)
{
	struct buf b = ask("GET /split HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n");

	(void)state;
	assert_non_null(strstr((char *)b.p, " 500 "));
	assert_null(strstr((char *)b.p, "stolen"));
	buf_free(&b);
	gives("GET /odd HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n", " 500 ");
}

static void continue_is_said_before_the_body(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	hear_until(fd, "HTTP/1.1 100 Continue\r\n\r\n");
	say(fd, "hello");
	hear_until(fd, "\r\n\r\nhello");
	close(fd);
	gives("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: "
	      "2000000\r\n\r\n",
		" 413 ");
}

static void old_clients_are_closed_after_the_answer(void **state)
{
	(void)state;
	gives("GET / HTTP/1.0\r\n\r\n", "connection: close");
}

static bool two_handled(void)
{
	return atomic_load(&world.handled) == 2;
}

static void a_half_closed_client_gets_its_answers(void **state)
{
	int fd = dial();
	struct buf b;

	(void)state;
	say(fd, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /wait HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
	(void)shutdown(fd, SHUT_WR);
	eventually(two_handled, "the second request is with its handler");
	command('a');
	b = hear(fd);
	assert_int_equal(count_of((char *)b.p, "200 OK"), 3);
	buf_free(&b);
	close(fd);
}

static bool two_aborted(void)
{
	return atomic_load(&world.aborted) == 2;
}

static bool one_aborted(void)
{
	return atomic_load(&world.aborted) == 1;
}

static bool one_handled(void)
{
	return atomic_load(&world.handled) == 1;
}

static void a_client_that_leaves_aborts_its_request(void **state)
{
	struct linger reset = {1, 0};
	int fd = dial();

	(void)state;
	say(fd, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
	eventually(one_handled, "request handled");
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(fd);
	eventually(one_aborted, "reset noticed");
	fd = dial();
	say(fd, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
	close(fd);
	eventually(two_aborted, "silent close noticed");
	command('a');
}

static void a_slow_reader_gets_everything(void **state)
{
	int fd = dial();
	struct buf b;

	(void)state;
	say(fd, "GET /big HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n");
	usleep(50000);
	b = hear(fd);
	assert_true(b.n > BIG);
	assert_memory_equal(b.p + b.n - 4, "bbbb", 4);
	buf_free(&b);
	close(fd);
}

static void leaving_while_the_answer_is_sent_harms_nobody(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 20; i++) {
		int fd = dial();

		say(fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\nGET /big HTTP/1.1\r\nHost: a\r\n\r\n");
		usleep(1000 * (i % 3));
		close(fd);
	}
	gives("GET / HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n", " 200 ");
}

static void pipelining_is_bounded(void **state)
{
	static const char one[] = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";
	struct timeval soon = {0, 200000};
	int fd = dial(), i;
	ssize_t n = 0;
	size_t sent = 0;

	(void)state;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
	say(fd, one);
	/* Nothing reads after 64 KiB; what the kernel holds on both sides is bounded too. */
	for (i = 0; i < 1000 && (n = send(fd, big, 65536, MSG_NOSIGNAL)) > 0; i++)
		sent += (size_t)n;
	assert_true(n < 0 && sent < 40u << 20);
	assert_int_equal(atomic_load(&world.handled), 1);
	close(fd);
}

static void tls_requests_say_so(void **state)
{
	struct tls_client client;
	unsigned char all[400] = "";

	(void)state;
	assert_int_equal(tls_client_open(&client, dial_port(world.tls_port),
				 &(struct tls_client_wants){.sni = "LocalHost", .alpn = "http/1.1"}),
		0);
	assert_true(tls_client_send(
		&client, SLICE_LIT("GET /s HTTP/1.1\r\nHost: localhost\r\n" CLOSE "\r\n")));
	(void)tls_client_receive(&client, all, sizeof all - 1);
	assert_non_null(strstr((char *)all, "GET /s localhost 0 127.0.0.1 TLSv1.3 localhost 16 0"));
	tls_client_close(&client);
}

/* ---- limits: 200 ms for everything, 4 connections, 3 from one address ---- */

static const struct http_limits tight = {
	8192, 32768, 100, 1 << 20, 200000, 200000, 200000, 200000, 4, 3, 1 << 20};

static void a_slow_header_gets_408(void **state)
{
	int fd = dial(), i;
	struct buf b;

	(void)state;
	/* Each byte comes soon enough; the deadline is for the whole. */
	for (i = 0; i < 40; i++) {
		(void)send(fd, "G", 1, MSG_NOSIGNAL);
		usleep(10000);
	}
	b = hear(fd);
	assert_non_null(strstr((char *)b.p, "HTTP/1.1 408 "));
	buf_free(&b);
	close(fd);
}

static void a_slow_body_gets_408(void **state)
{
	int fd = dial();
	struct buf b;

	(void)state;
	say(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123");
	b = hear(fd);
	assert_non_null(strstr((char *)b.p, "HTTP/1.1 408 "));
	buf_free(&b);
	close(fd);
}

static void silence_is_closed_without_a_word(void **state)
{
	int fd = dial();

	(void)state;
	ends(fd);
	fd = dial();
	say(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	hear_until(fd, " 16 1");
	ends(fd);
	ends(dial_port(world.tls_port));
}

static void a_handler_may_take_longer_than_any_of_these(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
	usleep(500000);
	command('a');
	hear_until(fd, "waited");
	close(fd);
}

static bool nobody_connected(void)
{
	return count_get(COUNT_CONNECTIONS) == 0;
}

static void who_does_not_read_is_closed(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
	eventually(one_handled, "request handled");
	assert_false(nobody_connected());
	eventually(nobody_connected, "connection given up");
	close(fd);
}

static void one_address_has_its_share(void **state)
{
	int fd[3], i;

	(void)state;
	for (i = 0; i < 3; i++) {
		fd[i] = dial();
		say(fd[i], "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
	}
	usleep(50000);
	ends(dial());
	command('a');
	for (i = 0; i < 3; i++) {
		hear_until(fd[i], "waited");
		close(fd[i]);
	}
}

static const struct http_limits few = {
	8192, 32768, 100, 1 << 20, 10000000, 10000000, 60000000, 10000000, 3, 100, 150000};

static void the_longest_idle_makes_room(void **state)
{
	int fd[3], more, i;

	(void)state;
	for (i = 0; i < 3; i++) {
		fd[i] = dial();
		say(fd[i], "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
		hear_until(fd[i], " 16 1");
	}
	more = dial();
	say(more, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	hear_until(more, " 16 1");
	ends(fd[0]);
	say(fd[1], "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	hear_until(fd[1], " 16 1");
	close(fd[1]);
	close(fd[2]);
	close(more);
}

static void a_full_server_lets_others_wait(void **state)
{
	int fd[3], more, i;

	(void)state;
	for (i = 0; i < 3; i++) {
		fd[i] = dial();
		say(fd[i], "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
	}
	usleep(50000);
	assert_int_equal(atomic_load(&world.handled), 3);
	more = dial();
	say(more, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	usleep(50000);
	assert_int_equal(atomic_load(&world.handled), 3);
	command('a');
	hear_until(more, " 16 1");
	for (i = 0; i < 3; i++)
		close(fd[i]);
	close(more);
}

static void large_requests_share_a_bound(void **state)
{
	static char part[100000];
	int fd = dial(), other = dial();

	(void)state;
	memset(part, 'x', sizeof part - 1);
	say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
	say(fd, part);
	usleep(50000);
	say(other, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
	say(other, part);
	hear_until(other, "HTTP/1.1 503 ");
	say(fd, "y");
	hear_until(fd, "HTTP/1.1 200 ");
	gives("GET / HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n", " 200 ");
	close(fd);
	close(other);
}

/* Whatever allocation fails: the connection ends or says 503, nothing else happens, the next one is served. */
static void a_failed_allocation_costs_one_connection(void **state)
{
	static const char request[] =
		"POST /a%20b HTTP/1.1\r\nHost: a\r\n1: 1\r\n2: 2\r\n3: 3\r\n4: 4\r\n5: 5\r\n"
		"6: 6\r\n7: 7\r\n8: 8\r\n9: 9\r\n10: 10\r\n11: 11\r\n12: 12\r\n13: 13\r\n14: 14\r\n"
		"15: 15\r\n16: 16\r\n" CLOSE
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
	int64_t n;

	(void)state;
	for (n = 1; n < 25; n++) {
		char text[512] = "";
		int fd;

		fault_arm(FAULT_ALLOC, n, false);
		fd = dial();
		(void)send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
		(void)recv(fd, text, sizeof text - 1, MSG_WAITALL);
		if (text[0] && !strstr(text, " 200 ") && !strstr(text, " 503 "))
			fail_msg("allocation %d: %s", (int)n, text);
		close(fd);
		fault_arm(FAULT_ALLOC, 0, false);
		gives("GET / HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n", " 200 ");
	}
}

static void running_out_of_descriptors_is_survived(void **state)
{
	struct rlimit before, tiny;
	int taken[512], count = 0, fd, i;
	int64_t cpu;
	struct timespec a, b;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tiny = before;
	tiny.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tiny), 0);
	fd = dial();
	while (count < 512 && (taken[count] = dup(fd)) >= 0)
		count++;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	usleep(300000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	cpu = (int64_t)(b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
	assert_true(cpu < 150);
	for (i = 0; i < count; i++)
		close(taken[i]);
	close(fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	usleep(150000);
	gives("GET / HTTP/1.1\r\nHost: a\r\n" CLOSE "\r\n", " 200 ");
}

static bool drained(void)
{
	return atomic_load(&world.drained) == 1;
}

static void draining_answers_what_is_open_and_ends(void **state)
{
	int busy = dial(), idle = dial();
	struct buf b;

	(void)state;
	say(busy, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
	say(idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	hear_until(idle, " 16 1");
	usleep(30000);
	command('d');
	ends(idle);
	assert_false(drained());
	command('a');
	b = hear(busy);
	assert_non_null(strstr((char *)b.p, "connection: close\r\n"));
	assert_non_null(strstr((char *)b.p, "waited"));
	buf_free(&b);
	close(busy);
	eventually(drained, "drained");
}

static void stopping_aborts_what_is_open(void **state)
{
	(void)state;
	start(&http_default_limits);
	(void)dial();
	say(dial(), "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
	eventually(one_handled, "request handled");
	assert_int_equal(tear_down(state), 0);
	assert_int_equal(atomic_load(&world.aborted), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
/* clang-format off */
#define TEST_WITH(name, limits) {#name, name, set_up, tear_down, (void *)(uintptr_t)&limits}
/* clang-format on */

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_described_to_the_handler),
		TEST(answers_carry_the_servers_own_fields_once),
		TEST(a_connection_serves_many_requests),
		TEST(pipelined_requests_are_answered_in_order),
		TEST(head_and_204_have_no_body),
		TEST(bad_requests_get_a_short_answer_and_the_end),
		TEST(a_refused_upload_still_reads_its_answer),
		TEST(unsafe_answers_become_500),
		TEST(continue_is_said_before_the_body),
		TEST(old_clients_are_closed_after_the_answer),
		TEST(a_half_closed_client_gets_its_answers),
		TEST(a_client_that_leaves_aborts_its_request),
		TEST(a_slow_reader_gets_everything),
		TEST(leaving_while_the_answer_is_sent_harms_nobody),
		TEST(pipelining_is_bounded),
		TEST(tls_requests_say_so),
		TEST_WITH(a_slow_header_gets_408, tight),
		TEST_WITH(a_slow_body_gets_408, tight),
		TEST_WITH(silence_is_closed_without_a_word, tight),
		TEST_WITH(a_handler_may_take_longer_than_any_of_these, tight),
		TEST_WITH(who_does_not_read_is_closed, tight),
		TEST_WITH(one_address_has_its_share, tight),
		TEST_WITH(the_longest_idle_makes_room, few),
		TEST_WITH(a_full_server_lets_others_wait, few),
		TEST_WITH(large_requests_share_a_bound, few),
		TEST(a_failed_allocation_costs_one_connection),
		TEST(running_out_of_descriptors_is_survived),
		TEST(draining_answers_what_is_open_and_ends),
		cmocka_unit_test(stopping_aborts_what_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
