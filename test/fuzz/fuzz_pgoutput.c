/* The replication decoder on anything: it reads no byte it does not have, and what it finds lies in the input. */
#include <stdlib.h>

#include "core/must.h"
#include "db/pgoutput.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_lie_in(struct str s, const uint8_t *data, size_t size)
{
    const uint8_t *p = (const uint8_t *) s.p;
    must(p >= data && s.n <= size && p + s.n <= data + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pgoutput out;
    if (!pgoutput_decode((struct str){ (const char *) data, size }, &out)) return 0;
    if (out.kind == PGOUTPUT_MESSAGE) {
        must_lie_in(out.prefix, data, size);
        must_lie_in(out.content, data, size);
        must(out.prefix.n + out.content.n + 40 == size);
    }
    return 0;
}
