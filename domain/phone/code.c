#include "domain/auth/auth.h"
#include "domain/phone/phone.h"

/* Six digits, each of the million equally likely: the few numbers above the last whole million are thrown again. */
static unsigned random_code(void)
{
    enum { CODES = 1000000 };
    uint32_t n;
    do random_bytes(&n, sizeof n);
    while (n >= UINT32_MAX / CODES * CODES);
    return n % CODES;
}

void phone_code_hash(const struct app *app, struct str scope, struct str digits, uint8_t out[SHA256_BYTES])
{
    struct arena arena;
    arena_init(&arena);
    auth_mac(app->auth, arena_printf(&arena, "code:%.*s:%.*s", STR_FMT(scope), STR_FMT(digits)), out);
    arena_fini(&arena);
}

struct phone_code phone_code_new(const struct app *app, struct arena *arena, struct str scope)
{
    struct phone_code code;
    struct str digits = arena_printf(arena, "%06u", random_code());
    phone_code_hash(app, scope, digits, code.hash);
    code.text = arena_printf(arena, "Your code is %.*s. It is valid for 5 minutes. Do not pass it on.",
                             STR_FMT(digits));
    return code;
}
