/* jail_call.h: what worker and jail say to each other. Frames over a stream socket: u32 length, then that many bytes; one
 * call, one answer; on the way to it the jail may ask and waits for a reply each time. Numbers big endian; a text is u32 length and bytes.
 *
 * call:   u8 'r' run, 'x' run and count every instruction (slower), 'c' compile, u32 instructions, u32 memory, text chunk, text source, wire value given
 * answer: u8 kind (enum jail_end), u32 instructions, u32 memory, u32 microseconds,
 *         JAIL_FINE: wire value result, wire value second (a policy's message)
 *         JAIL_ASKS: wire value: a list, what is asked and with which arguments
 *         else:      text message, u32 line (0 = unknown), u8 count of texts: what the line saw
 *         then       u8 count of log lines: u8 level, text; not with JAIL_ASKS
 * reply:  wire value: { true, value } or { false, why not } */
#pragma once

#include "base/base.h"

#define JAIL_FRAME_MAX (512u << 10)
#define JAIL_INSTRUCTIONS 1000000u
#define JAIL_MEMORY (8u << 20)
#define JAIL_RUNNING_MS 50   /* processor time of one call, measured by the jail's own timer */
#define JAIL_WAITING_MS 5000 /* all waiting for replies of one call (S23) */
#define JAIL_REPLY_MAX ((256u << 10) + 64)
#define JAIL_SAW_MAX 12
#define JAIL_LOG_MAX 50
#define JAIL_MESSAGES_MAX 10 /* ak_message: lines of level JAIL_LEVEL_MESSAGE, beyond the others */
#define JAIL_LEVEL_MESSAGE 4
#define JAIL_LOG_TEXT_MAX 500

enum jail_end {
	JAIL_FINE,
	JAIL_ERROR,  /* the script threw */
	JAIL_SYNTAX, /* it is no Lua */
	JAIL_RESULT, /* what it returned is no plain data */
	JAIL_INSTRUCTIONS_SPENT,
	JAIL_MEMORY_SPENT,
	JAIL_TIMEOUT,
	JAIL_ASKS, /* not ended yet: the script waits for something that the worker must do (S24) */
	JAIL_KILLED, /* the jail died, or answered nonsense */
	JAIL_BUSY,
	JAIL_END_MAX
};

/* "error", "syntax", "result", "instructions", "memory", "timeout", "asks", "killed", "busy"; "fine". */
const char *jail_end_name(enum jail_end end);
