/* version.h: which libevent is in the program. */
#pragma once

const char *loop_version(void);
