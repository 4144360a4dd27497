/* jws.c: parse, sign, verify, remember. */
#include "jose/jws.h"

#include "base/codec.h"
#include "base/secret.h"
#include "crypto/hash.h"

enum { HEADER_MAX = 8 * 1024, CACHE_ROWS = 256, CACHE_WAYS = 4 };

static enum st wrong(const char **error, const char *text)
{
	*error = text;
	return ST_BAD;
}

/* ---- Parsing ---- */

/* Splits at exactly two dots: four are an encrypted token (RFC 7516), which is nothing for us to verify. */
static bool split(struct slice compact, struct slice parts[3], struct slice *signing_input)
{
	size_t first = slice_find(compact, '.');
	struct slice rest = slice_sub(compact, first + 1, compact.n);
	size_t second = slice_find(rest, '.');

	if (first == compact.n || second == rest.n)
		return false;
	parts[0] = slice_sub(compact, 0, first);
	parts[1] = slice_sub(rest, 0, second);
	parts[2] = slice_sub(rest, second + 1, rest.n);
	*signing_input = slice_sub(compact, 0, first + 1 + second);
	return parts[0].n > 0 && slice_find(parts[2], '.') == parts[2].n;
}

/* RFC 7515 4.1.11: extensions that we do not understand must be refused, and we understand none. RFC 7797's b64 and the
 * "zip" of encrypted tokens would change what the payload is. */
static enum st check_header(struct jws *j, const char **error)
{
	static const char *const refused[] = {"crit", "b64", "zip", "enc"};

	if (json_type(j->fields) != JSON_OBJECT)
		return wrong(error, "the header is not an object");
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (json_member(j->fields, refused[i]))
			return wrong(error, "the header has a member that is not supported");
	return ST_OK;
}

static struct slice named_alg(const struct jws *j)
{
	return json_member_string(j->fields, "alg");
}

static enum st decode_parts(struct slice parts[3], struct jws *out, const char **error)
{
	struct buf *bufs[] = {&out->header, &out->payload, &out->signature};

	for (int i = 0; i < 3; i++) {
		enum st st = base64url_decode(parts[i], bufs[i]);

		if (st)
			return st == ST_BAD ? wrong(error, "a part is not base64url") : st;
	}
	return ST_OK;
}

/* All but the algorithm. */
static enum st parse(struct slice compact, struct jws *out, const char **error)
{
	struct slice parts[3];
	const char *json_error;
	size_t offset;
	enum st st;

	memset(out, 0, sizeof(*out));
	*error = NULL;
	if (compact.n > JWS_COMPACT_MAX)
		return wrong(error, "the token is too long");
	if (!split(compact, parts, &out->signing_input))
		return wrong(error, "a token has three parts");
	if (parts[2].n == 0)
		return wrong(error, "the token is not signed");
	if (parts[0].n > HEADER_MAX)
		return wrong(error, "the header is too long");
	st = decode_parts(parts, out, error);
	if (st)
		return st;
	st = json_parse(buf_slice(&out->header), &out->fields, &json_error, &offset);
	if (st)
		return st == ST_BAD ? wrong(error, "the header is not strict JSON") : st;
	return check_header(out, error);
}

enum st jws_parse(struct slice compact, struct jws *out, const char **error)
{
	enum st st = parse(compact, out, error);

	if (st)
		return st;
	out->alg = pk_alg_of(named_alg(out));
	return out->alg == PK_ALG_NONE ? wrong(error, "the algorithm is not supported") : ST_OK;
}

enum st jws_open_hmac(struct slice compact, struct slice secret, struct jws *out, const char **error)
{
	unsigned char mac[HASH_HMAC_SIZE];
	enum st st = parse(compact, out, error);

	if (st)
		return st;
	if (!slice_eq(named_alg(out), SLICE_LIT("HS256")))
		return wrong(error, "the algorithm is not supported");
	hash_hmac_sha256(secret, out->signing_input, mac);
	if (!secret_eq(slice_of(mac, sizeof(mac)), buf_slice(&out->signature)))
		return wrong(error, "the signature is wrong");
	return ST_OK;
}

void jws_free(struct jws *j)
{
	buf_free(&j->header);
	buf_free(&j->payload);
	buf_free(&j->signature);
	json_free(j->fields);
	memset(j, 0, sizeof(*j));
}

enum st jws_fits(const struct jws *j, const struct pk *k, const char **error)
{
	return pk_fits(k, j->alg) ? ST_OK : wrong(error, "the key is for another algorithm");
}

enum st jws_verify(const struct jws *j, struct pk *k)
{
	return pk_verify(k, j->alg, j->signing_input, buf_slice(&j->signature));
}

/* ---- Signing ---- */

enum st jws_signing_input(struct slice header, struct slice payload, struct buf *out)
{
	enum st st = base64url_encode(header, out);

	if (!st && !buf_add_u8(out, '.'))
		st = ST_NOMEM;
	return st ? st : base64url_encode(payload, out);
}

enum st jws_sign(struct pk *k, enum pk_alg alg, struct buf *compact)
{
	struct buf signature = {0};
	enum st st = pk_sign(k, alg, buf_slice(compact), &signature);

	if (!st && !buf_add_u8(compact, '.'))
		st = ST_NOMEM;
	if (!st)
		st = base64url_encode(buf_slice(&signature), compact);
	buf_free(&signature);
	return st;
}

/* ---- What was verified before ---- */

struct jws_cache {
	unsigned char entries[CACHE_ROWS][CACHE_WAYS][HASH_HMAC_SIZE]; /* all zero = empty */
	unsigned char next[CACHE_ROWS]; /* the way that is overwritten next */
};

struct jws_cache *jws_cache_new(void)
{
	return calloc(1, sizeof(struct jws_cache));
}

void jws_cache_free(struct jws_cache *c)
{
	free(c);
}

/* The key's identity keys the hash, so an entry says "this key, this text". */
static void digest_of(const struct pk *k, struct slice compact, unsigned char digest[HASH_HMAC_SIZE])
{
	hash_hmac_sha256(slice_of(pk_id(k), PK_ID_SIZE), compact, digest);
}

static bool row_has(const struct jws_cache *c, const unsigned char digest[HASH_HMAC_SIZE])
{
	for (size_t i = 0; i < CACHE_WAYS; i++)
		if (memcmp(c->entries[digest[0]][i], digest, HASH_HMAC_SIZE) == 0)
			return true;
	return false;
}

bool jws_cache_has(const struct jws_cache *c, const struct pk *k, struct slice compact)
{
	unsigned char digest[HASH_HMAC_SIZE];

	digest_of(k, compact, digest);
	return row_has(c, digest);
}

void jws_cache_add(struct jws_cache *c, const struct pk *k, struct slice compact)
{
	unsigned char digest[HASH_HMAC_SIZE], row;

	digest_of(k, compact, digest);
	row = digest[0];
	if (!row_has(c, digest))
		memcpy(c->entries[row][c->next[row]++ % CACHE_WAYS], digest, HASH_HMAC_SIZE);
}
