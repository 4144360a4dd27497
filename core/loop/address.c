/* address.c: see address.h. */
#include "loop/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static bool to_text(struct slice s, char out[static ADDRESS_TEXT])
{
	if (s.n == 0 || s.n >= ADDRESS_TEXT || memchr(s.p, 0, s.n))
		return false;
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return true;
}

bool address_parse(struct slice text, struct address *out)
{
	char copy[ADDRESS_TEXT];

	*out = (struct address){0};
	if (!to_text(text, copy))
		return false;
	out->v6 = slice_find(text, ':') < text.n;
	return inet_pton(out->v6 ? AF_INET6 : AF_INET, copy, out->bytes) == 1;
}

bool network_parse(struct slice text, struct network *out)
{
	size_t slash = slice_find(text, '/'), i;
	struct slice bits = slice_sub(text, slash + 1, text.n);
	unsigned most;

	if (!address_parse(slice_sub(text, 0, slash), &out->address))
		return false;
	most = out->address.v6 ? 128 : 32;
	out->bits = slash < text.n ? 0 : most;
	if (slash < text.n && (bits.n == 0 || bits.n > 3))
		return false;
	for (i = 0; i < bits.n; i++) {
		if (bits.p[i] < '0' || bits.p[i] > '9')
			return false;
		out->bits = out->bits * 10 + (unsigned)(bits.p[i] - '0');
	}
	return out->bits <= most;
}

static bool same_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 &&
		(rest == 0 || ((a[whole] ^ b[whole]) & (0xff00 >> rest) & 0xff) == 0);
}

bool network_has(const struct network *network, const struct address *address)
{
	return network->address.v6 == address->v6 &&
		same_bits(network->address.bytes, address->bytes, network->bits);
}

bool address_from(const struct sockaddr *from, struct address *out)
{
	*out = (struct address){.v6 = from->sa_family == AF_INET6};
	if (out->v6)
		memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
	else if (from->sa_family == AF_INET)
		memcpy(out->bytes, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
	else
		return false;
	return true;
}

void address_text(const struct address *address, char out[static ADDRESS_TEXT])
{
	if (!inet_ntop(address->v6 ? AF_INET6 : AF_INET, address->bytes, out, ADDRESS_TEXT))
		out[0] = '\0';
}

struct range {
	unsigned char bytes[16];
	unsigned bits;
};

/* IANA's special-purpose registry for IPv4, and multicast. */
static const struct range v4_ranges[] = {
	{{0}, 8},             /* this network */
	{{10}, 8},            /* private, RFC 1918 */
	{{100, 64}, 10},      /* shared by carriers, RFC 6598 */
	{{127}, 8},           /* loopback */
	{{169, 254}, 16},     /* link-local; cloud metadata */
	{{172, 16}, 12},      /* private */
	{{192, 0, 0}, 24},    /* protocol assignments */
	{{192, 0, 2}, 24},    /* documentation */
	{{192, 88, 99}, 24},  /* 6to4 relays */
	{{192, 168}, 16},     /* private */
	{{198, 18}, 15},      /* benchmarking */
	{{198, 51, 100}, 24}, /* documentation */
	{{203, 0, 113}, 24},  /* documentation */
	{{224}, 3},           /* multicast, reserved, broadcast: 224/4 and 240/4 */
};

/* What of IPv6 is not global unicast is in none of these: only 2000::/3 and NAT64's prefix are looked at. */
static const struct range v6_ranges[] = {
	{{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
	{{0x20, 0x01, 0, 2, 0, 0}, 48}, /* benchmarking */
	{{0x20, 0x01, 0, 0x10}, 28},    /* ORCHID */
	{{0x20, 0x01, 0, 0x20}, 28},    /* ORCHIDv2: names of hosts, not places */
	{{0x3f, 0xff}, 20},             /* documentation, RFC 9637 */
};

static bool in_ranges(const unsigned char *bytes, const struct range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (same_bits(bytes, ranges[i].bytes, ranges[i].bits))
			return true;
	return false;
}

static bool v4_is_public(const unsigned char bytes[static 4])
{
	return !in_ranges(bytes, v4_ranges, ARRAY_LEN(v4_ranges));
}

static bool v6_is_public(const unsigned char *b)
{
	static const unsigned char nat64[12] = {0, 0x64, 0xff, 0x9b};
	static const unsigned char teredo[4] = {0x20, 0x01};
	unsigned char hidden[4];

	/* RFC 6052: the IPv4 address that the translator goes to. */
	if (memcmp(b, nat64, sizeof nat64) == 0)
		return v4_is_public(b + 12);
	/* Unspecified, loopback, v4-mapped and v4-compatible, unique local, link-local, site-local, multicast: not 2000::/3. */
	if ((b[0] & 0xe0) != 0x20)
		return false;
	/* RFC 3056: 6to4 carries the gateway's IPv4 address. */
	if (b[0] == 0x20 && b[1] == 0x02)
		return v4_is_public(b + 2);
	/* RFC 4380: Teredo carries the server's, and the client's with its bits turned over. */
	if (memcmp(b, teredo, sizeof teredo) == 0) {
		for (int i = 0; i < 4; i++)
			hidden[i] = (unsigned char)~b[12 + i];
		return v4_is_public(b + 4) && v4_is_public(hidden);
	}
	return !in_ranges(b, v6_ranges, ARRAY_LEN(v6_ranges));
}

bool address_is_public(const struct address *address)
{
	return address->v6 ? v6_is_public(address->bytes) : v4_is_public(address->bytes);
}

static bool digits_from(struct slice s, size_t from, bool hex)
{
	for (size_t i = from; i < s.n; i++) {
		unsigned char c = s.p[i] | 0x20;

		if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(hex && c >= 'a' && c <= 'f'))
			return false;
	}
	return true;
}

bool address_looks_numeric(struct slice host)
{
	struct slice last = host;
	size_t dot;

	if (host.n > 0 && host.p[host.n - 1] == '.')
		last = slice_sub(host, 0, host.n - 1);
	while ((dot = slice_find(last, '.')) < last.n)
		last = slice_sub(last, dot + 1, last.n);
	if (last.n == 0)
		return true;
	if (last.n >= 2 && last.p[0] == '0' && (last.p[1] | 0x20) == 'x')
		return digits_from(last, 2, true);
	return digits_from(last, 0, false);
}
