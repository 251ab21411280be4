/* What payment providers say, in callbacks and answers: read, or refused whole. What is read holds what its
 * header promises. */
#include <string.h>

#include "core/must.h"
#include "domain/payments/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_id(struct str id)
{
    must(id.n <= 128 && (!id.p || id.n > 0));
    /* It becomes part of an address. */
    for (size_t i = 0; i < id.n; i++) must(id.p[i] != 0 && strchr("/?#%& \\\"\r\n", id.p[i]) == NULL);
}

static void check_report(const struct json *object)
{
    struct report r;
    if (report_read(object, &r) != OK) return;
    check_id(r.id);
    check_id(r.external_id);
    must(r.amount == -1 || r.amount > 0);
    must(r.paid_amount == -1 || r.paid_amount > 0);
    must(!r.has_status || (unsigned) r.status < INVOICE_STATUS_COUNT);
    must(!r.has_status || r.status != INVOICE_CANCELLED);
}

static void check_payout(const struct json *object)
{
    struct payout_said said;
    if (payout_said_read(object, &said) != OK) return;
    check_id(said.id);
    check_id(said.reference_id);
    must(!said.has_report || (unsigned) said.report < PAYOUT_REPORTS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct json *object;
    const char *why;
    arena_init(&arena);
    if (json_parse((struct str){ (const char *) data, size }, &arena, &object, &why) == OK) {
        check_report(object);
        check_payout(object);
    }
    arena_fini(&arena);
    return 0;
}
