/* l_crypto.c: the tables `crypto`, `base64` and `hex`: hashes, sealing under derived keys, random values, text codecs. A secret
 * is a userdata: it can be used and compared by nothing but these functions. */
#include <lauxlib.h>
#include <lua.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/secret.h"
#include "bind/bind.h"
#include "bind/scratch.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/master.h"

#define SECRET "crypto.secret"

enum { RANDOM_MAX = 4096, ULID_TEXT = 26 };

struct secret {
	unsigned char key[MASTER_KEY_SIZE];
};

static const char derived_key; /* registry: table label → secret */

static struct slice check_slice(lua_State *L, int index)
{
	size_t n;
	const char *p = luaL_checklstring(L, index, &n);

	return slice_of(p, n);
}

static int push_slice(lua_State *L, const void *p, size_t n)
{
	lua_pushlstring(L, p, n);
	return 1;
}

/* ---- Random values ---- */

/* random(n) → n bytes */
static int l_random(lua_State *L)
{
	lua_Integer n = luaL_checkinteger(L, 1);
	luaL_Buffer b;

	luaL_argcheck(L, n >= 1 && n <= RANDOM_MAX, 1, "1 to 4096 bytes");
	random_bytes(luaL_buffinitsize(L, &b, (size_t)n), (size_t)n);
	luaL_pushresultsize(&b, (size_t)n);
	return 1;
}

/* token(prefix, bytes = 32) → prefix and base64url */
static int l_token(lua_State *L)
{
	struct slice prefix = check_slice(L, 1);
	lua_Integer n = luaL_optinteger(L, 2, 32);
	unsigned char bytes[64];
	struct buf *out;

	luaL_argcheck(L, n >= 16 && n <= (lua_Integer)sizeof(bytes), 2, "16 to 64 bytes");
	out = scratch_take(L);
	random_bytes(bytes, (size_t)n);
	buf_add_slice(out, prefix);
	if (base64url_encode(slice_of(bytes, (size_t)n), out))
		out->failed = true;
	scratch_push(L, out);
	return 1;
}

/* id() → ULID: 48 bits of milliseconds, 80 random bits, 26 characters of Crockford's base 32 that sort by time. */
static int l_id(lua_State *L)
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	unsigned char random[10];
	char text[ULID_TEXT];
	uint64_t ms = (uint64_t)clock_wall_ms(), high = 0, low = 0;

	random_bytes(random, sizeof(random));
	for (int i = 0; i < 5; i++) {
		high = high << 8 | random[i];
		low = low << 8 | random[5 + i];
	}
	for (int i = 9; i >= 0; i--, ms >>= 5)
		text[i] = digits[ms & 31];
	for (int i = 7; i >= 0; i--, high >>= 5, low >>= 5) {
		text[10 + i] = digits[high & 31];
		text[18 + i] = digits[low & 31];
	}
	return push_slice(L, text, sizeof(text));
}

/* ---- Hashes ---- */

static int hash_with(lua_State *L, enum hash_alg alg)
{
	unsigned char digest[HASH_SIZE_MAX];

	hash_bytes(alg, check_slice(L, 1), digest);
	return push_slice(L, digest, hash_size(alg));
}

static int l_sha1(lua_State *L)
{
	return hash_with(L, HASH_SHA1);
}

static int l_sha256(lua_State *L)
{
	return hash_with(L, HASH_SHA256);
}

static int l_sha384(lua_State *L)
{
	return hash_with(L, HASH_SHA384);
}

static int l_sha512(lua_State *L)
{
	return hash_with(L, HASH_SHA512);
}

/* A secret handle, or for hmac_sha256 a string. */
static struct slice check_secret(lua_State *L, int index)
{
	struct secret *s = luaL_checkudata(L, index, SECRET);

	return slice_of(s->key, sizeof(s->key));
}

/* hmac_sha256(secret or bytes, bytes) → bytes */
static int l_hmac_sha256(lua_State *L)
{
	struct slice key = lua_type(L, 1) == LUA_TSTRING ? check_slice(L, 1) : check_secret(L, 1);
	unsigned char digest[HASH_HMAC_SIZE];

	hash_hmac_sha256(key, check_slice(L, 2), digest);
	return push_slice(L, digest, sizeof(digest));
}

/* keyed(secret, text) → base64url: what is stored in place of a secret that only has to be recognised (S2) */
static int l_keyed(lua_State *L)
{
	struct slice key = check_secret(L, 1), text = check_slice(L, 2);
	unsigned char digest[HASH_HMAC_SIZE];
	struct buf *out = scratch_take(L);

	hash_hmac_sha256(key, text, digest);
	if (base64url_encode(slice_of(digest, sizeof(digest)), out))
		out->failed = true;
	scratch_push(L, out);
	return 1;
}

/* equal(a, b) → bool, in constant time */
static int l_equal(lua_State *L)
{
	lua_pushboolean(L, secret_eq(check_slice(L, 1), check_slice(L, 2)));
	return 1;
}

/* ---- Secrets and sealing ---- */

static int secret_collect(lua_State *L)
{
	secret_wipe(lua_touserdata(L, 1), sizeof(struct secret));
	return 0;
}

/* derive(label) → secret handle; the same handle for the same label */
static int l_derive(lua_State *L)
{
	struct slice label = check_slice(L, 1);
	struct secret *s;

	lua_settop(L, 1);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &derived_key);
	lua_pushvalue(L, 1);
	if (lua_rawget(L, 2) == LUA_TUSERDATA)
		return 1;
	s = lua_newuserdatauv(L, sizeof(*s), 0);
	memset(s, 0, sizeof(*s));
	luaL_setmetatable(L, SECRET);
	if (crypto_master_derive(label, s->key))
		return luaL_error(L, "crypto.derive: no master key, or a wrong label");
	lua_pushvalue(L, 1);
	lua_pushvalue(L, -2);
	lua_rawset(L, 2);
	return 1;
}

/* seal(secret, plaintext, aad) → bytes */
static int l_seal(lua_State *L)
{
	struct slice key = check_secret(L, 1), text = check_slice(L, 2), aad = check_slice(L, 3);
	struct buf *out = scratch_take(L);

	if (aead_seal(key.p, text, aad, out))
		return luaL_error(L, "not enough memory");
	scratch_push(L, out);
	return 1;
}

/* unseal(secret, bytes, aad) → plaintext | nil */
static int l_unseal(lua_State *L)
{
	struct slice key = check_secret(L, 1), sealed = check_slice(L, 2), aad = check_slice(L, 3);
	struct buf *out = scratch_take(L);
	enum st st = aead_open(key.p, sealed, aad, out);

	if (st == ST_NOMEM)
		return luaL_error(L, "not enough memory");
	if (st)
		lua_pushnil(L);
	else
		scratch_push(L, out);
	return 1;
}

/* ---- Codecs ---- */

static int encode_with(lua_State *L, enum st (*encode)(struct slice, struct buf *))
{
	struct slice in = check_slice(L, 1);
	struct buf *out = scratch_take(L);

	if (encode(in, out))
		return luaL_error(L, "not enough memory");
	scratch_push(L, out);
	return 1;
}

/* → bytes | nil when the text is not the one spelling */
static int decode_with(lua_State *L, enum st (*decode)(struct slice, struct buf *))
{
	struct slice in = check_slice(L, 1);
	struct buf *out = scratch_take(L);
	enum st st = decode(in, out);

	if (st == ST_NOMEM)
		return luaL_error(L, "not enough memory");
	if (st)
		lua_pushnil(L);
	else
		scratch_push(L, out);
	return 1;
}

static int l_base64_encode(lua_State *L)
{
	return encode_with(L, base64_encode);
}

static int l_base64_decode(lua_State *L)
{
	return decode_with(L, base64_decode);
}

static int l_base64url_encode(lua_State *L)
{
	return encode_with(L, base64url_encode);
}

static int l_base64url_decode(lua_State *L)
{
	return decode_with(L, base64url_decode);
}

static int l_hex_encode(lua_State *L)
{
	return encode_with(L, hex_encode);
}

static int l_hex_decode(lua_State *L)
{
	return decode_with(L, hex_decode);
}

/* ---- The tables ---- */

static const luaL_Reg crypto_functions[] = {
	{"random", l_random},
	{"token", l_token},
	{"id", l_id},
	{"sha1", l_sha1},
	{"sha256", l_sha256},
	{"sha384", l_sha384},
	{"sha512", l_sha512},
	{"hmac_sha256", l_hmac_sha256},
	{"keyed", l_keyed},
	{"equal", l_equal},
	{"derive", l_derive},
	{"seal", l_seal},
	{"unseal", l_unseal},
	{NULL, NULL},
};

static const luaL_Reg base64_functions[] = {
	{"encode", l_base64_encode},
	{"decode", l_base64_decode},
	{"url_encode", l_base64url_encode},
	{"url_decode", l_base64url_decode},
	{NULL, NULL},
};

static const luaL_Reg hex_functions[] = {
	{"encode", l_hex_encode},
	{"decode", l_hex_decode},
	{NULL, NULL},
};

int bind_crypto(lua_State *L)
{
	luaL_newmetatable(L, SECRET);
	lua_pushcfunction(L, secret_collect);
	lua_setfield(L, -2, "__gc");
	lua_pushliteral(L, SECRET);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 1);
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &derived_key);
	luaL_newlib(L, base64_functions);
	lua_setglobal(L, "base64");
	luaL_newlib(L, hex_functions);
	lua_setglobal(L, "hex");
	luaL_newlib(L, crypto_functions);
	return 1;
}
