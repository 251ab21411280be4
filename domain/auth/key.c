/* Basic keys: "holder:key". The key has 256 random bits, so a plain SHA-256 of it is kept and
 * compared in constant time. A verified one is cached while the change stream is live, because the
 * stream is what takes it back at once when it is revoked. */
#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "domain/auth/auth_private.h"
#include "domain/auth/scope.h"
#include "domain/live/live.h"
#include "sql.h"

struct key_check {
    struct arena arena;
    struct auth *auth;
    unsigned changes;         /* auth.key_changes when the row was asked for */
    struct str credentials;   /* wiped at the end */
    auth_done done;
    void *arg;
};

static void free_check(struct key_check *check)
{
    memset((char *) check->credentials.p, 0, check->credentials.n);
    arena_fini(&check->arena);
    mem_free(check);
}

/* The row's hash against the hash of what was presented. */
static bool key_matches(struct str credentials, struct str hash_hex)
{
    uint8_t presented[SHA256_BYTES], stored[SHA256_BYTES];
    struct str key = credentials;
    str_cut(&key, ':');
    sha256(key, presented);
    struct str one = { (char *) presented, sizeof presented }, other = { (char *) stored, sizeof stored };
    return hex_decode(hash_hex, stored, sizeof stored) && secret_equal(one, other);
}

static bool ask(struct key_check *check);

static void on_key(void *arg, enum err err, const struct db_result *r)
{
    struct key_check *check = arg;
    struct auth *a = check->auth;
    struct caller who = { 0 };
    enum auth_result result = AUTH_NO;
    /* The stream may have told of a revocation that this row is older than: nobody would take the key back again. */
    if (err == OK && check->changes != a->key_changes) {
        if (ask(check)) return;
        err = ERR_FULL;
    }
    if (err == ERR_SQL) log_error("auth", "key_check", "message=%s", LOG_STR(str_from(db_message(r))));
    if (err != OK) {
        result = AUTH_AWAY;
    } else if (db_rows(r) > 0 && key_matches(check->credentials, db_cell(r, 0, 1))) {
        int scopes = scope_parse(db_cell(r, 0, 2));
        who.key = db_cell_i64(r, 0, 0);
        who.scopes = scopes > 0 ? (unsigned) scopes : 0;
        result = AUTH_YES;
        if (live_state(a->app->live) == LIVE_LIVE) auth_cache_put(&a->keys, check->credentials, &who);
    }
    check->done(check->arg, result, &who);
    free_check(check);
}

static bool ask(struct key_check *check)
{
    struct auth *a = check->auth;
    struct db_args args;
    struct str rest = check->credentials;
    check->changes = a->key_changes;
    db_args_init(&args, &check->arena);
    db_text(&args, str_cut(&rest, ':'));
    return db_exec(a->app->db, &sql_auth_key_check, &args, on_key, check) == OK;
}

static enum auth_result ask_database(struct auth *a, struct str credentials, auth_done done, void *arg)
{
    struct key_check *check = mem_new(struct key_check);
    arena_init(&check->arena);
    check->auth = a;
    check->credentials = arena_str(&check->arena, credentials);
    check->done = done;
    check->arg = arg;
    if (ask(check)) return AUTH_WAIT;
    free_check(check);
    return AUTH_AWAY;
}

enum auth_result auth_key(struct auth *a, struct str credentials, struct caller *who, auth_done done, void *arg)
{
    if (!str_is_utf8(credentials) || !memchr(credentials.p, ':', credentials.n)) return AUTH_NO;
    bool cached = auth_cache_get(&a->keys, credentials, who);
    if (cached && live_memory_is_good(a->app->live)) return AUTH_YES;
    enum auth_result result = ask_database(a, credentials, done, arg);
    return result == AUTH_AWAY && cached ? AUTH_YES : result;
}

void auth_key_changed(struct auth *a)
{
    auth_cache_clear(&a->keys);
    a->key_changes++;
}
