/* base.h: what every file of the core needs: status codes, must_check, small macros. Includes nothing of ours. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define must_check __attribute__((warn_unused_result))
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
/* clang-format off */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))
/* clang-format on */

/* How an operation ended. ST_OK is zero so that `if (st)` reads "if it failed". */
enum st {
	ST_OK = 0,
	ST_MORE,     /* incomplete input; feed more */
	ST_BAD,      /* the peer or the input is wrong */
	ST_NOMEM,    /* out of memory; an ordinary error up to the connection */
	ST_IO,       /* the system refused; errno says why */
	ST_BUSY,     /* a bounded queue is full */
	ST_FULL,     /* no space on the data folder */
	ST_CONFLICT, /* an expectation did not hold */
	ST_CORRUPT,  /* stored data is damaged */
	ST_TIMEOUT,
	ST_CLOSED,
	ST_NOTFOUND,
	ST_REFUSED, /* allowed by no rule */
};

/* A word for each status: "ok", "busy", … Static storage. */
const char *st_name(enum st st);
