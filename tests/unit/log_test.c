/* log_test.c: a record is one line, whatever is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/log.h"

#include <unistd.h>

static int pipes[2], stderr_copy;

static int setup(void **state)
{
	(void)state;
	log_flush();
	stderr_copy = dup(STDERR_FILENO);
	return pipe(pipes) || dup2(pipes[1], STDERR_FILENO) < 0;
}

static int teardown(void **state)
{
	(void)state;
	log_flush();
	dup2(stderr_copy, STDERR_FILENO);
	close(stderr_copy);
	close(pipes[0]);
	close(pipes[1]);
	log_set_level(LOG_INFO);
	return 0;
}

/* What was written, NUL-terminated; "" when nothing. */
static const char *written(void)
{
	static char text[70000];
	ssize_t n;

	if (write(pipes[1], "", 1) != 1)
		abort();
	n = read(pipes[0], text, sizeof(text));
	assert_true(n > 0);
	return text;
}

static void a_record_has_time_and_level(void **state)
{
	const char *text;

	(void)state;
	log_line(LOG_INFO, "started port=%d", 8443);
	log_flush();
	text = written();
	assert_int_equal(text[4], '-');
	assert_int_equal(text[10], 'T');
	assert_string_equal(text + 23, "Z info started port=8443\n");
}

static void nobody_can_forge_a_line(void **state)
{
	const char *text;

	(void)state;
	log_slice(LOG_WARN,
		slice_of("a\nb\rc\0d\x1b[31m\x7f\xff\xc2\x85\xe2\x80\xa8\xe2\x80\xaeg\xc3\xa9", 25));
	text = written();
	assert_string_equal(
		text + 24, " warn a\\nb\\rc\\x00d\\x1b[31m\\x7f\\xff\\xc2\\x85\\xe2\\x80\\xa8\\xe2\\x80\\xaeg\xc3\xa9\n");
}

static void quoted_values_stay_inside_their_quotes(void **state)
{
	struct buf out = {0};
	const char *text;

	(void)state;
	buf_add_str(&out, "sign-in user=");
	log_quote(&out, SLICE_LIT("al\" admin=\"\\yes\n"));
	log_slice(LOG_ERROR, buf_slice(&out));
	buf_free(&out);
	text = written();
	assert_string_equal(text + 24, " error sign-in user=\"al\\\" admin=\\\"\\\\yes\\n\"\n");
}

static void a_warning_is_written_at_once_the_rest_at_the_end_of_the_turn(void **state)
{
	(void)state;
	log_line(LOG_INFO, "one");
	assert_string_equal(written(), "");
	log_line(LOG_WARN, "two");
	assert_non_null(strstr(written(), "one\n"));
	log_line(LOG_DEBUG, "never");
	log_flush();
	assert_string_equal(written(), "");
	log_set_level(LOG_DEBUG);
	log_line(LOG_DEBUG, "now");
	log_flush();
	assert_non_null(strstr(written(), " debug now\n"));
}

static void a_long_record_is_cut(void **state)
{
	static unsigned char text[100000];
	const char *got;

	(void)state;
	memset(text, 0xff, sizeof(text));
	log_slice(LOG_WARN, slice_of(text, sizeof(text)));
	got = written();
	assert_in_range(strlen(got), 8000, 8300);
	assert_string_equal(got + strlen(got) - 4, "...\n");
}

static void many_records_are_kept_in_order(void **state)
{
	const char *text;

	(void)state;
	for (int i = 0; i < 500; i++)
		log_line(LOG_INFO, "record %d", i);
	log_flush();
	text = written();
	for (int i = 0; i < 500; i++) {
		char want[32];

		snprintf(want, sizeof(want), "record %d\n", i);
		text = strstr(text, want);
		assert_non_null(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_record_has_time_and_level, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_can_forge_a_line, setup, teardown),
		cmocka_unit_test_setup_teardown(quoted_values_stay_inside_their_quotes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_warning_is_written_at_once_the_rest_at_the_end_of_the_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(a_long_record_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(many_records_are_kept_in_order, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
