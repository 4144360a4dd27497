/* sandbox.h: the Lua state inside a jail: made once, saved, and put back before every call. */
#pragma once

#include "base/bytes.h"
#include "script/jail_call.h"

struct lua_State;

/* Sends a frame (its first four bytes are room for the length) and waits for the reply, which is valid until the next one. Does
 * not return when nobody answers. */
typedef struct slice (*sandbox_asker)(struct buf *frame);

/* Builds the state (lua/mapping/jail/ from the assets) and saves it. Before sealing. On failure error says why. */
must_check enum st sandbox_open(sandbox_asker asker, char *error, size_t error_size);
/* Runs or compiles what the frame says and appends the answer. Never fails: a malformed frame is answered as an error. */
void sandbox_call(struct slice frame, struct buf *answer);

/* ---- For the helpers ------------------------------------------------------------------------------------------------- */

/* Ends the script now, past every pcall of its own. */
_Noreturn void sandbox_spend(struct lua_State *L, enum jail_end what);
bool sandbox_is_spent(void);
#define SANDBOX_SUBJECT_MAX (64u << 10) /* what patterns may be matched against */
/* Memory of this call for a library; counted, gone with the call. NULL over the budget. */
void *sandbox_malloc(size_t size, void *unused);
void sandbox_free(void *p, void *unused);
void sandbox_log(unsigned level, struct slice text);

/* sandbox_env.c: sets the globals of scripts. The registry's SANDBOX_PREPARE is called when a call's values are set (see
 * mapping/jail/given.lua). */
#define SANDBOX_PREPARE "prepare"
void sandbox_env_open(struct lua_State *L);
void sandbox_env_end(void); /* after each call */
/* sandbox_ask.c: core.ask(name, …): what the worker answers; raises what it refuses. */
void sandbox_ask_open(sandbox_asker asker);
int sandbox_ask(struct lua_State *L);
/* sandbox_saw.c: the values that the failing line reads, as "name = value" texts appended to out; the count. */
unsigned sandbox_saw(
	struct lua_State *L, void *activation, struct slice source, int line, struct buf *out);
