/* POINTS-02: one statement with filters, another one without, where nothing has to be looked for. */
#include "domain/points/points_private.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

/* The fields of the row in points.c. */
enum { PAGE, LIMIT, TYPE, FROM, TO };

void points_transactions(struct http_request *req)
{
    const struct value *from = &req->values[FROM], *to = &req->values[TO];
    if (from->set && to->set && from->i > to->i) {
        struct reply_faults faults = { 0 };
        reply_fault(req, &faults, "from", "must not be later than to");
        reply_faults(req, &faults);
        return;
    }
    bool filtered = req->values[TYPE].set || from->set || to->set;
    sql_endpoint_run_as(req, filtered ? &sql_points_transactions_filtered : &sql_points_transactions);
}
