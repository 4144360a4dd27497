/* tls_trust.c: see tls_trust.h. The machine's bundle is some 140 certificates, half a megabyte when taken apart: it is read
 * when the first request needs it, and never where the owner names an authority for each peer. */
#include "net/tls_private.h"

#include "base/fault.h"
#include "base/secret.h"
#include "crypto/hash.h"

#include <fcntl.h>
#include <psa/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUNDLE_MAX (2u << 20)
#define KEPT_MAX 8

static struct {
	struct tls_trust *trust[KEPT_MAX]; /* references */
	uint64_t clock;
} kept;

const char *tls_trust_path(void)
{
	static const char *const places[] = {
		"/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine, Arch, OpenWrt */
		"/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
		"/etc/ssl/ca-bundle.pem",             /* SUSE */
		"/etc/ssl/cert.pem",                  /* the BSDs' name, small distributions */
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}

static enum st read_bundle(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat s;
	ssize_t n = 1;

	if (fd < 0 || fstat(fd, &s) != 0 || !S_ISREG(s.st_mode) || s.st_size > (off_t)BUNDLE_MAX) {
		if (fd >= 0)
			close(fd);
		return ST_IO;
	}
	out->max = BUNDLE_MAX + 1;
	while (n > 0) {
		if (!buf_reserve(out, 16384))
			break;
		n = read(fd, out->p + out->n, 16384);
		out->n += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return n == 0 ? ST_OK : ST_NOMEM;
}

/* The library wants PEM with its NUL. `lenient`: of the machine's many some may be of kinds that we do not know. */
static enum st add_roots(struct tls_trust *t, struct buf *pem, bool lenient)
{
	int failed;

	if (!buf_add_u8(pem, 0))
		return ST_NOMEM;
	failed = mbedtls_x509_crt_parse(&t->roots, pem->p, pem->n);
	if (failed == MBEDTLS_ERR_X509_ALLOC_FAILED)
		return ST_NOMEM;
	return failed == 0 || (lenient && failed > 0) ? ST_OK : ST_BAD;
}

static enum st add_all(struct tls_trust *t, struct slice pem, bool system)
{
	const char *path = system ? tls_trust_path() : NULL;
	struct buf text = {0};
	enum st st = ST_OK;

	if (!path && pem.n == 0)
		return ST_NOTFOUND;
	if (path) {
		st = read_bundle(path, &text);
		if (st == ST_OK)
			st = add_roots(t, &text, true);
		buf_clear(&text);
	}
	text.max = 0;
	if (st == ST_OK && pem.n > 0)
		st = buf_add_slice(&text, pem) ? add_roots(t, &text, false) : ST_NOMEM;
	buf_free(&text);
	return st;
}

/* In another order than a server's: the library's client offers PSS because of TLS 1.3, which knows nothing else, and then does not
 * take it with TLS 1.2. Most peers go by our order; for those that do not there is tls_trust_older. */
static const uint16_t signature_algorithms[] = {
	MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
	MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
	MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512,
	MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
	MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
	MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
	MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
	MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
	MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
	MBEDTLS_TLS1_3_SIG_NONE,
};

/* Certificates of others may use more than ours do. */
static const uint16_t groups[] = {
	MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

static enum st set_up(struct tls_trust *t, mbedtls_x509_crt *roots)
{
	mbedtls_ssl_config *conf = &t->conf;

	if (psa_crypto_init() != PSA_SUCCESS)
		return ST_IO;
	if (mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
		    MBEDTLS_SSL_PRESET_DEFAULT) != 0 ||
		tls_choose(conf) != ST_OK)
		return ST_NOMEM;
	mbedtls_ssl_conf_tls13_key_exchange_modes(conf, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
	mbedtls_ssl_conf_sig_algs(conf, signature_algorithms);
	mbedtls_ssl_conf_groups(conf, groups);
	/* Connections are kept open instead. */
	mbedtls_ssl_conf_session_tickets(conf, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
	mbedtls_ssl_conf_authmode(conf, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_ca_chain(conf, roots, NULL);
	return ST_OK;
}

static enum st make(struct slice pem, bool system, struct tls_trust **out)
{
	struct tls_trust *t = fault_hit(FAULT_ALLOC) ? NULL : calloc(1, sizeof *t);
	enum st st;

	if (!t)
		return ST_NOMEM;
	t->references = 1;
	mbedtls_ssl_config_init(&t->conf);
	mbedtls_x509_crt_init(&t->roots);
	st = add_all(t, pem, system);
	if (st == ST_OK)
		st = set_up(t, &t->roots);
	if (st != ST_OK)
		tls_trust_unref(t);
	else
		*out = t;
	return st;
}

struct tls_trust *tls_trust_older(struct tls_trust *of)
{
	struct tls_trust *t = fault_hit(FAULT_ALLOC) ? NULL : calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->references = 1;
	t->of = tls_trust_ref(of);
	mbedtls_ssl_config_init(&t->conf);
	mbedtls_x509_crt_init(&t->roots);
	if (set_up(t, &of->roots) != ST_OK) {
		tls_trust_unref(t);
		return NULL;
	}
	mbedtls_ssl_conf_max_tls_version(&t->conf, MBEDTLS_SSL_VERSION_TLS1_2);
	return t;
}

/* In the place of the one that was not asked for for the longest time. */
static void keep(struct tls_trust *t)
{
	size_t at = 0;

	for (size_t i = 0; i < KEPT_MAX && kept.trust[at]; i++)
		if (!kept.trust[i] || kept.trust[i]->used < kept.trust[at]->used)
			at = i;
	tls_trust_unref(kept.trust[at]);
	kept.trust[at] = tls_trust_ref(t);
}

static struct tls_trust *kept_one(const unsigned char digest[32])
{
	for (size_t i = 0; i < KEPT_MAX; i++)
		if (kept.trust[i] && memcmp(kept.trust[i]->digest, digest, 32) == 0)
			return kept.trust[i];
	return NULL;
}

enum st tls_trust_get(struct slice pem, bool system, struct tls_trust **out)
{
	unsigned char digest[32];
	struct tls_trust *t;
	enum st st;

	hash_bytes(HASH_SHA256, pem, digest);
	digest[0] = (unsigned char)((digest[0] & 0xfe) | system);
	t = kept_one(digest);
	if (!t) {
		st = make(pem, system, &t);
		if (st)
			return st;
		memcpy(t->digest, digest, sizeof digest);
		keep(t);
		t->references--; /* the kept one stays */
	}
	t->used = ++kept.clock;
	*out = tls_trust_ref(t);
	return ST_OK;
}

struct tls_trust *tls_trust_ref(struct tls_trust *t)
{
	if (t)
		t->references++;
	return t;
}

void tls_trust_unref(struct tls_trust *t)
{
	if (!t || --t->references > 0)
		return;
	mbedtls_ssl_config_free(&t->conf);
	mbedtls_x509_crt_free(&t->roots);
	tls_trust_unref(t->of);
	free(t);
}

const unsigned char *tls_trust_digest(const struct tls_trust *t)
{
	return t->digest;
}

void tls_trust_forget(void)
{
	for (size_t i = 0; i < KEPT_MAX; i++) {
		tls_trust_unref(kept.trust[i]);
		kept.trust[i] = NULL;
	}
}
