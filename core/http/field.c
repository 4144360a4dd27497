/* field.c: characters and lists in header fields. */
#include "http/field.h"

/* RFC 9110 section 5.6.2. */
bool field_is_token_char(unsigned char c)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return c != '\0' && memchr(marks, c, sizeof marks - 1) != NULL;
}

bool field_is_token(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!field_is_token_char(s.p[i]))
			return false;
	return s.n > 0;
}

bool field_is_value(struct slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return true;
}

static struct slice trim(struct slice s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = slice_sub(s, 1, s.n);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s = slice_sub(s, 0, s.n - 1);
	return s;
}

bool field_list_has(struct slice list, struct slice token)
{
	while (list.n > 0) {
		size_t end = slice_find(list, ',');

		if (slice_eq_nocase(trim(slice_sub(list, 0, end)), token))
			return true;
		list = slice_sub(list, end + 1, list.n);
	}
	return false;
}
