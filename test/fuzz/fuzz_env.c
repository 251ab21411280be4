/* The .env reader: each pair has a proper name and lies in memory that is ours, a refusal names a line
 * of the text, and what was read, written again in double quotes, reads the same. */
#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "core/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 64 * 1024 };

struct collected {
    struct buf text;      /* NAME="value" lines */
    int count;
};

static void take(void *arg, struct str name, struct str value)
{
    struct collected *c = arg;
    must(name.n > 0 && !memchr(name.p, '=', name.n) && !memchr(name.p, '\n', name.n));
    c->count++;
    buf_str(&c->text, name);
    buf_cstr(&c->text, "=\"");
    for (size_t i = 0; i < value.n; i++) {
        must(value.p[i] != 0);
        if (value.p[i] == '"' || value.p[i] == '\\') buf_char(&c->text, '\\');
        buf_char(&c->text, value.p[i]);
    }
    buf_cstr(&c->text, "\"\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct collected first = { 0 }, second = { 0 };
    if (size > TEXT_MAX) return 0;
    arena_init(&arena);
    buf_init(&first.text, 8 * TEXT_MAX);
    buf_init(&second.text, 8 * TEXT_MAX);
    char *copy = malloc(size ? size : 1);
    if (size) memcpy(copy, data, size);
    int line = 0;
    if (env_parse((struct str){ copy, size }, &arena, take, &first, &line)) {
        must(!first.text.failed);
        must(env_parse(buf_view(&first.text), &arena, take, &second, &line));
        must(first.count == second.count && str_eq(buf_view(&first.text), buf_view(&second.text)));
    } else {
        int lines = 1;
        for (size_t i = 0; i < size; i++) lines += copy[i] == '\n';
        must(line >= 1 && line <= lines);
    }
    free(copy);
    buf_fini(&first.text);
    buf_fini(&second.text);
    arena_fini(&arena);
    return 0;
}
