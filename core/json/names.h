/* names.h: the set of member names seen while validating, to refuse an object that names a member twice. Names are compared
 * as what they decode to ("a" is "\u0061"), hashed with a random key so that nobody can prepare collisions. */
#pragma once

#include "base/bytes.h"

struct name_entry;

struct names {
	struct name_entry *entries; /* owns; open addressing */
	size_t count, capacity;     /* capacity is a power of two, or 0 */
	uint64_t key[2];
};

void names_init(struct names *s);
void names_free(struct names *s);
/* raw is a validated string body, without quotes and still escaped. ST_CONFLICT when this object has it already. */
must_check enum st names_add(struct names *s, uint32_t object, struct slice raw);
