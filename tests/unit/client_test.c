/* client_test.c: requests of ours to a peer on a thread that behaves as badly as its path says, and to our own server over TLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "http/client.h"
#include "http/server.h"
#include "loop/dns.h"
#include "loop/loop.h"
#include "loop/pool.h"
#include "tls_fixture.h"

/* ---- the peer ---- */

static struct {
	int fd;
	uint16_t port;
	pthread_t thread;
	atomic_int connections, requests, open, most_open;
} peer;

struct visit {
	int fd, number; /* of requests on this connection */
	char head[20000];
	size_t n;
};

static void say(int fd, const char *text)
{
	(void)!write(fd, text, strlen(text));
}

static void say_many(int fd, const char *piece, size_t times)
{
	for (size_t i = 0; i < times; i++)
		if (send(fd, piece, strlen(piece), MSG_NOSIGNAL) < 0)
			return;
}

#define FINE "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\r\nX: b\r\n\r\nhello"
#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"

/* False: the connection is to be closed. */
static bool behave(struct visit *v, const char *path)
{
	static atomic_int failures;
	int fd = v->fd;

	if (!strncmp(path, "/hello", 6))
		say(fd, FINE);
	else if (!strncmp(path, "/slowly", 7))
		usleep(30000), say(fd, FINE);
	else if (!strncmp(path, "/never", 6))
		usleep(400000);
	else if (!strncmp(path, "/close", 6))
		return say(fd, "HTTP/1.1 200 OK\r\n\r\nuntil the end"), false;
	else if (!strncmp(path, "/cut", 4))
		return say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"), false;
	else if (!strncmp(path, "/drop", 5))
		return false;
	else if (!strncmp(path, "/second-drop", 12))
		return v->number == 1 ? say(fd, FINE), true : false;
	else if (!strncmp(path, "/second-part", 12))
		return v->number == 1 ? say(fd, FINE), true : (say(fd, "HTTP/1.1 2"), false);
	else if (!strncmp(path, "/busy-twice", 11))
		say(fd, atomic_fetch_add(&failures, 1) % 3 < 2 ? BUSY : FINE);
	else if (!strncmp(path, "/busy", 5))
		say(fd, BUSY);
	else if (!strncmp(path, "/junk", 5))
		say(fd, "<html>\r\n\r\n");
	else if (!strncmp(path, "/two", 4))
		say(fd, FINE FINE);
	else if (!strncmp(path, "/late-two", 9))
		say(fd, FINE), usleep(50000), say(fd, FINE);
	else if (!strncmp(path, "/redirect", 9))
		say(fd, "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n");
	else if (!strncmp(path, "/large", 6))
		return say(fd, "HTTP/1.1 200 OK\r\n\r\n"), say_many(fd, "0123456789abcdef", 200000),
		       false;
	else if (!strncmp(path, "/announced", 10))
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");
	else if (!strncmp(path, "/long-head", 10))
		return say(fd, "HTTP/1.1 200 OK\r\n"),
		       say_many(fd, "X: 0123456789abcdef\r\n", 5000), false;
	else if (!strncmp(path, "/echo", 5))
		dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%.*s", v->n, (int)v->n,
			v->head);
	else
		say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
	return true;
}

/* Reads a request with its body. */
static bool read_request(struct visit *v)
{
	char *end = NULL, *length;
	size_t wanted = 0;

	v->n = 0;
	memset(v->head, 0, sizeof v->head);
	while (!end || v->n < wanted) {
		ssize_t r = read(v->fd, v->head + v->n, sizeof v->head - 1 - v->n);

		if (r <= 0)
			return false;
		v->n += (size_t)r;
		end = strstr(v->head, "\r\n\r\n");
		length = strstr(v->head, "Content-Length: ");
		if (end)
			wanted = (size_t)(end + 4 - v->head) +
				(length && length < end ? (size_t)atol(length + 16) : 0);
	}
	return true;
}

static void *visit_main(void *arg)
{
	struct visit *v = arg;
	int now = atomic_fetch_add(&peer.open, 1) + 1;
	char path[200];

	if (now > atomic_load(&peer.most_open))
		atomic_store(&peer.most_open, now);
	while (read_request(v)) {
		v->number++;
		atomic_fetch_add(&peer.requests, 1);
		if (sscanf(v->head, "%*s http://%*[^/]%199s", path) != 1 &&
			sscanf(v->head, "%*s %199s", path) != 1)
			break;
		if (!behave(v, path))
			break;
	}
	close(v->fd);
	atomic_fetch_add(&peer.open, -1);
	free(v);
	return NULL;
}

static void *peer_main(void *arg)
{
	int fd;

	while ((fd = accept(peer.fd, NULL, NULL)) >= 0) {
		struct visit *v = calloc(1, sizeof *v);
		pthread_t thread;

		atomic_fetch_add(&peer.connections, 1);
		v->fd = fd;
		if (pthread_create(&thread, NULL, visit_main, v) == 0)
			pthread_detach(thread);
	}
	return arg;
}

static int listening(uint16_t *port, uint32_t address)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(address)}};
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&at, n) || listen(fd, 200) ||
		getsockname(fd, (struct sockaddr *)&at, &n))
		abort();
	*port = ntohs(at.sin_port);
	return fd;
}

/* ---- our side ---- */

static struct timer guard;

struct asked {
	struct http_call *call;
	enum http_failure failure; /* HTTP_FINE: by done */
	char detail[HTTP_DETAIL];
	bool over;
};

static int under_way;

static void done(struct http_call *call, void *arg)
{
	struct asked *a = arg;

	(void)call;
	a->over = true;
	a->failure = http_call_failure(a->call);
	snprintf(a->detail, sizeof a->detail, "%s", http_call_detail(a->call));
	if (--under_way == 0)
		loop_stop();
}

static void too_late(struct timer *t)
{
	(void)t;
	fail_msg("nothing happened for ten seconds");
}

static const struct slice loopback[] = {
	SLICE_LIT("127.0.0.0/8"), SLICE_LIT("localhost"), SLICE_LIT("peer.test")};

static struct http_call_options options(const char *method)
{
	return (struct http_call_options){.method = slice_str(method),
		.timeout_us = 5000000,
		.max = 100000,
		.allow = loopback,
		.allow_count = ARRAY_LEN(loopback)};
}

static void begin(struct asked *a, struct http_call_options o, const char *url)
{
	*a = (struct asked){0};
	o.url = slice_str(url);
	a->failure = http_call_start(&o, done, a, &a->call, a->detail);
	a->over = a->failure != HTTP_FINE;
	under_way += !a->over;
}

static void finish_all(void)
{
	if (under_way > 0)
		loop_run();
	assert_int_equal(under_way, 0);
}

static void ask_with(struct asked *a, struct http_call_options o, const char *path)
{
	char url[200];

	snprintf(url, sizeof url, "http://127.0.0.1:%u%s", peer.port, path);
	begin(a, o, url);
	finish_all();
}

static void ask(struct asked *a, const char *path)
{
	ask_with(a, options("GET"), path);
}

static void answered(struct asked *a, int status, const char *body)
{
	if (a->failure != HTTP_FINE)
		fail_msg("%s: %s", http_failure_name(a->failure), a->detail);
	assert_int_equal(http_call_answer(a->call)->status, status);
	if (body)
		assert_true(slice_eq(http_call_answer(a->call)->body, slice_str(body)));
	http_call_free(a->call);
}

static void failed(struct asked *a, enum http_failure failure)
{
	if (a->failure != failure)
		fail_msg("%s (%s) is not %s", http_failure_name(a->failure), a->detail,
			http_failure_name(failure));
	http_call_free(a->call);
}

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	peer.fd = listening(&peer.port, INADDR_LOOPBACK);
	peer.connections = peer.requests = peer.most_open = 0;
	if (pthread_create(&peer.thread, NULL, peer_main, NULL) || loop_open() ||
		pool_open(LANE_WORK, 1, 4) || pool_open(LANE_NAMES, 2, 32))
		return -1;
	return timer_start(&guard, 10000000, too_late) == ST_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	timer_free(&guard);
	http_client_close();
	pool_close();
	dns_close();
	loop_close();
	(void)shutdown(peer.fd, SHUT_RDWR);
	pthread_join(peer.thread, NULL);
	close(peer.fd);
	while (atomic_load(&peer.open) > 0)
		usleep(1000);
	assert_int_equal(count_get(COUNT_CALLS), 0);
	assert_int_equal(count_get(COUNT_UPSTREAMS), 0);
	assert_int_equal(count_get(COUNT_JOBS), 0);
	return 0;
}

/* ---- what is sent and what comes ---- */

static void a_request_is_what_was_asked(void **state)
{
	static const struct http_field fields[] = {{SLICE_LIT("Accept"), SLICE_LIT("text/plain")}};
	struct http_call_options o = options("POST");
	struct asked a;
	char wanted[300];

	(void)state;
	o.fields = fields;
	o.field_count = 1;
	o.body = SLICE_LIT("a=b");
	ask_with(&a, o, "/echo?q=%20#fragment");
	snprintf(wanted, sizeof wanted,
		"POST /echo?q=%%20 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept: "
		"text/plain\r\nUser-Agent: "
		"Tidelock\r\nContent-Length: 3\r\n\r\na=b",
		peer.port);
	answered(&a, 200, wanted);
	ask(&a, "/hello");
	assert_int_equal(http_call_answer(a.call)->field_count, 3);
	answered(&a, 200, "hello");
	ask(&a, "/close");
	answered(&a, 200, "until the end");
	ask(&a, "/redirect");
	answered(&a, 302, "");
}

static void what_cannot_be_asked_is_refused(void **state)
{
	static const struct {
		const char *url;
		enum http_failure failure;
	} rows[] = {
		{"", HTTP_BAD_URL},
		{"/path", HTTP_BAD_URL},
		{"ftp://example.org/", HTTP_BAD_URL},
		{"file:///etc/passwd", HTTP_BAD_URL},
		{"gopher://127.0.0.1/", HTTP_BAD_URL},
		{"http:///x", HTTP_BAD_URL},
		{"http:example.org", HTTP_BAD_URL},
		{"http://u@127.0.0.1/", HTTP_BAD_URL},
		{"http://u:p@127.0.0.1/", HTTP_BAD_URL},
		{"http://127.0.0.1:0/", HTTP_BAD_URL},
		{"http://127.0.0.1:65536/", HTTP_BAD_URL},
		{"http://127.0.0.1:80x/", HTTP_BAD_URL},
		{"http://127.0.0.1/a b", HTTP_BAD_URL},
		{"http://127.0.0.1/\r\nX: y", HTTP_BAD_URL},
		{"http://127.0.0.1\\@example.org/", HTTP_BAD_URL},
		{"http://exa\tmple.org/", HTTP_BAD_URL},
		{"http://ex\xc3\xa4mple.org/", HTTP_BAD_URL},
		{"http://a..b/", HTTP_BAD_URL},
		{"http://example.org./", HTTP_BAD_URL},
		{"http://.example.org/", HTTP_BAD_URL},
		{"http://exam!ple.org/", HTTP_BAD_URL},
		{"http://%31/", HTTP_BAD_URL},
		/* numbers that a C library would take for 127.0.0.1, allowed or not */
		{"http://127.1/", HTTP_BAD_URL},
		{"http://0x7f.1/", HTTP_BAD_URL},
		{"http://2130706433/", HTTP_BAD_URL},
		{"http://0177.0.0.1/", HTTP_BAD_URL},
		{"http://0x7f000001/", HTTP_BAD_URL},
		{"http://127.0.0.1./", HTTP_BAD_URL},
		{"http://127.000.000.001/", HTTP_BAD_URL},
		{"http://0/", HTTP_BAD_URL},
		{"http://[::1%25lo]/", HTTP_BAD_URL},
		{"http://[127.0.0.1]/", HTTP_BAD_URL},
		{"http://10.0.0.1/", HTTP_BLOCKED},
		{"http://[::1]/", HTTP_BLOCKED},
		{"http://[::ffff:127.0.0.1]/", HTTP_BLOCKED},
		{"http://169.254.169.254/latest/meta-data", HTTP_BLOCKED},
		{"https://192.168.1.1/", HTTP_BLOCKED},
		{"http://0.0.0.0/", HTTP_BLOCKED},
		{"http://[64:ff9b::7f00:1]/", HTTP_BLOCKED},
		{"http://[2002:7f00:1::]/", HTTP_BLOCKED},
	};
	struct asked a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin(&a, options("GET"), rows[i].url);
		if (!a.over || a.failure != rows[i].failure)
			fail_msg("%s: %s", rows[i].url, http_failure_name(a.failure));
	}
}

static void fields_that_frame_are_ours(void **state)
{
	static const struct http_field rows[] = {{SLICE_LIT("Host"), SLICE_LIT("x")},
		{SLICE_LIT("content-length"), SLICE_LIT("5")},
		{SLICE_LIT("Transfer-Encoding"), SLICE_LIT("chunked")},
		{SLICE_LIT("Connection"), SLICE_LIT("close")},
		{SLICE_LIT("Expect"), SLICE_LIT("100-continue")},
		{SLICE_LIT("X\r\nY"), SLICE_LIT("z")}, {SLICE_LIT("X"), SLICE_LIT("a\r\nY: b")},
		{SLICE_LIT("X"), SLICE_LIT("a\0b")}, {SLICE_LIT(""), SLICE_LIT("x")},
		{SLICE_LIT("X "), SLICE_LIT("x")}};
	struct http_call_options o = options("GET");
	struct asked a;

	(void)state;
	o.field_count = 1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		o.fields = &rows[i];
		ask_with(&a, o, "/hello");
		assert_int_equal(a.failure, HTTP_BAD_URL);
	}
	ask_with(&a, options("CONNECT"), "/hello");
	assert_int_equal(a.failure, HTTP_BAD_URL);
	ask_with(&a, options("get"), "/hello");
	assert_int_equal(a.failure, HTTP_BAD_URL);
}

static void bad_answers_are_named(void **state)
{
	static const struct {
		const char *path;
		enum http_failure failure;
	} rows[] = {{"/cut", HTTP_CLOSED}, {"/drop", HTTP_CLOSED}, {"/junk", HTTP_PROTOCOL},
		{"/large", HTTP_TOO_LARGE}, {"/announced", HTTP_TOO_LARGE},
		{"/long-head", HTTP_TOO_LARGE}};
	struct http_call_options o = options("HEAD");
	struct asked a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ask(&a, rows[i].path);
		failed(&a, rows[i].failure);
	}
	ask_with(&a, o, "/announced");
	answered(&a, 200, "");
	o.timeout_us = 100000;
	ask_with(&a, o, "/never");
	failed(&a, HTTP_TIMEOUT);
	begin(&a, options("GET"), "http://127.0.0.1:1/");
	finish_all();
	failed(&a, HTTP_CONNECT);
}

/* ---- connections ---- */

static void connections_are_kept(void **state)
{
	struct asked a;

	(void)state;
	for (int i = 0; i < 5; i++) {
		ask(&a, "/hello");
		answered(&a, 200, "hello");
	}
	assert_int_equal(peer.connections, 1);
	ask(&a, "/close");
	answered(&a, 200, NULL);
	ask(&a, "/two"); /* what was not asked for is nobody's answer */
	answered(&a, 200, "hello");
	ask(&a, "/hello");
	answered(&a, 200, "hello");
	assert_int_equal(peer.connections, 3);
}

static void unasked_answers_are_nobodys(void **state)
{
	struct asked a;

	(void)state;
	ask(&a, "/late-two");
	answered(&a, 200, "hello");
	usleep(100000);
	ask(&a, "/echo");
	assert_true(slice_has_prefix(http_call_answer(a.call)->body, SLICE_LIT("GET /echo")));
	answered(&a, 200, NULL);
	assert_int_equal(peer.connections, 2);
}

static void a_dead_connection_costs_one_more_try(void **state)
{
	struct asked a;

	(void)state;
	ask(&a, "/second-drop");
	answered(&a, 200, "hello");
	ask(&a, "/second-drop");
	answered(&a, 200, "hello");
	assert_int_equal(peer.connections, 2);
	assert_int_equal(peer.requests, 3);
	/* A POST may have been obeyed. */
	ask_with(&a, options("POST"), "/second-drop");
	failed(&a, HTTP_CLOSED);
	/* Something of an answer came. */
	ask(&a, "/second-part");
	answered(&a, 200, "hello");
	ask(&a, "/second-part");
	failed(&a, HTTP_CLOSED);
}

static void retries_are_bounded(void **state)
{
	struct http_call_options o = options("GET");
	struct asked a;

	(void)state;
	ask(&a, "/busy");
	answered(&a, 503, "");
	assert_int_equal(peer.requests, 1);
	o.retries = 3;
	ask_with(&a, o, "/busy-twice");
	answered(&a, 200, "hello");
	assert_int_equal(peer.requests, 4);
	o.retries = 1;
	ask_with(&a, o, "/drop"); /* over the kept connection, over a new one, and once more after a pause */
	failed(&a, HTTP_CLOSED);
	assert_int_equal(peer.requests, 7);
	o.method = SLICE_LIT("POST");
	ask_with(&a, o, "/busy");
	answered(&a, 503, "");
	assert_int_equal(peer.requests, 8);
	/* The deadline holds for all tries together. */
	o = options("GET");
	o.retries = 5;
	o.timeout_us = 300000;
	ask_with(&a, o, "/busy");
	answered(&a, 503, "");
	assert_true(peer.requests <= 10);
}

static void many_share_few_connections(void **state)
{
	struct asked all[100];
	char url[100];

	(void)state;
	snprintf(url, sizeof url, "http://127.0.0.1:%u/slowly", peer.port);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		begin(&all[i], options("GET"), url);
	finish_all();
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		answered(&all[i], 200, "hello");
	assert_int_equal(peer.most_open, 8);
	assert_int_equal(peer.connections, 8);
}

/* Ten peers that never answer, asked ten times each, do not take all connections: an eleventh is asked at once. */
static void many_slow_peers_leave_room(void **state)
{
	struct http_call_options o = options("GET");
	struct slice allow[11];
	char names[11][20], url[100];
	struct asked slow[100], a;
	int64_t began = clock_work_us();

	(void)state;
	for (int i = 0; i < 11; i++) {
		snprintf(names[i], sizeof names[i], "slow-%d.test", i);
		allow[i] = slice_str(names[i]);
		assert_int_equal(dns_pretend(names[i], "127.0.0.1", 0), ST_OK);
	}
	o.allow = allow;
	o.allow_count = ARRAY_LEN(allow);
	o.timeout_us = 1500000;
	for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
		snprintf(url, sizeof url, "http://%s:%u/never", names[i / 10], peer.port);
		begin(&slow[i], o, url);
	}
	snprintf(url, sizeof url, "http://%s:%u/hello", names[10], peer.port);
	begin(&a, o, url);
	under_way = 1; /* only this one is waited for */
	loop_run();
	assert_true(clock_work_us() - began < 1000000);
	answered(&a, 200, "hello");
	for (size_t i = 0; i < ARRAY_LEN(slow); i++)
		http_call_free(slow[i].call);
	under_way = 0;
}

static void the_queue_has_an_end(void **state)
{
	struct asked all[200];
	unsigned busy = 0;
	char url[100];

	(void)state;
	snprintf(url, sizeof url, "http://127.0.0.1:%u/slowly", peer.port);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		begin(&all[i], options("GET"), url);
	finish_all();
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		busy += all[i].failure == HTTP_BUSY;
		assert_true(all[i].failure == HTTP_BUSY || all[i].failure == HTTP_FINE);
		http_call_free(all[i].call);
	}
	assert_int_equal(busy, 200 - 8 - 128);
}

/* ---- giving up ---- */

static struct asked cancelled[4];
static struct timer when;

static void give_up(struct timer *t)
{
	(void)t;
	for (size_t i = 0; i < ARRAY_LEN(cancelled); i++)
		http_call_free(cancelled[i].call);
	under_way = 0;
	loop_stop();
}

/* In every state: before it began, while it waits for a name, for a connection, for an answer. */
static void a_request_may_be_given_up(void **state)
{
	static const int64_t after[] = {0, 1000, 20000, 100000};
	char url[100];

	(void)state;
	assert_int_equal(dns_pretend("peer.test", "127.0.0.1", 50), ST_OK);
	snprintf(url, sizeof url, "http://127.0.0.1:%u/never", peer.port);
	for (size_t i = 0; i < ARRAY_LEN(after); i++) {
		begin(&cancelled[0], options("GET"), url);
		begin(&cancelled[1], options("GET"), "http://peer.test:1/");
		begin(&cancelled[2], options("GET"), "http://127.0.0.1:1/");
		begin(&cancelled[3], options("GET"), url);
		if (after[i] == 0) {
			give_up(NULL);
			continue;
		}
		/* Those that are over by then are freed like the others. */
		under_way += 10;
		assert_int_equal(timer_start(&when, after[i], give_up), ST_OK);
		loop_run();
	}
	timer_free(&when);
	assert_int_equal(dns_pretend("peer.test", NULL, 0), ST_OK);
}

/* ---- names ---- */

static void every_address_of_a_name_is_judged(void **state)
{
	static const struct {
		const char *addresses, *allow;
		enum http_failure failure;
	} rows[] = {
		{"127.0.0.1", "other.test", HTTP_BLOCKED},
		{"10.0.0.1 192.168.0.1 fd00::1", "other.test", HTTP_BLOCKED},
		{"::ffff:127.0.0.1", "127.0.0.1", HTTP_BLOCKED},
		{"169.254.169.254", "127.0.0.0/8", HTTP_BLOCKED},
		{"127.0.0.1", "127.0.0.0/8", HTTP_FINE},
		{"10.255.255.255 127.0.0.1", "127.0.0.1", HTTP_FINE},
		{"127.0.0.1", "name.test", HTTP_FINE},
		{"127.0.0.1", "NAME.test", HTTP_FINE},
		{"", "name.test", HTTP_DNS},
		/* the next address, when one does not answer */
		{"127.99.0.1 127.0.0.1", "127.0.0.0/8", HTTP_FINE},
	};
	struct http_call_options o = options("GET");
	struct slice allow;
	struct asked a;
	char url[100];

	(void)state;
	snprintf(url, sizeof url, "http://name.test:%u/close", peer.port);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(dns_pretend("name.test", rows[i].addresses, 0), ST_OK);
		allow = slice_str(rows[i].allow);
		o.allow = &allow;
		o.allow_count = 1;
		begin(&a, o, url);
		finish_all();
		if (a.failure != rows[i].failure)
			fail_msg("%s allowed %s: %s", rows[i].addresses, rows[i].allow,
				http_failure_name(a.failure));
		http_call_free(a.call);
	}
}

/* Once it leads to the internet, once to ourselves: the kept connection goes where it was checked to go, a new look-up is judged
 * anew. */
static void a_name_that_turns_round_is_caught(void **state)
{
	struct http_call_options o = options("GET");
	struct slice allow = SLICE_LIT("127.0.0.1");
	struct asked a;
	char url[100];

	(void)state;
	o.allow = &allow;
	o.allow_count = 1;
	snprintf(url, sizeof url, "http://name.test:%u/close", peer.port);
	assert_int_equal(dns_pretend("name.test", "127.0.0.1", 0), ST_OK);
	begin(&a, o, url);
	finish_all();
	answered(&a, 200, NULL);
	assert_int_equal(dns_pretend("name.test", "127.0.0.2", 0), ST_OK);
	begin(&a, o, url);
	finish_all();
	failed(&a, HTTP_BLOCKED);
}

static void names_are_kept_for_a_minute(void **state)
{
	struct asked a;
	char url[100];

	(void)state;
	snprintf(url, sizeof url, "http://localhost:%u/close", peer.port);
	begin(&a, options("GET"), url); /* by the system's resolver */
	finish_all();
	answered(&a, 200, NULL);
	begin(&a, options("GET"), "http://name-that-is-not.invalid/");
	finish_all();
	failed(&a, HTTP_DNS);
}

/* Two names whose servers are slow take both threads: those who ask for them wait, nobody else does. */
static void slow_names_delay_nobody_else(void **state)
{
	struct asked slow[2], a;
	int64_t began = clock_work_us();

	(void)state;
	assert_int_equal(dns_pretend("slow-1.test", "127.0.0.1", 700), ST_OK);
	assert_int_equal(dns_pretend("slow-2.test", "127.0.0.1", 700), ST_OK);
	for (int i = 0; i < 2; i++) {
		struct http_call_options o = options("GET");
		char url[40];

		o.timeout_us = 200000;
		snprintf(url, sizeof url, "http://slow-%d.test/", i + 1);
		begin(&slow[i], o, url);
	}
	under_way++;
	begin(&a, options("GET"), "http://127.0.0.1:1/");
	under_way--;
	finish_all();
	failed(&a, HTTP_CONNECT);
	for (int i = 0; i < 2; i++) {
		failed(&slow[i], HTTP_TIMEOUT);
		assert_string_equal(slow[i].detail, "while looking up the name");
	}
	assert_true(clock_work_us() - began < 600000);
}

/* ---- proxy ---- */

static void a_proxy_gets_the_whole_url(void **state)
{
	struct http_call_options o = options("GET");
	char proxy[60];
	struct asked a;

	(void)state;
	snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", peer.port);
	o.proxy = slice_str(proxy);
	begin(&a, o, "http://example.org/echo?x");
	finish_all();
	assert_true(slice_has_prefix(http_call_answer(a.call)->body,
		SLICE_LIT("GET http://example.org/echo?x HTTP/1.1\r\nHost: example.org\r\n")));
	answered(&a, 200, NULL);
	/* The proxy says no: nothing was sent to anybody. */
	begin(&a, o, "https://example.org/");
	finish_all();
	assert_string_equal(a.detail, "the proxy answered 404");
	failed(&a, HTTP_CONNECT);
	begin(&a, o, "http://10.0.0.1/");
	failed(&a, HTTP_BLOCKED);
}

/* ---- TLS ---- */

static const char *const names[] = {"localhost", "127.0.0.1", "*.wild.test"};

static void handler(struct http_exchange *x, void *arg)
{
	struct http_reply reply = {.status = 200, .body = slice_str(exchange_request(x)->sni)};

	(void)arg;
	exchange_reply(x, &reply);
}

struct secure {
	struct http_server *server;
	struct tls_config *config;
	struct buf authority;
	uint16_t port;
};

static void secure_open(struct secure *s)
{
	*s = (struct secure){.server = http_server_new(&http_default_limits, handler, NULL),
		.config = tls_config_new()};
	tls_fixture_add_known(s->config, names, ARRAY_LEN(names), &s->authority);
	assert_int_equal(
		http_server_listen(s->server, listening(&s->port, INADDR_ANY), s->config, false),
		ST_OK);
}

static void secure_close(struct secure *s)
{
	http_server_free(s->server);
	tls_config_unref(s->config);
	buf_free(&s->authority);
}

static void ask_secure(struct asked *a, const struct secure *s, const char *host, struct slice ca)
{
	struct http_call_options o = options("GET");
	char url[100];

	snprintf(url, sizeof url, "https://%s:%u/", host, s->port);
	o.ca = ca;
	begin(a, o, url);
	finish_all();
}

static void certificates_are_verified(void **state)
{
	struct secure s, other;
	struct asked a;

	(void)state;
	secure_open(&s);
	secure_open(&other);
	assert_int_equal(dns_pretend("peer.test", "127.0.0.1", 0), ST_OK);
	ask_secure(&a, &s, "localhost", buf_slice(&s.authority));
	answered(&a, 200, "localhost");
	ask_secure(&a, &s, "LOCALHOST", buf_slice(&s.authority));
	answered(&a, 200, "localhost");
	/* Addresses are compared with the certificate's, and no name is announced. */
	ask_secure(&a, &s, "127.0.0.1", buf_slice(&s.authority));
	answered(&a, 200, "");
	ask_secure(&a, &s, "127.0.0.2", buf_slice(&s.authority));
	assert_string_equal(a.detail, "the certificate is for another name");
	failed(&a, HTTP_TLS);
	ask_secure(&a, &s, "peer.test", buf_slice(&s.authority));
	assert_string_equal(a.detail, "the certificate is for another name");
	failed(&a, HTTP_TLS);
	ask_secure(&a, &s, "localhost", buf_slice(&other.authority));
	assert_string_equal(a.detail, "the certificate is of no trusted authority");
	failed(&a, HTTP_TLS);
	ask_secure(&a, &s, "localhost", SLICE_LIT(""));
	failed(&a, HTTP_TLS);
	ask_secure(&a, &s, "localhost", SLICE_LIT("no certificate"));
	failed(&a, HTTP_TLS);
	/* Another authority means another connection: the first one is not shared with who does not believe it. */
	ask_secure(&a, &s, "localhost", buf_slice(&s.authority));
	answered(&a, 200, "localhost");
	secure_close(&s);
	secure_close(&other);
}

static void a_peer_without_tls_is_no_peer(void **state)
{
	struct http_call_options o = options("GET");
	struct secure s;
	struct asked a;
	char url[60];

	(void)state;
	secure_open(&s);
	o.ca = buf_slice(&s.authority);
	o.timeout_us = 1000000;
	snprintf(url, sizeof url, "https://127.0.0.1:%u/", peer.port);
	begin(&a, o, url);
	finish_all();
	assert_true(a.failure == HTTP_TLS || a.failure == HTTP_TIMEOUT);
	http_call_free(a.call);
	secure_close(&s);
}

static void an_expired_certificate_is_refused(void **state)
{
	struct secure s;
	struct asked a;

	(void)state;
	secure_open(&s);
	clock_advance(7200);
	ask_secure(&a, &s, "localhost", buf_slice(&s.authority));
	assert_string_equal(a.detail, "the certificate has expired");
	failed(&a, HTTP_TLS);
	secure_close(&s);
}

/* ---- memory ---- */

static void memory_that_runs_out_costs_one_request(void **state)
{
	struct secure s;
	struct asked a;

	(void)state;
	secure_open(&s);
	for (int n = 1; n < 40; n++) {
		fault_arm(FAULT_ALLOC, n, false);
		ask(&a, n % 2 ? "/hello" : "/close");
		http_call_free(a.call);
		fault_arm(FAULT_ALLOC, 0, false);
	}
	for (int n = 1; n < 25; n++) {
		fault_arm(FAULT_ALLOC, n, false);
		ask_secure(&a, &s, n % 2 ? "localhost" : "127.0.0.1", buf_slice(&s.authority));
		http_call_free(a.call);
		fault_arm(FAULT_ALLOC, 0, false);
	}
	ask(&a, "/hello");
	answered(&a, 200, "hello");
	secure_close(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_what_was_asked),
		TEST(what_cannot_be_asked_is_refused),
		TEST(fields_that_frame_are_ours),
		TEST(bad_answers_are_named),
		TEST(connections_are_kept),
		TEST(unasked_answers_are_nobodys),
		TEST(a_dead_connection_costs_one_more_try),
		TEST(retries_are_bounded),
		TEST(many_share_few_connections),
		TEST(many_slow_peers_leave_room),
		TEST(the_queue_has_an_end),
		TEST(a_request_may_be_given_up),
		TEST(every_address_of_a_name_is_judged),
		TEST(a_name_that_turns_round_is_caught),
		TEST(names_are_kept_for_a_minute),
		TEST(slow_names_delay_nobody_else),
		TEST(a_proxy_gets_the_whole_url),
		TEST(certificates_are_verified),
		TEST(a_peer_without_tls_is_no_peer),
		TEST(memory_that_runs_out_costs_one_request),
		TEST(an_expired_certificate_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
