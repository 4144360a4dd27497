/* jail_frame.c: calls and answers as bytes (jail_call.h). */
#include "script/jail.h"

static void add_text(struct buf *out, struct slice text)
{
	buf_add_u32(out, (uint32_t)text.n);
	buf_add_slice(out, text);
}

void jail_frame_begin(struct buf *frame, char verb, uint32_t instructions, uint32_t memory,
	struct slice chunk, struct slice source)
{
	buf_add_u32(frame, 0);
	buf_add_u8(frame, (uint8_t)verb);
	buf_add_u32(frame, instructions);
	buf_add_u32(frame, memory);
	add_text(frame, chunk);
	add_text(frame, source);
}

enum st jail_frame_end(struct buf *frame)
{
	size_t n = frame->n - 4;

	if (frame->failed)
		return ST_NOMEM;
	if (n > JAIL_FRAME_MAX)
		return ST_BAD;
	for (int i = 0; i < 4; i++)
		frame->p[i] = (unsigned char)(n >> (24 - 8 * i));
	return ST_OK;
}

bool jail_answer_read(struct slice answer, struct jail_answer *out)
{
	uint8_t end;

	if (!read_u8(&answer, &end) || end > JAIL_ASKS || !read_u32(&answer, &out->instructions) ||
		!read_u32(&answer, &out->memory) || !read_u32(&answer, &out->microseconds))
		return false;
	out->end = (enum jail_end)end;
	out->rest = answer;
	return true;
}

void jail_call_free(struct jail_call *call)
{
	buf_free(&call->request);
	buf_free(&call->answer);
}
