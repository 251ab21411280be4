/* llhttp reads each message alone: it is reset before every head, gets the head in one piece, and is
 * stopped at the message's last byte. Nothing of one request can therefore reach into the next.
 *
 * Trailers and chunk extensions are refused: nobody sends them to us, and both are places where
 * readers disagree. Upgrades are not llhttp's business: a request that asks for one is a request. */
#include "http/parser.h"

#include <llhttp.h>

_Static_assert(sizeof(llhttp_t) <= sizeof(((struct http_parser *) 0)->llhttp), "llhttp fits");

static llhttp_t *inner(struct http_parser *p)
{
    return (llhttp_t *) (void *) p->llhttp;
}

static int on_headers_complete(llhttp_t *l)
{
    struct http_parser *p = l->data;
    p->headers_done = true;
    p->chunked = l->flags & F_CHUNKED;
    p->content_length = l->flags & F_CONTENT_LENGTH ? (int64_t) l->content_length : -1;
    l->upgrade = 0;
    return 0;
}

static int on_message_complete(llhttp_t *l)
{
    ((struct http_parser *) l->data)->complete = true;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *l, const char *at, size_t n)
{
    struct http_parser *p = l->data;
    return p->on_body(p->arg, (const uint8_t *) at, n) ? 0 : -1;
}

static int refuse_bytes(llhttp_t *l, const char *at, size_t n)
{
    (void) l, (void) at, (void) n;
    return -1;
}

static int refuse(llhttp_t *l)
{
    (void) l;
    return -1;
}

static const llhttp_settings_t in_head = {
    .on_headers_complete = on_headers_complete,
    .on_message_complete = on_message_complete,
};

static const llhttp_settings_t in_body = {
    .on_body = on_body,
    .on_message_complete = on_message_complete,
    .on_header_field = refuse_bytes,
    .on_header_value = refuse_bytes,
    .on_header_field_complete = refuse,
    .on_chunk_extension_name = refuse_bytes,
    .on_chunk_extension_value = refuse_bytes,
    .on_chunk_extension_name_complete = refuse,
};

void http_parser_init(struct http_parser *p, bool (*body)(void *arg, const uint8_t *data, size_t n), void *arg)
{
    *p = (struct http_parser){ .on_body = body, .arg = arg };
    llhttp_init(inner(p), HTTP_REQUEST, &in_head);
    inner(p)->data = p;
}

bool http_parser_head(struct http_parser *p, const char *head, size_t n)
{
    llhttp_t *l = inner(p);
    l->settings = (void *) &in_head;
    llhttp_reset(l);
    p->headers_done = p->complete = false;
    llhttp_errno_t e = llhttp_execute(l, head, n);
    if (e != HPE_OK && !(e == HPE_PAUSED && llhttp_get_error_pos(l) == head + n)) return false;
    l->settings = (void *) &in_body;
    return p->headers_done;
}

bool http_parser_body(struct http_parser *p, const uint8_t *data, size_t n, size_t *used)
{
    llhttp_t *l = inner(p);
    llhttp_errno_t e = llhttp_execute(l, (const char *) data, n);
    if (e == HPE_OK) {
        *used = n;
        return true;
    }
    *used = (size_t) ((const uint8_t *) llhttp_get_error_pos(l) - data);
    return e == HPE_PAUSED && p->complete;
}
