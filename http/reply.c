/* Answers. A head is put together in one go from pieces that are ready: the status line, the block
 * of lines that are the same on every answer (made when the server is; only its Date changes, once
 * a second), and the few that are this answer's own. */
#include "http/reply.h"

#include <string.h>

#include "core/log.h"
#include "core/must.h"
#include "http/server_private.h"

/* HEAD_ROOM holds a head without its variable parts: longest status line, names of headers, length. */
enum { HEAD_ROOM = 256, EXTRA_BYTES_MAX = 16384, REPLY_BYTES_MAX = 64 << 20, DATE_AT = 6 };

#define JSON_TYPE STR("application/json; charset=utf-8")
#define PAGE_POLICY "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; " \
                    "form-action 'self'; frame-ancestors 'self'"

/* --- the constant block ----------------------------------------------------------------------- */

void reply_block_init(struct buf *block, struct str cors_constant, bool https)
{
    buf_init(block, 4096);
    buf_cstr(block, "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                    "X-Content-Type-Options: nosniff\r\n"
                    "X-Frame-Options: SAMEORIGIN\r\n"
                    "Referrer-Policy: no-referrer\r\n");
    if (https) buf_cstr(block, "Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n");
    buf_str(block, cors_constant);
    must(!block->failed);
}

static void update_date(struct http_server *s)
{
    int64_t now_s = clock_wall_s();
    if (now_s == s->date_s) return;
    s->date_s = now_s;
    clock_http_date(now_s, s->date);
    memcpy(s->block.p + DATE_AT, s->date, CLOCK_HTTP_BYTES);
}

/* --- the head ---------------------------------------------------------------------------------- */

static struct str status_line(int status)
{
#define LINE(code, text) case code: return STR("HTTP/1.1 " #code " " text "\r\n")
    switch (status) {
    LINE(200, "OK");
    LINE(201, "Created");
    LINE(202, "Accepted");
    LINE(204, "No Content");
    LINE(206, "Partial Content");
    LINE(301, "Moved Permanently");
    LINE(302, "Found");
    LINE(303, "See Other");
    LINE(304, "Not Modified");
    LINE(307, "Temporary Redirect");
    LINE(308, "Permanent Redirect");
    LINE(400, "Bad Request");
    LINE(401, "Unauthorized");
    LINE(402, "Payment Required");
    LINE(403, "Forbidden");
    LINE(404, "Not Found");
    LINE(405, "Method Not Allowed");
    LINE(406, "Not Acceptable");
    LINE(408, "Request Timeout");
    LINE(409, "Conflict");
    LINE(410, "Gone");
    LINE(412, "Precondition Failed");
    LINE(413, "Content Too Large");
    LINE(414, "URI Too Long");
    LINE(415, "Unsupported Media Type");
    LINE(416, "Range Not Satisfiable");
    LINE(417, "Expectation Failed");
    LINE(421, "Misdirected Request");
    LINE(422, "Unprocessable Content");
    LINE(423, "Locked");
    LINE(424, "Failed Dependency");
    LINE(425, "Too Early");
    LINE(426, "Upgrade Required");
    LINE(428, "Precondition Required");
    LINE(429, "Too Many Requests");
    LINE(431, "Request Header Fields Too Large");
    LINE(500, "Internal Server Error");
    LINE(501, "Not Implemented");
    LINE(502, "Bad Gateway");
    LINE(503, "Service Unavailable");
    LINE(504, "Gateway Timeout");
    LINE(505, "HTTP Version Not Supported");
    }
#undef LINE
    must(!"a status we send has a status line");
    return STR_NONE;
}

static char *put(char *to, struct str s)
{
    if (s.n) memcpy(to, s.p, s.n);
    return to + s.n;
}

static char *put_line(char *to, struct str name, struct str value)
{
    return put(put(put(to, name), value), STR("\r\n"));
}

static char *put_length(char *to, size_t n)
{
    char digits[20];
    size_t i = sizeof digits;
    do digits[--i] = (char) ('0' + n % 10);
    while (n /= 10);
    return put_line(to, STR("Content-Length: "), (struct str){ digits + i, sizeof digits - i });
}

/* HTTP/1.1 keeps the connection unless told otherwise; HTTP/1.0 clients that ask for it must read it. */
static struct str connection_line(struct http_request *req)
{
    if (http_conn_closes_with(req)) return STR("Connection: close\r\n");
    struct str asked = request_header(req, STR("connection"));
    return str_eq_nocase(asked, STR("keep-alive")) ? STR("Connection: keep-alive\r\n") : STR("");
}

static void answer_filled(struct http_request *req, int status, struct str type, size_t size,
                          void (*fill)(void *arg, char *to), void *arg)
{
    struct http_server *s = req->server;
    must(req->magic == HTTP_REQUEST_MAGIC);
    must(req->status == 0);                          /* exactly one answer */
    must(!req->extra_headers.failed);
    bool has_body = status != 204 && status != 304;
    bool sends_body = has_body && !req->is_head;
    update_date(s);
    if (s->cors.count) cors_put_headers(&s->cors, request_header(req, STR("origin")), extra_headers(req));

    if (req->reply.max == 0) buf_init(&req->reply, HEAD_ROOM + REPLY_BYTES_MAX + 2 * EXTRA_BYTES_MAX);
    size_t room = HEAD_ROOM + type.n + s->block.n + req->id.n + req->extra_headers.n + (sends_body ? size : 0);
    char *start = buf_reserve(&req->reply, room), *p = start;
    must(start != NULL);
    p = put(p, status_line(status));
    if (has_body && type.n) p = put_line(p, STR("Content-Type: "), type);
    if (has_body) p = put_length(p, size);
    p = put_line(p, STR("X-Request-Id: "), req->id);
    p = put(p, buf_view(&s->block));
    p = put(p, connection_line(req));
    p = put(p, buf_view(&req->extra_headers));
    p = put(p, STR("\r\n"));
    if (sends_body) fill(arg, p);
    if (sends_body) p += size;
    buf_added(&req->reply, (size_t) (p - start));
    req->status = status;
    http_conn_answered(req);
}

static void fill_text(void *arg, char *to)
{
    put(to, *(const struct str *) arg);
}

static void answer(struct http_request *req, int status, struct str type, struct str body)
{
    answer_filled(req, status, type, body.n, fill_text, &body);
}

/* --- headers of the caller's own ---------------------------------------------------------------- */

struct buf *extra_headers(struct http_request *req)
{
    if (req->extra_headers.max == 0) buf_init(&req->extra_headers, EXTRA_BYTES_MAX);
    return &req->extra_headers;
}

static bool is_header_text(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char) s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

static bool is_header_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') && c != '-') return false;
    }
    return s.n > 0;
}

/* A line break in a value would let whoever chose it write headers, or a whole second answer, of
 * his own. Callers must not pass one; should it happen, the header is left out, and the log tells. */
void reply_header(struct http_request *req, struct str name, struct str value)
{
    must(req->status == 0);
    if (!is_header_name(name) || !is_header_text(value)) {
        log_error("http", "header_refused", "req=%.*s name_bytes=%zu", STR_FMT(req->id), name.n);
        return;
    }
    struct buf *extra = extra_headers(req);
    buf_str(extra, name);
    buf_cstr(extra, ": ");
    buf_str(extra, value);
    buf_cstr(extra, "\r\n");
}

static bool has_extra(const struct http_request *req, struct str name)
{
    struct str rest = buf_view(&req->extra_headers);
    while (rest.n) {
        struct str line = str_cut(&rest, '\n');
        if (str_eq_nocase(str_cut(&line, ':'), name)) return true;
    }
    return false;
}

/* --- the calls -------------------------------------------------------------------------------- */

void reply_json(struct http_request *req, int status, struct str json)
{
    reply_body(req, status, JSON_TYPE, json);
}

void reply_body(struct http_request *req, int status, struct str content_type, struct str body)
{
    must(is_header_text(content_type));
    if (body.n > REPLY_BYTES_MAX) {
        log_error("http", "reply_too_big", "req=%.*s bytes=%zu", STR_FMT(req->id), body.n);
        reply_err(req, ERR_INTERNAL);
        return;
    }
    if (str_starts_nocase(content_type, STR("text/html")) && !has_extra(req, STR("content-security-policy")))
        reply_header(req, STR("Content-Security-Policy"), STR(PAGE_POLICY));
    answer(req, status, content_type, body);
}

void reply_filled(struct http_request *req, int status, struct str content_type, size_t size,
                  void (*fill)(void *arg, char *to), void *arg)
{
    must(is_header_text(content_type) && size <= REPLY_BYTES_MAX);
    answer_filled(req, status, content_type, size, fill, arg);
}

void reply_empty(struct http_request *req, int status)
{
    answer(req, status, STR_NONE, STR_NONE);
}

/* A location may be built from what a client sent: whatever is not plain URL text is encoded. */
void reply_redirect(struct http_request *req, int status, struct str location)
{
    struct buf url;
    buf_init(&url, EXTRA_BYTES_MAX / 2);
    for (size_t i = 0; i < location.n; i++) {
        uint8_t c = (uint8_t) location.p[i];
        bool plain = c > 0x20 && c < 0x7f && !strchr("\"<>\\^`{|}", c);
        if (!plain) buf_char(&url, '%');
        if (plain) buf_char(&url, (char) c);
        else buf_hex(&url, &c, 1);
    }
    bool fits = !url.failed;
    if (fits) reply_header(req, STR("Location"), buf_view(&url));
    buf_fini(&url);
    if (fits) reply_empty(req, status);
    else reply_err(req, ERR_INTERNAL);
}

/* `errors` are the elements of the array, already JSON. */
static void answer_error(struct http_request *req, int status, struct str message, struct str errors)
{
    struct buf body;
    buf_init(&body, REPLY_BYTES_MAX);
    buf_cstr(&body, "{\"success\":false,\"status\":false,\"errorCode\":");
    buf_i64(&body, status);
    buf_cstr(&body, ",\"message\":");
    json_escape(&body, message);
    buf_cstr(&body, ",\"errors\":[");
    buf_str(&body, errors);
    buf_cstr(&body, "]}");
    must(!body.failed);
    if (status == 503 && !has_extra(req, STR("retry-after"))) reply_header(req, STR("Retry-After"), STR("1"));
    if (status == 401 && !has_extra(req, STR("www-authenticate")))
        reply_header(req, STR("WWW-Authenticate"), STR("Bearer"));
    answer(req, status, JSON_TYPE, buf_view(&body));
    buf_fini(&body);
}

void reply_error(struct http_request *req, int status, const char *message)
{
    answer_error(req, status, str_from(message), STR_NONE);
}

void reply_error_retry(struct http_request *req, int status, const char *message, int retry_after_s)
{
    struct str seconds = arena_printf(&req->arena, "%d", retry_after_s > 0 ? retry_after_s : 1);
    reply_header(req, STR("Retry-After"), seconds);
    reply_error(req, status, message);
}

void reply_err(struct http_request *req, enum err err)
{
    const struct err_info *info = err_info(err);
    must(err != OK);
    if (info->retryable) reply_error_retry(req, info->http_status, info->message, 1);
    else reply_error(req, info->http_status, info->message);
}

void reply_fault(struct http_request *req, struct reply_faults *f, const char *field, const char *message)
{
    must(req->status == 0);
    validate_fault(f, field, message);
}

void reply_faults(struct http_request *req, struct reply_faults *f)
{
    reply_faults_as(req, f, "Validation failed");
}

void reply_faults_as(struct http_request *req, struct reply_faults *f, const char *message)
{
    must(f->count > 0);
    answer_error(req, 400, str_from(message), f->json.failed ? STR_NONE : buf_view(&f->json));
    buf_fini(&f->json);
    f->count = 0;
}
