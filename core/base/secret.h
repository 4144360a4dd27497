/* secret.h: randomness, constant-time comparison, wiping. getrandom(2) is the only source. */
#pragma once

#include "base/bytes.h"

/* Fills p; aborts when the kernel cannot answer: no caller could go on. */
void random_bytes(void *p, size_t n);
/* True when equal; takes time by the length only. Different lengths compare unequal. */
bool secret_eq(struct slice a, struct slice b);
void secret_wipe(void *p, size_t n);
/* For mbedTLS's f_rng arguments. ctx is ignored. */
int secret_rng(void *ctx, unsigned char *p, size_t n);
