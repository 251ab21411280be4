/* Looking things up in a request. Headers are few and looked for seldom: a linear search over them
 * is cheaper than any index. */
#include "http/request.h"

#include <string.h>

#include "core/must.h"
#include "http/query.h"

struct str request_header(const struct http_request *req, struct str name)
{
    for (int i = 0; i < req->header_count; i++) {
        const struct http_header *h = &req->headers[i];
        if (h->name.n == name.n && str_eq_nocase(h->name, name)) return h->value;
    }
    return STR_NONE;
}

int request_header_count(const struct http_request *req, struct str name)
{
    int n = 0;
    for (int i = 0; i < req->header_count; i++) n += str_eq_nocase(req->headers[i].name, name);
    return n;
}

/* The first cookie of the name, over all Cookie headers; quotes around the value are no part of it. */
struct str request_cookie(const struct http_request *req, struct str name)
{
    for (int i = 0; i < req->header_count; i++) {
        if (!str_eq_nocase(req->headers[i].name, STR("cookie"))) continue;
        struct str rest = req->headers[i].value;
        while (rest.n) {
            struct str value = str_cut(&rest, ';');
            struct str key = str_trim(str_cut(&value, '='));
            if (!value.p || !str_eq(key, name)) continue;
            value = str_trim(value);
            if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
                value = (struct str){ value.p + 1, value.n - 2 };
            return value;
        }
    }
    return STR_NONE;
}

struct str request_query(struct http_request *req, struct str name)
{
    struct str value;
    bool found = query_get(req->query, name, &req->arena, &value) == QUERY_FOUND;
    return found && str_is_utf8(value) ? value : STR_NONE;
}

const struct value *request_value(const struct http_request *req, const char *name)
{
    must(req->endpoint != NULL);
    int i = 0;
    while (i < ENDPOINT_FIELDS_MAX && req->endpoint->fields[i].name && strcmp(req->endpoint->fields[i].name, name)) i++;
    must(i < ENDPOINT_FIELDS_MAX && req->endpoint->fields[i].name);
    return &req->values[i];
}
