/* entry.h: how sys/ runs the vm's entries start, command and tick without seeing Lua. */
#pragma once

#include "base/bytes.h"

struct tls_config;
struct vm;

/* What follows runs an entry as a task and calls done exactly once when ST_OK was returned, possibly before returning.
 * done must not free the vm (vm_retire is fine). */

/* start(config, mode). st is not ST_OK when it failed; error is its text. tls, when the entry returned certificates, is
 * a new reference for the callee, else NULL. */
typedef void (*bridge_started)(void *arg, enum st st, const char *error, struct tls_config *tls);
must_check enum st bridge_start(
	struct vm *vm, struct slice config_wire, const char *mode, bridge_started done, void *arg);

/* command(body). json is the answer's table as JSON text, borrowed; error is NULL when all is well. */
typedef void (*bridge_answered)(void *arg, struct slice json, const char *error);
must_check enum st bridge_command(
	struct vm *vm, struct slice body_wire, bridge_answered done, void *arg);

/* tick(); skipped while the one before still runs. Failures are logged. */
void bridge_tick(struct vm *vm);
