/* bytes_test.c: slices, readers, the buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/fault.h"
#include "base/secret.h"

static void slices_are_cut_to_what_exists(void **state)
{
	struct slice s = SLICE_LIT("hello");

	(void)state;
	assert_true(slice_eq(slice_sub(s, 1, 3), SLICE_LIT("ell")));
	assert_true(slice_eq(slice_sub(s, 3, SIZE_MAX), SLICE_LIT("lo")));
	assert_int_equal(slice_sub(s, 9, 1).n, 0);
	assert_int_equal(slice_sub((struct slice){0}, 1, 1).n, 0);
	assert_int_equal(slice_find(s, 'l'), 2);
	assert_int_equal(slice_find(s, 'x'), 5);
	assert_int_equal(slice_find((struct slice){0}, 0), 0);
	assert_true(slice_has_prefix(s, SLICE_LIT("")));
	assert_true(slice_has_prefix(s, SLICE_LIT("he")));
	assert_false(slice_has_prefix(s, SLICE_LIT("hello!")));
	assert_true(slice_eq_nocase(SLICE_LIT("aZ[\xe4"), SLICE_LIT("Az[\xe4")));
	assert_false(slice_eq_nocase(SLICE_LIT("["), SLICE_LIT("{")));
}

static void a_reader_takes_all_or_nothing(void **state)
{
	static const unsigned char bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
	struct slice s = slice_of(bytes, sizeof(bytes)), part;
	uint8_t a;
	uint32_t b;
	uint64_t c;

	(void)state;
	assert_true(read_u8(&s, &a) && a == 1);
	assert_true(read_u32(&s, &b) && b == 0x02030405);
	assert_true(read_u64(&s, &c) && c == 0x060708090a0b0c0d);
	assert_false(read_u32(&s, &b));
	assert_false(read_bytes(&s, 2, &part));
	assert_int_equal(s.n, 1);
	assert_true(read_bytes(&s, 1, &part) && part.p[0] == 14);
	assert_false(read_u8(&s, &a));
	assert_true(read_bytes(&s, 0, &part));
}

static void a_buffer_grows_to_its_cap(void **state)
{
	struct buf b = {.max = 100};

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_true(buf_add_u8(&b, (uint8_t)i));
	assert_false(buf_add_u8(&b, 0));
	assert_true(b.failed);
	assert_false(buf_add(&b, "", 0));
	assert_int_equal(b.n, 100);
	buf_clear(&b);
	assert_true(buf_add_str(&b, "x"));
	assert_false(buf_reserve(&b, SIZE_MAX));
	buf_free(&b);
	assert_null(b.p);
	buf_free(&b);
}

static void a_buffer_writes_numbers_and_text(void **state)
{
	struct buf b = {0};
	struct slice s;
	uint32_t u;
	uint64_t v;

	(void)state;
	buf_add_u32(&b, 0xfedcba98);
	buf_add_u64(&b, 0x0123456789abcdef);
	assert_true(buf_printf(&b, "%s-%d",
		"a long enough text to make the buffer grow beyond its first cells", 42));
	s = buf_slice(&b);
	assert_true(read_u32(&s, &u) && u == 0xfedcba98);
	assert_true(read_u64(&s, &v) && v == 0x0123456789abcdef);
	assert_true(slice_eq(slice_sub(s, s.n - 3, 3), SLICE_LIT("-42")));
	buf_drain(&b, 12);
	assert_true(slice_has_prefix(buf_slice(&b), SLICE_LIT("a long")));
	buf_drain(&b, 1000);
	assert_int_equal(b.n, 0);
	buf_wipe(&b);
}

static void out_of_memory_is_remembered(void **state)
{
	struct buf b = {0};

	(void)state;
	fault_arm(FAULT_ALLOC, 2, false);
	assert_true(buf_add_str(&b, "fits"));
	assert_false(buf_reserve(&b, 1000));
	assert_true(b.failed);
	assert_true(slice_eq(buf_slice(&b), SLICE_LIT("fits")));
	assert_false(buf_add_str(&b, "x"));
	buf_free(&b);
}

static void secrets_are_compared_whole(void **state)
{
	unsigned char a[32], b[32];

	(void)state;
	random_bytes(a, sizeof(a));
	memcpy(b, a, sizeof(a));
	assert_true(secret_eq(slice_of(a, 32), slice_of(b, 32)));
	b[31] ^= 1;
	assert_false(secret_eq(slice_of(a, 32), slice_of(b, 32)));
	assert_false(secret_eq(slice_of(a, 32), slice_of(a, 31)));
	assert_true(secret_eq((struct slice){0}, (struct slice){0}));
	secret_wipe(a, sizeof(a));
	for (size_t i = 0; i < sizeof(a); i++)
		assert_int_equal(a[i], 0);
}

static void every_status_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i <= ST_REFUSED; i++)
		assert_string_not_equal(st_name((enum st)i), "unknown");
	for (int i = 0; i < COUNT_MAX; i++)
		assert_string_not_equal(count_name((enum counter)i), "unnamed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_are_cut_to_what_exists),
		cmocka_unit_test(a_reader_takes_all_or_nothing),
		cmocka_unit_test(a_buffer_grows_to_its_cap),
		cmocka_unit_test(a_buffer_writes_numbers_and_text),
		cmocka_unit_test(out_of_memory_is_remembered),
		cmocka_unit_test(secrets_are_compared_whole),
		cmocka_unit_test(every_status_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
