/* Whatever the parser accepts, the writer can write, and what it wrote is the same tree again. */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 64 * 1024 };

static void write_tree(struct buf *b, const struct json *json)
{
    switch (json->type) {
    case JSON_NULL: json_null(b); break;
    case JSON_FALSE: json_bool(b, false); break;
    case JSON_TRUE: json_bool(b, true); break;
    case JSON_NUMBER: json_raw(b, json->text); break;
    case JSON_STRING: json_string(b, json->text); break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        json_open(b, json->type == JSON_ARRAY ? '[' : '{');
        for (const struct json *it = json->child; it; it = it->next) {
            if (json->type == JSON_OBJECT) json_key(b, it->name);
            write_tree(b, it);
        }
        json_close(b, json->type == JSON_ARRAY ? ']' : '}');
    }
}

/* The text of objects and arrays is their source, which the writer may shorten. */
static void must_be_equal(const struct json *a, const struct json *b)
{
    must(a->type == b->type && a->count == b->count && str_eq(a->name, b->name));
    if (a->type == JSON_NUMBER || a->type == JSON_STRING) must(str_eq(a->text, b->text));
    int count = 0;
    const struct json *other = b->child;
    for (const struct json *it = a->child; it; it = it->next, other = other->next, count++) {
        must(other != NULL);
        must_be_equal(it, other);
    }
    must(other == NULL && count == a->count);
}

static void check_numbers(const struct json *json, struct arena *arena)
{
    int64_t value, again;
    if (json->type == JSON_STRING) must(str_is_utf8(json->text));
    if (json->type != JSON_NUMBER || !json_decimal(json->text, 2, &value)) return;
    struct buf b;
    buf_init(&b, 64);
    json_money(&b, value);
    must(json_decimal(arena_str(arena, buf_view(&b)), 2, &again) && again == value);
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct json *json, *again;
    const char *why;
    arena_init(&arena);
    char *copy = malloc(size ? size : 1);
    if (size) memcpy(copy, data, size);
    if (size <= TEXT_MAX && json_parse((struct str){ copy, size }, &arena, &json, &why) == OK) {
        struct buf b;
        buf_init(&b, 8 * TEXT_MAX);
        write_tree(&b, json);
        must(!b.failed);
        must(json_parse(buf_view(&b), &arena, &again, &why) == OK);
        must_be_equal(json, again);
        for (const struct json *it = json->child; it; it = it->next) check_numbers(it, &arena);
        buf_fini(&b);
    }
    free(copy);
    arena_fini(&arena);
    return 0;
}
