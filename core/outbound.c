/* A host is known from its first call on; there are as many as there are providers configured. A call
 * is in its host's `running` or `waiting`, or, once it is over, in `ended` until the next turn: so its
 * callback never comes from inside a call of ours, and may start others.
 *
 *     start ──room──> running ──answer, time-out──> ended ──next turn──> done
 *        └──no room─> waiting ──10 s──────────────────^
 */
#include "core/outbound.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"

enum { HOSTS_MAX = 32, HOST_BYTES = 272, HEADER_BYTES_MAX = 8192, WATCH_MS = 250, BODY_BYTES_MAX = 16 << 20 };

struct outbound_host {
    char name[HOST_BYTES];    /* "https://api.example.com:443" */
    struct list running, waiting;
    int running_count, waiting_count;
};

struct outbound {
    uv_loop_t *loop;
    struct curl_loop *curl;
    uv_timer_t ends, watch;   /* hands out what has ended; ends what has waited too long */
    struct list ended;
    struct outbound_host hosts[HOSTS_MAX];
    int host_count, per_host_max, waiting_max;
    int calls;                /* whose done has not come */
    bool closing;
    int handles;              /* not closed yet */
    void (*closed)(void *arg);
    void *closed_arg;
};

/* Building a call ---------------------------------------------------------------------------------- */

static size_t on_bytes(char *p, size_t size, size_t n, void *arg)
{
    struct outbound_call *call = arg;
    (void) size;   /* always 1 */
    buf_put(&call->answer, p, n);
    return call->answer.failed ? 0 : n;
}

void outbound_call_init(struct outbound_call *call, const char *method, struct str url,
                        void (*done)(struct outbound_call *call, enum err err), void *arg)
{
    char text[2048];
    *call = (struct outbound_call){ .done = done, .arg = arg };
    list_init(&call->link);
    buf_init(&call->answer, OUTBOUND_ANSWER_MAX);
    int n = snprintf(text, sizeof text, "%.*s", STR_FMT(url));
    call->failed = n < 0 || (size_t) n >= sizeof text || memchr(text, 0, url.n) != NULL;
    CURL *easy = call->transfer.easy = curl_loop_easy();
    curl_easy_setopt(easy, CURLOPT_URL, text);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    if (strcmp(method, "GET") != 0) curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    outbound_header(call, "Expect:");   /* no waiting for a "continue" before a body */
    outbound_header(call, "User-Agent: tally");
}

void outbound_header(struct outbound_call *call, const char *format, ...)
{
    char text[HEADER_BYTES_MAX];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || (size_t) n >= sizeof text || strpbrk(text, "\r\n")) {
        call->failed = true;
        return;
    }
    struct curl_slist *longer = curl_slist_append(call->headers, text);
    must(longer != NULL);
    call->headers = longer;
}

void outbound_body(struct outbound_call *call, const char *content_type, struct str body)
{
    must(body.n <= BODY_BYTES_MAX);
    outbound_header(call, "Content-Type: %s", content_type);
    curl_easy_setopt(call->transfer.easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) body.n);
    curl_easy_setopt(call->transfer.easy, CURLOPT_COPYPOSTFIELDS, body.n ? body.p : "");
}

void outbound_json(struct outbound_call *call, struct str body)
{
    outbound_body(call, "application/json", body);
}

void outbound_call_drop(struct outbound_call *call)
{
    curl_easy_cleanup(call->transfer.easy);
    curl_slist_free_all(call->headers);
    buf_fini(&call->answer);
    call->transfer.easy = NULL;
    call->headers = NULL;
}

/* Hosts -------------------------------------------------------------------------------------------- */

static bool host_name(CURL *easy, char out[HOST_BYTES])
{
    CURLU *url = curl_url();
    char *text = NULL, *scheme = NULL, *host = NULL, *port = NULL;
    must(url != NULL);
    bool good = curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &text) == CURLE_OK && text &&
                curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
                curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    if (good) good = snprintf(out, HOST_BYTES, "%s://%s:%s", scheme, host, port) < HOST_BYTES;
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(url);
    return good;
}

static struct outbound_host *find_host(struct outbound *o, const char *name)
{
    for (int i = 0; i < o->host_count; i++) {
        if (strcmp(o->hosts[i].name, name) == 0) return &o->hosts[i];
    }
    if (o->host_count == HOSTS_MAX) return NULL;
    struct outbound_host *host = &o->hosts[o->host_count++];
    snprintf(host->name, sizeof host->name, "%s", name);
    list_init(&host->running);
    list_init(&host->waiting);
    return host;
}

/* Ends --------------------------------------------------------------------------------------------- */

static void free_when_closed(struct outbound *o)
{
    if (!o->closing || o->calls || o->handles) return;
    void (*closed)(void *arg) = o->closed;
    void *arg = o->closed_arg;
    mem_free(o);
    closed(arg);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct outbound *o = handle->data;
    o->handles--;
    free_when_closed(o);
}

static void close_handles_when_done(struct outbound *o)
{
    if (!o->closing || o->calls || uv_is_closing((uv_handle_t *) &o->ends)) return;
    curl_loop_close(o->curl);
    uv_close((uv_handle_t *) &o->ends, on_handle_closed);
    uv_close((uv_handle_t *) &o->watch, on_handle_closed);
}

static void on_ends(uv_timer_t *timer)
{
    struct outbound *o = timer->data;
    struct list *link, now;
    list_init(&now);
    list_move(&now, &o->ended);
    while ((link = list_shift(&now))) {
        struct outbound_call *call = list_entry(link, struct outbound_call, link);
        struct outbound_call over = *call;   /* the callback may free the call, or use it again */
        call->done(call, call->err);
        outbound_call_drop(&over);
        o->calls--;
    }
    close_handles_when_done(o);
}

static void end(struct outbound *o, struct outbound_call *call, enum err err)
{
    curl_loop_remove(o->curl, &call->transfer);
    list_unlink(&call->link);
    list_append(&o->ended, &call->link);
    call->err = err;
    uv_timer_start(&o->ends, on_ends, 0, 0);
}

/* Was the other side asked? Before the first byte of a request is due, it cannot have been. */
static bool was_sent(const struct outbound_call *call)
{
    curl_off_t before_us = 0;
    curl_easy_getinfo(call->transfer.easy, CURLINFO_PRETRANSFER_TIME_T, &before_us);
    return before_us > 0;
}

static void run_waiting(struct outbound *o, struct outbound_host *host);

static bool is_of_tls(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR ||
           code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CIPHER;
}

static void on_transfer(struct curl_transfer *t, CURLcode code)
{
    struct outbound_call *call = list_entry(t, struct outbound_call, transfer);
    struct outbound *o = call->outbound;
    struct outbound_host *host = call->host;
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    call->status = (int) status;
    /* Nobody but the operator can mend it, and the caller tells "unavailable" only. */
    if (is_of_tls(code))
        log_warn("outbound", "tls_failed", "host=%s why=%s", LOG_STR(str_from(host->name)),
                 LOG_STR(str_from(call->fault[0] ? call->fault : curl_easy_strerror(code))));
    end(o, call, code == CURLE_OK ? OK : was_sent(call) ? ERR_UNCERTAIN : ERR_UNAVAILABLE);
    host->running_count--;
    run_waiting(o, host);
}

/* Starting ------------------------------------------------------------------------------------------ */

static void run(struct outbound *o, struct outbound_host *host, struct outbound_call *call, uint64_t left_ms)
{
    call->transfer.done = on_transfer;
    call->transfer.keeps_alive = true;
    curl_easy_setopt(call->transfer.easy, CURLOPT_ERRORBUFFER, call->fault);
    curl_easy_setopt(call->transfer.easy, CURLOPT_HTTPHEADER, call->headers);
    curl_easy_setopt(call->transfer.easy, CURLOPT_TIMEOUT_MS, (long) left_ms);
    list_append(&host->running, &call->link);
    host->running_count++;
    curl_loop_add(o->curl, &call->transfer);
}

static uint64_t left_ms(const struct outbound_call *call)
{
    uint64_t waited = clock_mono_ms() - call->started_ms;
    return waited < CURL_LOOP_TIMEOUT_MS ? CURL_LOOP_TIMEOUT_MS - waited : 0;
}

/* The first is the oldest: none behind one that still has time has waited too long. */
static void end_late(struct outbound *o, struct outbound_host *host)
{
    struct list *link;
    while ((link = list_first(&host->waiting))) {
        struct outbound_call *call = list_entry(link, struct outbound_call, link);
        if (!o->closing && left_ms(call) > 0) return;
        end(o, call, o->closing ? ERR_CLOSED : ERR_TIMEOUT);
        host->waiting_count--;
    }
}

static void run_waiting(struct outbound *o, struct outbound_host *host)
{
    end_late(o, host);
    while (host->running_count < o->per_host_max && !list_empty(&host->waiting)) {
        struct outbound_call *call = list_entry(list_shift(&host->waiting), struct outbound_call, link);
        host->waiting_count--;
        run(o, host, call, left_ms(call));
    }
}

static void on_watch(uv_timer_t *timer)
{
    struct outbound *o = timer->data;
    int waiting = 0;
    for (int i = 0; i < o->host_count; i++) {
        end_late(o, &o->hosts[i]);
        waiting += o->hosts[i].waiting_count;
    }
    if (!waiting) uv_timer_stop(timer);
}

static enum err admit(struct outbound *o, struct outbound_call *call)
{
    char name[HOST_BYTES];
    if (!o || o->closing) return ERR_CLOSED;
    if (call->failed || !host_name(call->transfer.easy, name)) return ERR_INVALID;
    call->host = find_host(o, name);
    if (!call->host || call->host->waiting_count >= o->waiting_max) return ERR_FULL;
    return OK;
}

enum err outbound_start(struct outbound *o, struct outbound_call *call)
{
    enum err err = admit(o, call);
    if (err != OK) {
        outbound_call_drop(call);
        return err;
    }
    struct outbound_host *host = call->host;
    call->outbound = o;
    call->started_ms = clock_mono_ms();
    o->calls++;
    if (host->running_count < o->per_host_max) {
        run(o, host, call, CURL_LOOP_TIMEOUT_MS);
    } else {
        list_append(&host->waiting, &call->link);
        host->waiting_count++;
        if (!uv_is_active((uv_handle_t *) &o->watch)) uv_timer_start(&o->watch, on_watch, WATCH_MS, WATCH_MS);
    }
    return OK;
}

struct outbound *outbound_new(uv_loop_t *loop, const char *ca_file, int per_host_max, int waiting_max)
{
    must(per_host_max > 0 && waiting_max > 0);
    struct outbound *o = mem_new(struct outbound);
    o->loop = loop;
    o->per_host_max = per_host_max;
    o->waiting_max = waiting_max;
    o->handles = 2;
    o->curl = curl_loop_new(loop, ca_file);
    list_init(&o->ended);
    must(uv_timer_init(loop, &o->ends) == 0 && uv_timer_init(loop, &o->watch) == 0);
    o->ends.data = o->watch.data = o;
    return o;
}

void outbound_close(struct outbound *o, void (*closed)(void *arg), void *arg)
{
    must(!o->closing);
    o->closing = true;
    o->closed = closed;
    o->closed_arg = arg;
    for (int i = 0; i < o->host_count; i++) {
        struct outbound_host *host = &o->hosts[i];
        end_late(o, host);
        while (!list_empty(&host->running)) {
            struct outbound_call *call = list_entry(list_first(&host->running), struct outbound_call, link);
            end(o, call, was_sent(call) ? ERR_UNCERTAIN : ERR_CLOSED);
            host->running_count--;
        }
    }
    uv_timer_start(&o->ends, on_ends, 0, 0);
}
