/* libcurl tells which sockets it wants watched, and for what (on_socket), and when it wants to be
 * called at the latest (on_timeout). Events go to curl_multi_socket_action, after which finished
 * transfers are collected. Their callbacks run when libcurl is not on the stack, and may add and
 * remove transfers and close the whole. */
#include "core/curl_loop.h"

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/must.h"

struct curl_loop {
    uv_loop_t *loop;
    CURLM *multi;             /* NULL once closed */
    uv_timer_t timer;
    const char *ca_file;
    int transfers;
};

/* A socket that libcurl wants watched. libcurl says so before it closes one, so the poll handle
 * never outlives its descriptor; its memory goes when libuv is done with it. */
struct watched {
    uv_poll_t poll;
    struct curl_loop *c;
    curl_socket_t fd;
};

static void collect(struct curl_loop *c)
{
    int left;
    CURLMsg *message;
    while (c->multi && (message = curl_multi_info_read(c->multi, &left))) {
        if (message->msg != CURLMSG_DONE) continue;
        /* The message is gone when the handle is removed. */
        CURLcode code = message->data.result;
        struct curl_transfer *t = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &t);
        t->done(t, code);
    }
}

static void act(struct curl_loop *c, curl_socket_t fd, int events)
{
    int running;
    curl_multi_socket_action(c->multi, fd, events, &running);
    collect(c);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct watched *w = handle->data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
    act(w->c, w->fd, flags);
}

static void on_timer(uv_timer_t *handle)
{
    act(handle->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timeout(CURLM *multi, long timeout_ms, void *arg)
{
    (void) multi;
    struct curl_loop *c = arg;
    if (timeout_ms < 0) {
        uv_timer_stop(&c->timer);
    } else {
        uv_timer_start(&c->timer, on_timer, (uint64_t) timeout_ms, 0);
    }
    return 0;
}

static void on_poll_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static struct watched *watch(struct curl_loop *c, curl_socket_t fd)
{
    struct watched *w = mem_new(struct watched);
    if (uv_poll_init_socket(c->loop, &w->poll, fd) != 0) {
        mem_free(w);
        return NULL;
    }
    w->poll.data = w;
    w->c = c;
    w->fd = fd;
    curl_multi_assign(c->multi, fd, w);
    return w;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
    (void) easy;
    struct curl_loop *c = arg;
    struct watched *w = of_socket;
    if (what == CURL_POLL_REMOVE) {
        if (w) uv_close((uv_handle_t *) &w->poll, on_poll_closed);
        curl_multi_assign(c->multi, fd, NULL);
        return 0;
    }
    if (!w && !(w = watch(c, fd))) return -1;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&w->poll, events, on_poll) == 0 ? 0 : -1;
}

bool curl_loop_can_trust(const char *ca_file)
{
    unsigned char *text;
    size_t n;
    if (mbedtls_pk_load_file(ca_file, &text, &n) != 0) return false;
    mbedtls_x509_crt certificates;
    mbedtls_x509_crt_init(&certificates);
    /* mbedTLS takes the binary form too, libcurl does not. Not every kind of key is known to it: one will do. */
    bool good = strstr((char *) text, "-----BEGIN ") && mbedtls_x509_crt_parse(&certificates, text, n) >= 0;
    mbedtls_x509_crt_free(&certificates);
    free(text);
    return good;
}

struct curl_loop *curl_loop_new(uv_loop_t *loop, const char *ca_file)
{
    must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);   /* counted; cleaned up at close */
    struct curl_loop *c = mem_new(struct curl_loop);
    c->loop = loop;
    c->ca_file = ca_file;
    must(uv_timer_init(loop, &c->timer) == 0);
    c->timer.data = c;
    c->multi = curl_multi_init();
    must(c->multi != NULL);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    return c;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
    curl_global_cleanup();
}

void curl_loop_close(struct curl_loop *c)
{
    must(c->multi != NULL && c->transfers == 0);
    curl_multi_cleanup(c->multi);
    c->multi = NULL;
    uv_close((uv_handle_t *) &c->timer, on_closed);
}

CURL *curl_loop_easy(void)
{
    CURL *easy = curl_easy_init();
    must(easy != NULL);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) CURL_LOOP_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) CURL_LOOP_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https,smtp,smtps");
    return easy;
}

void curl_loop_add(struct curl_loop *c, struct curl_transfer *t)
{
    must(c->multi != NULL && !t->added);
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    /* The system's stay trusted by their directory, whose default we leave as it is. */
    if (c->ca_file) must(curl_easy_setopt(t->easy, CURLOPT_CAINFO, c->ca_file) == CURLE_OK);
    must(curl_multi_add_handle(c->multi, t->easy) == CURLM_OK);
    t->added = true;
    c->transfers++;
}

void curl_loop_remove(struct curl_loop *c, struct curl_transfer *t)
{
    if (!t->added) return;
    curl_multi_remove_handle(c->multi, t->easy);
    t->added = false;
    c->transfers--;
}
