/* tls_private.h: what tls.c (servers), tls_trust.c (clients) and tls_session.c (connections of both) share. */
#pragma once

#include "net/tls.h"
#include "net/tls_trust.h"

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>

#define NAME_MAX_LENGTH 253

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

struct tls_trust {
	unsigned references;
	mbedtls_ssl_config conf;
	mbedtls_x509_crt roots;
	struct tls_trust *of;     /* a reference; whose roots these are, NULL = its own */
	unsigned char digest[32]; /* of what it was made from */
	uint64_t used;            /* when last, as a count */
};

struct tls_session {
	mbedtls_ssl_context ssl;
	struct tls_config *config; /* a reference; NULL for a client */
	struct tls_trust *trust;   /* a reference; NULL for a server */
	int fd;                    /* borrows */
	bool dry;                  /* the descriptor had nothing left when last asked */
	bool wants_older;          /* see tls_trust_older */
	bool said_goodbye;         /* the peer: what it sent before is whole */
	unsigned char *ahead; /* read beyond what the library asked for: in read_ahead, or owned when parked */
	size_t ahead_n;
	unsigned char *parked;  /* owns */
	const char *version;    /* static storage; "" before the handshake is over */
	unsigned char peer[16]; /* a client's: the address that the certificate must name */
	unsigned peer_n;        /* 0 = it must name a host */
	char sni[NAME_MAX_LENGTH + 1];
	char why[96]; /* what went wrong in the handshake */
};

/* Everything negotiable that both sides have in common. */
must_check enum st tls_choose(mbedtls_ssl_config *conf);
