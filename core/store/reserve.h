/* reserve.h: a file that holds space back on the data folder, so that sign-outs and revocations can still be stored when
 * the disk is full (S35). */
#pragma once

#include "base/base.h"

/* The reserve beside the database at path; NULL or ":memory:" = none. Makes the file when it is not there. */
void reserve_open(const char *path);
/* Frees the space. False when there is none to free. */
must_check bool reserve_release(void);
/* Was it freed and not yet taken back? Then what is left of it is for the urgent. */
bool reserve_is_spent(void);
/* Takes the space back when it was freed; tries every few seconds. Called after a commit that succeeded, and before one while
 * the reserve is spent. */
void reserve_restore(void);
