/* Tokens that were revoked before their time. The tables know them (sessions.revoked_at); every
 * process keeps the unexpired ones in memory, by the change stream. Expired ones are forgotten once
 * a minute: their tokens are refused for being old. */
#include "core/clock.h"
#include "core/mem.h"
#include "domain/auth/auth_private.h"

enum { SWEEP_MS = 60 * 1000 };

struct revoked_token {
    char jti[JTI_CHARS];
    int64_t expires_s;
};

int64_t auth_jti_issued_us(const char jti[JTI_CHARS])
{
    int64_t us = 0;
    for (int i = 0; i < 14; i++) {
        int digit = jti[i] >= 'a' ? jti[i] - 'a' + 10 : jti[i] - '0';
        us = us << 4 | (digit & 15);
    }
    return us;
}

static void forget(struct auth *a, bool all)
{
    struct revoked_token *kept[256], *t;
    int n;
    int64_t now = clock_wall_s();
    do {   /* the table must not change while it is walked: gather some, then remove them */
        n = 0;
        for (size_t i = 0; n < 256 && (t = map_next(&a->revoked, &i));) {
            if (all || t->expires_s <= now) kept[n++] = t;
        }
        for (int i = 0; i < n; i++) {
            map_remove(&a->revoked, str_hash((struct str){ kept[i]->jti, JTI_CHARS }));
            mem_free(kept[i]);
        }
    } while (n == 256);
}

static void on_sweep(struct wheel_timer *timer)
{
    struct auth *a = list_entry(timer, struct auth, sweep);
    forget(a, false);
    wheel_set(a->app->wheel, timer, SWEEP_MS);
}

void auth_revoked_init(struct auth *a)
{
    map_init(&a->revoked);
    wheel_timer_init(&a->sweep, on_sweep);
    wheel_set(a->app->wheel, &a->sweep, SWEEP_MS);
}

void auth_revoked_fini(struct auth *a)
{
    wheel_cancel(&a->sweep);
    forget(a, true);
    map_fini(&a->revoked);
}

bool auth_is_revoked(const struct auth *a, struct str jti)
{
    return map_get(&a->revoked, str_hash(jti)) != NULL;
}

void auth_revoked(struct auth *a, struct str jti, int64_t expires_s)
{
    if (jti.n != JTI_CHARS || expires_s <= clock_wall_s() || auth_is_revoked(a, jti)) return;
    struct revoked_token *t = mem_new(struct revoked_token);
    for (int i = 0; i < JTI_CHARS; i++) t->jti[i] = jti.p[i];
    t->expires_s = expires_s;
    map_set(&a->revoked, str_hash(jti), t);
}
