/* secret.c: randomness, constant-time comparison, wiping. */
#include "base/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

void random_bytes(void *p, size_t n)
{
	unsigned char *at = p;

	while (n) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		at += got;
		n -= (size_t)got;
	}
}

bool secret_eq(struct slice a, struct slice b)
{
	/* volatile: the compiler may not leave the loop at the first difference. */
	volatile unsigned char difference = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		difference = (unsigned char)(difference | (a.p[i] ^ b.p[i]));
	return difference == 0;
}

void secret_wipe(void *p, size_t n)
{
	if (n)
		explicit_bzero(p, n);
}

int secret_rng(void *ctx, unsigned char *p, size_t n)
{
	(void)ctx;
	random_bytes(p, n);
	return 0;
}
