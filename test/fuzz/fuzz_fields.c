/* Path, query and body of a request against a row with every type of field. The input's first line
 * is the path, the second the query, the rest the body. Whatever comes: the faults are JSON, a value
 * that is set holds what its row promises, and a path parameter is UTF-8 without slash or NUL. */
#include <stdlib.h>
#include <string.h>

#include "core/must.h"
#include "http/router.h"
#include "http/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 64 * 1024 };

static void run(struct http_request *req) { (void) req; }

static const struct endpoint rows[] = {
    { .id = "F", .method = HTTP_POST, .path = "/f/:text/:id", .run = run,
      .fields = { { .name = "text", .in = IN_PATH, .type = FIELD_TEXT, .max = 20 },
                  { .name = "id", .in = IN_PATH, .type = FIELD_ID },
                  { .name = "q", .in = IN_QUERY, .type = FIELD_TEXT, .flags = FIELD_TRIM, .max = 20,
                    .aliases = "query" },
                  { .name = "page", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 1000, .initial = "1" },
                  { .name = "from", .in = IN_QUERY, .type = FIELD_TIME },
                  { .name = "all", .in = IN_QUERY, .type = FIELD_BOOL },
                  { .name = "name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1, .max = 20 },
                  { .name = "email", .type = FIELD_EMAIL, .aliases = "mail" },
                  { .name = "amount", .type = FIELD_MONEY, .min = 1 },
                  { .name = "count", .type = FIELD_INT },
                  { .name = "kind", .type = FIELD_ENUM, .choices = "a b c", .flags = FIELD_NULLABLE },
                  { .name = "to", .type = FIELD_ID },
                  { .name = "at", .type = FIELD_TIME, .flags = FIELD_DAY_END },
                  { .name = "meta", .type = FIELD_OBJECT, .max = 100 },
                  { .name = "items", .type = FIELD_ARRAY, .min = 1, .max = 3 },
                  { .name = "note", .type = FIELD_TEXT, .flags = FIELD_MULTILINE } } },
    { 0 },
};
static const struct endpoint *const tables[] = { rows, NULL };

static bool has_control(struct str s, bool multiline)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char) s.p[i];
        if ((c < 0x20 && !(multiline && strchr("\t\n\r", c) && c)) || c == 0x7f) return true;
    }
    return false;
}

static void check_value(const struct field *f, const struct value *v)
{
    int64_t min, max;
    validate_bounds(f, &min, &max);
    switch (f->type) {
    case FIELD_TEXT:
        must(str_is_utf8(v->s) && !has_control(v->s, f->flags & FIELD_MULTILINE));
        must((int64_t) str_utf8_length(v->s) >= min && (int64_t) str_utf8_length(v->s) <= max);
        break;
    case FIELD_EMAIL:
        must(v->s.n >= 5 && v->s.n <= 254 && memchr(v->s.p, '@', v->s.n) && !has_control(v->s, false));
        for (size_t i = 0; i < v->s.n; i++) must(v->s.p[i] > ' ' && !(v->s.p[i] >= 'A' && v->s.p[i] <= 'Z'));
        break;
    case FIELD_INT:
    case FIELD_MONEY: must(v->i >= min && v->i <= max); break;
    case FIELD_BOOL: must(v->i == 0 || v->i == 1); break;
    case FIELD_ENUM: must(v->s.n == 1 && v->s.p[0] == "abc"[v->i]); break;
    case FIELD_ID: must(v->i == -1 || v->i > 0); break;
    case FIELD_TIME: break;
    case FIELD_OBJECT: must(v->json->type == JSON_OBJECT && (int64_t) v->json->text.n <= max); break;
    case FIELD_ARRAY: must(v->json->type == JSON_ARRAY && v->json->count >= min && v->json->count <= max); break;
    }
}

static void check_faults(struct reply_faults *faults, struct arena *arena)
{
    struct json *list;
    const char *why;
    buf_char(&faults->json, ']');
    struct str text = arena_printf(arena, "[%.*s", STR_FMT(buf_view(&faults->json)));
    must(json_parse(text, arena, &list, &why) == OK && list->count == faults->count);
}

static void check_request(const struct router *r, struct str path, struct str query, struct str text,
                          struct arena *arena)
{
    struct route route;
    struct str params[ROUTE_PARAMS_MAX];
    struct value values[ENDPOINT_FIELDS_MAX];
    struct reply_faults faults = { 0 };
    struct json *body = NULL;
    const char *why;
    router_find(r, HTTP_POST, false, path, &route);
    if (!route.endpoint) return;
    for (int i = 0; i < route.param_count; i++) {
        if (!route_decode(route.params[i], arena, &params[i])) return;
        must(str_is_utf8(params[i]) && !memchr(params[i].p, '/', params[i].n));
    }
    if (json_parse(text, arena, &body, &why) != OK || body->type != JSON_OBJECT) body = NULL;
    struct validate_input in = { .arena = arena, .path_params = params, .query = query, .body = body };
    int count = validate(&rows[0], &in, values, &faults);
    must(count == faults.count && (body || count > 0));       /* name is required */
    for (int i = 0; i < ENDPOINT_FIELDS_MAX; i++) {
        if (values[i].set) check_value(&rows[0].fields[i], &values[i]);
    }
    if (count) check_faults(&faults, arena);
    buf_fini(&faults.json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct router *r;
    struct arena arena;
    if (size == 0 || size > INPUT_MAX) return 0;
    if (!r) r = router_new(tables);
    char *copy = malloc(size);
    memcpy(copy, data, size);
    arena_init(&arena);
    struct str rest = { copy, size }, path = str_cut(&rest, '\n'), query = str_cut(&rest, '\n');
    check_request(r, path, query, rest, &arena);
    arena_fini(&arena);
    free(copy);
    return 0;
}
