/* names.c: SipHash-2-4 (Aumasson, Bernstein) over decoded names in an open-addressing table. */
#include "json/names.h"

#include "base/secret.h"

struct name_entry {
	uint64_t hash;
	struct slice raw; /* borrows from the text; p NULL = free place */
	uint32_t object;
};

void names_init(struct names *s)
{
	memset(s, 0, sizeof(*s));
	random_bytes(s->key, sizeof(s->key));
}

void names_free(struct names *s)
{
	free(s->entries);
	memset(s, 0, sizeof(*s));
}

/* ---- Decoding, one byte of UTF-8 at a time ---- */

struct decoder {
	struct slice left;
	unsigned char pending[4];
	unsigned n, at;
};

static unsigned hex4(struct slice s)
{
	unsigned v = 0;

	for (size_t i = 0; i < 4; i++) {
		unsigned char c = s.p[i];
		v = v << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return v;
}

static void put_utf8(struct decoder *d, unsigned c)
{
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	unsigned n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	d->n = n;
	d->at = 0;
	for (unsigned i = n; i-- > 1; c >>= 6)
		d->pending[i] = (unsigned char)(0x80 | (c & 0x3f));
	d->pending[0] = (unsigned char)(lead[n > 1 ? n : 0] | c);
}

/* An escape at the front; the validator has seen that it is well-formed. */
static void escape(struct decoder *d)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	unsigned char c = d->left.p[1];
	unsigned code, used = 6;

	if (c != 'u') {
		put_utf8(d, (unsigned char)to[strchr(from, c) - from]);
		d->left = slice_sub(d->left, 2, d->left.n);
		return;
	}
	code = hex4(slice_sub(d->left, 2, 4));
	if (code >= 0xd800 && code < 0xdc00) {
		code = 0x10000 + ((code - 0xd800) << 10) + (hex4(slice_sub(d->left, 8, 4)) - 0xdc00);
		used = 12;
	}
	put_utf8(d, code);
	d->left = slice_sub(d->left, used, d->left.n);
}

/* -1 at the end. */
static int next_byte(struct decoder *d)
{
	uint8_t c;

	if (d->at == d->n) {
		if (d->left.n == 0)
			return -1;
		if (d->left.p[0] != '\\')
			return read_u8(&d->left, &c) ? c : -1;
		escape(d);
	}
	return d->pending[d->at++];
}

static bool same_name(struct slice a, struct slice b)
{
	struct decoder x = {.left = a}, y = {.left = b};
	int c;

	do {
		c = next_byte(&x);
		if (c != next_byte(&y))
			return false;
	} while (c >= 0);
	return true;
}

/* ---- Hash ---- */

static uint64_t rotate(uint64_t v, int n)
{
	return v << n | v >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

static uint64_t hash_name(const struct names *s, uint32_t object, struct slice raw)
{
	uint64_t v[4] = {s->key[0] ^ UINT64_C(0x736f6d6570736575),
		s->key[1] ^ UINT64_C(0x646f72616e646f6d), s->key[0] ^ UINT64_C(0x6c7967656e657261),
		s->key[1] ^ UINT64_C(0x7465646279746573)};
	struct decoder d = {.left = raw};
	uint64_t word = 0;
	unsigned n = 0;
	int c;

	sip_word(v, object);
	while ((c = next_byte(&d)) >= 0) {
		word |= (uint64_t)c << 8 * (n % 8);
		if (++n % 8 == 0) {
			sip_word(v, word);
			word = 0;
		}
	}
	sip_word(v, word | (uint64_t)n << 56);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- Table ---- */

static void place(struct names *s, const struct name_entry *e)
{
	size_t i = e->hash & (s->capacity - 1);

	while (s->entries[i].raw.p)
		i = (i + 1) & (s->capacity - 1);
	s->entries[i] = *e;
}

static enum st grow(struct names *s)
{
	struct name_entry *old = s->entries;
	size_t old_capacity = s->capacity, capacity = old_capacity ? 2 * old_capacity : 32;
	struct name_entry *entries = calloc(capacity, sizeof(*entries));

	if (!entries)
		return ST_NOMEM;
	s->entries = entries;
	s->capacity = capacity;
	for (size_t i = 0; i < old_capacity; i++)
		if (old[i].raw.p)
			place(s, &old[i]);
	free(old);
	return ST_OK;
}

enum st names_add(struct names *s, uint32_t object, struct slice raw)
{
	struct name_entry e = {.hash = hash_name(s, object, raw), .raw = raw, .object = object};
	size_t i;

	if (2 * (s->count + 1) > s->capacity) {
		enum st st = grow(s);

		if (st)
			return st;
	}
	for (i = e.hash & (s->capacity - 1); s->entries[i].raw.p; i = (i + 1) & (s->capacity - 1)) {
		const struct name_entry *o = &s->entries[i];

		if (o->hash == e.hash && o->object == object && same_name(o->raw, raw))
			return ST_CONFLICT;
	}
	s->entries[i] = e;
	s->count++;
	return ST_OK;
}
