/* stream_test.c: plain and TLS streams against a blocking peer on a thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/loop.h"
#include "net/stream.h"
#include "tls_fixture.h"

/* Our side: what happened so far, and what to do when bytes come. */
struct side {
	struct stream *stream;
	size_t received, readable, drained;
	bool ended, closed;
	enum st why;
	void (*on_bytes)(struct side *side);
};

static struct timer guard;
static int near_fd, far_fd;
static pthread_t peer;
static struct tls_config *config;
static mbedtls_ssl_session session; /* what the client may resume */

static void too_late(struct timer *t)
{
	(void)t;
	fail_msg("nothing happened for ten seconds");
}

static void readable(struct stream *s, void *arg)
{
	struct side *side = arg;

	side->readable++;
	if (side->on_bytes)
		side->on_bytes(side);
	if (stream_at_end(s)) {
		side->ended = true;
		loop_stop();
	}
}

static void drained(struct stream *s, void *arg)
{
	struct side *side = arg;

	assert_int_equal(stream_pending(s), 0);
	side->drained++;
}

static void closed(struct stream *s, void *arg, enum st why)
{
	struct side *side = arg;

	assert_ptr_equal(s, side->stream);
	side->closed = true;
	side->why = why;
	loop_stop();
}

static const struct stream_events events = {readable, drained, closed};

static void take_all(struct side *side)
{
	struct evbuffer *in = stream_input(side->stream);

	side->received += evbuffer_get_length(in);
	assert_int_equal(evbuffer_drain(in, evbuffer_get_length(in)), 0);
	stream_read_pause(side->stream, false);
}

static void echo(struct side *side)
{
	struct evbuffer *in = stream_input(side->stream);
	unsigned char piece[5000];
	int n;

	while ((n = evbuffer_remove(in, piece, sizeof piece)) > 0) {
		side->received += (size_t)n;
		assert_int_equal(stream_write(side->stream, slice_of(piece, (size_t)n)), ST_OK);
		/* Flushing often, while earlier output may be stuck: what the retry rule is about. */
		assert_int_equal(stream_flush(side->stream), ST_OK);
	}
	stream_read_pause(side->stream, false);
}

static int set_up(void **state)
{
	int ends[2], small = 4096;

	(void)state;
	mbedtls_ssl_session_init(&session);
	if (loop_open() != ST_OK || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return -1;
	near_fd = ends[0];
	far_fd = ends[1];
	(void)setsockopt(near_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	if (fcntl(near_fd, F_SETFL, O_NONBLOCK) != 0)
		return -1;
	return timer_start(&guard, 10000000, too_late) == ST_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	timer_free(&guard);
	tls_config_unref(config);
	config = NULL;
	mbedtls_ssl_session_free(&session);
	loop_close();
	return 0;
}

static void open_side(struct side *side, struct tls_config *tls, void (*on_bytes)(struct side *))
{
	*side = (struct side){.on_bytes = on_bytes};
	side->stream = stream_accept(near_fd, tls, &events, side);
	assert_non_null(side->stream);
}

static void start_peer(void *(*run)(void *))
{
	assert_int_equal(pthread_create(&peer, NULL, run, NULL), 0);
}

static void finish(struct side *side)
{
	stream_close(side->stream, true);
	pthread_join(peer, NULL);
}

/* ---- plain ---- */

static unsigned char bytes_out[1 << 20], bytes_back[1 << 20];

static void fill_bytes(void)
{
	size_t i;

	for (i = 0; i < sizeof bytes_out; i++)
		bytes_out[i] = (unsigned char)(i * 7 + i / 251);
	memset(bytes_back, 0, sizeof bytes_back);
}

static void *plain_sender(void *arg)
{
	size_t at = 0;

	while (at < sizeof bytes_out) {
		ssize_t n = write(far_fd, bytes_out + at, sizeof bytes_out - at);

		if (n <= 0)
			break;
		at += (size_t)n;
	}
	(void)shutdown(far_fd, SHUT_WR);
	return arg;
}

static void *plain_talker(void *arg)
{
	pthread_t sender;
	size_t at = 0;
	ssize_t n;

	(void)pthread_create(&sender, NULL, plain_sender, NULL);
	while ((n = read(far_fd, bytes_back + at, sizeof bytes_back - at)) > 0)
		at += (size_t)n;
	pthread_join(sender, NULL);
	close(far_fd);
	return arg;
}

static void all_bytes_pass_both_ways(void **state)
{
	struct side side;

	(void)state;
	fill_bytes();
	open_side(&side, NULL, echo);
	start_peer(plain_talker);
	loop_run();
	assert_true(side.ended);
	assert_int_equal(side.received, sizeof bytes_out);
	while (stream_pending(side.stream) > 0) {
		assert_int_equal(stream_flush(side.stream), ST_OK);
		usleep(100);
	}
	finish(&side);
	assert_memory_equal(bytes_out, bytes_back, sizeof bytes_out);
}

static void *plain_reader(void *arg)
{
	size_t at = 0;
	ssize_t n;

	usleep(20000);
	while ((n = read(far_fd, bytes_back + at, sizeof bytes_back - at)) > 0)
		at += (size_t)n;
	close(far_fd);
	return arg;
}

static void what_the_kernel_does_not_take_follows_and_then_the_end(void **state)
{
	struct side side;
	struct slice pieces[] = {
		{bytes_out, 10}, {bytes_out + 10, 0}, {bytes_out + 10, sizeof bytes_out - 10}};

	(void)state;
	fill_bytes();
	open_side(&side, NULL, NULL);
	start_peer(plain_reader);
	assert_int_equal(stream_send(side.stream, pieces, ARRAY_LEN(pieces)), ST_OK);
	assert_true(stream_pending(side.stream) > 0);
	stream_shutdown(side.stream);
	assert_int_equal(stream_write(side.stream, SLICE_LIT("x")), ST_CLOSED);
	loop_run();
	assert_int_equal(side.drained, 1);
	finish(&side);
	assert_memory_equal(bytes_out, bytes_back, sizeof bytes_out);
}

static void check_water(struct timer *t)
{
	(void)t;
	loop_stop();
}

static void reading_stops_at_the_high_water_mark(void **state)
{
	struct timer soon = {0};
	struct side side;
	size_t stood;

	(void)state;
	fill_bytes();
	open_side(&side, NULL, NULL);
	start_peer(plain_sender);
	assert_int_equal(timer_start(&soon, 50000, check_water), ST_OK);
	loop_run();
	stood = evbuffer_get_length(stream_input(side.stream));
	assert_in_range(stood, 64 * 1024, 96 * 1024);
	assert_false(side.ended);
	side.on_bytes = take_all;
	take_all(&side);
	loop_run();
	assert_true(side.ended);
	assert_int_equal(side.received, sizeof bytes_out);
	timer_free(&soon);
	finish(&side);
	close(far_fd);
}

static void no_callback_comes_after_close(void **state)
{
	struct timer soon = {0};
	struct side side;

	(void)state;
	open_side(&side, NULL, take_all);
	assert_int_equal(write(far_fd, "x", 1), 1);
	stream_close(side.stream, false);
	assert_int_equal(timer_start(&soon, 10000, check_water), ST_OK);
	loop_run();
	assert_int_equal(side.readable, 0);
	timer_free(&soon);
	close(far_fd);
}

/* ---- TLS ---- */

static struct tls_client_wants wants;
static int client_result;
static bool client_shown;
static char client_saw[64], client_alpn[16];
static size_t client_bytes;

/* Says client_bytes, reads as many, ends. Writing and reading take turns, as the library wants. */
static void *tls_talker(void *arg)
{
	struct tls_client client;
	size_t at;

	client_result = tls_client_open(&client, far_fd, &wants);
	if (client_result == 0) {
		struct slice name = tls_client_saw(&client);

		client_shown = client.shown;
		snprintf(client_saw, sizeof client_saw, "%.*s", (int)name.n, (const char *)name.p);
		if (mbedtls_ssl_get_alpn_protocol(&client.ssl))
			snprintf(client_alpn, sizeof client_alpn, "%s",
				mbedtls_ssl_get_alpn_protocol(&client.ssl));
		for (at = 0; at < client_bytes; at += 16384) {
			struct slice piece = slice_sub(slice_of(bytes_out, client_bytes), at, 16384);

			if (!tls_client_send(&client, piece))
				break;
			client_result = tls_client_receive(&client, bytes_back + at, piece.n) ==
					piece.n
				? 0
				: -1;
		}
		mbedtls_ssl_session_free(&session);
		(void)mbedtls_ssl_get_session(&client.ssl, &session);
	}
	tls_client_close(&client);
	return arg;
}

static void talk(struct tls_config *c, struct side *side, size_t bytes)
{
	fill_bytes();
	client_bytes = bytes;
	client_saw[0] = client_alpn[0] = '\0';
	open_side(side, c, echo);
	start_peer(tls_talker);
	loop_run();
}

static struct tls_config *example(void)
{
	static const char *const names[] = {"example.org", "localhost"};

	config = tls_fixture(names, 2);
	return config;
}

static void speaks(int version, const char *name)
{
	struct side side;

	wants = (struct tls_client_wants){.version = version, .sni = "Example.ORG", .alpn = "http/1.1"};
	talk(example(), &side, sizeof bytes_out);
	assert_true(side.ended);
	assert_string_equal(stream_tls_version(side.stream), name);
	assert_string_equal(stream_sni(side.stream), "example.org");
	assert_true(stream_is_secure(side.stream) && stream_handshaken(side.stream));
	finish(&side);
	assert_int_equal(client_result, 0);
	assert_string_equal(client_alpn, "http/1.1");
	assert_int_equal(side.received, sizeof bytes_out);
	assert_memory_equal(bytes_out, bytes_back, sizeof bytes_out);
}

static void tls_1_2_carries_bytes_both_ways(void **state)
{
	(void)state;
	speaks(MBEDTLS_SSL_VERSION_TLS1_2, "TLSv1.2");
}

static void tls_1_3_carries_bytes_both_ways(void **state)
{
	(void)state;
	speaks(MBEDTLS_SSL_VERSION_TLS1_3, "TLSv1.3");
}

/* More answer than the socket takes, appended to while an earlier part is stuck. */
static void *slow_tls_reader(void *arg)
{
	struct tls_client client;

	client_result = tls_client_open(&client, far_fd, &wants);
	if (client_result == 0) {
		(void)tls_client_send(&client, SLICE_LIT("go"));
		usleep(20000);
		client_result = tls_client_receive(&client, bytes_back, sizeof bytes_back) ==
				sizeof bytes_back
			? 0
			: -1;
	}
	tls_client_close(&client);
	return arg;
}

static void answer_in_pieces(struct side *side)
{
	size_t at = 0, n;

	if (side->received > 0)
		return;
	take_all(side);
	for (n = 1; at < sizeof bytes_out; at += n, n = n * 3 % 20011 + 1) {
		struct slice piece = slice_sub(slice_of(bytes_out, sizeof bytes_out), at, n);

		assert_int_equal(stream_send(side->stream, &piece, 1), ST_OK);
	}
	assert_true(stream_pending(side->stream) > 0);
}

static void growing_output_is_not_lost_when_a_write_is_repeated(void **state)
{
	static const int versions[] = {MBEDTLS_SSL_VERSION_TLS1_2, MBEDTLS_SSL_VERSION_TLS1_3};
	size_t i = *state ? 1 : 0;
	struct side side;

	fill_bytes();
	wants = (struct tls_client_wants){.version = versions[i]};
	open_side(&side, example(), answer_in_pieces);
	start_peer(slow_tls_reader);
	loop_run();
	assert_true(side.ended);
	assert_int_equal(side.drained, 1);
	finish(&side);
	assert_int_equal(client_result, 0);
	assert_memory_equal(bytes_out, bytes_back, sizeof bytes_out);
}

static void *many_records(void *arg)
{
	struct tls_client client;
	int i;

	client_result = tls_client_open(&client, far_fd, &wants);
	for (i = 0; client_result == 0 && i < 3000; i++)
		if (!tls_client_send(&client, SLICE_LIT("0123456789012345678901234567890123456789")))
			client_result = -1;
	tls_client_close(&client);
	return arg;
}

static void records_that_come_together_all_arrive(void **state)
{
	struct side side;

	(void)state;
	wants = (struct tls_client_wants){0};
	open_side(&side, example(), take_all);
	start_peer(many_records);
	loop_run();
	assert_true(side.ended);
	assert_int_equal(side.received, 3000 * 40);
	finish(&side);
	assert_int_equal(client_result, 0);
}

static struct stream *watched;

static void until_high_water(struct timer *t)
{
	if (evbuffer_get_length(stream_input(watched)) >= 64 * 1024)
		loop_stop();
	else
		assert_int_equal(timer_start(t, 5000, until_high_water), ST_OK);
}

static void records_read_ahead_survive_a_pause(void **state)
{
	struct timer soon = {0};
	struct side side;

	(void)state;
	wants = (struct tls_client_wants){0};
	open_side(&side, example(), NULL);
	start_peer(many_records);
	watched = side.stream;
	assert_int_equal(timer_start(&soon, 5000, until_high_water), ST_OK);
	loop_run();
	assert_false(side.ended);
	assert_in_range(evbuffer_get_length(stream_input(side.stream)), 64 * 1024, 96 * 1024);
	side.on_bytes = take_all;
	take_all(&side);
	loop_run();
	assert_true(side.ended);
	assert_int_equal(side.received, 3000 * 40);
	timer_free(&soon);
	finish(&side);
}

static void a_name_picks_its_certificate(void **state)
{
	static const struct {
		const char *sni, *saw, *told;
	} rows[] = {
		{"example.org", "example.org", "example.org"},
		{"A.WILD.example", "wild.example", "a.wild.example"},
		{"exact.wild.example", "exact.wild.example", "exact.wild.example"},
		{"a.b.wild.example", "example.org", "a.b.wild.example"},
		{"wild.example", "example.org", "wild.example"},
		{"unknown.example", "example.org", "unknown.example"},
		{NULL, "example.org", ""},
	};
	static const char *const wild[] = {"*.wild.example"}, *const exact[] = {"exact.wild.example"};
	struct tls_config *c = example();
	size_t i;

	(void)state;
	tls_fixture_add(c, wild, 1);
	tls_fixture_add(c, exact, 1);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct side side;
		int ends[2];

		if (i > 0) {
			assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
			near_fd = ends[0];
			far_fd = ends[1];
			assert_int_equal(fcntl(far_fd, F_SETFL, 0), 0);
		}
		wants = (struct tls_client_wants){.sni = rows[i].sni};
		talk(c, &side, 1);
		assert_string_equal(stream_sni(side.stream), rows[i].told);
		finish(&side);
		assert_int_equal(client_result, 0);
		assert_string_equal(client_saw, rows[i].saw);
	}
}

static void resumes(int version)
{
	struct tls_config *c = example();
	struct side side;
	int ends[2], round;

	for (round = 0; round < 2; round++) {
		if (round > 0) {
			assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
			near_fd = ends[0];
			far_fd = ends[1];
			assert_int_equal(fcntl(far_fd, F_SETFL, 0), 0);
		}
		wants = (struct tls_client_wants){
			.version = version, .sni = "localhost", .resume = round ? &session : NULL};
		talk(c, &side, 1);
		finish(&side);
		assert_int_equal(client_result, 0);
		assert_int_equal(client_shown, round == 0);
	}
}

static void tls_1_2_sessions_resume_by_ticket(void **state)
{
	(void)state;
	resumes(MBEDTLS_SSL_VERSION_TLS1_2);
}

static void tls_1_3_sessions_resume_by_ticket(void **state)
{
	(void)state;
	resumes(MBEDTLS_SSL_VERSION_TLS1_3);
}

static void is_refused(const struct tls_client_wants *offer)
{
	struct side side;

	wants = *offer;
	talk(example(), &side, 1);
	assert_true(side.closed);
	assert_false(stream_handshaken(side.stream));
	finish(&side);
	assert_int_not_equal(client_result, 0);
}

static void a_client_of_other_protocols_is_refused(void **state)
{
	(void)state;
	is_refused(&(struct tls_client_wants){.alpn = "h2"});
}

static void a_client_that_offers_no_protocol_is_served(void **state)
{
	struct side side;

	(void)state;
	wants = (struct tls_client_wants){.sni = "localhost"};
	talk(example(), &side, 10);
	finish(&side);
	assert_int_equal(client_result, 0);
	assert_string_equal(client_alpn, "");
}

static void *garbage(void *arg)
{
	char ignored[64];

	(void)write(far_fd, "\x16\x03\x01\x00\x05hello and more", 20);
	while (read(far_fd, ignored, sizeof ignored) > 0)
		;
	close(far_fd);
	return arg;
}

static void garbage_ends_the_handshake(void **state)
{
	struct side side;

	(void)state;
	open_side(&side, example(), take_all);
	start_peer(garbage);
	loop_run();
	assert_true(side.closed);
	assert_int_equal(side.why, ST_BAD);
	finish(&side);
	assert_int_equal(side.received, 0);
}

static void *leaves_in_the_handshake(void *arg)
{
	(void)write(far_fd, "\x16\x03\x01", 3);
	close(far_fd);
	return arg;
}

static void leaving_in_the_handshake_is_noticed(void **state)
{
	struct side side;

	(void)state;
	open_side(&side, example(), take_all);
	start_peer(leaves_in_the_handshake);
	loop_run();
	assert_true(side.closed);
	finish(&side);
}

static void bad_certificates_are_explained(void **state)
{
	static const char *const names[] = {"a"};
	struct tls_config *c = tls_config_new();
	char error[100];

	(void)state;
	assert_int_equal(tls_config_add(c, SLICE_LIT("junk"), SLICE_LIT("junk"), names, 1, error,
				 sizeof error),
		ST_BAD);
	assert_non_null(strstr(error, "certificate"));
	tls_config_unref(tls_config_ref(c));
	tls_config_unref(c);
}

static void configuration_outlives_its_owner(void **state)
{
	struct side side;

	(void)state;
	wants = (struct tls_client_wants){0};
	fill_bytes();
	client_bytes = 100;
	open_side(&side, example(), echo);
	tls_config_unref(config);
	config = NULL;
	start_peer(tls_talker);
	loop_run();
	finish(&side);
	assert_int_equal(client_result, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static int second = 1;
	const struct CMUnitTest tests[] = {
		TEST(all_bytes_pass_both_ways),
		TEST(what_the_kernel_does_not_take_follows_and_then_the_end),
		TEST(reading_stops_at_the_high_water_mark),
		TEST(no_callback_comes_after_close),
		TEST(tls_1_2_carries_bytes_both_ways),
		TEST(tls_1_3_carries_bytes_both_ways),
		TEST(growing_output_is_not_lost_when_a_write_is_repeated),
		{"growing_output_is_not_lost_when_a_write_is_repeated_1_3",
			growing_output_is_not_lost_when_a_write_is_repeated, set_up, tear_down,
			&second},
		TEST(records_that_come_together_all_arrive),
		TEST(records_read_ahead_survive_a_pause),
		TEST(a_name_picks_its_certificate),
		TEST(tls_1_2_sessions_resume_by_ticket),
		TEST(tls_1_3_sessions_resume_by_ticket),
		TEST(a_client_of_other_protocols_is_refused),
		TEST(a_client_that_offers_no_protocol_is_served),
		TEST(garbage_ends_the_handshake),
		TEST(leaving_in_the_handshake_is_noticed),
		TEST(bad_certificates_are_explained),
		TEST(configuration_outlives_its_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
