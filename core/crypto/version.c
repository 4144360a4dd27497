/* version.c: which cryptographic libraries are in the program. */
#include "crypto/version.h"

#include <argon2.h>
#include <mbedtls/version.h>

const char *crypto_version(void)
{
	return MBEDTLS_VERSION_STRING;
}

const char *password_version(void)
{
	return ARGON2_VERSION_NUMBER == ARGON2_VERSION_13 ? "1.3" : "1.0";
}
