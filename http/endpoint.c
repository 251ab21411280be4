/* What every row of an endpoint table must hold. The tables are ours, so a defect in one is a
 * defect of the program: it is found when the server starts, not when the first client comes. */
#include "http/endpoint.h"

#include <string.h>

#include "core/must.h"
#include "http/router.h"
#include "http/validate.h"

int endpoint_field_count(const struct endpoint *e)
{
    int n = 0;
    while (n < ENDPOINT_FIELDS_MAX && e->fields[n].name) n++;
    return n;
}

const char *http_method_name(enum http_method method)
{
    static const char *const names[] = { "NONE", "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD" };
    must((unsigned) method < sizeof names / sizeof *names);
    return names[method];
}

/* The parameters of the path are the path fields of the row, one by one and in this order. */
static void check_path(const struct endpoint *e)
{
    must(e->path != NULL && e->path[0] == '/');
    struct str rest = str_from(e->path + 1);
    int field = 0, params = 0, count = endpoint_field_count(e);
    while (rest.n) {
        struct str word = str_cut(&rest, '/');
        must(word.n > 0 && (rest.p == NULL || rest.n > 0));   /* no empty word, no slash at the end */
        if (word.p[0] != ':') continue;
        must(++params <= ROUTE_PARAMS_MAX);
        while (field < count && e->fields[field].in != IN_PATH) field++;
        must(field < count && str_eq(str_from(e->fields[field].name), (struct str){ word.p + 1, word.n - 1 }));
        field++;
    }
    while (field < count) must(e->fields[field++].in != IN_PATH);   /* a path field that the path lacks */
}

static bool has_name(const struct field *f, struct str name)
{
    if (str_eq(str_from(f->name), name)) return true;
    struct str rest = str_from(f->aliases);
    while (rest.n) {
        if (str_eq(str_cut(&rest, ' '), name)) return true;
    }
    return false;
}

static void check_field(const struct endpoint *e, const struct field *f)
{
    must(f->name[0] != 0);
    must(f->min <= f->max || f->max == 0);
    bool bounded = f->type != FIELD_BOOL && f->type != FIELD_ENUM && f->type != FIELD_ID && f->type != FIELD_TIME;
    must(bounded || (f->min == 0 && f->max == 0));
    must((f->type == FIELD_ENUM) == (f->choices != NULL));
    must(f->in == IN_BODY || (f->type != FIELD_OBJECT && f->type != FIELD_ARRAY));
    must(f->in != IN_BODY || (e->method != HTTP_GET && !e->upload));
    must(f->in != IN_BODY || !(e->flags & ENDPOINT_BODY_IGNORED));
    must(!f->initial || !(f->flags & FIELD_REQUIRED));
    if (f->initial) must(validate_initial(f));
    for (const struct field *other = e->fields; other != f; other++) {
        if (other->in != f->in) continue;
        must(!has_name(other, str_from(f->name)));
        struct str rest = str_from(f->aliases);
        while (rest.n) must(!has_name(other, str_cut(&rest, ' ')));
    }
}

void endpoint_check(const struct endpoint *e)
{
    int count = endpoint_field_count(e);
    must(e->id != NULL && e->id[0] != 0);
    must(e->method >= HTTP_GET && e->method <= HTTP_DELETE);
    must((e->run != NULL) + (e->sql != NULL) + (e->file != NULL) == 1);
    must(!e->file || e->method == HTTP_GET);
    must(!e->sql || e->sql->params <= count + 1);             /* $1 is the caller */
    must(e->status == 0 || (e->status >= 200 && e->status <= 399));
    must(e->rate_per_minute >= 0 && e->body_max >= 0);
    must(!e->upload || (e->run && e->method != HTTP_GET && e->upload_max > 0 && e->upload_max < e->body_max));
    must(!e->reply || !e->produces);
    check_path(e);
    for (int i = 0; i < count; i++) check_field(e, &e->fields[i]);
}
