/* codec.c: base64, base64url, hex, UTF-8, percent encoding, the Cookie field. */
#include "base/codec.h"

static const char alphabet_url[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char alphabet_mime[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static enum st added(const struct buf *out)
{
	return out->failed ? ST_NOMEM : ST_OK;
}

static int sextet(unsigned char c, const char *alphabet)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (unsigned char)alphabet[62])
		return 62;
	return c == (unsigned char)alphabet[63] ? 63 : -1;
}

/* text carries no padding. Appends nothing when it fails. */
static enum st decode64(struct slice text, const char *alphabet, struct buf *out)
{
	uint32_t bits = 0;
	unsigned held = 0;
	size_t start = out->n;

	if (text.n % 4 == 1)
		return ST_BAD;
	if (!buf_reserve(out, text.n / 4 * 3 + 2))
		return ST_NOMEM;
	for (size_t i = 0; i < text.n; i++) {
		int v = sextet(text.p[i], alphabet);

		if (v < 0) {
			out->n = start;
			return ST_BAD;
		}
		bits = (bits << 6 | (uint32_t)v) & 0xffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out->p[out->n++] = (uint8_t)(bits >> held); /* there is room: reserved above */
		}
	}
	/* Bits behind the last byte must be zero, or two texts would mean the same bytes. */
	if (bits & ((1u << held) - 1)) {
		out->n = start;
		return ST_BAD;
	}
	return ST_OK;
}

static enum st encode64(struct slice bytes, const char *alphabet, bool pad, struct buf *out)
{
	unsigned char *to;

	if (bytes.n == 0)
		return ST_OK; /* out may have no memory yet to point into */
	if (bytes.n > SIZE_MAX / 4 || !buf_reserve(out, (bytes.n + 2) / 3 * 4))
		return ST_NOMEM;
	to = out->p + out->n;
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t have = bytes.n - i < 3 ? bytes.n - i : 3;
		uint32_t v = (uint32_t)bytes.p[i] << 16;

		if (have > 1)
			v |= (uint32_t)bytes.p[i + 1] << 8;
		if (have > 2)
			v |= bytes.p[i + 2];
		for (unsigned k = 0; k < 4; k++)
			if (k <= have)
				*to++ = (unsigned char)alphabet[v >> (18 - 6 * k) & 63];
			else if (pad)
				*to++ = '=';
	}
	out->n = (size_t)(to - out->p);
	return ST_OK;
}

enum st base64url_decode(struct slice text, struct buf *out)
{
	return decode64(text, alphabet_url, out);
}

enum st base64url_encode(struct slice bytes, struct buf *out)
{
	return encode64(bytes, alphabet_url, false, out);
}

enum st base64_decode(struct slice text, struct buf *out)
{
	size_t padding = 0;

	if (text.n % 4)
		return ST_BAD;
	while (padding < 2 && padding < text.n && text.p[text.n - 1 - padding] == '=')
		padding++;
	return decode64(slice_sub(text, 0, text.n - padding), alphabet_mime, out);
}

enum st base64_encode(struct slice bytes, struct buf *out)
{
	return encode64(bytes, alphabet_mime, true, out);
}

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum st hex_decode(struct slice text, struct buf *out)
{
	size_t start = out->n;

	if (text.n % 2)
		return ST_BAD;
	if (!buf_reserve(out, text.n / 2))
		return ST_NOMEM;
	for (size_t i = 0; i < text.n; i += 2) {
		int high = hex_digit(text.p[i]), low = hex_digit(text.p[i + 1]);

		if (high < 0 || low < 0) {
			out->n = start;
			return ST_BAD;
		}
		buf_add_u8(out, (uint8_t)(high << 4 | low));
	}
	return added(out);
}

enum st hex_encode(struct slice bytes, struct buf *out)
{
	static const char digits[] = "0123456789abcdef";

	if (bytes.n > SIZE_MAX / 4 || !buf_reserve(out, bytes.n * 2))
		return ST_NOMEM;
	for (size_t i = 0; i < bytes.n; i++) {
		buf_add_u8(out, (uint8_t)digits[bytes.p[i] >> 4]);
		buf_add_u8(out, (uint8_t)digits[bytes.p[i] & 15]);
	}
	return added(out);
}

size_t utf8_length(struct slice text)
{
	static const struct {
		unsigned char from, to, second_from, second_to, length;
	} rows[] = {
		/* Unicode 15, table 3-7: the second byte's range keeps out overlong forms, surrogates and > U+10FFFF. */
		{0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	unsigned char c;

	if (text.n == 0)
		return 0;
	c = text.p[0];
	if (c < 0x80)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (c < rows[i].from || c > rows[i].to)
			continue;
		if (text.n < rows[i].length || text.p[1] < rows[i].second_from ||
			text.p[1] > rows[i].second_to)
			return 0;
		for (size_t k = 2; k < rows[i].length; k++)
			if ((text.p[k] & 0xc0) != 0x80)
				return 0;
		return rows[i].length;
	}
	return 0;
}

bool utf8_valid(struct slice text)
{
	for (;;) {
		size_t n;

		/* Nearly everything is ASCII. */
		while (text.n && text.p[0] < 0x80)
			text = slice_of(text.p + 1, text.n - 1);
		if (text.n == 0)
			return true;
		n = utf8_length(text);
		if (n == 0)
			return false;
		text = slice_sub(text, n, text.n);
	}
}

enum st percent_decode(struct slice text, bool plus_is_space, struct buf *out)
{
	size_t start = out->n;

	if (!buf_reserve(out, text.n))
		return ST_NOMEM;
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = text.p[i];

		if (c == '%') {
			int high = text.n - i > 2 ? hex_digit(text.p[i + 1]) : -1;
			int low = text.n - i > 2 ? hex_digit(text.p[i + 2]) : -1;

			if (high < 0 || low < 0) {
				out->n = start;
				return ST_BAD;
			}
			c = (unsigned char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		out->p[out->n++] = c; /* there is room: reserved above */
	}
	return ST_OK;
}

static bool unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		c == '-' || c == '.' || c == '_' || c == '~';
}

enum st percent_encode(struct slice bytes, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < bytes.n; i++) {
		unsigned char c = bytes.p[i];

		if (unreserved(c)) {
			buf_add_u8(out, c);
			continue;
		}
		buf_add_u8(out, '%');
		buf_add_u8(out, (uint8_t)digits[c >> 4]);
		buf_add_u8(out, (uint8_t)digits[c & 15]);
	}
	return added(out);
}

/* RFC 6265 section 4.1.1: cookie-octet. */
static bool cookie_octet(unsigned char c)
{
	return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\';
}

static struct slice trim(struct slice s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = slice_sub(s, 1, s.n);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

enum st cookie_find(struct slice header, struct slice name, struct slice *value)
{
	bool found = false;

	while (header.n) {
		size_t end = slice_find(header, ';');
		struct slice pair = trim(slice_sub(header, 0, end));
		size_t equals = slice_find(pair, '=');

		header = slice_sub(header, end + 1, header.n);
		if (equals == pair.n || !slice_eq(slice_sub(pair, 0, equals), name))
			continue;
		if (found)
			return ST_BAD;
		found = true;
		*value = slice_sub(pair, equals + 1, pair.n);
	}
	if (!found)
		return ST_NOTFOUND;
	for (size_t i = 0; i < value->n; i++)
		if (!cookie_octet(value->p[i]))
			return ST_BAD;
	return ST_OK;
}
