/* entropy.c: where mbedTLS's own generator gets its seed. This definition takes the place of the library's, which opens
 * /dev/random where the C library is not glibc: a sealed worker may not, and a small image may have no such file. */
#include "base/secret.h"

int mbedtls_platform_entropy_poll(void *data, unsigned char *output, size_t len, size_t *olen);

int mbedtls_platform_entropy_poll(void *data, unsigned char *output, size_t len, size_t *olen)
{
	(void)data;
	random_bytes(output, len);
	*olen = len;
	return 0;
}
