/* l_http.h: the bridge between http/server's exchanges and the vm's entries: a request becomes a table for "handle", the
 * table that comes back becomes the reply. */
#pragma once

#include "bind/entry.h"

struct http_exchange;
struct vm;
struct bridge;

/* NULL = out of memory. Without a vm every request is answered 503. */
struct bridge *bridge_new(void);
/* Requests from now on run in vm (borrowed). The old one is the caller's to retire. */
void bridge_set_vm(struct bridge *b, struct vm *vm);
/* Frees the bridge; requests that run keep what they need. Accepts NULL. */
void bridge_free(struct bridge *b);
/* The http_handler; arg is the bridge. */
void bridge_handler(struct http_exchange *x, void *arg);
