/* How the document tells what is refused: by responses that all operations share, and by the messages of a row. */
#include <stdio.h>
#include <string.h>

#include "core/must.h"
#include "http/openapi.h"

/* A refusal that every surface words alike; `name` is its key under components. */
struct refusal {
    int status;
    const char *name, *description, *message;
};

static const struct refusal refusals[] = {
    { 400, "BadRequest", "The body is not JSON, or fields are at fault; errors names them", "Validation failed" },
    { 401, "Unauthorized", "No valid proof of who calls", "Unauthorized" },
    { 403, "Forbidden", "The caller may not do this", "Forbidden" },
    { 404, "NotFound", "There is no such thing", "Not Found" },
    { 413, "PayloadTooLarge", "The body is longer than allowed", "Payload Too Large" },
    { 415, "UnsupportedMediaType", "The body is not application/json", "Content-Type must be application/json" },
    { 429, "TooManyRequests", "Too many requests; Retry-After tells when to try again",
      "Too many requests, try again later" },
    { 500, "InternalServerError", "Unexpected; the log tells more, under the answer's X-Request-Id",
      "Internal Server Error" },
    { 503, "ServiceUnavailable", "Busy, or the database is away; try again after Retry-After", "Service Unavailable" },
};
enum { REFUSALS = sizeof refusals / sizeof *refusals };

enum { MESSAGE_AT = 4 }; /* behind "409 " */

static void open_status(struct buf *out, int status)
{
    char text[16];
    snprintf(text, sizeof text, "%d", status);
    json_open_key(out, text, '{');
}

static void put_error(struct buf *out, int status, const char *message, const char *errors)
{
    json_raw(out, STR("\"success\":false,\"status\":false"));
    json_key(out, STR("errorCode"));
    json_int(out, status);
    json_text(out, "message", message);
    json_key(out, STR("errors"));
    json_raw(out, str_from(errors));
}

static const char *errors_of(const struct refusal *r)
{
    return r->status == 400 ? "[{\"field\":\"amount\",\"message\":\"is required\"}]" : "[]";
}

static void put_headers(struct buf *out, int status)
{
    if (status == 429 || status == 503)
        json_raw(out, STR("\"headers\":{\"Retry-After\":{\"description\":\"Seconds to wait\","
                          "\"schema\":{\"type\":\"integer\"}}}"));
}

static void open_content(struct buf *out)
{
    json_open_key(out, "content", '{');
    json_open_key(out, "application/json", '{');
    json_raw(out, STR("\"schema\":{\"$ref\":\"#/components/schemas/Error\"}"));
}

/* The shared responses ------------------------------------------------------------------------------------ */

void openapi_refusals(struct buf *out)
{
    for (int i = 0; i < REFUSALS; i++) {
        const struct refusal *r = &refusals[i];
        json_open_key(out, r->name, '{');
        json_text(out, "description", r->description);
        put_headers(out, r->status);
        open_content(out);
        json_open_key(out, "example", '{');
        put_error(out, r->status, r->message, errors_of(r));
        for (int n = 0; n < 4; n++) json_close(out, '}');
    }
}

/* An operation's ---------------------------------------------------------------------------------------- */

static bool has_body_field(const struct endpoint *e)
{
    for (int i = 0; i < endpoint_field_count(e); i++)
        if (e->fields[i].in == IN_BODY) return true;
    return false;
}

static bool applies(const struct endpoint *e, int status, bool signs_in)
{
    switch (status) {
    case 400: return endpoint_field_count(e) > 0 || e->upload;
    case 401:
    case 403: return signs_in;
    case 404: return strstr(e->path, "/:") != NULL;
    case 413: return has_body_field(e) || e->upload;
    case 415: return has_body_field(e);
    default: return true;
    }
}

/* The row's nth message and its status; NULL behind the last. */
static const char *own(const struct endpoint *e, int nth, int *status)
{
    int skipped = e->not_found ? 1 : 0;
    if (nth < skipped) {
        *status = 404;
        return e->not_found;
    }
    const char *text = nth - skipped < ENDPOINT_REFUSALS_MAX ? e->refusals[nth - skipped] : NULL;
    if (!text) return NULL;
    must(strspn(text, "0123456789") == 3 && (text[0] == '4' || text[0] == '5'));
    must(text[MESSAGE_AT - 1] == ' ' && text[MESSAGE_AT]);
    *status = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    return text + MESSAGE_AT;
}

/* The row's nth message is the first of its status. */
static bool is_first(const struct endpoint *e, int nth, int status)
{
    int other;
    for (int i = 0; i < nth; i++)
        if (own(e, i, &other) && other == status) return false;
    return true;
}

static bool has_own(const struct endpoint *e, int status)
{
    int other;
    for (int i = 0; own(e, i, &other); i++)
        if (other == status) return true;
    return false;
}

static void put_named_example(struct buf *out, int status, const char *message, const char *errors)
{
    json_open_key(out, message, '{');
    json_open_key(out, "value", '{');
    put_error(out, status, message, errors);
    for (int n = 0; n < 2; n++) json_close(out, '}');
}

/* All the messages of one status, the shared one behind the row's own. */
static void put_own(struct buf *out, const struct endpoint *e, int status, const struct refusal *shared)
{
    int other;
    const char *message;
    struct buf text;
    buf_init(&text, 4096);
    for (int i = 0; (message = own(e, i, &other)); i++)
        if (other == status) buf_printf(&text, "%s%s", text.n ? ". " : "", message);
    if (shared) buf_printf(&text, ". %s", shared->description);
    must(!text.failed);
    open_status(out, status);
    json_key(out, STR("description"));
    json_string(out, buf_view(&text));
    buf_fini(&text);
    put_headers(out, status);
    open_content(out);
    json_open_key(out, "examples", '{');
    for (int i = 0; (message = own(e, i, &other)); i++)
        if (other == status) put_named_example(out, status, message, "[]");
    if (shared) put_named_example(out, status, shared->message, errors_of(shared));
    for (int n = 0; n < 4; n++) json_close(out, '}');
}

static const struct refusal *shared_of(const struct endpoint *e, int status, bool signs_in)
{
    for (int i = 0; i < REFUSALS; i++)
        if (refusals[i].status == status && applies(e, status, signs_in)) return &refusals[i];
    return NULL;
}

void openapi_refusals_of(struct buf *out, const struct endpoint *e, bool signs_in)
{
    int status;
    char ref[64];
    for (int i = 0; own(e, i, &status); i++) {
        /* What is not there is not there: the row's own words stand for the shared ones. */
        if (is_first(e, i, status)) put_own(out, e, status, status == 404 ? NULL : shared_of(e, status, signs_in));
    }
    for (int i = 0; i < REFUSALS; i++) {
        const struct refusal *r = &refusals[i];
        if (has_own(e, r->status) || !applies(e, r->status, signs_in)) continue;
        snprintf(ref, sizeof ref, "#/components/responses/%s", r->name);
        open_status(out, r->status);
        json_text(out, "$ref", ref);
        json_close(out, '}');
    }
}
