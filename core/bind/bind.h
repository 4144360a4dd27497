/* bind.h: the Lua tables of the core, one file each. Each luaopen pushes its table; bind_open sets them as globals. */
#pragma once

struct lua_State;

int bind_db(struct lua_State *L);   /* l_db.c */
int bind_json(struct lua_State *L); /* l_json.c */
int bind_crypto(struct lua_State *L); /* l_crypto.c: hashes, hmac, seal, random, ids, codecs base64 hex */
int bind_key(struct lua_State *L);      /* l_key.c: signing keys as handles, certificates */
int bind_jws(struct lua_State *L);      /* l_jws.c */
int bind_password(struct lua_State *L); /* l_password.c */
int bind_url(struct lua_State *L);      /* l_url.c: form, query, url, percent */
int bind_time(struct lua_State *L);     /* l_time.c */
int bind_log(struct lua_State *L);      /* l_log.c */
int bind_task(struct lua_State *L);     /* l_task.c */
int bind_jail(struct lua_State *L);     /* l_jail.c */
int bind_outgoing(struct lua_State *L); /* l_outgoing.c: requests of ours to others */
int bind_dns(struct lua_State *L);      /* l_dns.c: addresses of names, names of addresses */
int bind_sys(struct lua_State *L); /* l_sys.c: version, counters, in debug builds faults and clock */

/* Opens all of them into L's globals. */
void bind_open(struct lua_State *L, void *arg);
