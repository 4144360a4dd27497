/* tls.h: TLS 1.2 and 1.3 by mbedTLS directly on a descriptor: server configuration, SNI, ALPN http/1.1, tickets. */
#pragma once

#include "base/bytes.h"

/* One server configuration: certificates by name, ticket keys, ciphers. Reference-counted, so that connections outlive
 * a reload. */
struct tls_config;

/* An empty configuration; add at least one certificate before use. NULL = out of memory. */
struct tls_config *tls_config_new(void);
/* Adds a PEM chain with its PEM key for the given names (SNI; exact or "*.example.org"; lower case). The first added is
 * the default. On ST_BAD `error` says what is wrong with the files. */
must_check enum st tls_config_add(struct tls_config *c, struct slice chain_pem, struct slice key_pem,
	const char *const *names, size_t name_count, char *error, size_t error_size);
/* Is the certificate that was added first for this name or address, whoever issued it? */
bool tls_config_covers(struct tls_config *c, const char *name);
struct tls_config *tls_config_ref(struct tls_config *c);
void tls_config_unref(struct tls_config *c);

struct tls_trust; /* net/tls_trust.h */

/* One connection's TLS, for stream.c. Works straight on a non-blocking descriptor. Results of the three steps: ST_OK;
 * ST_MORE (wants to read); ST_BUSY (wants to write; for a write: call again with the same length); ST_CLOSED (the peer
 * ended the connection); anything else ends the session. */
struct tls_session;

struct tls_session *tls_session_new(struct tls_config *c, int fd); /* takes a reference on c; borrows fd */
/* The client's side. host is mandatory: a name in lower case, which is announced, or an address as text; the peer's
 * certificate must be for it. */
struct tls_session *tls_session_connect(struct tls_trust *trust, const char *host, int fd);
/* After ST_CLOSED: the peer said that this was all. Otherwise somebody may have cut it off. */
bool tls_session_ended_well(const struct tls_session *t);
bool tls_session_wants_older(const struct tls_session *t); /* after a failed handshake */
const char *tls_session_why(const struct tls_session *t); /* a failed handshake in words, "" = unknown */
void tls_session_free(struct tls_session *t);
void tls_session_readable(struct tls_session *t); /* the descriptor may have bytes: ask the system again */
must_check enum st tls_session_handshake(struct tls_session *t);
must_check enum st tls_session_read(struct tls_session *t, void *p, size_t n, size_t *got);
must_check enum st tls_session_write(struct tls_session *t, const void *p, size_t n, size_t *put);
void tls_session_end(struct tls_session *t); /* says close_notify, best effort */
bool tls_session_buffered(
	const struct tls_session *t); /* bytes wait inside, about which no event will tell */
const char *tls_session_sni(const struct tls_session *t);
const char *tls_session_version(const struct tls_session *t);
