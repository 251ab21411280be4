/* Calls to Xendit: HTTP Basic with the secret key as the user and no password. */
#include "domain/payments/payments_private.h"

void xendit_call_init(struct payments *p, struct outbound_call *call, const char *method, struct str path,
                      void (*done)(struct outbound_call *call, enum err err), void *arg)
{
    struct arena arena;
    arena_init(&arena);
    outbound_call_init(call, method, arena_printf(&arena, "%s%.*s", p->base_url, STR_FMT(path)), done, arg);
    arena_fini(&arena);
    outbound_header(call, "Authorization: %.*s", STR_FMT(p->authorization));
    outbound_header(call, "Accept: application/json");
}

bool xendit_refused(const struct outbound_call *call, enum err err)
{
    /* 408, 409 and 429 say nothing about what became of it. */
    return err == OK && call->status >= 400 && call->status < 500 && call->status != 408 && call->status != 409 &&
           call->status != 429;
}
