/* address_test.c: which addresses are on the internet, in every disguise that security reports know; which hosts are numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "loop/address.h"

static struct address parsed(const char *text)
{
	struct address a;

	if (!address_parse(slice_str(text), &a))
		fail_msg("no address: %s", text);
	return a;
}

static void private_addresses_are_not_on_the_internet(void **state)
{
	static const char *const texts[] = {
		/* this network, loopback, private, shared, link-local (cloud metadata) */
		"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "10.0.0.0", "10.255.255.255",
		"172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "100.64.0.1",
		"100.127.255.255", "169.254.169.254", "169.254.0.1",
		/* protocol assignments, documentation, benchmarking, 6to4 relays, multicast, reserved, broadcast */
		"192.0.0.1", "192.0.0.170", "192.0.2.1", "198.51.100.7", "203.0.113.9",
		"198.18.0.1", "198.19.255.255", "192.88.99.1", "224.0.0.1", "239.255.255.255",
		"240.0.0.1", "255.255.255.255",
		/* unspecified, loopback, mapped, compatible, translated */
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::7f00:1",
		"::10.0.0.1", "::ffff:0:127.0.0.1",
		/* unique local, link-local, site-local, multicast, discard */
		"fc00::1", "fd12:3456:789a::1", "fe80::1", "febf::1", "fec0::1", "ff02::1",
		"ff0e::1", "100::1",
		/* NAT64, 6to4 and Teredo of private addresses; local NAT64 */
		"64:ff9b::127.0.0.1", "64:ff9b::10.1.2.3", "64:ff9b::a9fe:a9fe",
		"64:ff9b:1::8.8.8.8", "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::1",
		"2001:0:7f00:1::1", "2001:0:808:808:0:0:80ff:fffe", "2001:0:808:808:0:0:f5ff:fffe",
		"2001:0:a00:1:0:0:f7f7:f7f7",
		/* documentation, benchmarking, ORCHID */
		"2001:db8::1", "2001:db8:ffff::1", "3fff::1", "3fff:fff::1", "2001:2::1",
		"2001:10::1", "2001:20::1",
		/* not given out */
		"4000::1", "8000::1", "e000::1", "1::1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct address a = parsed(texts[i]);

		if (address_is_public(&a))
			fail_msg("%s is taken for public", texts[i]);
	}
}

static void others_are(void **state)
{
	static const char *const texts[] = {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1",
		"100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.255.255",
		"169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.0.3.1",
		"192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255",
		"203.0.112.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1",
		"2001:4860:4860::8888", "64:ff9b::8.8.8.8", "2002:808:808::1",
		"2001:0:808:808:0:0:f7f7:f7f7", "3ffe::1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct address a = parsed(texts[i]);

		if (!address_is_public(&a))
			fail_msg("%s is taken for private", texts[i]);
	}
}

static void only_one_way_to_write_an_address(void **state)
{
	static const char *const bad[] = {"", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4",
		"0177.0.0.1", "0x7f.0.0.1", "127.1", "2130706433", "1.2.3.4 ", " 1.2.3.4",
		"1.2.3.4.", ":::", "1::2::3", "fe80::1%eth0", "[::1]", "::1/128", "localhost",
		"12345::", "1.2.3.4:80"};
	struct address a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (address_parse(slice_str(bad[i]), &a))
			fail_msg("\"%s\" is taken for an address", bad[i]);
	assert_false(address_parse(slice_of("1.2.3.4\0", 8), &a));
	assert_true(address_parse(slice_str("::FFFF:1.2.3.4"), &a));
	assert_true(a.v6);
}

static void hosts_that_are_numbers_are_known(void **state)
{
	static const char *const numbers[] = {"127.1", "127.0.1", "0x7f.1", "0x7f.0.0.1",
		"0X7F000001", "2130706433", "0177.0.0.1", "017700000001", "127.0.0.0x1", "127.0.0.1.",
		"1.2.3.4", "example.0x7f", "example.1", "a.b.08", "0x", "a.0x", "1.", ""};
	static const char *const names[] = {"example.org", "0x7f.org", "127.0.0.1.nip.io",
		"1e100.net", "0xgg", "a1", "1a", "x0x1", "123.example", "example.0x7g"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (!address_looks_numeric(slice_str(numbers[i])))
			fail_msg("\"%s\" is no number", numbers[i]);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (address_looks_numeric(slice_str(names[i])))
			fail_msg("\"%s\" is a number", names[i]);
}

static void networks_have_their_addresses(void **state)
{
	static const struct {
		const char *network, *address;
		bool within;
	} rows[] = {{"10.0.0.0/8", "10.1.2.3", true}, {"10.0.0.0/8", "11.0.0.0", false},
		{"127.0.0.1", "127.0.0.1", true}, {"127.0.0.1", "127.0.0.2", false},
		{"0.0.0.0/0", "8.8.8.8", true}, {"192.168.4.0/22", "192.168.7.255", true},
		{"192.168.4.0/22", "192.168.8.0", false}, {"fd00::/8", "fdff::1", true},
		{"fd00::/8", "fc00::1", false}, {"::1", "::1", true}, {"::1/128", "::", false},
		{"::/0", "::1", true}, {"0.0.0.0/0", "::1", false}, {"::/0", "1.2.3.4", false},
		{"2001:db8::/33", "2001:db8:8000::", false}};
	static const char *const bad[] = {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/-1",
		"::1/129", "::1/0128", "/8", "10/8", "10.0.0.0/8/8", "localhost", ""};
	struct network n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct address a = parsed(rows[i].address);

		assert_true(network_parse(slice_str(rows[i].network), &n));
		if (network_has(&n, &a) != rows[i].within)
			fail_msg("%s and %s", rows[i].network, rows[i].address);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (network_parse(slice_str(bad[i]), &n))
			fail_msg("\"%s\" is taken for a network", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(private_addresses_are_not_on_the_internet),
		cmocka_unit_test(others_are),
		cmocka_unit_test(only_one_way_to_write_an_address),
		cmocka_unit_test(hosts_that_are_numbers_are_known),
		cmocka_unit_test(networks_have_their_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
