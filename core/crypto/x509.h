/* x509.h: makes certificates: the lab's own authority (S36) and server certificates under it. Nothing is verified here;
 * that is TLS's work. */
#pragma once

#include "base/bytes.h"
#include "crypto/pk.h"

struct x509_request {
	struct slice name; /* common name; letters, digits, space and -._ ; empty = one is chosen */
	const struct slice *names; /* host names ("*.example.org" too) and addresses as text; at least one */
	size_t name_count;             /* at most X509_NAMES_MAX */
	int64_t not_before, not_after; /* seconds since 1970 */
	struct slice serial;           /* 1 to 20 bytes; empty = 16 random ones */
};

enum { X509_NAMES_MAX = 64 };

/* A self-signed authority whose certificates hold for `names` and below only (name constraints, not critical, because old
 * verifiers refuse what they do not know), path length 0. Appends PEM. On ST_BAD *error (static text) says what is wrong. */
must_check enum st x509_make_ca(const struct pk *key, const struct x509_request *request,
	struct buf *pem, const char **error);
/* A server certificate for the public half of `key`, signed by the authority. */
must_check enum st x509_make_cert(struct slice ca_pem, const struct pk *ca_key, const struct pk *key,
	const struct x509_request *request, struct buf *pem, const char **error);
