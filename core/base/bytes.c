/* bytes.c: slices, checked readers, the growable buffer. */
#include "base/bytes.h"
#include "base/fault.h"
#include "base/secret.h"

#include <stdarg.h>

struct slice slice_str(const char *z)
{
	return (struct slice){(const unsigned char *)z, z ? strlen(z) : 0};
}

bool slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool slice_has_prefix(struct slice s, struct slice prefix)
{
	return s.n >= prefix.n && slice_eq(slice_sub(s, 0, prefix.n), prefix);
}

size_t slice_find(struct slice s, unsigned char c)
{
	const unsigned char *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

bool read_bytes(struct slice *s, size_t n, struct slice *v)
{
	if (s->n < n)
		return false;
	*v = slice_sub(*s, 0, n);
	*s = slice_sub(*s, n, s->n);
	return true;
}

static bool read_big_endian(struct slice *s, size_t width, uint64_t *v)
{
	struct slice bytes;

	if (!read_bytes(s, width, &bytes))
		return false;
	*v = 0;
	for (size_t i = 0; i < width; i++)
		*v = *v << 8 | bytes.p[i];
	return true;
}

bool read_u8(struct slice *s, uint8_t *v)
{
	uint64_t wide;

	if (!read_big_endian(s, 1, &wide))
		return false;
	*v = (uint8_t)wide;
	return true;
}

bool read_u32(struct slice *s, uint32_t *v)
{
	uint64_t wide;

	if (!read_big_endian(s, 4, &wide))
		return false;
	*v = (uint32_t)wide;
	return true;
}

bool read_u64(struct slice *s, uint64_t *v)
{
	return read_big_endian(s, 8, v);
}

void buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){.max = b->max};
}

void buf_wipe(struct buf *b)
{
	if (b->p)
		secret_wipe(b->p, b->cap);
	buf_free(b);
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->failed = false;
}

bool buf_reserve(struct buf *b, size_t extra)
{
	size_t want, cap;
	unsigned char *p;

	if (b->failed)
		return false;
	if (extra > SIZE_MAX / 2 - b->n || (b->max && b->n + extra > b->max))
		goto fail;
	want = b->n + extra;
	if (want <= b->cap)
		return true;
	for (cap = b->cap ? b->cap : 64; cap < want;)
		cap *= 2;
	if (b->max && cap > b->max)
		cap = b->max;
	if (fault_hit(FAULT_ALLOC))
		goto fail;
	p = realloc(b->p, cap);
	if (!p)
		goto fail;
	b->p = p;
	b->cap = cap;
	return true;
fail:
	b->failed = true;
	return false;
}

bool buf_add(struct buf *b, const void *p, size_t n)
{
	if (!buf_reserve(b, n))
		return false;
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	return true;
}

bool buf_add_slice(struct buf *b, struct slice s)
{
	return buf_add(b, s.p, s.n);
}

bool buf_add_str(struct buf *b, const char *z)
{
	return buf_add(b, z, strlen(z));
}

bool buf_add_u8(struct buf *b, uint8_t v)
{
	return buf_add(b, &v, 1);
}

bool buf_add_u32(struct buf *b, uint32_t v)
{
	unsigned char bytes[4];

	for (int i = 0; i < 4; i++)
		bytes[i] = (unsigned char)(v >> (24 - 8 * i));
	return buf_add(b, bytes, sizeof(bytes));
}

bool buf_add_u64(struct buf *b, uint64_t v)
{
	unsigned char bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(v >> (56 - 8 * i));
	return buf_add(b, bytes, sizeof(bytes));
}

bool buf_add_integer(struct buf *b, int64_t v)
{
	unsigned char digits[20];
	size_t at = sizeof(digits);
	uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	do
		digits[--at] = (unsigned char)('0' + rest % 10);
	while (rest /= 10);
	if (v < 0)
		digits[--at] = '-';
	return buf_add(b, digits + at, sizeof(digits) - at);
}

bool buf_printf(struct buf *b, const char *format, ...)
{
	va_list args, again;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	if (n < 0)
		b->failed = true;
	/* vsnprintf writes a NUL behind the text; it is not counted, but needs its place. */
	else if (buf_reserve(b, (size_t)n + 1)) {
		vsnprintf((char *)b->p + b->n, (size_t)n + 1, format, again);
		b->n += (size_t)n;
	}
	va_end(again);
	va_end(args);
	return !b->failed;
}

struct slice buf_slice(const struct buf *b)
{
	return (struct slice){b->p, b->n};
}

void buf_drain(struct buf *b, size_t n)
{
	if (n >= b->n) {
		b->n = 0;
		return;
	}
	if (n)
		memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}
