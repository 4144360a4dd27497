/* tls_fixture.c: the other side of TLS. */
#include "tls_fixture.h"

#include "base/clock.h"
#include "base/secret.h"
#include "crypto/pk.h"
#include "crypto/x509.h"

#include <psa/crypto.h>
#include <sys/socket.h>
#include <unistd.h>

void tls_fixture_add(struct tls_config *c, const char *const *names, size_t count)
{
	struct buf authority = {0};

	tls_fixture_add_known(c, names, count, &authority);
	buf_free(&authority);
}

void tls_fixture_add_known(
	struct tls_config *c, const char *const *names, size_t count, struct buf *authority)
{
	struct slice slices[8];
	/* A common name has no room for a star. */
	struct x509_request request = {.name = slice_str(names[0][0] == '*' ? names[0] + 2 : names[0]),
		.names = slices,
		.name_count = count,
		.not_before = clock_wall() - 60,
		.not_after = clock_wall() + 3600};
	struct buf chain = {0}, pem = {0};
	struct pk *key = NULL, *authority_key = NULL;
	const char *why = NULL;
	char error[200];
	size_t i;

	for (i = 0; i < count; i++)
		slices[i] = slice_str(names[i]);
	if (pk_generate(PK_ES256, &key) || pk_generate(PK_ES256, &authority_key) ||
		x509_make_ca(authority_key, &request, authority, &why) ||
		x509_make_cert(buf_slice(authority), authority_key, key, &request, &chain, &why) ||
		pk_private_pem(key, &pem) ||
		tls_config_add(c, buf_slice(&chain), buf_slice(&pem), names, count, error, sizeof error))
		abort();
	buf_free(&chain);
	buf_wipe(&pem);
	pk_unref(key);
	pk_unref(authority_key);
}

struct tls_config *tls_fixture(const char *const *names, size_t count)
{
	struct tls_config *c = tls_config_new();

	if (c == NULL)
		abort();
	tls_fixture_add(c, names, count);
	return c;
}

static int send_bytes(void *arg, const unsigned char *p, size_t n)
{
	ssize_t r = send(((struct tls_client *)arg)->fd, p, n, MSG_NOSIGNAL);

	return r < 0 ? MBEDTLS_ERR_SSL_CONN_EOF : (int)r;
}

static int receive_bytes(void *arg, unsigned char *p, size_t n)
{
	ssize_t r = recv(((struct tls_client *)arg)->fd, p, n, 0);

	return r < 0 ? MBEDTLS_ERR_SSL_CONN_EOF : (int)r;
}

static int on_certificate(void *arg, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
	(void)certificate;
	(void)depth;
	((struct tls_client *)arg)->shown = true;
	*flags = 0;
	return 0;
}

int tls_client_open(struct tls_client *c, int fd, const struct tls_client_wants *wants)
{
	const char *protocols[] = {wants->alpn, NULL};
	int ciphers[] = {wants->cipher, 0}, failed;

	c->fd = fd;
	c->shown = false;
	mbedtls_ssl_init(&c->ssl);
	mbedtls_ssl_config_init(&c->conf);
	(void)psa_crypto_init();
	failed = mbedtls_ssl_config_defaults(&c->conf, MBEDTLS_SSL_IS_CLIENT,
		MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
	mbedtls_ssl_conf_rng(&c->conf, secret_rng, NULL);
	mbedtls_ssl_conf_authmode(&c->conf, MBEDTLS_SSL_VERIFY_OPTIONAL);
	mbedtls_ssl_conf_verify(&c->conf, on_certificate, c);
	mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
		&c->conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
	if (wants->cipher)
		mbedtls_ssl_conf_ciphersuites(&c->conf, ciphers);
	if (wants->version) {
		mbedtls_ssl_conf_min_tls_version(
			&c->conf, (mbedtls_ssl_protocol_version)wants->version);
		mbedtls_ssl_conf_max_tls_version(
			&c->conf, (mbedtls_ssl_protocol_version)wants->version);
	}
	if (!failed && wants->alpn)
		failed = mbedtls_ssl_conf_alpn_protocols(&c->conf, protocols);
	if (!failed)
		failed = mbedtls_ssl_setup(&c->ssl, &c->conf);
	if (!failed)
		failed = mbedtls_ssl_set_hostname(&c->ssl, wants->sni);
	if (!failed && wants->resume)
		failed = mbedtls_ssl_set_session(&c->ssl, wants->resume);
	mbedtls_ssl_set_bio(&c->ssl, c, send_bytes, receive_bytes, NULL);
	if (!failed)
		failed = mbedtls_ssl_handshake(&c->ssl);
	/* The lists above stand on this stack. */
	mbedtls_ssl_conf_ciphersuites(&c->conf, NULL);
	return failed;
}

/* A ticket that comes between interrupts either. */
static bool again(int r)
{
	return r == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET || r == MBEDTLS_ERR_SSL_WANT_READ ||
		r == MBEDTLS_ERR_SSL_WANT_WRITE;
}

bool tls_client_send(struct tls_client *c, struct slice bytes)
{
	while (bytes.n > 0) {
		int r = mbedtls_ssl_write(&c->ssl, bytes.p, bytes.n);

		if (r <= 0 && !again(r))
			return false;
		bytes = slice_sub(bytes, r > 0 ? (size_t)r : 0, bytes.n);
	}
	return true;
}

size_t tls_client_receive(struct tls_client *c, unsigned char *p, size_t n)
{
	size_t got = 0;

	while (got < n) {
		int r = mbedtls_ssl_read(&c->ssl, p + got, n - got);

		if (r <= 0 && !again(r))
			break;
		got += r > 0 ? (size_t)r : 0;
	}
	return got;
}

struct slice tls_client_saw(struct tls_client *c)
{
	const mbedtls_x509_crt *certificate = mbedtls_ssl_get_peer_cert(&c->ssl);
	const mbedtls_x509_name *name;

	for (name = certificate ? &certificate->subject : NULL; name; name = name->next)
		if (name->oid.len == 3 && memcmp(name->oid.p, "\x55\x04\x03", 3) == 0)
			return slice_of(name->val.p, name->val.len);
	return slice_of(NULL, 0);
}

void tls_client_close(struct tls_client *c)
{
	(void)mbedtls_ssl_close_notify(&c->ssl);
	mbedtls_ssl_free(&c->ssl);
	mbedtls_ssl_config_free(&c->conf);
	close(c->fd);
}
