/* Any bytes as a message of the ledger: never a crash, nothing taken from what is refused, and what was
 * taken reads the same when it is written again. */
#include <stdlib.h>
#include <string.h>

#include "core/must.h"
#include "domain/ledger/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct buf again;
    int count;
};

static void take(void *arg, const struct ledger_event *e)
{
    struct seen *s = arg;
    s->count++;
    ledger_event_encode(&s->again, e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen first = { .count = 0 }, second = { .count = 0 };
    buf_init(&first.again, 1 << 24);
    buf_init(&second.again, 1 << 24);
    if (size >= 9) {
        buf_put(&first.again, data, 9);
        buf_put(&second.again, data, 9);
    }
    bool good = ledger_event_decode((struct str){ (const char *) data, size }, take, &first);
    must(good || first.count == 0);
    if (good) {
        must(ledger_event_decode(buf_view(&first.again), take, &second));
        must(second.count == first.count);
        must(str_eq(buf_view(&first.again), buf_view(&second.again)));
    }
    buf_fini(&first.again);
    buf_fini(&second.again);
    return 0;
}
