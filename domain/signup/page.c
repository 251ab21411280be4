/* USR-60: what a click on the mailed link opens when there is no front end. Scanners and previews open links, too, so
 * the page changes nothing; its button does. A code by SMS has a field of its own. */
#include "domain/signin/signin.h"
#include "domain/signup/signup_private.h"
#include "domain/sql_endpoint.h"
#include "sql.h"
#include "web.h"

static void show(struct http_request *req, int status, const struct http_file *page)
{
    reply_header(req, STR("Cache-Control"), STR("no-store"));
    reply_body(req, status, page->type, page->bytes);
}

static void on_found(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) sql_endpoint_failed(req, err, r);
    else if (db_rows(r) == 0) show(req, 401, &web_sign_up_gone_html);
    else if (str_eq(db_cell(r, 0, 0), STR("OTP"))) show(req, 200, &web_sign_up_code_html);
    else show(req, 200, &web_sign_up_link_html);
}

void signup_page(struct http_request *req)
{
    uint8_t hash[SHA256_BYTES];
    struct db_args args;
    sha256(req->values[0].set ? req->values[0].s : STR(""), hash);
    db_args_init(&args, &req->arena);
    db_bytes(&args, (struct str){ (const char *) hash, sizeof hash });
    enum err err = db_exec(app_of(req)->db, &sql_signup_waits, &args, on_found, req);
    if (err != OK) reply_err(req, err);
}
