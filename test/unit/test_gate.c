/* Heads the gate lets in and heads it turns away, each whole, cut in two at every place, and byte by
 * byte. The shapes are those by which requests are smuggled past servers that read too kindly. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "http/stream.h"

#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"

static const struct { const char *name, *bytes; int status; } heads[] = {   /* status 0: accepted */
    { "plain", GET HOST "\r\n", 0 },
    { "one empty line before", "\r\n" GET HOST "\r\n", 0 },
    { "two empty lines before", "\r\n\r\n" GET HOST "\r\n", 400 },
    { "HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", 0 },
    { "blanks around a value", GET "Host: \t a \t\r\n\r\n", 0 },
    { "an empty value", GET HOST "X:\r\n\r\n", 0 },
    { "bytes above 0x7f in a value", GET HOST "X: \xc3\xa4\r\n\r\n", 0 },
    { "a query", "GET /a/b?c=d&e HTTP/1.1\r\n" HOST "\r\n", 0 },
    { "a length", POST HOST "Content-Length: 5\r\n\r\n", 0 },
    { "chunked", POST HOST "Transfer-Encoding: CHUNKED\r\n\r\n", 0 },
    { "OPTIONS of the server", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0 },
    { "an absolute target of ours", "GET http://a/x HTTP/1.1\r\n" HOST "\r\n", 0 },
    { "an absolute target without path", "GET http://A HTTP/1.1\r\n" HOST "\r\n", 0 },
    { "upgrade", GET HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 0 },
    { "upgrade with a body", POST HOST "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\n", 0 },

    { "folded length", GET "Host: a\r\n Content-Length: 5\r\n\r\n", 400 },
    { "folded by a tab", GET HOST "X: a\r\n\tb\r\n\r\n", 400 },
    { "folded transfer coding", POST HOST "Transfer-Encoding:\r\n chunked\r\n\r\n", 400 },
    { "folded first field", GET " X: a\r\n" HOST "\r\n", 400 },
    { "empty field name", GET HOST ": x\r\n\r\n", 400 },
    { "blank before the colon", GET "Host : a\r\n\r\n", 400 },
    { "blank in a field name", GET HOST "A B: x\r\n\r\n", 400 },
    { "no colon", GET HOST "X\r\n\r\n", 400 },
    { "field name above 0x7f", GET HOST "X\xe4: x\r\n\r\n", 400 },
    { "no Host", GET "\r\n", 400 },
    { "two Hosts", GET HOST HOST "\r\n", 400 },
    { "an empty Host", GET "Host:\r\n\r\n", 400 },
    { "a Host of two words", GET "Host: a b\r\n\r\n", 400 },
    { "a Host with user", GET "Host: u@a\r\n\r\n", 400 },
    { "a Host with path", GET "Host: a/b\r\n\r\n", 400 },
    { "two transfer codings", POST HOST "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
    { "chunked twice", POST HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
    { "chunked in a list", POST HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 400 },
    { "identity", POST HOST "Transfer-Encoding: identity\r\n\r\n", 400 },
    { "an empty transfer coding", POST HOST "Transfer-Encoding:\r\n\r\n", 400 },
    { "vertical tab before chunked", POST HOST "Transfer-Encoding: \x0b" "chunked\r\n\r\n", 400 },
    { "length, then chunked", POST HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
    { "chunked, then length", POST HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400 },
    { "chunked in HTTP/1.0", "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 400 },
    { "two lengths", POST HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400 },
    { "the same length twice", POST HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400 },
    { "a list of lengths", POST HOST "Content-Length: 5, 5\r\n\r\n", 400 },
    { "a signed length", POST HOST "Content-Length: +5\r\n\r\n", 400 },
    { "a negative length", POST HOST "Content-Length: -5\r\n\r\n", 400 },
    { "a hexadecimal length", POST HOST "Content-Length: 0x5\r\n\r\n", 400 },
    { "a length with a blank", POST HOST "Content-Length: 5 5\r\n\r\n", 400 },
    { "no digits of a length", POST HOST "Content-Length:\r\n\r\n", 400 },
    { "a length beyond 64 bits", POST HOST "Content-Length: 18446744073709551617\r\n\r\n", 400 },
    { "bare CR in a value", GET HOST "X: a\rb\r\n\r\n", 400 },
    { "bare CR for a line end", GET HOST "X: a\rContent-Length: 5\r\n\r\n", 400 },
    { "CR CR LF", GET HOST "X: a\r\r\n\r\n", 400 },
    { "bare LF after a field", GET HOST "X: a\n\r\n", 400 },
    { "bare LF after the request line", "GET / HTTP/1.1\n" HOST "\r\n", 400 },
    { "bare LF for the end", GET HOST "\n", 400 },
    { "bare LF before all", "\n" GET HOST "\r\n", 400 },
    { "CR X for the end", GET HOST "\r\rX\r\n", 400 },
    { "DEL in a value", GET HOST "X: \x7f\r\n\r\n", 400 },
    { "a control character in a value", GET HOST "X: \x01\r\n\r\n", 400 },
    { "HTTP/2.0", "GET / HTTP/2.0\r\n" HOST "\r\n", 400 },
    { "HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n", 400 },
    { "HTTP/0.9", "GET /\r\n\r\n", 400 },
    { "HTTP/01.1", "GET / HTTP/01.1\r\n" HOST "\r\n", 400 },
    { "http/1.1", "GET / http/1.1\r\n" HOST "\r\n", 400 },
    { "a blank behind the version", "GET / HTTP/1.1 \r\n" HOST "\r\n", 400 },
    { "HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400 },
    { "another protocol", "SOURCE /x ICE/1.0\r\n" HOST "\r\n", 400 },
    { "a method of no one's", "FETCH / HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "a method in small letters", "get / HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "a blank before all", " GET / HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "TLS on the plain port", "\x16\x03\x01\x02", 400 },
    { "CONNECT", "CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "two blanks before the target", "GET  / HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "two blanks behind the target", "GET /  HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "a tab before the target", "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "no target", "GET  HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "a target without slash", "GET a HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "a fragment", "GET /#a HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "bytes above 0x7f in the target", "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "star for another method", "GET * HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "an absolute target of another host", "GET http://b/ HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "an absolute target with user", "GET http://a@a/ HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "an absolute target without Host", "GET http://a/ HTTP/1.0\r\n\r\n", 400 },
    { "an absolute target of nobody", "GET http:/// HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "another scheme", "GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n", 400 },
};

#define CHUNKED POST HOST "Transfer-Encoding: chunked\r\n\r\n"

/* Whole requests: 0 when complete, -1 when more is awaited. */
static const struct { const char *name, *bytes; int status; } bodies[] = {
    { "a length", POST HOST "Content-Length: 5\r\n\r\nhello", 0 },
    { "a length of zero", POST HOST "Content-Length: 0\r\n\r\n", 0 },
    { "less than the length", POST HOST "Content-Length: 5\r\n\r\nhell", -1 },
    { "a body beyond its maximum", POST HOST "Content-Length: 9\r\n\r\n123456789", 413 },
    { "one chunk", CHUNKED "5\r\nhello\r\n0\r\n\r\n", 0 },
    { "two chunks", CHUNKED "3\r\nhel\r\n02\r\nlo\r\n00\r\n\r\n", 0 },
    { "no chunk", CHUNKED "0\r\n\r\n", 0 },
    { "no end", CHUNKED "5\r\nhello\r\n0\r\n", -1 },
    { "chunks beyond the maximum", CHUNKED "5\r\nhello\r\n4\r\nhell\r\n0\r\n\r\n", 413 },
    { "a chunk far beyond the maximum", CHUNKED "ffffffff\r\n123456789", 413 },
    { "a size beyond 64 bits", CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n", 400 },
    { "an empty size", CHUNKED "\r\n", 400 },
    { "a size with a prefix", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", 400 },
    { "a signed size", CHUNKED "+5\r\nhello\r\n0\r\n\r\n", 400 },
    { "a negative size", CHUNKED "-5\r\nhello\r\n0\r\n\r\n", 400 },
    { "a blank before the size", CHUNKED " 5\r\nhello\r\n0\r\n\r\n", 400 },
    { "a blank behind the size", CHUNKED "5 \r\nhello\r\n0\r\n\r\n", 400 },
    { "a size ended by LF", CHUNKED "5\nhello\r\n0\r\n\r\n", 400 },
    { "a size ended by CR X", CHUNKED "5\rXhello\r\n0\r\n\r\n", 400 },
    { "a chunk longer than its size", CHUNKED "4\r\nhello\r\n0\r\n\r\n", 400 },
    { "a chunk ended by anything", CHUNKED "5\r\nhelloXX0\r\n\r\n", 400 },
    { "a chunk ended by LF", CHUNKED "5\r\nhello\n0\r\n\r\n", 400 },
    { "a chunk ended by CR", CHUNKED "5\r\nhello\r0\r\n\r\n", 400 },
    { "an end by LF", CHUNKED "0\r\n\n", 400 },
    { "a last size ended by LF", CHUNKED "0\n\r\n", 400 },
    { "an end by CR X", CHUNKED "0\r\n\rX", 400 },
    { "an extension", CHUNKED "5;a=b\r\nhello\r\n0\r\n\r\n", 400 },
    { "an extension without name", CHUNKED "5;\r\nhello\r\n0\r\n\r\n", 400 },
    { "an extension with LF", CHUNKED "5;\nhello\r\n0\r\n\r\n", 400 },
    { "an extension of the last chunk", CHUNKED "0;a\r\n\r\n", 400 },
    { "a trailer", CHUNKED "0\r\nX: y\r\n\r\n", 400 },
    { "a trailer without name", CHUNKED "0\r\n: y\r\n\r\n", 400 },
    { "a folded trailer", CHUNKED "0\r\n y\r\n\r\n", 400 },
    { "a request in the trailer", CHUNKED "0\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400 },
};

enum { BODY_MAX = 8 };

static int feed(struct http_stream *s, const uint8_t *p, const uint8_t *end, enum http_stream_event until)
{
    for (;;) {
        enum http_stream_event e = http_stream_feed(s, &p, end);
        if (e == until) return 0;
        if (e == HTTP_STREAM_MORE) return -1;
        if (e == HTTP_STREAM_REFUSED) return s->status;
        http_stream_body(s, BODY_MAX, false);
    }
}

/* Feeds p in pieces of `piece` bytes, the first of `first` bytes; the status, or 0 at `until`, or -1. */
static int pass_until(enum http_stream_event until, const char *p, size_t n, size_t first, size_t piece)
{
    struct http_stream s;
    http_stream_init(&s);
    int result = -1;
    for (size_t at = 0; at < n && result < 0;) {
        size_t step = at == 0 ? first : piece;
        if (step > n - at) step = n - at;
        char *copy = malloc(step);                   /* a piece of its own, so that ASan sees reads beyond it */
        memcpy(copy, p + at, step);
        result = feed(&s, (const uint8_t *) copy, (const uint8_t *) copy + step, until);
        at += step;
        free(copy);
    }
    http_stream_fini(&s);
    return result;
}

static int pass(const char *p, size_t n, size_t first, size_t piece)
{
    return pass_until(HTTP_STREAM_HEAD, p, n, first, piece);
}

START_TEST(body_is_judged_alike_however_it_is_cut)
{
    const char *bytes = bodies[_i].bytes;
    size_t n = strlen(bytes);
    int whole = pass_until(HTTP_STREAM_REQUEST, bytes, n, n, n);
    ck_assert_msg(whole == bodies[_i].status, "%s: whole gives %d", bodies[_i].name, whole);
    ck_assert_msg(pass_until(HTTP_STREAM_REQUEST, bytes, n, 1, 1) == whole, "%s: byte by byte", bodies[_i].name);
    for (size_t cut = 1; cut < n; cut++) {
        ck_assert_msg(pass_until(HTTP_STREAM_REQUEST, bytes, n, cut, n) == whole, "%s: cut at %zu", bodies[_i].name,
                      cut);
    }
}
END_TEST

START_TEST(head_is_judged_alike_however_it_is_cut)
{
    const char *bytes = heads[_i].bytes;
    size_t n = strlen(bytes);
    ck_assert_msg(pass(bytes, n, n, n) == heads[_i].status, "%s: whole gives %d", heads[_i].name,
                  pass(bytes, n, n, n));
    ck_assert_msg(pass(bytes, n, 1, 1) == heads[_i].status, "%s: byte by byte", heads[_i].name);
    for (size_t cut = 1; cut < n; cut++) {
        ck_assert_msg(pass(bytes, n, cut, n) == heads[_i].status, "%s: cut at %zu", heads[_i].name, cut);
    }
}
END_TEST

START_TEST(nul_is_refused_wherever_it_stands)
{
    static const char head[] = "GET /a HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n";
    for (size_t i = 0; i < sizeof head - 1; i++) {
        char changed[sizeof head];
        memcpy(changed, head, sizeof head);
        changed[i] = 0;
        ck_assert_int_ne(pass(changed, sizeof head - 1, sizeof head, 1), 0);
        ck_assert_int_eq(pass(changed, sizeof head - 1, sizeof head, 1), pass(changed, sizeof head - 1, 1, 1));
    }
}
END_TEST

/* "GET /xxx… HTTP/1.1", then `fields` fields with values of `value_n` bytes. */
static char *bomb(size_t target_n, int fields, size_t value_n, size_t *n)
{
    char *p = malloc(target_n + (size_t) fields * (value_n + 8) + 64), *to = p;
    to = stpcpy(to, "GET /");
    memset(to, 'x', target_n - 1);
    to = stpcpy(to + target_n - 1, " HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < fields; i++) {
        to = stpcpy(to, "X: ");
        memset(to, 'y', value_n);
        to = stpcpy(to + value_n, "\r\n");
    }
    to = stpcpy(to, "\r\n");
    *n = (size_t) (to - p);
    return p;
}

static const struct { size_t target_n; int fields; size_t value_n; int status; } bombs[] = {
    { 8192, 0, 0, 0 }, { 8193, 0, 0, 414 }, { 60000, 0, 0, 414 },
    { 1, HTTP_HEADERS_MAX - 1, 1, 0 }, { 1, HTTP_HEADERS_MAX, 1, 431 }, { 1, 10000, 1, 431 },
    { 1, 1, 16000, 0 }, { 1, 1, 16384, 431 }, { 1, 1, 1 << 20, 431 }, { 1, 20, 1000, 431 },
};

START_TEST(bombs_end_at_their_limit)
{
    size_t n;
    char *p = bomb(bombs[_i].target_n, bombs[_i].fields, bombs[_i].value_n, &n);
    ck_assert_int_eq(pass(p, n, n, n), bombs[_i].status);
    ck_assert_int_eq(pass(p, n, 1000, 997), bombs[_i].status);
    ck_assert_int_eq(pass(p, n, 1, 1), bombs[_i].status);
    free(p);
}
END_TEST

START_TEST(head_is_taken_apart)
{
    static const char head[] = "\r\nHEAD http://a.example:80/b/c/?d=e?f HTTP/1.0\r\nhOST: A.example:80\r\n"
                               "connection: x, Keep-Alive\r\nExpect: 100-Continue\r\nContent-Length: 007\r\n\r\nrest";
    struct gate g;
    gate_init(&g);
    ck_assert_int_eq(gate_feed(&g, head, sizeof head - 1), GATE_DONE);
    ck_assert_int_eq(g.method, HTTP_GET);
    ck_assert(g.is_head && g.http10 && g.keep_alive && !g.close && g.expect_continue && !g.chunked);
    ck_assert_int_eq(g.content_length, 7);
    ck_assert_int_eq(g.start, 2);
    ck_assert_int_eq(g.end, sizeof head - 1 - 4);
    ck_assert(str_eq(gate_view(g.path, head), STR("/b/c")));
    ck_assert(str_eq(gate_view(g.query, head), STR("d=e?f")));
    ck_assert_int_eq(g.header_count, 4);
    ck_assert(str_eq(gate_view(g.names[1], head), STR("connection")));
    ck_assert(str_eq(gate_view(g.values[1], head), STR("x, Keep-Alive")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gate");
    TCase *t = tcase_create("gate");
    tcase_add_loop_test(t, head_is_judged_alike_however_it_is_cut, 0, sizeof heads / sizeof *heads);
    tcase_add_loop_test(t, body_is_judged_alike_however_it_is_cut, 0, sizeof bodies / sizeof *bodies);
    tcase_add_test(t, nul_is_refused_wherever_it_stands);
    tcase_add_loop_test(t, bombs_end_at_their_limit, 0, sizeof bombs / sizeof *bombs);
    tcase_add_test(t, head_is_taken_apart);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
