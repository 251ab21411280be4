/* Customers' tokens: HS256, good while their session is not revoked, their user active, and their
 * issue not before the user's tokens_from (a password change moves it). All three are looked up in
 * memory; see auth.h for when the database is asked. */
#include <string.h>

#include "core/clock.h"
#include "core/jwt.h"
#include "core/log.h"
#include "core/mem.h"
#include "domain/auth/auth_private.h"
#include "domain/live/live.h"
#include "sql.h"

/* A token whose session must be read. */
struct token_check {
    struct arena arena;
    struct auth *auth;
    struct caller who;
    auth_done done;
    void *arg;
};

struct auth *auth_new(struct app *app, struct str jwt_secret)
{
    struct auth *a = mem_new(struct auth);
    a->app = app;
    a->secret = hmac_key_new(jwt_secret);
    auth_cache_init(&a->tokens, TOKENS_CACHED_MAX);
    auth_cache_init(&a->keys, KEYS_CACHED_MAX);
    auth_revoked_init(a);
    return a;
}

void auth_free(struct auth *a)
{
    auth_revoked_fini(a);
    auth_cache_fini(&a->tokens);
    auth_cache_fini(&a->keys);
    hmac_key_free(a->secret);
    mem_free(a);
}

static bool claim_i64(const struct json *claims, struct str name, int64_t *out)
{
    const struct json *claim = json_get(claims, name);
    return claim && claim->type == JSON_NUMBER && json_i64(claim, out);
}

static bool is_hex(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f'))) return false;
    }
    return true;
}

/* Signature and claims; says nothing about the session. */
static bool read_token(const struct auth *a, struct str token, struct caller *who)
{
    struct arena arena;
    struct json *claims;
    arena_init(&arena);
    *who = (struct caller){ 0 };
    bool good = jwt_verify(a->secret, token, clock_wall_s(), &arena, &claims) == OK &&
                claim_i64(claims, STR("user_id"), &who->user) && who->user > 0 &&
                claim_i64(claims, STR("exp"), &who->expires_s);
    if (good) {
        const struct json *realm = json_get(claims, STR("realm")), *jti = json_get(claims, STR("jti"));
        good = realm && realm->type == JSON_STRING && str_eq(realm->text, STR("customer")) && jti &&
               jti->type == JSON_STRING && jti->text.n == JTI_CHARS && is_hex(jti->text);
        if (good) memcpy(who->jti, jti->text.p, JTI_CHARS);
    }
    arena_fini(&arena);
    return good;
}

bool auth_still_good(const struct auth *a, const struct caller *c)
{
    if (c->key) return true;
    return c->person && c->person->is_active && c->expires_s > clock_wall_s() &&
           auth_jti_issued_us(c->jti) >= c->person->tokens_from_us &&
           !auth_is_revoked(a, (struct str){ c->jti, JTI_CHARS });
}

static void finish_check(struct token_check *check, enum auth_result result)
{
    check->done(check->arg, result, &check->who);
    arena_fini(&check->arena);
    mem_free(check);
}

static void on_session(void *arg, enum err err, const struct db_result *r)
{
    struct token_check *check = arg;
    struct auth *a = check->auth;
    if (err == ERR_SQL) log_error("auth", "session_check", "message=%s", LOG_STR(str_from(db_message(r))));
    if (err != OK) {
        check->who.person = book_person(&a->app->book, check->who.user);
        finish_check(check, check->who.person && auth_still_good(a, &check->who) ? AUTH_YES : AUTH_AWAY);
        return;
    }
    if (db_rows(r) == 0 || db_cell_bool(r, 0, 1)) {
        finish_check(check, AUTH_NO);
        return;
    }
    live_apply_own(a->app->live, db_cell(r, 0, 0));
    check->who.person = book_person(&a->app->book, check->who.user);
    finish_check(check, check->who.person && check->who.person->is_active ? AUTH_YES : AUTH_NO);
}

static enum auth_result ask_database(struct auth *a, const struct caller *who, auth_done done, void *arg)
{
    struct token_check *check = mem_new(struct token_check);
    struct db_args args;
    arena_init(&check->arena);
    check->auth = a;
    check->who = *who;
    check->done = done;
    check->arg = arg;
    db_args_init(&args, &check->arena);
    db_text(&args, (struct str){ check->who.jti, JTI_CHARS });
    if (db_exec(a->app->db, &sql_auth_session_check, &args, on_session, check) == OK) return AUTH_WAIT;
    arena_fini(&check->arena);
    mem_free(check);
    return AUTH_AWAY;
}

enum auth_result auth_token(struct auth *a, struct str token, struct caller *who, auth_done done, void *arg)
{
    if (!auth_cache_get(&a->tokens, token, who)) {
        if (!read_token(a, token, who)) return AUTH_NO;
        who->person = book_person(&a->app->book, who->user);
        if (who->person) auth_cache_put(&a->tokens, token, who);
    }
    if (who->expires_s <= clock_wall_s()) return AUTH_NO;
    if (who->person && live_memory_is_good(a->app->live)) return auth_still_good(a, who) ? AUTH_YES : AUTH_NO;
    enum auth_result result = ask_database(a, who, done, arg);
    if (result == AUTH_AWAY && who->person) return auth_still_good(a, who) ? AUTH_YES : AUTH_NO;
    return result;
}

struct str auth_sign_with(const struct hmac_key *secret, const struct pid_key *pids, const struct person *person,
                          struct str jti, int64_t issued_s, int64_t expires_s, struct arena *arena)
{
    struct buf b;
    char pid[PID_CHARS];
    buf_init(&b, JWT_BYTES_MAX);
    pid_encode(pids, PID_USER, person->id, pid);
    json_open(&b, '{');
    json_key(&b, STR("sub"));
    json_string(&b, (struct str){ pid, sizeof pid });
    json_key(&b, STR("user"));
    json_string(&b, str_from(person->username));
    json_key(&b, STR("agent"));
    json_bool(&b, person->is_agent);
    json_key(&b, STR("user_id"));
    json_int(&b, person->id);
    json_key(&b, STR("realm"));
    json_string(&b, STR("customer"));
    json_key(&b, STR("jti"));
    json_string(&b, jti);
    json_key(&b, STR("iat"));
    json_int(&b, issued_s);
    json_key(&b, STR("exp"));
    json_int(&b, expires_s);
    json_close(&b, '}');
    struct str token = jwt_sign(secret, buf_view(&b), arena);
    buf_fini(&b);
    return token;
}

struct str auth_sign(struct auth *a, const struct person *person, struct str jti, int64_t issued_s, int64_t expires_s,
                     struct arena *arena)
{
    return auth_sign_with(a->secret, &a->app->pids, person, jti, issued_s, expires_s, arena);
}

void auth_mac(const struct auth *a, struct str text, uint8_t out[SHA256_BYTES])
{
    hmac_sha256(a->secret, text, out);
}
