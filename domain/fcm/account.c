#include "domain/fcm/account.h"

#include "core/digest.h"
#include "core/json.h"

enum { LIFE_S = 3600, TOKEN_CHARS_MAX = 4096 };

static struct str text_of(const struct json *object, struct str name)
{
    const struct json *m = json_get(object, name);
    return m && m->type == JSON_STRING ? m->text : STR_NONE;
}

enum err fcm_account_read(struct str json, struct arena *arena, struct fcm_account *out)
{
    struct json *o;
    const char *why;
    if (json_parse(arena_str(arena, json), arena, &o, &why) != OK) return ERR_INVALID;
    *out = (struct fcm_account){
        .project = text_of(o, STR("project_id")), .email = text_of(o, STR("client_email")),
        .private_key = text_of(o, STR("private_key")), .token_uri = text_of(o, STR("token_uri")),
    };
    if (!out->token_uri.n) out->token_uri = STR("https://oauth2.googleapis.com/token");
    bool whole = str_eq(text_of(o, STR("type")), STR("service_account")) && out->project.n && out->email.n &&
                 out->private_key.n;
    return whole ? OK : ERR_INVALID;
}

static void put_claims(struct buf *b, const struct fcm_account *a, int64_t now_s)
{
    json_open(b, '{');
    json_key(b, STR("iss"));
    json_string(b, a->email);
    json_key(b, STR("scope"));
    json_string(b, STR("https://www.googleapis.com/auth/firebase.messaging"));
    json_key(b, STR("aud"));
    json_string(b, a->token_uri);
    json_key(b, STR("iat"));
    json_int(b, now_s);
    json_key(b, STR("exp"));
    json_int(b, now_s + LIFE_S);
    json_close(b, '}');
}

struct str fcm_assertion(const struct fcm_account *a, int64_t now_s, struct arena *arena)
{
    struct buf claims;
    struct str signature;
    buf_init(&claims, 8192);
    put_claims(&claims, a, now_s);
    struct str head = base64url_encode(arena, STR("{\"alg\":\"RS256\",\"typ\":\"JWT\"}"));
    struct str body = base64url_encode(arena, buf_view(&claims));
    struct str signed_part = arena_printf(arena, "%.*s.%.*s", STR_FMT(head), STR_FMT(body));
    bool good = !claims.failed && rsa_sha256_sign(a->private_key, signed_part, arena, &signature);
    buf_fini(&claims);
    if (!good) return STR_NONE;
    struct str proof = base64url_encode(arena, signature);
    struct str grant = STR("urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer");
    return arena_printf(arena, "grant_type=%.*s&assertion=%.*s.%.*s", STR_FMT(grant), STR_FMT(signed_part),
                        STR_FMT(proof));
}

enum err fcm_read_token(struct str body, struct arena *arena, struct str *token, int64_t *seconds)
{
    struct json *o;
    const char *why;
    if (json_parse(body, arena, &o, &why) != OK) return ERR_INVALID;
    const struct json *life = json_get(o, STR("expires_in"));
    *token = text_of(o, STR("access_token"));
    *seconds = LIFE_S;
    if (life && (life->type != JSON_NUMBER || !json_i64(life, seconds) || *seconds <= 0)) return ERR_INVALID;
    if (*seconds > LIFE_S) *seconds = LIFE_S;
    return token->n && token->n <= TOKEN_CHARS_MAX ? OK : ERR_INVALID;
}

/* {"error":{"details":[{"errorCode":"UNREGISTERED"}]}} */
static bool is_unregistered(struct str body)
{
    struct arena arena;
    struct json *o;
    const char *why;
    bool found = false;
    arena_init(&arena);
    if (json_parse(body, &arena, &o, &why) == OK) {
        const struct json *details = json_get(json_get(o, STR("error")), STR("details"));
        for (const struct json *d = details && details->type == JSON_ARRAY ? details->child : NULL; d; d = d->next)
            found |= str_eq(text_of(d, STR("errorCode")), STR("UNREGISTERED"));
    }
    arena_fini(&arena);
    return found;
}

enum err fcm_read_answer(int status, struct str body)
{
    if (status >= 200 && status < 300) return OK;
    if (status == 404 || is_unregistered(body)) return ERR_INVALID;
    return status == 401 ? ERR_CLOSED : ERR_UNAVAILABLE;
}
