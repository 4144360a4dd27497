/* dns.h: names to addresses by the system's resolver, on threads of their own, with a small cache. Whether an address may be
 * connected to is for the caller to judge (loop/address.h), on the very addresses that are given here. */
#pragma once

#include "base/list.h"
#include "loop/address.h"

enum { DNS_ADDRESSES_MAX = 8, DNS_NAME_MAX = 253 };

struct dns_waiter {
	struct address addresses[DNS_ADDRESSES_MAX];
	unsigned count;
	/* ST_OK with addresses; ST_NOTFOUND; ST_TIMEOUT: no name server answered; ST_NOMEM. */
	void (*done)(struct dns_waiter *w, enum st st);
	struct list link; /* its own */
};

void dns_close(void); /* nobody waits any more; after pool_close */

/* After pool_open(LANE_NAMES). name in lower case. ST_OK: the addresses are in w already; ST_MORE: done comes later, unless dns_forget; ST_BUSY: too many
 * names are being looked up; ST_NOMEM; ST_BAD: no host name. */
must_check enum st dns_resolve(struct slice name, struct dns_waiter *w);
/* The waiter is gone. Accepts one that does not wait. */
void dns_forget(struct dns_waiter *w);

#ifdef TIDELOCK_DEBUG
/* Tests: the name's addresses from now on ("192.0.2.1 2001:db8::1"), after so many milliseconds of looking. NULL: none. */
must_check enum st dns_pretend(const char *name, const char *addresses, unsigned delay_ms);
#endif
