/* log.h: one line per record to standard error: time level message key=value…; values are quoted and control
 * characters escaped, so that nobody can forge a line. Buffered; log_flush writes. Thread-safe. */
#pragma once

#include "base/bytes.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level level);
bool log_wants(enum log_level level);
void log_line(enum log_level level, const char *format, ...) printf_like(2, 3);
/* Appends value in double quotes; quotes, backslashes, control characters and bytes that are not UTF-8 escaped. For
 * values in a record: a peer's text belongs in nothing else. */
void log_quote(struct buf *out, struct slice value);
/* A finished "message key=value" text, its values quoted by log_quote. Control characters and bytes that are not UTF-8
 * are escaped here too, so that a record is one line whatever it holds. */
void log_slice(enum log_level level, struct slice text);
void log_flush(void); /* by the loop at the end of each turn; records of LOG_WARN and above flush themselves */
const char *log_level_name(enum log_level level); /* "debug", "info", "warn", "error" */
