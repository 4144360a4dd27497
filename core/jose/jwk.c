/* jwk.c: what decides is the key's own kind; "alg" can only narrow it. */
#include "jose/jwk.h"

#include "base/codec.h"
#include "crypto/hash.h"

static enum st wrong(const char **error, const char *text)
{
	*error = text;
	return ST_BAD;
}

/* RFC 7517 4.2, 4.3: both optional; when they stand there they must say that the key verifies. */
static bool is_for_verifying(const struct json *jwk)
{
	const struct json *use = json_member(jwk, "use"), *ops = json_member(jwk, "key_ops");

	if (use && !slice_eq(json_string(use), SLICE_LIT("sig")))
		return false;
	if (!ops)
		return true;
	if (json_type(ops) != JSON_ARRAY)
		return false;
	for (const struct json *op = json_first(ops); op; op = json_next(op))
		if (slice_eq(json_string(op), SLICE_LIT("verify")))
			return true;
	return false;
}

/* *alg stays PK_ALG_NONE when the key names none. */
static enum st named_alg(const struct json *jwk, enum pk_alg *alg, const char **error)
{
	const struct json *member = json_member(jwk, "alg");

	if (!member)
		return ST_OK;
	*alg = pk_alg_of(json_string(member));
	return *alg == PK_ALG_NONE ? wrong(error, "the key's algorithm is not supported") : ST_OK;
}

/* Decodes two members; both are present and strict base64url when this returns ST_OK. */
static enum st two_numbers(
	const struct json *jwk, const char *const names[2], struct buf out[2], const char **error)
{
	for (int i = 0; i < 2; i++) {
		struct slice text = json_member_string(jwk, names[i]);
		enum st st;

		if (text.n == 0 || text.n > 2 * PK_SIGNATURE_MAX)
			return wrong(error, "a number of the key is missing or too long");
		st = base64url_decode(text, &out[i]);
		if (st)
			return st == ST_BAD ? wrong(error, "a number of the key is not base64url")
					    : st;
	}
	return ST_OK;
}

static enum st import_rsa(const struct json *jwk, enum pk_alg alg, struct pk **out, const char **error)
{
	static const char *const names[] = {"n", "e"};
	struct buf numbers[2] = {{0}, {0}};
	enum st st = two_numbers(jwk, names, numbers, error);

	if (!st)
		st = pk_import_rsa(alg, buf_slice(&numbers[0]), buf_slice(&numbers[1]), out, error);
	buf_free(&numbers[0]);
	buf_free(&numbers[1]);
	return st;
}

static enum pk_alg alg_of_curve(struct slice curve)
{
	for (enum pk_alg alg = PK_ES256; alg <= PK_ES512; alg++)
		if (slice_eq(curve, slice_str(pk_curve(alg))))
			return alg;
	return PK_ALG_NONE;
}

static enum st import_ec(const struct json *jwk, enum pk_alg alg, struct pk **out, const char **error)
{
	static const char *const names[] = {"x", "y"};
	enum pk_alg own = alg_of_curve(json_member_string(jwk, "crv"));
	struct buf numbers[2] = {{0}, {0}};
	enum st st;

	if (own == PK_ALG_NONE)
		return wrong(error, "the curve is not supported");
	if (alg != PK_ALG_NONE && alg != own)
		return wrong(error, "the key's algorithm does not fit its curve");
	st = two_numbers(jwk, names, numbers, error);
	if (!st)
		st = pk_import_ec(own, buf_slice(&numbers[0]), buf_slice(&numbers[1]), out, error);
	buf_free(&numbers[0]);
	buf_free(&numbers[1]);
	return st;
}

enum st jwk_import(const struct json *jwk, struct pk **out, const char **error)
{
	enum pk_alg alg = PK_ALG_NONE;
	struct slice kty;
	enum st st;

	*error = NULL;
	if (json_type(jwk) != JSON_OBJECT)
		return wrong(error, "a key is an object");
	/* Someone who publishes his private key has no key any more. */
	if (json_member(jwk, "d") || json_member(jwk, "p") || json_member(jwk, "k"))
		return wrong(error, "a private key where a public one belongs");
	if (!is_for_verifying(jwk))
		return wrong(error, "the key is not for signatures");
	st = named_alg(jwk, &alg, error);
	if (st)
		return st;
	kty = json_member_string(jwk, "kty");
	if (slice_eq(kty, SLICE_LIT("RSA")))
		return import_rsa(jwk, alg, out, error);
	if (slice_eq(kty, SLICE_LIT("EC")))
		return import_ec(jwk, alg, out, error);
	return wrong(error, "the kind of key is not supported");
}

/* ---- Writing ---- */

static bool add_member(struct buf *out, const char *name, const struct buf *number)
{
	return buf_printf(out, "\"%s\":\"", name) && !base64url_encode(buf_slice(number), out) &&
		buf_add_u8(out, '"');
}

/* The required members alone, in the order of their names and without white space: RFC 7638 3.2, without the braces. */
static enum st write_required(const struct pk *k, struct buf *out)
{
	struct buf first = {0}, second = {0};
	enum st st = pk_public(k, &first, &second);
	bool ok = false;

	if (!st && pk_is_rsa(k))
		ok = add_member(out, "e", &second) && buf_add_str(out, ",\"kty\":\"RSA\",") &&
			add_member(out, "n", &first);
	else if (!st)
		ok = buf_printf(out, "\"crv\":\"%s\",\"kty\":\"EC\",", pk_curve(pk_alg(k))) &&
			add_member(out, "x", &first) && buf_add_u8(out, ',') &&
			add_member(out, "y", &second);
	buf_free(&first);
	buf_free(&second);
	if (!st && !ok)
		st = ST_NOMEM;
	return st;
}

enum st jwk_write(const struct pk *k, struct buf *out)
{
	enum st st;

	buf_add_u8(out, '{');
	if (pk_alg(k) != PK_ALG_NONE)
		buf_printf(out, "\"alg\":\"%s\",", pk_alg_name(pk_alg(k)));
	st = write_required(k, out);
	if (st)
		return st;
	return buf_add_str(out, ",\"use\":\"sig\"}") ? ST_OK : ST_NOMEM;
}

enum st jwk_thumbprint(const struct pk *k, unsigned char out[JWK_THUMBPRINT_SIZE])
{
	struct buf text = {0};
	enum st st;

	buf_add_u8(&text, '{');
	st = write_required(k, &text);
	if (!st && !buf_add_u8(&text, '}'))
		st = ST_NOMEM;
	if (!st)
		hash_bytes(HASH_SHA256, buf_slice(&text), out);
	buf_free(&text);
	return st;
}
