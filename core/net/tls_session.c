/* tls_session.c: one connection's TLS, of a server or a client, straight on its descriptor; and what may be negotiated:
 * everything is named here, nothing is left to a default. */
#include "net/tls_private.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/secret.h"
#include "loop/address.h"

#include <errno.h>
#include <mbedtls/platform_time.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define AHEAD_SIZE 16384

/* The library reads five bytes, then the rest of a record. One readv brings both and what follows; the surplus stands
 * here while one session runs and is copied away ("parked") in the rare case that some is left after that. */
static unsigned char read_ahead[AHEAD_SIZE];

static const int ciphersuites[] = {
	MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
	MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
	MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	0,
};

static const uint16_t groups[] = {
	MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

static const uint16_t signature_algorithms[] = {
	MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
	MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
	MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512,
	MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
	MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
	MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
	MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
	MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
	MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
	MBEDTLS_TLS1_3_SIG_NONE,
};

static const char *protocols[] = {"http/1.1", NULL};

/* The time that certificates and tickets are judged by. */
static mbedtls_time_t wall_time(mbedtls_time_t *out)
{
	mbedtls_time_t now = (mbedtls_time_t)clock_wall();

	if (out)
		*out = now;
	return now;
}

enum st tls_choose(mbedtls_ssl_config *conf)
{
	if (mbedtls_platform_set_time(wall_time) != 0)
		return ST_IO;
	mbedtls_ssl_conf_rng(conf, secret_rng, NULL);
	mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_max_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_3);
	mbedtls_ssl_conf_ciphersuites(conf, ciphersuites);
	mbedtls_ssl_conf_groups(conf, groups);
	mbedtls_ssl_conf_sig_algs(conf, signature_algorithms);
#if defined(MBEDTLS_SSL_RENEGOTIATION)
	mbedtls_ssl_conf_renegotiation(conf, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
	return mbedtls_ssl_conf_alpn_protocols(conf, protocols) == 0 ? ST_OK : ST_NOMEM;
}

/* ---- one connection ---- */

static int bio_send(void *arg, const unsigned char *p, size_t n)
{
	struct tls_session *t = arg;
	ssize_t r = send(t->fd, p, n, MSG_NOSIGNAL);

	if (r >= 0)
		return (int)r;
	return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE
						 : MBEDTLS_ERR_SSL_CONN_EOF;
}

static int take_ahead(struct tls_session *t, unsigned char *p, size_t n)
{
	if (n > t->ahead_n)
		n = t->ahead_n;
	memcpy(p, t->ahead, n);
	t->ahead += n;
	t->ahead_n -= n;
	if (t->ahead_n == 0) {
		free(t->parked);
		t->parked = NULL;
	}
	return (int)n;
}

static int bio_recv(void *arg, unsigned char *p, size_t n)
{
	struct tls_session *t = arg;
	struct iovec into[2] = {{p, n}, {read_ahead, sizeof read_ahead}};
	ssize_t r;

	if (t->ahead_n > 0)
		return take_ahead(t, p, n);
	/* A short read emptied the socket: asking again in this turn would only cost a system call. */
	if (t->dry)
		return MBEDTLS_ERR_SSL_WANT_READ;
	r = readv(t->fd, into, 2);
	if (r < 0)
		return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ
							 : MBEDTLS_ERR_SSL_CONN_EOF;
	t->dry = r > 0 && (size_t)r < n + sizeof read_ahead;
	if ((size_t)r <= n)
		return (int)r;
	t->ahead = read_ahead;
	t->ahead_n = (size_t)r - n;
	return (int)n;
}

/* Another session may use read_ahead next. Called on the way out of every step. */
static enum st park(struct tls_session *t, enum st st)
{
	unsigned char *copy;

	if (t->ahead_n == 0 || t->parked)
		return st;
	copy = malloc(t->ahead_n);
	if (copy == NULL) {
		t->ahead_n = 0;
		return ST_NOMEM;
	}
	memcpy(copy, t->ahead, t->ahead_n);
	t->ahead = t->parked = copy;
	return st;
}

static struct tls_session *session_new(const mbedtls_ssl_config *conf, int fd)
{
	struct tls_session *t = fault_hit(FAULT_ALLOC) ? NULL : calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	t->fd = fd;
	t->version = "";
	mbedtls_ssl_init(&t->ssl);
	if (mbedtls_ssl_setup(&t->ssl, conf) != 0) {
		tls_session_free(t);
		return NULL;
	}
	mbedtls_ssl_set_user_data_p(&t->ssl, t);
	mbedtls_ssl_set_bio(&t->ssl, t, bio_send, bio_recv, NULL);
	return t;
}

struct tls_session *tls_session_new(struct tls_config *c, int fd)
{
	struct tls_session *t;

	assert(c->first != NULL);
	t = session_new(&c->conf, fd);
	if (t)
		t->config = tls_config_ref(c);
	return t;
}

/* ---- clients ---- */

static bool names_address(const mbedtls_x509_crt *certificate, struct slice address)
{
	const mbedtls_x509_sequence *name;

	for (name = &certificate->subject_alt_names; name; name = name->next)
		if ((name->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == MBEDTLS_X509_SAN_IP_ADDRESS &&
			slice_eq(slice_of(name->buf.p, name->buf.len), address))
			return true;
	return false;
}

/* The library would put an address into SNI, where none may stand (RFC 6066 section 3): addresses are compared here. */
static int on_certificate(void *arg, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
	const struct tls_session *t = arg;

	if (depth == 0 && !names_address(certificate, slice_of(t->peer, t->peer_n)))
		*flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
	return 0;
}

struct tls_session *tls_session_connect(struct tls_trust *trust, const char *host, int fd)
{
	struct tls_session *t = session_new(&trust->conf, fd);
	struct address address;
	int failed;

	if (t == NULL)
		return NULL;
	t->trust = tls_trust_ref(trust);
	if (address_parse(slice_str(host), &address)) {
		t->peer_n = address.v6 ? 16 : 4;
		memcpy(t->peer, address.bytes, t->peer_n);
		mbedtls_ssl_set_verify(&t->ssl, on_certificate, t);
		failed = mbedtls_ssl_set_hostname(&t->ssl, NULL);
	} else {
		failed = mbedtls_ssl_set_hostname(&t->ssl, host);
	}
	if (failed) {
		tls_session_free(t);
		return NULL;
	}
	return t;
}

bool tls_session_ended_well(const struct tls_session *t)
{
	return t->said_goodbye;
}

bool tls_session_wants_older(const struct tls_session *t)
{
	return t->wants_older;
}

const char *tls_session_why(const struct tls_session *t)
{
	return t->why;
}

void tls_session_free(struct tls_session *t)
{
	if (t == NULL)
		return;
	mbedtls_ssl_free(&t->ssl);
	tls_config_unref(t->config);
	tls_trust_unref(t->trust);
	free(t->parked);
	free(t);
}

void tls_session_readable(struct tls_session *t)
{
	t->dry = false;
}

static enum st status_of(int code)
{
	switch (code) {
	case MBEDTLS_ERR_SSL_WANT_READ:
		return ST_MORE;
	case MBEDTLS_ERR_SSL_WANT_WRITE:
		return ST_BUSY;
	case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
	case MBEDTLS_ERR_SSL_CONN_EOF:
		return ST_CLOSED;
	case MBEDTLS_ERR_SSL_ALLOC_FAILED:
		return ST_NOMEM;
	default:
		return ST_BAD;
	}
}

/* Why a peer's certificate is not taken: the first of what is wrong with it. */
static const char *certificate_fault(uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *text;
	} faults[] = {
		{MBEDTLS_X509_BADCERT_CN_MISMATCH, "the certificate is for another name"},
		{MBEDTLS_X509_BADCERT_EXPIRED, "the certificate has expired"},
		{MBEDTLS_X509_BADCERT_FUTURE, "the certificate is not valid yet"},
		{MBEDTLS_X509_BADCERT_NOT_TRUSTED, "the certificate is of no trusted authority"},
		{MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY,
			"the certificate's signature or key is too weak"},
	};

	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		if (flags & faults[i].flag)
			return faults[i].text;
	return "the certificate is not acceptable";
}

static void explain(struct tls_session *t, int code)
{
	uint32_t flags = mbedtls_ssl_get_verify_result(&t->ssl);

	if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE)
		return;
	t->wants_older = t->trust && code == MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER && !t->trust->of &&
		mbedtls_ssl_get_version_number(&t->ssl) == MBEDTLS_SSL_VERSION_TLS1_2;
	if (t->trust && flags != 0 && flags != UINT32_MAX)
		snprintf(t->why, sizeof t->why, "%s", certificate_fault(flags));
	else if (code == MBEDTLS_ERR_SSL_CONN_EOF)
		snprintf(t->why, sizeof t->why, "the peer ended the handshake");
	else
		snprintf(t->why, sizeof t->why, "the handshake failed (-0x%04x)", (unsigned)-code);
}

enum st tls_session_handshake(struct tls_session *t)
{
	int code = mbedtls_ssl_handshake(&t->ssl);

	if (code == 0)
		t->version = mbedtls_ssl_get_version(&t->ssl);
	else
		explain(t, code);
	return park(t, code == 0 ? ST_OK : status_of(code));
}

enum st tls_session_read(struct tls_session *t, void *p, size_t n, size_t *got)
{
	int code = mbedtls_ssl_read(&t->ssl, p, n);

	*got = code > 0 ? (size_t)code : 0;
	if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
		t->said_goodbye = true;
	if (code == 0)
		return park(t, ST_CLOSED);
	return park(t, code > 0 ? ST_OK : status_of(code));
}

enum st tls_session_write(struct tls_session *t, const void *p, size_t n, size_t *put)
{
	int code = mbedtls_ssl_write(&t->ssl, p, n);

	*put = code > 0 ? (size_t)code : 0;
	return code >= 0 ? ST_OK : status_of(code);
}

void tls_session_end(struct tls_session *t)
{
	if (mbedtls_ssl_is_handshake_over(&t->ssl))
		(void)mbedtls_ssl_close_notify(&t->ssl);
}

bool tls_session_buffered(const struct tls_session *t)
{
	return t->ahead_n > 0 || mbedtls_ssl_check_pending(&t->ssl);
}

const char *tls_session_sni(const struct tls_session *t)
{
	return t->sni;
}

const char *tls_session_version(const struct tls_session *t)
{
	return t->version;
}
