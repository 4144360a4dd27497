/* tls.c: the server side of TLS 1.2 and 1.3. Everything negotiable is named here; nothing is left to a default. */
#include "net/tls.h"

#include "base/secret.h"

#include <errno.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <psa/crypto.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Ticket keys rotate when this old; a ticket is accepted for two such periods at most. */
#define TICKET_SECONDS (4 * 3600)
#define NAME_MAX_LENGTH 253
#define AHEAD_SIZE 16384

struct tls_certificate {
	struct tls_certificate *next; /* owns */
	mbedtls_x509_crt chain;
	mbedtls_pk_context key;
	char **names; /* owns; lower case */
	size_t name_count;
};

struct tls_config {
	unsigned references;
	mbedtls_ssl_config conf;
	mbedtls_ssl_ticket_context tickets;
	struct tls_certificate *first, **last; /* owns; the first is the default */
};

struct tls_session {
	mbedtls_ssl_context ssl;
	struct tls_config *config; /* a reference */
	int fd;                    /* borrows */
	bool dry;                  /* the descriptor had nothing left when last asked */
	unsigned char *ahead; /* read beyond what the library asked for: in read_ahead, or owned when parked */
	size_t ahead_n;
	unsigned char *parked; /* owns */
	const char *version;   /* static storage; "" before the handshake is over */
	char sni[NAME_MAX_LENGTH + 1];
};

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

/* ---- certificates by name ---- */

static bool name_matches(const char *pattern, const char *name)
{
	const char *dot;

	if (strcmp(pattern, name) == 0)
		return true;
	/* "*.example.org" stands for exactly one label. */
	dot = strchr(name, '.');
	return pattern[0] == '*' && pattern[1] == '.' && dot && dot != name &&
		strcmp(pattern + 1, dot) == 0;
}

static bool has_name(const struct tls_certificate *certificate, const char *name, bool wildcards)
{
	size_t i;

	for (i = 0; i < certificate->name_count; i++) {
		const char *pattern = certificate->names[i];

		if ((pattern[0] == '*') == wildcards && name_matches(pattern, name))
			return true;
	}
	return false;
}

/* Offers every certificate with that name: an EC and an RSA one may stand side by side. */
static int choose(const struct tls_config *c, mbedtls_ssl_context *ssl, const char *name,
	bool wildcards, bool *found)
{
	struct tls_certificate *certificate;
	int failed = 0;

	*found = false;
	for (certificate = c->first; certificate && !failed; certificate = certificate->next) {
		if (!has_name(certificate, name, wildcards))
			continue;
		*found = true;
		failed = mbedtls_ssl_set_hs_own_cert(ssl, &certificate->chain, &certificate->key);
	}
	return failed;
}

/* Copies in lower case. False when it is no host name. */
static bool take_name(char *out, const unsigned char *name, size_t n)
{
	size_t i;

	if (n == 0 || n > NAME_MAX_LENGTH)
		return false;
	for (i = 0; i < n; i++) {
		unsigned char c = name[i];

		if (c >= 'A' && c <= 'Z')
			c = (unsigned char)(c + 'a' - 'A');
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '.' &&
			c != '_')
			return false;
		out[i] = (char)c;
	}
	out[n] = '\0';
	return true;
}

/* Unknown names get the default certificate: what the client thinks of it is better than any alert of ours. */
static int on_server_name(void *arg, mbedtls_ssl_context *ssl, const unsigned char *name, size_t n)
{
	struct tls_config *c = arg;
	struct tls_session *t = mbedtls_ssl_get_user_data_p(ssl);
	bool found;
	int failed;

	if (!take_name(t->sni, name, n)) {
		t->sni[0] = '\0';
		return 0;
	}
	failed = choose(c, ssl, t->sni, false, &found);
	if (!failed && !found)
		failed = choose(c, ssl, t->sni, true, &found);
	return failed;
}

/* ---- configuration ---- */

static enum st set_up(struct tls_config *c)
{
	mbedtls_ssl_config *conf = &c->conf;

	if (psa_crypto_init() != PSA_SUCCESS)
		return ST_IO;
	if (mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
		    MBEDTLS_SSL_PRESET_DEFAULT) != 0)
		return ST_NOMEM;
	mbedtls_ssl_conf_rng(conf, secret_rng, NULL);
	mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_max_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_3);
	mbedtls_ssl_conf_tls13_key_exchange_modes(conf,
		MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL |
			MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL);
	mbedtls_ssl_conf_ciphersuites(conf, ciphersuites);
	mbedtls_ssl_conf_groups(conf, groups);
	mbedtls_ssl_conf_sig_algs(conf, signature_algorithms);
	mbedtls_ssl_conf_authmode(conf, MBEDTLS_SSL_VERIFY_NONE);
	if (mbedtls_ssl_conf_alpn_protocols(conf, protocols) != 0)
		return ST_NOMEM;
#if defined(MBEDTLS_SSL_RENEGOTIATION)
	mbedtls_ssl_conf_renegotiation(conf, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
	if (mbedtls_ssl_ticket_setup(
		    &c->tickets, secret_rng, NULL, MBEDTLS_CIPHER_AES_256_GCM, TICKET_SECONDS) != 0)
		return ST_NOMEM;
	mbedtls_ssl_conf_session_tickets_cb(
		conf, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &c->tickets);
	mbedtls_ssl_conf_sni(conf, on_server_name, c);
	return ST_OK;
}

struct tls_config *tls_config_new(void)
{
	struct tls_config *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->references = 1;
	c->last = &c->first;
	mbedtls_ssl_config_init(&c->conf);
	mbedtls_ssl_ticket_init(&c->tickets);
	if (set_up(c) != ST_OK) {
		tls_config_unref(c);
		return NULL;
	}
	return c;
}

static void certificate_free(struct tls_certificate *certificate)
{
	size_t i;

	if (certificate == NULL)
		return;
	for (i = 0; i < certificate->name_count; i++)
		free(certificate->names[i]);
	free(certificate->names);
	mbedtls_x509_crt_free(&certificate->chain);
	mbedtls_pk_free(&certificate->key);
	free(certificate);
}

static enum st copy_names(struct tls_certificate *certificate, const char *const *names, size_t count)
{
	certificate->names = calloc(count + 1, sizeof *certificate->names);
	if (certificate->names == NULL)
		return ST_NOMEM;
	for (; certificate->name_count < count; certificate->name_count++) {
		char *copy = strdup(names[certificate->name_count]);

		if (copy == NULL)
			return ST_NOMEM;
		certificate->names[certificate->name_count] = copy;
	}
	return ST_OK;
}

static enum st explain(char *error, size_t error_size, const char *what, int code)
{
	char text[128] = "";

	mbedtls_strerror(code, text, sizeof text);
	snprintf(error, error_size, "%s: %s (-0x%04x)", what, text, (unsigned)-code);
	return ST_BAD;
}

/* The library wants PEM with its NUL. */
static enum st parse_certificate(struct tls_certificate *certificate, struct slice chain,
	struct slice key, char *error, size_t error_size)
{
	struct buf text = {0};
	enum st st = ST_NOMEM;
	int code;

	if (!buf_add_slice(&text, chain) || !buf_add_u8(&text, 0))
		goto out;
	code = mbedtls_x509_crt_parse(&certificate->chain, text.p, text.n);
	if (code != 0) {
		st = code < 0 ? explain(error, error_size, "certificate", code) : ST_BAD;
		if (code > 0)
			snprintf(error, error_size, "certificate: %d blocks could not be read", code);
		goto out;
	}
	buf_clear(&text);
	if (!buf_reserve(&text, key.n + 1) || !buf_add_slice(&text, key) || !buf_add_u8(&text, 0))
		goto out;
	code = mbedtls_pk_parse_key(&certificate->key, text.p, text.n, NULL, 0, secret_rng, NULL);
	if (code != 0) {
		st = explain(error, error_size, "private key", code);
		goto out;
	}
	code = mbedtls_pk_check_pair(&certificate->chain.pk, &certificate->key, secret_rng, NULL);
	st = code == 0
		? ST_OK
		: explain(error, error_size, "private key does not belong to the certificate", code);
out:
	buf_wipe(&text);
	return st;
}

enum st tls_config_add(struct tls_config *c, struct slice chain_pem, struct slice key_pem,
	const char *const *names, size_t name_count, char *error, size_t error_size)
{
	struct tls_certificate *certificate = calloc(1, sizeof *certificate);
	enum st st;

	if (error_size > 0)
		error[0] = '\0';
	if (certificate == NULL)
		return ST_NOMEM;
	mbedtls_x509_crt_init(&certificate->chain);
	mbedtls_pk_init(&certificate->key);
	st = parse_certificate(certificate, chain_pem, key_pem, error, error_size);
	if (st == ST_OK)
		st = copy_names(certificate, names, name_count);
	if (st == ST_OK && c->first == NULL &&
		mbedtls_ssl_conf_own_cert(&c->conf, &certificate->chain, &certificate->key) != 0)
		st = ST_NOMEM;
	if (st != ST_OK) {
		certificate_free(certificate);
		return st;
	}
	*c->last = certificate;
	c->last = &certificate->next;
	return ST_OK;
}

struct tls_config *tls_config_ref(struct tls_config *c)
{
	if (c)
		c->references++;
	return c;
}

void tls_config_unref(struct tls_config *c)
{
	struct tls_certificate *certificate, *next;

	if (c == NULL || --c->references > 0)
		return;
	mbedtls_ssl_config_free(&c->conf);
	mbedtls_ssl_ticket_free(&c->tickets);
	for (certificate = c->first; certificate; certificate = next) {
		next = certificate->next;
		certificate_free(certificate);
	}
	free(c);
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

struct tls_session *tls_session_new(struct tls_config *c, int fd)
{
	struct tls_session *t = calloc(1, sizeof *t);

	assert(c->first != NULL);
	if (t == NULL)
		return NULL;
	t->fd = fd;
	t->version = "";
	t->config = tls_config_ref(c);
	mbedtls_ssl_init(&t->ssl);
	if (mbedtls_ssl_setup(&t->ssl, &c->conf) != 0) {
		tls_session_free(t);
		return NULL;
	}
	mbedtls_ssl_set_user_data_p(&t->ssl, t);
	mbedtls_ssl_set_bio(&t->ssl, t, bio_send, bio_recv, NULL);
	return t;
}

void tls_session_free(struct tls_session *t)
{
	if (t == NULL)
		return;
	mbedtls_ssl_free(&t->ssl);
	tls_config_unref(t->config);
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

enum st tls_session_handshake(struct tls_session *t)
{
	int code = mbedtls_ssl_handshake(&t->ssl);

	if (code == 0)
		t->version = mbedtls_ssl_get_version(&t->ssl);
	return park(t, code == 0 ? ST_OK : status_of(code));
}

enum st tls_session_read(struct tls_session *t, void *p, size_t n, size_t *got)
{
	int code = mbedtls_ssl_read(&t->ssl, p, n);

	*got = code > 0 ? (size_t)code : 0;
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
