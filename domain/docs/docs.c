#include "domain/docs/docs.h"

#include "core/mem.h"
#include "domain/docs/docs_private.h"
#include "web.h"

enum { ASYNCAPI_BYTES_MAX = 1 << 20 };

struct docs {
    struct buf asyncapi;
    struct http_file asyncapi_file;
};

const char docs_description[] =
    "One server for points, wallets and payments with live push. Every unit of value is kept in one double-entry "
    "ledger.\n\n"
    "Amounts of money are numbers with at most two decimals, points are whole numbers, times are UTC. A POST that "
    "moves value takes an `Idempotency-Key` header: the same request again moves nothing and is answered as before, "
    "with `Idempotent-Replayed: true`. Errors have one body everywhere; `errors` names the fields at fault.\n\n"
    "To try it: run *BANK-02* (or *BANK-01*), copy `token` from its answer into *Authorize*. "
    "Events are described in [AsyncAPI](/asyncapi.json), and can be watched [on a page](/websocket-test.html).";

const struct http_tag docs_tags[] = {
    { "BANK", "bank", "Signing in, accounts, transfers with idempotency" },
    { "POINTS", "points", "Points, levels, referrals" },
    { "REW", "rewards", "Loyalty members, this documentation" },
    { "USR", "userstate", "Profiles, addresses, payments, vouchers, push, offers" },
    { "FIN", "fintech", "Bank card, ATM wallet, click game, contacts, leaderboard" },
    { "POS", "pos", "Retail point of sale" },
    { "OPS", "server", "The server itself" },
    { 0 },
};

struct docs *docs_new(struct app *app, const char *version)
{
    struct docs *d = mem_new(struct docs);
    buf_init(&d->asyncapi, ASYNCAPI_BYTES_MAX);
    asyncapi_build(&d->asyncapi, str_from(app->settings->public_url), version);
    http_file_init(&d->asyncapi_file, STR("application/json; charset=utf-8"), buf_view(&d->asyncapi));
    return d;
}

void docs_free(struct docs *d)
{
    if (!d) return;
    http_file_fini(&d->asyncapi_file);
    buf_fini(&d->asyncapi);
    mem_free(d);
}

static void openapi(struct http_request *req)
{
    reply_file(req, http_openapi(req->server));
}

static void asyncapi(struct http_request *req)
{
    reply_file(req, &app_of(req)->docs->asyncapi_file);
}

const struct endpoint docs_endpoints[] = {
    { .id = "REW-12",
      .method = HTTP_GET,
      .path = "/api",
      .file = &web_api_html,
      .summary = "This interface as a page on which every endpoint can be tried" },
    { .id = "REW-20",
      .method = HTTP_GET,
      .path = "/api-json",
      .run = openapi,
      .summary = "This interface as an OpenAPI 3.1 document",
      .reply = "{}" },
    { .id = "OPS-OPENAPI",
      .method = HTTP_GET,
      .path = "/openapi.json",
      .run = openapi,
      .summary = "The same document under its usual name",
      .reply = "{}" },
    { .id = "OPS-ASYNCAPI",
      .method = HTTP_GET,
      .path = "/asyncapi.json",
      .run = asyncapi,
      .summary = "The events as an AsyncAPI 3.0 document",
      .reply = "{}" },
    { .id = "REW-21",
      .method = HTTP_GET,
      .path = "/websocket-test.html",
      .file = &web_websocket_test_html,
      .summary = "A page with which a person sees events arrive" },
    { 0 },
};
