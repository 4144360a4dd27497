/* pk.c: keys over mbedTLS. The context of a key is written once and only read afterwards, so threads share it freely;
 * RSA, which keeps blinding values in its context, works on copies. */
#include "crypto/pk.h"

#include <pthread.h>
#include <stdatomic.h>

#include <mbedtls/ecdsa.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include "base/secret.h"
#include "crypto/hash.h"

enum { RSA_COPIES = 4, DER_MAX = 6144, PRIVATE_BYTES_VERSION = 1 };

struct alg_info {
	const char *name;
	const char *curve; /* NULL = RSA */
	mbedtls_ecp_group_id group;
	size_t coordinate;
	enum hash_alg hash;
	mbedtls_md_type_t md;
};

static const struct alg_info algs[] = {
	[PK_ALG_NONE] = {"", NULL, MBEDTLS_ECP_DP_NONE, 0, HASH_SHA256, MBEDTLS_MD_NONE},
	[PK_RS256] = {"RS256", NULL, MBEDTLS_ECP_DP_NONE, 0, HASH_SHA256, MBEDTLS_MD_SHA256},
	[PK_RS384] = {"RS384", NULL, MBEDTLS_ECP_DP_NONE, 0, HASH_SHA384, MBEDTLS_MD_SHA384},
	[PK_RS512] = {"RS512", NULL, MBEDTLS_ECP_DP_NONE, 0, HASH_SHA512, MBEDTLS_MD_SHA512},
	[PK_PS256] = {"PS256", NULL, MBEDTLS_ECP_DP_NONE, 0, HASH_SHA256, MBEDTLS_MD_SHA256},
	[PK_PS384] = {"PS384", NULL, MBEDTLS_ECP_DP_NONE, 0, HASH_SHA384, MBEDTLS_MD_SHA384},
	[PK_PS512] = {"PS512", NULL, MBEDTLS_ECP_DP_NONE, 0, HASH_SHA512, MBEDTLS_MD_SHA512},
	[PK_ES256] = {"ES256", "P-256", MBEDTLS_ECP_DP_SECP256R1, 32, HASH_SHA256, MBEDTLS_MD_SHA256},
	[PK_ES384] = {"ES384", "P-384", MBEDTLS_ECP_DP_SECP384R1, 48, HASH_SHA384, MBEDTLS_MD_SHA384},
	[PK_ES512] = {"ES512", "P-521", MBEDTLS_ECP_DP_SECP521R1, 66, HASH_SHA512, MBEDTLS_MD_SHA512},
};

struct rsa_copy {
	mbedtls_rsa_context rsa;
	bool made, taken;
};

struct pk {
	atomic_uint references;
	enum pk_alg alg;
	bool is_private;
	mbedtls_pk_context key; /* never used for an operation itself, only copied and read */
	unsigned char id[PK_ID_SIZE];
	pthread_mutex_t lock; /* guards made and taken of the copies */
	struct rsa_copy copies[RSA_COPIES];
};

/* ---- Algorithms ---- */

enum pk_alg pk_alg_of(struct slice name)
{
	for (size_t i = PK_RS256; i < ARRAY_LEN(algs); i++)
		if (slice_eq(name, slice_str(algs[i].name)))
			return (enum pk_alg)i;
	return PK_ALG_NONE;
}

const char *pk_alg_name(enum pk_alg alg)
{
	return algs[alg].name;
}

const char *pk_curve(enum pk_alg alg)
{
	return algs[alg].curve;
}

bool pk_alg_signs(enum pk_alg alg)
{
	return alg == PK_RS256 || algs[alg].curve != NULL;
}

bool pk_alg_is_slow(enum pk_alg alg)
{
	return algs[alg].curve != NULL;
}

static enum pk_alg alg_of_curve(mbedtls_ecp_group_id group)
{
	for (size_t i = PK_ES256; i < ARRAY_LEN(algs); i++)
		if (algs[i].group == group)
			return (enum pk_alg)i;
	return PK_ALG_NONE;
}

/* ---- Life ---- */

/* mbedTLS tells memory from everything else by the low-level part of its code (-0x0010 for big numbers, and its own for
 * each module); to us all but a wrong signature is "could not". */
static enum st st_of(int result)
{
	return result == 0 ? ST_OK : ST_NOMEM;
}

/* type MBEDTLS_PK_NONE leaves the context empty, for the parser. */
static struct pk *pk_new(enum pk_alg alg, mbedtls_pk_type_t type)
{
	struct pk *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	atomic_init(&k->references, 1);
	k->alg = alg;
	pthread_mutex_init(&k->lock, NULL);
	mbedtls_pk_init(&k->key);
	if (type != MBEDTLS_PK_NONE && mbedtls_pk_setup(&k->key, mbedtls_pk_info_from_type(type)) != 0) {
		pk_unref(k);
		return NULL;
	}
	return k;
}

struct pk *pk_ref(struct pk *k)
{
	atomic_fetch_add_explicit(&k->references, 1, memory_order_relaxed);
	return k;
}

void pk_unref(struct pk *k)
{
	if (!k || atomic_fetch_sub_explicit(&k->references, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < RSA_COPIES; i++)
		if (k->copies[i].made)
			mbedtls_rsa_free(&k->copies[i].rsa);
	mbedtls_pk_free(&k->key);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

/* Fills the identity; the last step of making any key. */
static enum st finish(struct pk *k)
{
	unsigned char der[DER_MAX];
	int n = mbedtls_pk_write_pubkey_der(&k->key, der, sizeof(der));

	if (n <= 0)
		return ST_NOMEM;
	hash_bytes(HASH_SHA256, slice_of(der + sizeof(der) - n, (size_t)n), k->id);
	return ST_OK;
}

enum st pk_generate(enum pk_alg alg, struct pk **out)
{
	bool rsa = alg == PK_RS256;
	struct pk *k;
	enum st st;

	if (!rsa && !algs[alg].curve)
		return ST_BAD;
	k = pk_new(alg, rsa ? MBEDTLS_PK_RSA : MBEDTLS_PK_ECKEY);
	if (!k)
		return ST_NOMEM;
	k->is_private = true;
	if (rsa)
		st = st_of(mbedtls_rsa_gen_key(
			mbedtls_pk_rsa(k->key), secret_rng, NULL, PK_RSA_BITS_MIN, 65537));
	else
		st = st_of(mbedtls_ecp_gen_key(
			algs[alg].group, mbedtls_pk_ec(k->key), secret_rng, NULL));
	if (!st)
		st = finish(k);
	if (st)
		pk_unref(k);
	else
		*out = k;
	return st;
}

/* ---- Import of public keys ---- */

/* RFC 7518 6.3.1: no leading zero octets; NIST SP 800-131A: 2048 bits; RFC 8017: odd modulus and exponent. The upper bounds
 * keep one signature check under a few milliseconds. */
static const char *rsa_numbers_wrong(struct slice n, struct slice e)
{
	uint64_t exponent = 0;

	if (n.n == 0 || e.n == 0 || n.p[0] == 0 || e.p[0] == 0)
		return "an RSA number is empty or has a leading zero";
	if (n.n < PK_RSA_BITS_MIN / 8 || (n.n == PK_RSA_BITS_MIN / 8 && n.p[0] < 0x80))
		return "the RSA modulus is shorter than 2048 bits";
	if (n.n > PK_RSA_BITS_MAX / 8)
		return "the RSA modulus is longer than 8192 bits";
	if (!(n.p[n.n - 1] & 1))
		return "the RSA modulus is even";
	if (e.n > 4)
		return "the RSA exponent is too large";
	for (size_t i = 0; i < e.n; i++)
		exponent = exponent << 8 | e.p[i];
	if (exponent < 65537 || !(exponent & 1))
		return "the RSA exponent is below 65537 or even";
	return NULL;
}

enum st pk_import_rsa(
	enum pk_alg alg, struct slice n, struct slice e, struct pk **out, const char **error)
{
	struct pk *k;
	mbedtls_rsa_context *rsa;
	enum st st = ST_NOMEM;

	if (algs[alg].curve) {
		*error = "the algorithm does not fit an RSA key";
		return ST_BAD;
	}
	*error = rsa_numbers_wrong(n, e);
	if (*error)
		return ST_BAD;
	k = pk_new(alg, MBEDTLS_PK_RSA);
	if (!k)
		return ST_NOMEM;
	rsa = mbedtls_pk_rsa(k->key);
	if (mbedtls_rsa_import_raw(rsa, n.p, n.n, NULL, 0, NULL, 0, NULL, 0, e.p, e.n) != 0)
		goto out;
	if (mbedtls_rsa_complete(rsa) != 0 || mbedtls_rsa_check_pubkey(rsa) != 0) {
		*error = "not an RSA key";
		st = ST_BAD;
		goto out;
	}
	st = finish(k);
out:
	if (st)
		pk_unref(k);
	else
		*out = k;
	return st;
}

enum st pk_import_ec(
	enum pk_alg alg, struct slice x, struct slice y, struct pk **out, const char **error)
{
	unsigned char point[1 + 2 * 66] = {4}; /* SEC 1, 2.3.3: uncompressed */
	size_t width = algs[alg].coordinate;
	struct pk *k = NULL;
	mbedtls_ecp_keypair *ec;
	mbedtls_ecp_group group;
	mbedtls_ecp_point q;
	enum st st = ST_NOMEM;

	if (!width || x.n != width || y.n != width) {
		*error = "the coordinates have the wrong length"; /* RFC 7518 6.2.1.2: the full width */
		return ST_BAD;
	}
	memcpy(point + 1, x.p, width);
	memcpy(point + 1 + width, y.p, width);
	mbedtls_ecp_group_init(&group);
	mbedtls_ecp_point_init(&q);
	k = pk_new(alg, MBEDTLS_PK_ECKEY);
	if (!k || mbedtls_ecp_group_load(&group, algs[alg].group) != 0)
		goto out;
	ec = mbedtls_pk_ec(k->key);
	if (mbedtls_ecp_point_read_binary(&group, &q, point, 1 + 2 * width) != 0 ||
		mbedtls_ecp_check_pubkey(&group, &q) != 0) {
		*error = "the point is not on the curve";
		st = ST_BAD;
		goto out;
	}
	if (mbedtls_ecp_set_public_key(algs[alg].group, ec, &q) == 0)
		st = finish(k);
out:
	mbedtls_ecp_point_free(&q);
	mbedtls_ecp_group_free(&group);
	if (st)
		pk_unref(k);
	else
		*out = k;
	return st;
}

/* ---- Questions ---- */

enum pk_alg pk_alg(const struct pk *k)
{
	return k->alg;
}

bool pk_is_private(const struct pk *k)
{
	return k->is_private;
}

bool pk_is_rsa(const struct pk *k)
{
	return mbedtls_pk_get_type(&k->key) == MBEDTLS_PK_RSA;
}

bool pk_fits(const struct pk *k, enum pk_alg alg)
{
	if (alg == PK_ALG_NONE)
		return false;
	if (pk_is_rsa(k))
		return !algs[alg].curve && (k->alg == PK_ALG_NONE || k->alg == alg);
	return k->alg == alg;
}

const unsigned char *pk_id(const struct pk *k)
{
	return k->id;
}

/* ---- RSA ---- */

/* A copy of the key that this thread alone uses, or NULL. A fifth thread gets one of its own, dropped afterwards. */
static struct rsa_copy *rsa_take(struct pk *k)
{
	struct rsa_copy *c = NULL;

	pthread_mutex_lock(&k->lock);
	for (size_t i = 0; i < RSA_COPIES && !c; i++)
		if (!k->copies[i].taken)
			c = &k->copies[i];
	if (c)
		c->taken = true;
	pthread_mutex_unlock(&k->lock);
	if (!c)
		c = calloc(1, sizeof(*c));
	if (c && !c->made) {
		mbedtls_rsa_init(&c->rsa);
		c->made = true;
		/* A copy that failed half-way is unusable but safe to free; the operation will report it. */
		if (mbedtls_rsa_copy(&c->rsa, mbedtls_pk_rsa(k->key)) != 0) {
			mbedtls_rsa_free(&c->rsa);
			mbedtls_rsa_init(&c->rsa);
			c->made = false;
		}
	}
	return c;
}

static void rsa_give(struct pk *k, struct rsa_copy *c)
{
	if (!c)
		return;
	if (c < k->copies || c >= k->copies + RSA_COPIES) {
		mbedtls_rsa_free(&c->rsa);
		free(c);
		return;
	}
	pthread_mutex_lock(&k->lock);
	c->taken = false;
	pthread_mutex_unlock(&k->lock);
}

static enum st rsa_sign(struct pk *k, const unsigned char *hash, struct buf *signature)
{
	size_t n = mbedtls_rsa_get_len(mbedtls_pk_rsa(k->key));
	struct rsa_copy *c;
	enum st st = ST_NOMEM;

	if (!buf_reserve(signature, n))
		return ST_NOMEM;
	c = rsa_take(k);
	if (c && c->made &&
		mbedtls_rsa_rsassa_pkcs1_v15_sign(&c->rsa, secret_rng, NULL, MBEDTLS_MD_SHA256,
			HASH_HMAC_SIZE, hash, signature->p + signature->n) == 0) {
		signature->n += n;
		st = ST_OK;
	}
	rsa_give(k, c);
	return st;
}

static bool is_pss(enum pk_alg alg)
{
	return alg == PK_PS256 || alg == PK_PS384 || alg == PK_PS512;
}

static enum st rsa_verify(
	struct pk *k, enum pk_alg alg, const unsigned char *hash, struct slice signature)
{
	mbedtls_md_type_t md = algs[alg].md;
	unsigned size = (unsigned)hash_size(algs[alg].hash);
	struct rsa_copy *c;
	int result;

	if (signature.n != mbedtls_rsa_get_len(mbedtls_pk_rsa(k->key)))
		return ST_BAD;
	c = rsa_take(k);
	if (!c || !c->made) {
		rsa_give(k, c);
		return ST_NOMEM;
	}
	if (is_pss(alg)) /* RFC 7518 3.5: MGF1 with the same hash, a salt as long as it */
		result = mbedtls_rsa_rsassa_pss_verify_ext(
			&c->rsa, md, size, hash, md, (int)size, signature.p);
	else
		result = mbedtls_rsa_rsassa_pkcs1_v15_verify(&c->rsa, md, size, hash, signature.p);
	rsa_give(k, c);
	return result == 0 ? ST_OK : ST_BAD;
}

/* ---- ECDSA ---- */

struct ec_parts {
	mbedtls_ecp_group group;
	mbedtls_mpi d, r, s;
	mbedtls_ecp_point q;
};

/* A private copy of group and key: a group keeps tables that its users write. */
static bool ec_begin(struct ec_parts *e, const struct pk *k)
{
	mbedtls_ecp_group_init(&e->group);
	mbedtls_mpi_init(&e->d);
	mbedtls_mpi_init(&e->r);
	mbedtls_mpi_init(&e->s);
	mbedtls_ecp_point_init(&e->q);
	return mbedtls_ecp_export(mbedtls_pk_ec(k->key), &e->group, &e->d, &e->q) == 0;
}

static void ec_end(struct ec_parts *e)
{
	mbedtls_ecp_point_free(&e->q);
	mbedtls_mpi_free(&e->s);
	mbedtls_mpi_free(&e->r);
	mbedtls_mpi_free(&e->d);
	mbedtls_ecp_group_free(&e->group);
}

/* RFC 6979: a weak moment of the random source cannot give the key away; randomness only blinds. */
static enum st ec_sign(
	struct pk *k, const struct alg_info *alg, const unsigned char *hash, struct buf *signature)
{
	size_t width = alg->coordinate;
	struct ec_parts e;
	unsigned char *p;
	enum st st = ST_NOMEM;

	if (!buf_reserve(signature, 2 * width))
		return ST_NOMEM;
	p = signature->p + signature->n;
	if (ec_begin(&e, k) &&
		mbedtls_ecdsa_sign_det_ext(&e.group, &e.r, &e.s, &e.d, hash, hash_size(alg->hash),
			alg->md, secret_rng, NULL) == 0 &&
		mbedtls_mpi_write_binary(&e.r, p, width) == 0 &&
		mbedtls_mpi_write_binary(&e.s, p + width, width) == 0) {
		signature->n += 2 * width;
		st = ST_OK;
	}
	ec_end(&e);
	return st;
}

static enum st ec_verify(
	struct pk *k, const struct alg_info *alg, const unsigned char *hash, struct slice signature)
{
	size_t width = alg->coordinate;
	struct ec_parts e;
	enum st st = ST_NOMEM;

	if (signature.n != 2 * width)
		return ST_BAD;
	if (!ec_begin(&e, k) || mbedtls_mpi_read_binary(&e.r, signature.p, width) != 0 ||
		mbedtls_mpi_read_binary(&e.s, signature.p + width, width) != 0)
		goto out;
	st = ST_BAD;
	/* mbedTLS refuses zero too; CVE-2022-21449 earned this line of its own. */
	if (mbedtls_mpi_cmp_int(&e.r, 0) <= 0 || mbedtls_mpi_cmp_int(&e.s, 0) <= 0)
		goto out;
	if (mbedtls_ecdsa_verify(&e.group, hash, hash_size(alg->hash), &e.q, &e.r, &e.s) == 0)
		st = ST_OK;
out:
	ec_end(&e);
	return st;
}

/* ---- Signatures ---- */

enum st pk_sign(struct pk *k, enum pk_alg alg, struct slice message, struct buf *signature)
{
	unsigned char hash[HASH_SIZE_MAX];

	if (!k->is_private || !pk_fits(k, alg) || !pk_alg_signs(alg))
		return ST_BAD;
	hash_bytes(algs[alg].hash, message, hash);
	return algs[alg].curve ? ec_sign(k, &algs[alg], hash, signature)
			       : rsa_sign(k, hash, signature);
}

enum st pk_verify(struct pk *k, enum pk_alg alg, struct slice message, struct slice signature)
{
	unsigned char hash[HASH_SIZE_MAX];

	if (!pk_fits(k, alg) || signature.n == 0)
		return ST_BAD;
	hash_bytes(algs[alg].hash, message, hash);
	return algs[alg].curve ? ec_verify(k, &algs[alg], hash, signature)
			       : rsa_verify(k, alg, hash, signature);
}

/* ---- Export ---- */

static enum st add_mpi(const mbedtls_mpi *v, size_t width, struct buf *out)
{
	if (!buf_reserve(out, width))
		return ST_NOMEM;
	if (mbedtls_mpi_write_binary(v, out->p + out->n, width) != 0)
		return ST_NOMEM;
	out->n += width;
	return ST_OK;
}

static enum st public_rsa(const struct pk *k, struct buf *modulus, struct buf *exponent)
{
	mbedtls_mpi n, e;
	enum st st = ST_NOMEM;

	mbedtls_mpi_init(&n);
	mbedtls_mpi_init(&e);
	if (mbedtls_rsa_export(mbedtls_pk_rsa(k->key), &n, NULL, NULL, NULL, &e) == 0) {
		st = add_mpi(&n, mbedtls_mpi_size(&n), modulus);
		if (!st)
			st = add_mpi(&e, mbedtls_mpi_size(&e), exponent);
	}
	mbedtls_mpi_free(&e);
	mbedtls_mpi_free(&n);
	return st;
}

static enum st public_ec(const struct pk *k, struct buf *x, struct buf *y)
{
	unsigned char point[1 + 2 * 66];
	size_t n = 0, width = algs[k->alg].coordinate;
	struct ec_parts e;
	enum st st = ST_NOMEM;

	if (ec_begin(&e, k) &&
		mbedtls_ecp_point_write_binary(&e.group, &e.q, MBEDTLS_ECP_PF_UNCOMPRESSED, &n,
			point, sizeof(point)) == 0 &&
		buf_add(x, point + 1, width) && buf_add(y, point + 1 + width, width))
		st = ST_OK;
	ec_end(&e);
	return st;
}

enum st pk_public(const struct pk *k, struct buf *first, struct buf *second)
{
	return pk_is_rsa(k) ? public_rsa(k, first, second) : public_ec(k, first, second);
}

/* Bytes: version, algorithm, then DER (PKCS #1 or SEC 1). */
enum st pk_private_bytes(const struct pk *k, struct buf *out)
{
	unsigned char der[DER_MAX];
	enum st st = ST_NOMEM;
	int n;

	if (!k->is_private)
		return ST_BAD;
	n = mbedtls_pk_write_key_der(&k->key, der, sizeof(der)); /* at the end of der */
	if (n > 0 && buf_add_u8(out, PRIVATE_BYTES_VERSION) && buf_add_u8(out, (uint8_t)k->alg) &&
		buf_add(out, der + sizeof(der) - n, (size_t)n))
		st = ST_OK;
	secret_wipe(der, sizeof(der));
	return st;
}

/* The stored algorithm must be the one that the key itself shows. */
static bool alg_matches(const mbedtls_pk_context *key, enum pk_alg alg)
{
	if (mbedtls_pk_get_type(key) == MBEDTLS_PK_RSA)
		return alg == PK_RS256 && mbedtls_pk_get_bitlen(key) >= PK_RSA_BITS_MIN;
	return mbedtls_pk_get_type(key) == MBEDTLS_PK_ECKEY &&
		alg_of_curve(mbedtls_pk_ec(*key)->MBEDTLS_PRIVATE(grp).id) == alg;
}

enum st pk_from_private_bytes(struct slice bytes, struct pk **out)
{
	uint8_t version, alg;
	struct pk *k;
	enum st st = ST_BAD;

	if (!read_u8(&bytes, &version) || !read_u8(&bytes, &alg) ||
		version != PRIVATE_BYTES_VERSION || alg == PK_ALG_NONE || alg >= ARRAY_LEN(algs))
		return ST_BAD;
	k = pk_new((enum pk_alg)alg, MBEDTLS_PK_NONE);
	if (!k)
		return ST_NOMEM;
	k->is_private = true;
	if (mbedtls_pk_parse_key(&k->key, bytes.p, bytes.n, NULL, 0, secret_rng, NULL) == 0 &&
		alg_matches(&k->key, k->alg))
		st = finish(k);
	if (st)
		pk_unref(k);
	else
		*out = k;
	return st;
}

enum st pk_private_pem(const struct pk *k, struct buf *out)
{
	unsigned char pem[DER_MAX * 3 / 2];
	enum st st = ST_NOMEM;

	if (!k->is_private)
		return ST_BAD;
	if (mbedtls_pk_write_key_pem(&k->key, pem, sizeof(pem)) == 0) {
		size_t n = strlen((const char *)pem);

		if (buf_add(out, pem, n + 1)) {
			out->n--; /* the NUL stands behind the text: mbedTLS's PEM parser wants to see it */
			st = ST_OK;
		}
	}
	secret_wipe(pem, sizeof(pem));
	return st;
}

enum st pk_copy(const struct pk *k, struct mbedtls_pk_context *out)
{
	unsigned char der[DER_MAX];
	enum st st = ST_NOMEM;
	int n;

	if (k->is_private) {
		n = mbedtls_pk_write_key_der(&k->key, der, sizeof(der));
		if (n > 0 &&
			mbedtls_pk_parse_key(out, der + sizeof(der) - n, (size_t)n, NULL, 0,
				secret_rng, NULL) == 0)
			st = ST_OK;
	} else {
		n = mbedtls_pk_write_pubkey_der(&k->key, der, sizeof(der));
		if (n > 0 && mbedtls_pk_parse_public_key(out, der + sizeof(der) - n, (size_t)n) == 0)
			st = ST_OK;
	}
	secret_wipe(der, sizeof(der));
	return st;
}
