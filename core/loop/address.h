/* address.h: internet addresses: their text, the networks they lie in, and which of them are nobody's business but the
 * machine's own surroundings. */
#pragma once

#include "base/bytes.h"

struct sockaddr;

/* IPv4 or IPv6. */
struct address {
	bool v6;
	unsigned char bytes[16]; /* 4 of them for IPv4 */
};

/* A network: "10.0.0.0/8", or an address alone. */
struct network {
	struct address address;
	unsigned bits;
};

/* Dotted quad with plain decimals, or IPv6 without brackets and zone. */
must_check bool address_parse(struct slice text, struct address *out);
must_check bool network_parse(struct slice text, struct network *out);
bool network_has(const struct network *network, const struct address *address);
bool address_from(const struct sockaddr *from, struct address *out);
/* NUL-terminated text; ADDRESS_TEXT bytes. */
enum { ADDRESS_TEXT = 46 };
void address_text(const struct address *address, char out[static ADDRESS_TEXT]);

/* Whether anybody on the internet may be meant by it. Not: loopback, link-local, private, shared, multicast, unassigned and
 * documentation ranges (RFC 6890), nor an IPv6 address that stands for such an IPv4 address. */
bool address_is_public(const struct address *address);

/* Host names that C libraries read as numbers: "127.1", "0x7f.0.0.1", "2130706433", "0177.0.0.1". The last label decides,
 * as in browsers (WHATWG URL, "ends in a number"). */
bool address_looks_numeric(struct slice host);
