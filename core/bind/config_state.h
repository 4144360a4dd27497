/* config_state.h: the Lua state that evaluates a configuration file: lua/config/ over the owner's text, with a way to
 * files and environment variables and nothing else. For the sealed configuration process only. */
#pragma once

#include "base/bytes.h"

struct config_result {
	struct buf wire;   /* the configuration as wire data */
	struct buf master; /* what the master itself needs: "key=value" texts, each ended by NUL */
	struct buf errors; /* lines "file:line: what is wrong" when the evaluation failed */
};

/* Evaluates the file at `path`. ST_BAD with result->errors when it is wrong. */
must_check enum st config_evaluate(const char *path, struct config_result *result);
void config_result_free(struct config_result *result);

/* The body of a command for the broker: wire bytes of { argv = …, stdin = …, config = … }. input NULL = none. */
must_check enum st command_body(const char *const *argv, size_t argc, const struct slice *input,
	struct slice config_wire, struct buf *out, char *error, size_t error_size);
