/* bytes.h: (pointer, length) slices read through checked readers, and a growable buffer. No other file does pointer
 * arithmetic on foreign bytes. */
#pragma once

#include "base/base.h"

struct slice {
	const unsigned char *p; /* borrows */
	size_t n;
};

#define SLICE_LIT(s) ((struct slice){(const unsigned char *)(s), sizeof(s) - 1})

static inline struct slice slice_of(const void *p, size_t n)
{
	return (struct slice){(const unsigned char *)p, n};
}

struct slice slice_str(const char *z); /* of a NUL-terminated string */
bool slice_eq(struct slice a, struct slice b);
bool slice_eq_nocase(struct slice a, struct slice b); /* ASCII only */
bool slice_has_prefix(struct slice s, struct slice prefix);
/* The part [from, from+n), cut to what exists. */
static inline struct slice slice_sub(struct slice s, size_t from, size_t n)
{
	if (from > s.n)
		from = s.n;
	if (n > s.n - from)
		n = s.n - from;
	/* NULL + 0 is undefined in C11, and an empty slice may have no bytes. */
	return (struct slice){s.p ? s.p + from : NULL, n};
}

/* Index of the first c, or s.n. */
size_t slice_find(struct slice s, unsigned char c);

/* A reader takes bytes off the front of a slice; each getter says false, and takes nothing, when too few are left. */
must_check bool read_u8(struct slice *s, uint8_t *v);
must_check bool read_u32(struct slice *s, uint32_t *v); /* big endian */
must_check bool read_u64(struct slice *s, uint64_t *v);
must_check bool read_bytes(struct slice *s, size_t n, struct slice *v);

/* A growable buffer. Zero-initialised is empty and valid. Owns its bytes. `max` 0 means no cap. After a failed append
 * `failed` stays set, so that a caller may append many times and ask once. */
struct buf {
	unsigned char *p;
	size_t n, cap, max;
	bool failed;
};

void buf_free(struct buf *b);  /* accepts empty; leaves empty */
void buf_wipe(struct buf *b);  /* zeroizes, then frees */
void buf_clear(struct buf *b); /* keeps the memory */
must_check bool buf_reserve(struct buf *b, size_t extra);
bool buf_add(struct buf *b, const void *p, size_t n);
bool buf_add_slice(struct buf *b, struct slice s);
bool buf_add_str(struct buf *b, const char *z);
bool buf_add_u8(struct buf *b, uint8_t v);
bool buf_add_u32(struct buf *b, uint32_t v); /* big endian */
bool buf_add_u64(struct buf *b, uint64_t v);
bool buf_add_integer(struct buf *b, int64_t v); /* in decimal */
bool buf_printf(struct buf *b, const char *format, ...) printf_like(2, 3);
struct slice buf_slice(const struct buf *b);
/* Drops n bytes from the front. */
void buf_drain(struct buf *b, size_t n);
