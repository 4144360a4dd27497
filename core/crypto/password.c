/* password.c: argon2id over libargon2's context function, with memory straight from the system and straight back. */
#include "crypto/password.h"

#include <sys/mman.h>

#include <argon2.h>

#include "base/codec.h"
#include "base/fault.h"
#include "base/secret.h"
#include "crypto/kdf.h"

enum {
	SALT_SIZE = 16,
	HASH_SIZE = 32,
	HASH_MAX = 64,
	PASSES_MAX = 64,
	LANES_MAX = 16,
	MEMORY_MAX_KIB = 1024 * 1024,
	PBKDF2_MAX = 4000000
};

const struct password_cost password_default_cost = {.memory_kib = 7168, .passes = 5};

/* What an encoded text says. */
struct parsed {
	unsigned memory_kib, passes, lanes;
	unsigned char salt[HASH_MAX], hash[HASH_MAX];
	size_t salt_n, hash_n;
};

bool password_cost_valid(const struct password_cost *cost)
{
	return cost->memory_kib >= 8 && cost->memory_kib <= MEMORY_MAX_KIB && cost->passes >= 1 &&
		cost->passes <= PASSES_MAX;
}

/* ---- argon2id ---- */

/* Whole huge pages: small ones cost a twentieth of the hash, a fault each, and more of them than the processor remembers. */
static size_t whole_pages(size_t n)
{
	const size_t huge = 2u << 20;

	return (n + huge - 1) / huge * huge;
}

/* malloc would keep the block in its arena after the first few frees. */
static int memory_take(uint8_t **memory, size_t n)
{
	void *p = fault_hit(FAULT_ALLOC) ? MAP_FAILED
					 : mmap(NULL, whole_pages(n), PROT_READ | PROT_WRITE,
						   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return ARGON2_MEMORY_ALLOCATION_ERROR;
	(void)madvise(p, whole_pages(n), MADV_HUGEPAGE);
	*memory = p;
	return ARGON2_OK;
}

/* The kernel gives out unmapped pages only zeroed. */
static void memory_give(uint8_t *memory, size_t n)
{
	munmap(memory, whole_pages(n));
}

static enum st argon2id(struct slice text, const struct parsed *p, unsigned char *out, size_t n)
{
	argon2_context c = {
		.out = out,
		.outlen = (uint32_t)n,
		.pwd = (uint8_t *)text.p, /* libargon2 writes there only with FLAG_CLEAR_PASSWORD */
		.pwdlen = (uint32_t)text.n,
		.salt = (uint8_t *)p->salt,
		.saltlen = (uint32_t)p->salt_n,
		.t_cost = p->passes,
		.m_cost = p->memory_kib,
		.lanes = p->lanes,
		.threads = 1,
		.version = ARGON2_VERSION_13,
		.allocate_cbk = memory_take,
		.free_cbk = memory_give,
		.flags = ARGON2_DEFAULT_FLAGS,
	};
	int ret = argon2_ctx(&c, Argon2_id);

	if (ret == ARGON2_OK)
		return ST_OK;
	return ret == ARGON2_MEMORY_ALLOCATION_ERROR ? ST_NOMEM : ST_BAD;
}

/* PHC strings use base64 without padding. */
static bool add_base64(struct buf *out, const unsigned char *p, size_t n)
{
	if (base64_encode(slice_of(p, n), out))
		return false;
	while (out->n && out->p[out->n - 1] == '=')
		out->n--;
	return true;
}

static bool get_base64(struct slice text, unsigned char *out, size_t max, size_t *n)
{
	struct buf padded = {0}, bytes = {0};
	bool ok = false;

	if (text.n == 0 || text.n > 2 * HASH_MAX || slice_find(text, '=') != text.n)
		return false;
	buf_add_slice(&padded, text);
	while (padded.n % 4 && !padded.failed)
		buf_add_u8(&padded, '=');
	if (!padded.failed && !base64_decode(buf_slice(&padded), &bytes) && bytes.n <= max) {
		memcpy(out, bytes.p, bytes.n);
		*n = bytes.n;
		ok = true;
	}
	buf_free(&padded);
	buf_free(&bytes);
	return ok;
}

enum st password_hash(struct slice text, const struct password_cost *cost, struct buf *out)
{
	struct parsed p = {
		.memory_kib = cost->memory_kib, .passes = cost->passes, .lanes = 1, .salt_n = SALT_SIZE};
	enum st st;

	if (!password_cost_valid(cost) || text.n > PASSWORD_TEXT_MAX)
		return ST_BAD;
	random_bytes(p.salt, SALT_SIZE);
	st = argon2id(text, &p, p.hash, HASH_SIZE);
	if (st)
		return st;
	buf_printf(out, "$argon2id$v=19$m=%u,t=%u,p=1$", p.memory_kib, p.passes);
	if (!add_base64(out, p.salt, SALT_SIZE) || !buf_add_u8(out, '$') ||
		!add_base64(out, p.hash, HASH_SIZE) || out->failed)
		st = ST_NOMEM;
	secret_wipe(&p, sizeof(p));
	return st;
}

/* ---- Reading encoded texts ---- */

static bool take(struct slice *s, const char *literal)
{
	struct slice prefix = slice_str(literal);

	if (!slice_has_prefix(*s, prefix))
		return false;
	*s = slice_sub(*s, prefix.n, s->n);
	return true;
}

/* A decimal number without sign or leading zero, 1 to max. */
static bool take_number(struct slice *s, unsigned max, unsigned *out)
{
	uint64_t v = 0;
	uint8_t c;

	if (s->n == 0 || s->p[0] < '1')
		return false;
	while (s->n && s->p[0] >= '0' && s->p[0] <= '9') {
		if (!read_u8(s, &c))
			return false;
		v = v * 10 + (uint64_t)(c - '0');
		if (v > max)
			return false;
	}
	*out = (unsigned)v;
	return v > 0;
}

/* The part up to the next '$', which is taken too. */
static struct slice take_part(struct slice *s)
{
	size_t n = slice_find(*s, '$');
	struct slice part = slice_sub(*s, 0, n);

	*s = slice_sub(*s, n + 1, s->n);
	return part;
}

/* The bounds keep a stored text from eating the machine. */
static bool parse_argon2id(struct slice s, struct parsed *p)
{
	struct slice salt;

	if (!take(&s, "$argon2id$v=19$m=") || !take_number(&s, MEMORY_MAX_KIB, &p->memory_kib) ||
		!take(&s, ",t=") || !take_number(&s, PASSES_MAX, &p->passes) || !take(&s, ",p=") ||
		!take_number(&s, LANES_MAX, &p->lanes) || !take(&s, "$"))
		return false;
	salt = take_part(&s);
	return p->memory_kib >= 8 * p->lanes &&
		get_base64(salt, p->salt, sizeof(p->salt), &p->salt_n) && p->salt_n >= 8 &&
		get_base64(s, p->hash, sizeof(p->hash), &p->hash_n) && p->hash_n >= 16;
}

static enum st verify_argon2id(struct slice text, struct slice encoded)
{
	struct parsed p = {0};
	unsigned char hash[HASH_MAX];
	enum st st;

	if (!parse_argon2id(encoded, &p))
		return ST_BAD;
	st = argon2id(text, &p, hash, p.hash_n);
	if (!st && !secret_eq(slice_of(hash, p.hash_n), slice_of(p.hash, p.hash_n)))
		st = ST_REFUSED;
	secret_wipe(hash, sizeof(hash));
	secret_wipe(&p, sizeof(p));
	return st;
}

/* Django: pbkdf2_sha256$iterations$salt$base64, the salt as the text it is. */
static enum st verify_pbkdf2(struct slice text, struct slice encoded)
{
	unsigned char hash[KDF_KEY_SIZE], stored[HASH_MAX];
	unsigned iterations;
	struct slice salt;
	struct buf bytes = {0};
	enum st st = ST_BAD;

	if (!take(&encoded, "pbkdf2_sha256$") || !take_number(&encoded, PBKDF2_MAX, &iterations) ||
		!take(&encoded, "$"))
		return ST_BAD;
	salt = take_part(&encoded);
	if (salt.n == 0 || salt.n > 128 || encoded.n > HASH_MAX || base64_decode(encoded, &bytes) ||
		bytes.n != KDF_KEY_SIZE)
		goto out;
	memcpy(stored, bytes.p, KDF_KEY_SIZE);
	st = kdf_pbkdf2(text, salt, iterations, hash);
	if (!st && !secret_eq(slice_of(hash, sizeof(hash)), slice_of(stored, KDF_KEY_SIZE)))
		st = ST_REFUSED;
	secret_wipe(hash, sizeof(hash));
out:
	buf_wipe(&bytes);
	return st;
}

enum st password_verify(struct slice text, struct slice encoded)
{
	if (text.n > PASSWORD_TEXT_MAX)
		return ST_REFUSED;
	if (slice_has_prefix(encoded, SLICE_LIT("$argon2id$")))
		return verify_argon2id(text, encoded);
	return verify_pbkdf2(text, encoded);
}

bool password_outdated(struct slice encoded, const struct password_cost *cost)
{
	struct parsed p = {0};

	return !parse_argon2id(encoded, &p) || p.memory_kib != cost->memory_kib ||
		p.passes != cost->passes || p.lanes != 1 || p.hash_n < HASH_SIZE;
}
