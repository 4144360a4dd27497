/* password.h: password hashes as text that says how it was made: argon2id in the PHC form (ours) and Django's
 * pbkdf2_sha256 (brought along by moved accounts). Both take tens of milliseconds: call them on the pool. */
#pragma once

#include "base/bytes.h"

struct password_cost {
	unsigned memory_kib; /* 8 .. 1 GiB */
	unsigned passes;     /* 1 .. 64 */
};
extern const struct password_cost password_default_cost; /* 7 MiB, 5 passes (OWASP) */

enum { PASSWORD_TEXT_MAX = 4096 };

bool password_cost_valid(const struct password_cost *cost);
/* Appends "$argon2id$v=19$m=…,t=…,p=1$salt$hash". ST_BAD for an impossible cost. */
must_check enum st password_hash(struct slice text, const struct password_cost *cost, struct buf *out);
/* ST_OK: right. ST_REFUSED: wrong. ST_BAD: the encoded text is of no kind we know, or asks for more than the bounds. */
must_check enum st password_verify(struct slice text, struct slice encoded);
/* True when a password that was just verified should be hashed anew: another kind or another cost. */
bool password_outdated(struct slice encoded, const struct password_cost *cost);
