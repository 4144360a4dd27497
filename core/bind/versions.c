/* versions.c: the program's own version and its libraries'. */
#include "bind/versions.h"
#include "base/base.h"
#include "crypto/version.h"
#include "loop/version.h"
#include "script/regex.h"
#include "store/store.h"
#include "json/json.h"

#include <lua.h>

#ifndef TIDELOCK_VERSION
#define TIDELOCK_VERSION "unknown"
#endif

static const char *own_version(void)
{
	return TIDELOCK_VERSION;
}

static const char *lua_version_text(void)
{
	return LUA_VERSION_MAJOR "." LUA_VERSION_MINOR "." LUA_VERSION_RELEASE;
}

const struct library libraries[] = {
	{"tidelock", own_version},
	{"lua", lua_version_text},
	{"mbedtls", crypto_version},
	{"libevent", loop_version},
	{"sqlite", store_version},
	{"pcre2", regex_version},
	{"cjson", json_version},
	{"argon2", password_version},
};
const size_t library_count = ARRAY_LEN(libraries);
