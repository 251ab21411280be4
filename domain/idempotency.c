#include "domain/idempotency.h"

#include "domain/auth/auth.h"

bool idempotency_read(struct http_request *req, struct posting *posting)
{
    struct str key = request_header(req, STR("Idempotency-Key"));
    posting->scope = caller_scope(req->caller, &req->arena);
    if (!key.p) return true;
    bool once = request_header_count(req, STR("Idempotency-Key")) == 1;
    /* The header's grammar has refused control characters already, except for the tab. */
    if (once && key.n > 0 && str_is_utf8(key) && str_utf8_length(key) <= POSTING_KEY_CHARS_MAX) {
        posting->key = key;
        return true;
    }
    struct reply_faults faults = { 0 };
    reply_fault(req, &faults, "Idempotency-Key", once ? "must be 1 to 128 characters" : "must be sent once only");
    reply_faults(req, &faults);
    return false;
}
