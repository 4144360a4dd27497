/* version.h: `tidelock version`. */
#pragma once

#include "base/base.h"

/* Prints this program's version and those of the libraries inside; the exit status. */
int version_print(bool json);
