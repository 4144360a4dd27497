/* tls_trust.h: whom a client of ours believes: the system's authorities or the owner's, each read once. */
#pragma once

#include "base/bytes.h"

struct tls_trust;

/* The authorities of `pem`, and with `system` those that the machine trusts. Kept while used often, so that a request costs no
 * parsing. ST_OK with a reference in *out; ST_BAD: pem holds no certificate, or a bad one; ST_NOTFOUND: the machine has no
 * bundle and there is no pem; ST_NOMEM; ST_IO. */
must_check enum st tls_trust_get(struct slice pem, bool system, struct tls_trust **out);
struct tls_trust *tls_trust_ref(struct tls_trust *t);
void tls_trust_unref(struct tls_trust *t);
/* The same authorities, with TLS 1.2 alone: for a peer that speaks no more than that and signs in a way which only TLS 1.3 made us
 * offer (tls_session_wants_older). A new reference; NULL = no memory. */
struct tls_trust *tls_trust_older(struct tls_trust *of);
const unsigned char *tls_trust_digest(
	const struct tls_trust *t); /* 32 bytes that say what it was made from */
/* The kept ones go: the machine's bundle is read again when next asked for. */
void tls_trust_forget(void);

/* Where this machine keeps its authorities, NULL = nowhere. */
const char *tls_trust_path(void);
