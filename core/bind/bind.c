/* bind.c: opens every table of the core in a new trusted state. */
#include "bind/bind.h"
#include "base/base.h"

#include <lua.h>

void bind_open(lua_State *L, void *arg)
{
	/* bind_crypto sets `base64` and `hex` too. */
	static const struct {
		const char *name;
		lua_CFunction open;
	} tables[] = {
		{"db", bind_db},
		{"json", bind_json},
		{"crypto", bind_crypto},
		{"key", bind_key},
		{"jws", bind_jws},
		{"password", bind_password},
		{"url", bind_url},
		{"time", bind_time},
		{"log", bind_log},
		{"task", bind_task},
		{"jail", bind_jail},
		{"outgoing", bind_outgoing},
		{"dns", bind_dns},
		{"sys", bind_sys},
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		tables[i].open(L);
		lua_setglobal(L, tables[i].name);
	}
}
