/* tls_fixture.h: certificates made on the spot and a blocking TLS client, for the tests of net/ and http/. */
#pragma once

#include "net/tls.h"

#include <mbedtls/ssl.h>

/* A new configuration with one EC certificate for these names (the first `count` of a list). */
struct tls_config *tls_fixture(const char *const *names, size_t count);
/* One more certificate. */
void tls_fixture_add(struct tls_config *c, const char *const *names, size_t count);

/* The same, and the authority that signed it, for a client to believe. */
void tls_fixture_add_known(
	struct tls_config *c, const char *const *names, size_t count, struct buf *authority);

struct tls_client {
	int fd; /* owns */
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config conf;
	bool shown; /* a certificate was shown: the session was not resumed */
};

struct tls_client_wants {
	const char *sni, *alpn;
	int version;                 /* MBEDTLS_SSL_VERSION_…, 0 = any */
	mbedtls_ssl_session *resume; /* borrows; NULL = none */
	int cipher;                  /* 0 = any */
};

/* Zero, or the library's error. tls_client_close is needed in any case. */
int tls_client_open(struct tls_client *c, int fd, const struct tls_client_wants *wants);
bool tls_client_send(struct tls_client *c, struct slice bytes);
/* Reads until n bytes came or the peer ended; the count. */
size_t tls_client_receive(struct tls_client *c, unsigned char *p, size_t n);
/* The common name of the certificate that was shown. */
struct slice tls_client_saw(struct tls_client *c);
void tls_client_close(struct tls_client *c);
