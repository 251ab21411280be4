/* The gate before every endpoint that names who may call it. A row of the table below is one kind
 * of caller; the handlers behind the gate check nothing of this again. */
#include "core/log.h"
#include "core/must.h"
#include "domain/auth/auth_private.h"

struct rule {
    const char *schemes;      /* for the OpenAPI document */
    bool optional;            /* nothing presented is fine */
    bool customer;            /* any customer */
    bool query;               /* the token may stand in the query, too */
    bool admin, system;       /* a customer with that flag */
    bool open;                /* any customer with TALLY_OPEN */
    bool open_to_all;         /* with TALLY_OPEN also who presents nothing */
    unsigned scope;           /* a key with this scope */
    const char *forbidden;    /* the 403's message */
};

static const struct rule rules[AUTH_RULE_COUNT] = {
    [AUTH_OPTIONAL] = { .schemes = "none bearer cookie", .optional = true, .customer = true },
    [AUTH_CUSTOMER] = { .schemes = "bearer cookie", .customer = true },
    [AUTH_CUSTOMER_QUERY] = { .schemes = "bearer cookie", .customer = true, .query = true },
    [AUTH_ADMIN] = { .schemes = "bearer cookie", .admin = true, .forbidden = "Admin access required" },
    [AUTH_FUNDS] = { .schemes = "bearer cookie basic", .system = true, .open = true, .scope = SCOPE_SYSTEM,
                     .forbidden = "Only the system user can inject funds" },
    [AUTH_SYSTEM] = { .schemes = "bearer cookie basic", .system = true, .scope = SCOPE_SYSTEM },
    [AUTH_KEY_POINTS] = { .schemes = "basic", .scope = SCOPE_POINTS },
    [AUTH_REWARDS] = { .schemes = "bearer cookie basic", .admin = true, .open = true, .open_to_all = true,
                       .scope = SCOPE_REWARDS },
    [AUTH_KEY_USERSTATE] = { .schemes = "basic", .scope = SCOPE_USERSTATE },
    [AUTH_CALLBACK] = { 0 },   /* see callback_settled */
    [AUTH_METRICS] = { .schemes = "basic", .scope = SCOPE_SYSTEM },
};

const char *auth_schemes(int rule)
{
    return rules[rule].schemes;
}

const struct caller *caller_of(const struct http_request *req)
{
    must(req->caller != NULL);
    return req->caller;
}

struct str caller_scope(const struct caller *c, struct arena *arena)
{
    if (!c) return STR("anybody");
    return arena_printf(arena, "%c%lld", c->key ? 'k' : 'u', (long long) (c->key ? c->key : c->user));
}

static bool allowed(const struct app *app, const struct rule *rule, const struct caller *c)
{
    if (rule->open_to_all && app->settings->open) return true;
    if (c->key) return (c->scopes & rule->scope) != 0;
    if (rule->customer) return true;
    if (rule->admin && c->person->is_admin) return true;
    if (rule->system && c->person->is_system) return true;
    return rule->open && app->settings->open;
}

static bool changes_state(const struct http_request *req)
{
    return req->method != HTTP_GET || (req->endpoint->flags & ENDPOINT_CHANGES);
}

/* The page comes from where it sends its request to, whatever name that server has for this
 * browser: no other page can make its browser say so, and a cookie does not go to another name.
 * Behind https only https counts. */
static bool is_same_origin(const struct http_request *req, struct str origin)
{
    struct str host = request_header(req, STR("Host"));
    bool https_only = str_starts(str_from(app_of(req)->settings->public_url), STR("https:"));
    size_t scheme = str_starts_nocase(origin, STR("https://")) ? 8
                  : str_starts_nocase(origin, STR("http://")) && !https_only ? 7 : 0;
    return scheme && host.n && str_eq_nocase((struct str){ origin.p + scheme, origin.n - scheme }, host);
}

bool auth_origin_good(const struct http_request *req)
{
    struct str origin = request_header(req, STR("Origin"));
    return !origin.p || http_origin_allowed(req->server, origin) || is_same_origin(req, origin);
}

static void unauthorized(struct http_request *req)
{
    reply_header(req, STR("WWW-Authenticate"), STR("Bearer"));
    reply_error(req, 401, "Unauthorized");
}

static void on_checked(void *arg, enum auth_result result, const struct caller *who)
{
    struct http_request *req = arg;
    const struct rule *rule = &rules[req->endpoint->auth];
    if (result == AUTH_AWAY) {
        reply_err(req, ERR_UNAVAILABLE);
    } else if (result == AUTH_NO) {
        unauthorized(req);
    } else if (!allowed(app_of(req), rule, who)) {
        reply_error(req, 403, rule->forbidden ? rule->forbidden : "Forbidden");
    } else {
        struct caller *caller = arena_new(&req->arena, struct caller);
        *caller = *who;
        req->caller = caller;
        req->user = caller_scope(caller, &req->arena);
        request_authenticated(req);
    }
}

static void check_token(struct http_request *req, struct str token)
{
    struct caller who;
    enum auth_result result = auth_token(app_of(req)->auth, token, &who, on_checked, req);
    if (result != AUTH_WAIT) on_checked(req, result, &who);
}

static void check_key(struct http_request *req, struct str base64)
{
    struct caller who;
    struct str credentials;
    enum auth_result result = AUTH_NO;
    if (base64_decode(&req->arena, base64, &credentials))
        result = auth_key(app_of(req)->auth, credentials, &who, on_checked, req);
    if (result != AUTH_WAIT) on_checked(req, result, &who);
}

static void check_cookie(struct http_request *req, struct str token)
{
    if (changes_state(req) && !auth_origin_good(req)) {
        reply_error(req, 403, "Origin not allowed");
        return;
    }
    check_token(req, token);
}

/* Who passes requests on from this machine is no local caller, even if nobody has told us to trust it. */
static bool is_local(const struct http_request *req)
{
    if (!str_starts(req->remote, STR("127.")) && !str_eq(req->remote, STR("::1"))) return false;
    return !request_header(req, STR("X-Forwarded-For")).p && !request_header(req, STR("Forwarded")).p;
}

/* What a provider's callbacks carry; nothing configured: nobody is the provider. True when the request is settled. */
static bool callback_settled(struct http_request *req)
{
    if (req->endpoint->auth != AUTH_CALLBACK) return false;
    struct str wanted = str_from(app_of(req)->settings->xendit_callback_token);
    struct str token = request_header(req, STR("x-callback-token"));
    if (wanted.n && secret_equal(token, wanted)) request_authenticated(req);
    else unauthorized(req);
    return true;
}

/* /metrics has its own setting; true when the request is settled by it alone. */
static bool metrics_settled(struct http_request *req)
{
    if (req->endpoint->auth != AUTH_METRICS) return false;
    int access = app_of(req)->settings->metrics_access;
    if (access == METRICS_KEY) return false;
    if (access == METRICS_ALL || is_local(req)) request_authenticated(req);
    else reply_error(req, 403, "Forbidden");
    return true;
}

void auth_gate(struct http_request *req)
{
    const struct rule *rule = &rules[req->endpoint->auth];
    struct str header = request_header(req, STR("Authorization"));
    struct str cookie = request_cookie(req, STR("token"));
    struct str in_query = rule->query ? request_query(req, STR("token")) : STR_NONE;
    if (metrics_settled(req) || callback_settled(req)) return;
    if (str_starts_nocase(header, STR("Bearer "))) {
        check_token(req, str_trim((struct str){ header.p + 7, header.n - 7 }));
    } else if (str_starts_nocase(header, STR("Basic ")) && rule->scope) {
        check_key(req, str_trim((struct str){ header.p + 6, header.n - 6 }));
    } else if (header.p) {
        unauthorized(req);
    } else if (in_query.p) {
        check_token(req, in_query);
    } else if (cookie.p && (rule->customer || rule->admin || rule->system)) {
        check_cookie(req, cookie);
    } else if (rule->optional || (rule->open_to_all && app_of(req)->settings->open)) {
        request_authenticated(req);
    } else {
        unauthorized(req);
    }
}

void auth_set_cookie(struct http_request *req, struct str token)
{
    const struct settings *s = app_of(req)->settings;
    bool https = str_starts(str_from(s->public_url), STR("https:"));
    reply_header(req, STR("Set-Cookie"),
                 arena_printf(&req->arena, "token=%.*s; Path=/; HttpOnly; SameSite=Lax; Max-Age=%lld%s", STR_FMT(token),
                              (long long) s->token_ttl, https ? "; Secure" : ""));
}

void auth_clear_cookie(struct http_request *req)
{
    reply_header(req, STR("Set-Cookie"), STR("token=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"));
}
