/* The public id carries its folder: that puts it there whichever way the customer's folders work at the provider. A
 * signature is good for an hour after its timestamp. */
#include "domain/picture/cloudinary.h"

#include <string.h>

#include "core/clock.h"
#include "core/digest.h"
#include "core/json.h"

enum { FORM_BYTES_MAX = IMAGE_BYTES_MAX + 4096, URL_BYTES_MAX = 1000, PARAMETERS_BYTES_MAX = 1024 };

void cloudinary_sign(struct str parameters, const char *api_secret, char out[CLOUDINARY_SIGNATURE_BYTES])
{
    struct buf text, hex;
    uint8_t digest[SHA1_BYTES];
    buf_init(&text, PARAMETERS_BYTES_MAX + strlen(api_secret));
    buf_str(&text, parameters);
    buf_cstr(&text, api_secret);
    sha1(buf_view(&text), digest);
    buf_fini(&text);
    buf_init(&hex, 2 * SHA1_BYTES);
    buf_hex(&hex, digest, SHA1_BYTES);
    memcpy(out, hex.p, 2 * SHA1_BYTES);
    out[2 * SHA1_BYTES] = 0;
    buf_fini(&hex);
}

/* --- forms ------------------------------------------------------------------------------------------------------- */

struct form {
    struct buf body;
    char boundary[33];
};

static void form_init(struct form *f)
{
    uint8_t random[16];
    random_bytes(random, sizeof random);
    buf_init(&f->body, sizeof f->boundary - 1);
    buf_hex(&f->body, random, sizeof random);
    memcpy(f->boundary, f->body.p, sizeof f->boundary - 1);
    f->boundary[sizeof f->boundary - 1] = 0;
    buf_fini(&f->body);
    buf_init(&f->body, FORM_BYTES_MAX);
}

static void form_put(struct form *f, const char *name, struct str value)
{
    buf_printf(&f->body, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%.*s\r\n", f->boundary, name,
               STR_FMT(value));
}

static void form_file(struct form *f, struct str bytes, enum image_form form)
{
    bool png = form == IMAGE_PNG;
    buf_printf(&f->body, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"picture.%s\"\r\n"
                         "Content-Type: image/%s\r\n\r\n", f->boundary, png ? "png" : "jpg", png ? "png" : "jpeg");
    buf_str(&f->body, bytes);
    buf_cstr(&f->body, "\r\n");
}

/* `more`: parameters that come by name before public_id, each with '&' behind it. */
static void form_proof(struct form *f, const struct cloudinary *c, const char *more, struct str public_id)
{
    char signature[CLOUDINARY_SIGNATURE_BYTES];
    struct buf signed_text, now;
    buf_init(&now, 32);
    buf_i64(&now, clock_wall_us() / 1000000);
    buf_init(&signed_text, PARAMETERS_BYTES_MAX);
    buf_printf(&signed_text, "%spublic_id=%.*s&timestamp=%.*s", more, STR_FMT(public_id), STR_FMT(buf_view(&now)));
    cloudinary_sign(buf_view(&signed_text), c->api_secret, signature);
    form_put(f, "api_key", str_from(c->api_key));
    form_put(f, "public_id", public_id);
    form_put(f, "timestamp", buf_view(&now));
    form_put(f, "signature", str_from(signature));
    buf_fini(&signed_text);
    buf_fini(&now);
}

static void call_init(const struct cloudinary *c, struct outbound_call *call, const char *what, struct form *f,
                      void (*done)(struct outbound_call *call, enum err err), void *arg)
{
    struct arena arena;
    arena_init(&arena);
    buf_printf(&f->body, "--%s--\r\n", f->boundary);
    outbound_call_init(call, "POST", arena_printf(&arena, "%s/v1_1/%s/image/%s", c->base_url, c->name, what), done,
                       arg);
    outbound_header(call, "Accept: application/json");
    outbound_body(call, arena_printf(&arena, "multipart/form-data; boundary=%s", f->boundary).p, buf_view(&f->body));
    call->failed |= f->body.failed;
    buf_fini(&f->body);
    arena_fini(&arena);
}

void cloudinary_upload_init(const struct cloudinary *c, struct outbound_call *call, struct str bytes,
                            enum image_form form, struct str public_id,
                            void (*done)(struct outbound_call *call, enum err err), void *arg)
{
    struct form f;
    form_init(&f);
    form_proof(&f, c, "", public_id);
    form_file(&f, bytes, form);
    call_init(c, call, "upload", &f, done, arg);
}

/* invalidate: what their network of caches holds goes with it. */
void cloudinary_destroy_init(const struct cloudinary *c, struct outbound_call *call, struct str public_id,
                             void (*done)(struct outbound_call *call, enum err err), void *arg)
{
    struct form f;
    form_init(&f);
    form_proof(&f, c, "invalidate=true&", public_id);
    form_put(&f, "invalidate", STR("true"));
    call_init(c, call, "destroy", &f, done, arg);
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

/* It stands in our replies and in people's pages as it is. */
static bool url_good(struct str url)
{
    if (url.n > URL_BYTES_MAX || url.n < 9 || memcmp(url.p, "https://", 8) != 0) return false;
    for (size_t i = 0; i < url.n; i++) {
        if (url.p[i] <= ' ' || url.p[i] >= 0x7f || strchr("\"\\<>'`", url.p[i])) return false;
    }
    return true;
}

static struct str text_of(struct str body, const char *name, struct arena *arena)
{
    struct json *answer;
    const char *why;
    if (json_parse(body, arena, &answer, &why) != OK) return STR_NONE;
    const struct json *text = json_get(answer, str_from(name));
    return text && text->type == JSON_STRING ? text->text : STR_NONE;
}

enum err cloudinary_read_upload(int status, struct str body, struct str public_id, struct arena *arena,
                                const char **url)
{
    /* 420 is theirs for too many calls. */
    if (status == 420 || status == 429 || status >= 500) return ERR_UNAVAILABLE;
    if (status >= 400) return ERR_INVALID;
    struct str where = text_of(body, "secure_url", arena);
    bool ours = str_eq(text_of(body, "public_id", arena), public_id);
    if (status < 200 || status >= 300 || !ours || !where.p || !url_good(where)) return ERR_UNCERTAIN;
    *url = arena_cstr(arena, where);
    return OK;
}

enum err cloudinary_read_destroy(int status, struct str body)
{
    struct arena arena;
    arena_init(&arena);
    struct str result = text_of(body, "result", &arena);
    bool gone = str_eq(result, STR("ok")) || str_eq(result, STR("not found"));
    arena_fini(&arena);
    return status >= 200 && status < 300 && gone ? OK : ERR_UNAVAILABLE;
}
