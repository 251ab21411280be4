/* Schemas: of a field, from its row; of a reply, from its example. */
#include "http/openapi.h"

#include "core/clock.h"
#include "core/must.h"
#include "http/validate.h"

static void put_int(struct buf *out, const char *key, int64_t value)
{
    json_key(out, str_from(key));
    json_int(out, value);
}

/* An id in a body may be sent as text or as a number. */
static void put_type(struct buf *out, const struct field *f, const char *type)
{
    bool nullable = f->flags & FIELD_NULLABLE, number_too = f->type == FIELD_ID && f->in == IN_BODY;
    json_key(out, STR("type"));
    if (nullable || number_too) json_open(out, '[');
    json_string(out, str_from(type));
    if (number_too) json_string(out, STR("integer"));
    if (nullable) json_string(out, STR("null"));
    if (nullable || number_too) json_close(out, ']');
}

static void put_choices(struct buf *out, const struct field *f)
{
    struct str rest = str_from(f->choices);
    json_key(out, STR("enum"));
    json_open(out, '[');
    while (rest.n) json_string(out, str_cut(&rest, ' '));
    if (f->flags & FIELD_NULLABLE) json_null(out);
    json_close(out, ']');
}

static void put_money_bound(struct buf *out, const char *key, int64_t minor)
{
    json_key(out, str_from(key));
    json_money(out, minor);
}

static void put_bounds(struct buf *out, const struct field *f)
{
    int64_t min, max;
    validate_bounds(f, &min, &max);
    switch (f->type) {
    case FIELD_TEXT:
        if (min > 0 || (f->flags & FIELD_REQUIRED)) put_int(out, "minLength", min > 0 ? min : 1);
        put_int(out, "maxLength", max);
        if (f->flags & FIELD_WORD) json_text(out, "pattern", "^[A-Za-z0-9._-]*$");
        break;
    case FIELD_EMAIL:
        put_int(out, "maxLength", max);
        break;
    case FIELD_INT:
        put_int(out, "minimum", min);
        put_int(out, "maximum", max);
        break;
    case FIELD_MONEY:
        put_money_bound(out, "minimum", min);
        put_money_bound(out, "maximum", max);
        json_key(out, STR("multipleOf"));
        json_money(out, 1);
        break;
    case FIELD_ARRAY:
        put_int(out, "minItems", min);
        put_int(out, "maxItems", max);
        break;
    default:
        break;
    }
}

/* The initial value stands in the row as in a query; here it takes its own type. */
static void put_default(struct buf *out, const struct field *f)
{
    struct str text = str_from(f->initial);
    json_key(out, STR("default"));
    bool bare = f->type == FIELD_INT || f->type == FIELD_MONEY;
    if (f->type == FIELD_BOOL) json_bool(out, str_eq(text, STR("true")) || str_eq(text, STR("1")));
    else if (bare) json_raw(out, text);
    else json_string(out, text);
}

void openapi_field(struct buf *out, const struct field *f)
{
    static const struct { const char *type, *format; } types[] = {
        [FIELD_TEXT] = { "string", NULL }, [FIELD_EMAIL] = { "string", "email" }, [FIELD_INT] = { "integer", "int64" },
        [FIELD_MONEY] = { "number", NULL }, [FIELD_BOOL] = { "boolean", NULL }, [FIELD_ENUM] = { "string", NULL },
        [FIELD_ID] = { "string", NULL }, [FIELD_TIME] = { "string", "date-time" }, [FIELD_OBJECT] = { "object", NULL },
        [FIELD_ARRAY] = { "array", NULL },
    };
    json_open(out, '{');
    put_type(out, f, types[f->type].type);
    if (types[f->type].format) json_text(out, "format", types[f->type].format);
    if (f->help) json_text(out, "description", f->help);
    if (f->choices) put_choices(out, f);
    put_bounds(out, f);
    if (f->initial) put_default(out, f);
    if (f->aliases) json_text(out, "x-aliases", f->aliases);
    json_close(out, '}');
}

static void put_object_shape(struct buf *out, const struct json *object)
{
    json_text(out, "type", "object");
    json_key(out, STR("properties"));
    json_open(out, '{');
    for (const struct json *m = object->child; m; m = m->next) {
        json_key(out, m->name);
        openapi_shape(out, m);
    }
    json_close(out, '}');
    if (!object->child) return;
    json_key(out, STR("required"));
    json_open(out, '[');
    for (const struct json *m = object->child; m; m = m->next) json_string(out, m->name);
    json_close(out, ']');
}

/* A number in an example may be 500 and be money all the same, so every number is a "number"; of
 * null nothing is known but that it may be null. */
void openapi_shape(struct buf *out, const struct json *example)
{
    int64_t us;
    bool is_date;
    json_open(out, '{');
    switch (example->type) {
    case JSON_NULL: break;
    case JSON_FALSE:
    case JSON_TRUE: json_text(out, "type", "boolean"); break;
    case JSON_NUMBER: json_text(out, "type", "number"); break;
    case JSON_STRING:
        json_text(out, "type", "string");
        if (clock_parse(example->text, &us, &is_date)) json_text(out, "format", is_date ? "date" : "date-time");
        break;
    case JSON_ARRAY:
        json_text(out, "type", "array");
        json_key(out, STR("items"));
        if (example->child) openapi_shape(out, example->child);
        else json_raw(out, STR("{}"));
        break;
    case JSON_OBJECT: put_object_shape(out, example); break;
    }
    json_close(out, '}');
}
