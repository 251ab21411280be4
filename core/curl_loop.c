/* libcurl tells which sockets it wants watched, and for what (on_socket), and when it wants to be
 * called at the latest (on_timeout). Events go to curl_multi_socket_action, after which finished
 * transfers are collected. Their callbacks run when libcurl is not on the stack, and may add and
 * remove transfers and close the whole.
 *
 * Between two requests libcurl wants a connection watched no more, and then again as before. It stays watched
 * meanwhile, which saves five system calls a request, until it says something (mostly that it closes). */
#include "core/curl_loop.h"

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/list.h"
#include "core/mem.h"
#include "core/must.h"

enum { CONNECTIONS_MAX = 64 };   /* that are kept for the next request */

struct curl_loop {
    uv_loop_t *loop;
    CURLM *multi;             /* NULL once closed */
    uv_timer_t timer;
    const char *ca_file;
    int transfers;
    struct list watched;
};

/* A socket that libcurl wants watched. One that has been opened by us and is connected, is closed by us, too, and kept.
 * Of any other libcurl says, at the latest as soon as it has closed it, that it is to be watched no more: also of one
 * of ours that it gives up while it connects, which it closes without asking us. So no poll handle is left whose number
 * could become somebody else's; its memory goes when libuv is done with it. */
struct watched {
    struct list link;
    uv_poll_t poll;
    struct curl_loop *c;
    curl_socket_t fd;
    bool is_ours, is_kept;
    int wanted, watched;      /* events: by libcurl, by libuv */
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
    if (!w->wanted) {
        uv_poll_stop(handle);
        w->watched = 0;
        return;
    }
    if (status < 0) w->watched = 0;   /* libuv has stopped it */
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

static void forget(struct watched *w)
{
    list_unlink(&w->link);
    uv_close((uv_handle_t *) &w->poll, on_poll_closed);
}

static struct watched *find_watched(struct curl_loop *c, curl_socket_t fd)
{
    list_each(&c->watched, link) {
        struct watched *w = list_entry(link, struct watched, link);
        if (w->fd == fd) return w;
    }
    return NULL;
}

static struct watched *watch(struct curl_loop *c, curl_socket_t fd, bool is_ours)
{
    struct watched *w = mem_new(struct watched);
    if (uv_poll_init_socket(c->loop, &w->poll, fd) != 0) {
        mem_free(w);
        return NULL;
    }
    w->poll.data = w;
    w->c = c;
    w->fd = fd;
    w->is_ours = is_ours;
    list_append(&c->watched, &w->link);
    return w;
}

static int want(struct watched *w, int events)
{
    w->wanted = events;
    if (w->wanted == w->watched) return 0;
    w->watched = w->wanted;
    return uv_poll_start(&w->poll, w->watched, on_poll) == 0 ? 0 : -1;
}

/* When the number is still watched, libcurl has closed the socket and will say so later, or not at all: it believes
 * that what it wants of the number is being watched. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *at)
{
    (void) purpose;
    int fd = socket(at->family, at->socktype | SOCK_CLOEXEC, at->protocol);
    if (fd < 0) return CURL_SOCKET_BAD;
    struct watched *former = find_watched(arg, fd);
    int wanted = former ? former->wanted : 0;
    if (former) forget(former);
    struct watched *w = watch(arg, fd, true);
    if (w && (!wanted || want(w, wanted) == 0)) return fd;
    if (w) forget(w);
    close(fd);
    return CURL_SOCKET_BAD;
}

static int on_close_socket(void *arg, curl_socket_t fd)
{
    struct watched *w = find_watched(arg, fd);
    if (w) forget(w);
    return close(fd);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
    (void) easy;
    (void) of_socket;
    struct curl_loop *c = arg;
    struct watched *w = find_watched(c, fd);
    if (what == CURL_POLL_REMOVE) {
        if (w && w->is_kept) w->wanted = 0;
        else if (w) forget(w);
        return 0;
    }
    if (!w && !(w = watch(c, fd, false))) return -1;
    if (what & CURL_POLL_IN) w->is_kept = w->is_ours;   /* while it connects, only for writing */
    return want(w, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0));
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
    list_init(&c->watched);
    must(uv_timer_init(loop, &c->timer) == 0);
    c->timer.data = c;
    c->multi = curl_multi_init();
    must(c->multi != NULL);
    /* Without, those are closed of which there are more than four for each request that runs. */
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long) CONNECTIONS_MAX);
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
    if (t->keeps_alive) {
        curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
        curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, c);
        curl_easy_setopt(t->easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
        curl_easy_setopt(t->easy, CURLOPT_CLOSESOCKETDATA, c);
    }
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
