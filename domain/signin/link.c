/* Links that work once: 256 random bits in a link or a mail, their hash in the tables. */
#include "domain/auth/auth.h"
#include "domain/signin/signin.h"

struct signin_link signin_link_new(const struct app *app, struct arena *arena, const char *path)
{
    uint8_t secret[32];
    struct signin_link link;
    random_bytes(secret, sizeof secret);
    link.token = base64url_encode(arena, (struct str){ (const char *) secret, sizeof secret });
    sha256(link.token, link.hash);
    link.url = arena_printf(arena, "%s%s?token=%.*s", app->settings->frontend_url, path, STR_FMT(link.token));
    return link;
}

struct str signin_special_token(struct http_request *req, const struct value *query, const struct value *body,
                                uint8_t hash[SHA256_BYTES])
{
    struct str header = request_header(req, STR("Authorization")), token = STR_NONE;
    if (str_starts_nocase(header, STR("Bearer "))) token = str_trim((struct str){ header.p + 7, header.n - 7 });
    else if (query->set) token = query->s;
    else if (body->set) token = body->s;
    if (token.n == 0) {
        reply_error(req, 401, "Unauthorized");
        return STR_NONE;
    }
    sha256(token, hash);
    return token;
}

void signin_reply_token(struct http_request *req, const char *message, struct str token, bool agent)
{
    struct buf b;
    buf_init(&b, 8192);
    json_open(&b, '{');
    if (message) {
        json_key(&b, STR("status"));
        json_bool(&b, true);
        json_key(&b, STR("message"));
        json_string(&b, str_from(message));
    }
    json_key(&b, STR("token"));
    json_string(&b, token);
    json_key(&b, STR("agent"));
    json_bool(&b, agent);
    json_close(&b, '}');
    reply_json(req, 200, buf_view(&b));
    buf_fini(&b);
}
