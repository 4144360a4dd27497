/* version.h: which cryptographic libraries are in the program. */
#pragma once

const char *crypto_version(void);   /* mbedTLS */
const char *password_version(void); /* of the Argon2 algorithm: its library has no number */
