/* op.c: the end of an operation. */
#include "loop/op.h"

#include "base/fault.h"

static void (*resume_owner)(struct op *op);

void op_land(struct op *op)
{
	if (op->landed) {
		op->landed(op);
		return;
	}
	if (op->owner == NULL) {
		count_add(COUNT_LATE, 1);
		op->free(op);
		return;
	}
	assert(resume_owner != NULL);
	resume_owner(op);
}

void op_set_resume(void (*resume)(struct op *op))
{
	resume_owner = resume;
}
