/* With "everybody" alone the same two lines stand on every answer, so that they can be part of the
 * constant block and a cache needs no Vary. As soon as an origin is allowed by name, the answer
 * depends on who asks, and every answer says so with Vary, also those to nobody in particular. */
#include "http/cors.h"

#define EXPOSED "Access-Control-Expose-Headers: X-Request-Id, Idempotent-Replayed, Retry-After, X-Cache\r\n"
#define FOR_ALL "Access-Control-Allow-Origin: *\r\n" EXPOSED

static struct str cut_suffix(struct str s, struct str suffix)
{
    if (s.n < suffix.n) return s;
    struct str tail = { s.p + s.n - suffix.n, suffix.n };
    return str_eq(tail, suffix) ? (struct str){ s.p, s.n - suffix.n } : s;
}

/* "https://Example.com:443/shop" is the origin "https://example.com"; lower case is left to the
 * comparison. */
static struct str origin_of(struct str url)
{
    size_t slashes = 0, n = 0;
    while (n < url.n && (slashes += url.p[n] == '/') < 3) n++;
    struct str origin = { url.p, n };
    if (str_starts_nocase(origin, STR("https:"))) return cut_suffix(origin, STR(":443"));
    if (str_starts_nocase(origin, STR("http:"))) return cut_suffix(origin, STR(":80"));
    return origin;
}

void cors_init(struct cors *c, const char *const *origins, const char *public_url)
{
    *c = (struct cors){ .any = !origins || !*origins };
    arena_init(&c->arena);
    if (public_url && *public_url) c->own = arena_str(&c->arena, origin_of(str_from(public_url)));
    int count = 0;
    while (origins && origins[count]) count++;
    c->names = arena_alloc(&c->arena, (size_t) count * sizeof *c->names);
    for (int i = 0; i < count; i++) {
        struct str name = origin_of(str_trim(str_from(origins[i])));
        if (str_eq(name, STR("*"))) c->any = true;
        else if (name.n) c->names[c->count++] = arena_str(&c->arena, name);
    }
    c->constant = c->count ? STR("Vary: Origin\r\n") : c->any ? STR(FOR_ALL) : STR("");
}

void cors_fini(struct cors *c)
{
    arena_fini(&c->arena);
}

static bool is_named(const struct cors *c, struct str origin)
{
    for (int i = 0; i < c->count; i++) {
        if (str_eq_nocase(c->names[i], origin)) return true;
    }
    return false;
}

bool cors_is_allowed(const struct cors *c, struct str origin)
{
    if (origin.n == 0 || str_eq_nocase(origin, STR("null"))) return false;
    origin = origin_of(origin);
    return (c->own.n && str_eq_nocase(c->own, origin)) || is_named(c, origin);
}

void cors_put_headers(const struct cors *c, struct str origin, struct buf *out)
{
    if (c->count == 0) return;
    if (cors_is_allowed(c, origin)) {
        buf_cstr(out, "Access-Control-Allow-Origin: ");
        buf_str(out, origin);
        buf_cstr(out, "\r\nAccess-Control-Allow-Credentials: true\r\n" EXPOSED);
    } else if (c->any) {
        buf_cstr(out, FOR_ALL);
    }
}

void cors_put_preflight(const struct cors *c, struct str origin, struct str methods, struct buf *out)
{
    if (!c->any && !cors_is_allowed(c, origin)) return;
    buf_cstr(out, "Access-Control-Allow-Methods: ");
    buf_str(out, methods);
    buf_cstr(out, "\r\nAccess-Control-Allow-Headers: Authorization, Content-Type, Idempotency-Key, X-Request-Id\r\n"
                  "Access-Control-Max-Age: 86400\r\n");
}
