/* The document is written once, when the server is made, straight from the rows; so it cannot say
 * anything else than what is served. Rows of one path stand together under its template; the order
 * is that of the tables. */
#include "http/openapi.h"

#include <stdio.h>
#include <string.h>

#include "core/must.h"

enum { DOCUMENT_BYTES_MAX = 16 << 20 };

static bool is_shown(const struct endpoint *e)
{
    return !(e->flags & ENDPOINT_HIDDEN);
}

/* --- the parts of an operation -------------------------------------------------------------------- */

/* Operation ids are unique, so an alias says which of its endpoint's further paths it is. */
static void put_operation_id(struct buf *out, const struct http_options *o, const struct endpoint *e)
{
    int nth = 1;
    char id[128];
    if (!(e->flags & ENDPOINT_ALIAS)) {
        json_text(out, "operationId", e->id);
        return;
    }
    for (const struct endpoint *const *t = o->tables; *t; t++) {
        for (const struct endpoint *other = *t; other->id; other++) {
            if (other == e) {
                snprintf(id, sizeof id, "%s-alias-%d", e->id, nth);
                json_text(out, "operationId", id);
                json_text(out, "x-alias-of", e->id);
                return;
            }
            nth += (other->flags & ENDPOINT_ALIAS) && strcmp(other->id, e->id) == 0;
        }
    }
}

/* A body field that has a header, too, is a parameter that need not be there. */
static void put_parameters(struct buf *out, const struct endpoint *e)
{
    json_open_key(out, "parameters", '[');
    for (int i = 0; i < endpoint_field_count(e); i++) {
        const struct field *f = &e->fields[i];
        if (f->in == IN_BODY && !f->header) continue;
        json_open(out, '{');
        json_text(out, "name", f->in == IN_BODY ? f->header : f->name);
        json_text(out, "in", f->in == IN_BODY ? "header" : f->in == IN_PATH ? "path" : "query");
        json_key(out, STR("required"));
        json_bool(out, f->in == IN_PATH || (f->in == IN_QUERY && (f->flags & FIELD_REQUIRED)));
        if (f->help) json_text(out, "description", f->help);
        json_key(out, STR("schema"));
        openapi_field(out, f);
        json_close(out, '}');
    }
    json_close(out, ']');
}

/* The body must have it: no header can stand for it. */
static bool is_required_member(const struct field *f)
{
    return f->in == IN_BODY && (f->flags & FIELD_REQUIRED) && !f->header;
}

static int body_fields(const struct endpoint *e, bool required)
{
    int n = 0;
    for (int i = 0; i < endpoint_field_count(e); i++)
        n += required ? is_required_member(&e->fields[i]) : e->fields[i].in == IN_BODY;
    return n;
}

static void put_body_schema(struct buf *out, const struct endpoint *e)
{
    json_open(out, '{');
    json_text(out, "type", "object");
    json_open_key(out, "properties", '{');
    for (int i = 0; i < endpoint_field_count(e); i++) {
        if (e->fields[i].in != IN_BODY) continue;
        json_key(out, str_from(e->fields[i].name));
        openapi_field(out, &e->fields[i]);
    }
    json_close(out, '}');
    if (body_fields(e, true)) {
        json_open_key(out, "required", '[');
        for (int i = 0; i < endpoint_field_count(e); i++) {
            const struct field *f = &e->fields[i];
            if (is_required_member(f)) json_string(out, str_from(f->name));
        }
        json_close(out, ']');
    }
    json_close(out, '}');
}

static void put_example(struct buf *out, const char *text, bool with_shape)
{
    struct arena arena;
    struct json *example;
    const char *why;
    arena_init(&arena);
    must(json_parse(str_from(text), &arena, &example, &why) == OK);   /* the row's example or reply */
    if (with_shape) {
        json_key(out, STR("schema"));
        openapi_shape(out, example);
    }
    json_key(out, STR("example"));
    json_raw(out, str_from(text));
    arena_fini(&arena);
}

/* Bytes that are no text. */
static void put_binary(struct buf *out)
{
    json_open(out, '{');
    json_text(out, "type", "string");
    json_text(out, "format", "binary");
    json_close(out, '}');
}

static void put_upload(struct buf *out, const struct endpoint *e)
{
    json_open_key(out, "requestBody", '{');
    json_key(out, STR("required"));
    json_bool(out, true);
    json_open_key(out, "content", '{');
    json_open_key(out, "multipart/form-data", '{');
    json_open_key(out, "schema", '{');
    json_text(out, "type", "object");
    json_open_key(out, "properties", '{');
    json_key(out, str_from(e->upload));
    put_binary(out);
    json_close(out, '}');
    json_open_key(out, "required", '[');
    json_string(out, str_from(e->upload));
    json_close(out, ']');
    for (int i = 0; i < 4; i++) json_close(out, '}');
}

/* Each type that a success may have. */
static void put_produced(struct buf *out, const char *types)
{
    struct str rest = str_from(types);
    json_open_key(out, "content", '{');
    while (rest.n) {
        json_key(out, str_cut(&rest, ' '));
        json_open(out, '{');
        json_key(out, STR("schema"));
        put_binary(out);
        json_close(out, '}');
    }
    json_close(out, '}');
}

static void put_request_body(struct buf *out, const struct endpoint *e)
{
    if (e->upload) put_upload(out, e);
    if (!body_fields(e, false)) return;
    json_open_key(out, "requestBody", '{');
    json_key(out, STR("required"));
    json_bool(out, body_fields(e, true) > 0);
    json_open_key(out, "content", '{');
    json_open_key(out, "application/json", '{');
    json_key(out, STR("schema"));
    put_body_schema(out, e);
    if (e->example) put_example(out, e->example, false);
    for (int i = 0; i < 3; i++) json_close(out, '}');
}

static struct str schemes_of(const struct http_options *o, const struct endpoint *e)
{
    return e->auth && o->auth_schemes ? str_from(o->auth_schemes(e->auth)) : STR_NONE;
}

/* One requirement per proof: any of them will do. */
static void put_security(struct buf *out, struct str schemes)
{
    json_open_key(out, "security", '[');
    while (schemes.n) {
        struct str scheme = str_cut(&schemes, ' ');
        json_open(out, '{');
        if (!str_eq(scheme, STR("none"))) {
            json_key(out, scheme);
            json_raw(out, STR("[]"));
        }
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void put_file_content(struct buf *out, const struct http_file *file)
{
    struct str type = file->type;
    json_open_key(out, "content", '{');
    json_key(out, str_cut(&type, ';'));
    json_raw(out, STR("{\"schema\":{\"type\":\"string\"}}"));
    json_close(out, '}');
}

static void put_success(struct buf *out, const struct endpoint *e)
{
    char status[16];
    snprintf(status, sizeof status, "%d", e->status ? e->status : 200);
    json_open_key(out, status, '{');
    json_text(out, "description", "Success");
    if (e->file) put_file_content(out, e->file);
    if (e->produces) put_produced(out, e->produces);
    if (e->reply) {
        json_open_key(out, "content", '{');
        json_open_key(out, "application/json", '{');
        put_example(out, e->reply, true);
        for (int i = 0; i < 2; i++) json_close(out, '}');
    }
    json_close(out, '}');
}

static void put_responses(struct buf *out, const struct endpoint *e, bool signs_in)
{
    json_open_key(out, "responses", '{');
    put_success(out, e);
    openapi_refusals_of(out, e, signs_in);
    json_close(out, '}');
}

static void put_operation(struct buf *out, const struct http_options *o, const struct endpoint *e)
{
    char method[8] = { 0 }, tag[OPENAPI_TAG_BYTES];
    const char *name = http_method_name(e->method);
    struct str schemes = schemes_of(o, e);
    for (size_t i = 0; name[i] && i + 1 < sizeof method; i++) method[i] = (char) (name[i] | 0x20);
    json_open_key(out, method, '{');
    put_operation_id(out, o, e);
    json_open_key(out, "tags", '[');
    json_string(out, openapi_tag(o, e, tag));
    json_close(out, ']');
    if (e->summary) json_text(out, "summary", e->summary);
    if (e->description) json_text(out, "description", e->description);
    put_parameters(out, e);
    put_request_body(out, e);
    put_responses(out, e, schemes.n > 0);
    put_security(out, schemes);
    json_close(out, '}');
}

/* --- paths ------------------------------------------------------------------------------------ */

/* "/api/accounts/:id" as a template: "/api/accounts/{id}". */
static void put_path_key(struct buf *out, const char *path)
{
    struct buf template;
    struct str rest = str_from(path + 1);
    buf_init(&template, 4096);
    if (!rest.n) buf_char(&template, '/');
    while (rest.n) {
        struct str word = str_cut(&rest, '/');
        if (word.p[0] == ':') buf_printf(&template, "/{%.*s}", (int) word.n - 1, word.p + 1);
        else buf_printf(&template, "/%.*s", STR_FMT(word));
    }
    must(!template.failed);
    json_key(out, buf_view(&template));
    buf_fini(&template);
}

/* Later rows of the path stand with its first shown one. */
static bool is_first_of_path(const struct http_options *o, const struct endpoint *e)
{
    for (const struct endpoint *const *t = o->tables; *t; t++) {
        for (const struct endpoint *other = *t; other->id; other++) {
            if (other == e) return true;
            if (is_shown(other) && strcmp(other->path, e->path) == 0) return false;
        }
    }
    return true;
}

static void put_path(struct buf *out, const struct http_options *o, const char *path)
{
    put_path_key(out, path);
    json_open(out, '{');
    for (const struct endpoint *const *t = o->tables; *t; t++) {
        for (const struct endpoint *e = *t; e->id; e++) {
            if (is_shown(e) && strcmp(e->path, path) == 0) put_operation(out, o, e);
        }
    }
    json_close(out, '}');
}

static void put_paths(struct buf *out, const struct http_options *o)
{
    json_open_key(out, "paths", '{');
    for (const struct endpoint *const *t = o->tables; *t; t++) {
        for (const struct endpoint *e = *t; e->id; e++) {
            if (is_shown(e) && is_first_of_path(o, e)) put_path(out, o, e->path);
        }
    }
    json_close(out, '}');
}

/* --- the rest ----------------------------------------------------------------------------------- */

static void put_components(struct buf *out)
{
    json_open_key(out, "components", '{');
    json_raw(out, STR(
        "\"schemas\":{\"Error\":{\"type\":\"object\","
        "\"required\":[\"success\",\"status\",\"errorCode\",\"message\",\"errors\"],"
        "\"properties\":{\"success\":{\"const\":false},\"status\":{\"const\":false},"
        "\"errorCode\":{\"type\":\"integer\",\"description\":\"The HTTP status\"},"
        "\"message\":{\"type\":\"string\"},"
        "\"errors\":{\"type\":\"array\",\"description\":\"Empty unless fields were at fault\","
        "\"items\":{\"type\":\"object\",\"required\":[\"field\",\"message\"],\"properties\":"
        "{\"field\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"}}}}}}}"));
    json_open_key(out, "responses", '{');
    openapi_refusals(out);
    json_close(out, '}');
    json_raw(out, STR(
        "\"securitySchemes\":{"
        "\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\","
        "\"description\":\"The token of a log-in's answer\"},"
        "\"cookie\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"token\","
        "\"description\":\"The same token; a log-in sets the cookie, and browsers send it by themselves\"},"
        "\"basic\":{\"type\":\"http\",\"scheme\":\"basic\","
        "\"description\":\"An API key: its holder as user name, the key as password\"}}"));
    json_close(out, '}');
}

void openapi_build(const struct http_options *options, struct buf *out)
{
    const char *url = options->public_url && *options->public_url ? options->public_url : "/";
    buf_init(out, DOCUMENT_BYTES_MAX);
    json_open(out, '{');
    json_text(out, "openapi", "3.1.0");
    json_open_key(out, "info", '{');
    json_text(out, "title", options->title ? options->title : "API");
    json_text(out, "version", options->version ? options->version : "0");
    if (options->description) json_text(out, "description", options->description);
    json_close(out, '}');
    json_open_key(out, "servers", '[');
    json_open(out, '{');
    json_text(out, "url", url);
    json_close(out, '}');
    json_close(out, ']');
    openapi_put_tags(out, options);
    put_paths(out, options);
    put_components(out);
    json_close(out, '}');
    must(!out->failed);
}
