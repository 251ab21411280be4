/* The plain and the compressed form are two representations, so each has a tag of its own (one ends in "-gz"), and
 * caches are told that the choice hangs on Accept-Encoding. Whoever has either form need not load the other. */
#include "http/file.h"

#include <stdio.h>
#include <zlib.h>

#include "core/digest.h"
#include "core/mem.h"
#include "core/must.h"
#include "http/request.h"

enum { GZIP_WINDOW_BITS = 15 + 16, GZIP_MEMORY_LEVEL = 9 };   /* zlib writes gzip when 16 is added */

/* Kept when a tenth is saved, as scripts/embed_web does. */
static void compress_bytes(struct http_file *f)
{
    z_stream z = { 0 };
    must(deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL,
                      Z_DEFAULT_STRATEGY) == Z_OK);
    size_t room = deflateBound(&z, f->bytes.n);
    char *packed = mem_alloc(room);
    z.next_in = (Bytef *) (uintptr_t) f->bytes.p;   /* zlib only reads there */
    z.avail_in = (uInt) f->bytes.n;
    z.next_out = (Bytef *) packed;
    z.avail_out = (uInt) room;
    must(deflate(&z, Z_FINISH) == Z_STREAM_END);
    f->gzip = (struct str){ packed, z.total_out };
    deflateEnd(&z);
    if (f->gzip.n * 10 >= f->bytes.n * 9) http_file_fini(f);
}

void http_file_init(struct http_file *f, struct str type, struct str bytes)
{
    uint8_t hash[SHA256_BYTES];
    sha256(bytes, hash);
    *f = (struct http_file){ .type = type, .bytes = bytes };
    for (int i = 0; i < 8; i++) snprintf(f->tag + 2 * i, 3, "%02x", hash[i]);
    must(bytes.n <= INT32_MAX);
    compress_bytes(f);
}

void http_file_fini(struct http_file *f)
{
    mem_free((void *) (uintptr_t) f->gzip.p);
    f->gzip = STR_NONE;
}

/* "0", "0.", "0.0" … "0.000": not acceptable, as RFC 9110 writes it. */
static bool is_zero(struct str weight)
{
    for (size_t i = 0; i < weight.n; i++) {
        if (weight.p[i] != '0' && weight.p[i] != '.') return false;
    }
    return weight.n > 0;
}

static bool is_refused(struct str parameters)
{
    while (parameters.p) {
        struct str value = str_trim(str_cut(&parameters, ';'));
        struct str name = str_trim(str_cut(&value, '='));
        if (str_eq_nocase(name, STR("q"))) return is_zero(str_trim(value));
    }
    return false;
}

/* gzip by its name; by "*" only when its name does not occur. */
bool http_accepts_gzip(struct str accept_encoding)
{
    bool by_star = false;
    while (accept_encoding.p) {
        struct str parameters = str_cut(&accept_encoding, ',');
        struct str name = str_trim(str_cut(&parameters, ';'));
        if (str_eq_nocase(name, STR("gzip")) || str_eq_nocase(name, STR("x-gzip"))) return !is_refused(parameters);
        if (str_eq(name, STR("*"))) by_star = !is_refused(parameters);
    }
    return by_star;
}

/* The comparison is the weak one: "W/" does not count. */
bool http_file_is_known(const struct http_file *f, struct str if_none_match)
{
    struct str tag = str_from(f->tag);
    while (if_none_match.p) {
        struct str known = str_trim(str_cut(&if_none_match, ','));
        if (str_eq(known, STR("*"))) return true;
        if (str_starts(known, STR("W/"))) known = (struct str){ known.p + 2, known.n - 2 };
        if (known.n < 2 || known.p[0] != '"' || known.p[known.n - 1] != '"') continue;
        known = (struct str){ known.p + 1, known.n - 2 };
        if (!str_starts(known, tag)) continue;
        struct str rest = { known.p + tag.n, known.n - tag.n };
        if (rest.n == 0 || (f->gzip.p && str_eq(rest, STR("-gz")))) return true;
    }
    return false;
}

void reply_file(struct http_request *req, const struct http_file *f)
{
    bool packed = f->gzip.p && http_accepts_gzip(request_header(req, STR("accept-encoding")));
    struct str lifetime = f->immutable ? STR("public, max-age=31536000, immutable") : STR("no-cache");
    reply_header(req, STR("ETag"), arena_printf(&req->arena, "\"%s%s\"", f->tag, packed ? "-gz" : ""));
    reply_header(req, STR("Cache-Control"), lifetime);
    if (f->gzip.p) reply_header(req, STR("Vary"), STR("Accept-Encoding"));
    if (http_file_is_known(f, request_header(req, STR("if-none-match")))) {
        reply_empty(req, 304);
        return;
    }
    if (packed) reply_header(req, STR("Content-Encoding"), STR("gzip"));
    reply_body(req, 200, f->type, packed ? f->gzip : f->bytes);
}
