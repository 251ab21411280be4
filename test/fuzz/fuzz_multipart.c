/* Forms: however a body is cut into pieces, the same parts and texts come out, and never more than went in. */
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/must.h"
#include "http/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 64 * 1024 };

static void on_part(void *arg, struct str name, struct str file)
{
    struct buf *b = arg;
    buf_char(b, 1);
    buf_str(b, name);
    buf_char(b, file.p ? 2 : 3);
    buf_str(b, file);
    buf_char(b, 4);
}

static void on_text(void *arg, const uint8_t *data, size_t n)
{
    must(n > 0);
    buf_put(arg, data, n);
}

/* Pieces of 1 to `most` bytes, each in memory of its own, so that a step beyond it is seen. */
static enum multipart_state feed(struct str type, const uint8_t *data, size_t size, size_t most, struct buf *out)
{
    struct multipart m;
    unsigned random = 12345;
    if (!multipart_init(&m, type)) return MULTIPART_BROKEN;
    m.on_part = on_part;
    m.on_text = on_text;
    m.arg = out;
    while (size > 0) {
        random = random * 1103515245 + 12345;
        size_t n = most > 1 ? 1 + (random >> 16) % most : 1;
        if (n > size) n = size;
        uint8_t *piece = malloc(n);
        memcpy(piece, data, n);
        multipart_feed(&m, piece, n);
        free(piece);
        data += n;
        size -= n;
    }
    return m.state;
}

/* The first line is the Content-Type, the rest the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *lf = size ? memchr(data, '\n', size) : NULL;
    if (!lf || size > BODY_MAX) return 0;
    struct str type = { (const char *) data, (size_t) (lf - data) };
    size_t n = size - type.n - 1;
    static const size_t steps[] = { 1, 3, 50, BODY_MAX };
    struct buf first, other;
    buf_init(&first, 2 * BODY_MAX);
    buf_init(&other, 2 * BODY_MAX);
    enum multipart_state state = feed(type, lf + 1, n, steps[0], &first);
    must(!first.failed && first.n <= n + 1);
    for (size_t i = 1; i < sizeof steps / sizeof *steps; i++) {
        buf_clear(&other);
        must(feed(type, lf + 1, n, steps[i], &other) == state && str_eq(buf_view(&first), buf_view(&other)));
    }
    buf_fini(&first);
    buf_fini(&other);
    return 0;
}
