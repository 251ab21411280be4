#include "core/relay.h"

#include <sys/socket.h>

#include "core/mem.h"
#include "core/must.h"

enum { RELAY_PENDING_MAX = 64 << 10 }; /* more than this waiting on one side stops the reading of the other */

static void settle(struct relay *r);

static bool is_open(const struct net_conn *c)
{
    return c && !net_is_closing(c);
}

/* One side is read while the other takes what it says. */
static void balance(struct net_conn *from, struct net_conn *to)
{
    if (!is_open(from)) return;
    if (is_open(to) && net_pending(to) <= RELAY_PENDING_MAX) net_read_resume(from);
    else net_read_pause(from);
}

static void pass(struct relay *r, struct net_conn *to, const uint8_t *data, size_t n)
{
    if (is_open(to)) net_write(to, &(struct iovec){ (void *) data, n }, 1);
    settle(r);
}

/* The client's FIN, as soon as all it has said before is inside. */
static void pass_eof(struct relay *r)
{
    if (!r->client_eof || r->told || !is_open(r->inner) || net_pending(r->inner) > 0) return;
    r->told = true;
    shutdown(net_fd(r->inner), SHUT_WR);
}

static void settle(struct relay *r)
{
    balance(r->client, r->inner);
    balance(r->inner, r->client);
    pass_eof(r);
}

static void on_client_data(void *owner, const uint8_t *data, size_t n)
{
    struct relay *r = owner;
    if (!r->client_eof) pass(r, r->inner, data, n);
}

static void on_inner_data(void *owner, const uint8_t *data, size_t n)
{
    struct relay *r = owner;
    pass(r, r->client, data, n);
}

static void on_client_eof(void *owner)
{
    relay_end(owner);
}

static void on_inner_eof(void *owner)
{
    struct relay *r = owner;
    if (is_open(r->client)) net_close_after_write(r->client);
}

static void on_drain(void *owner)
{
    settle(owner);
}

static void end_if_last(struct relay *r)
{
    if (r->client || r->inner) return;
    void (*done)(void *arg) = r->done;
    void *arg = r->arg;
    list_unlink(&r->link);
    mem_free(r);
    done(arg);
}

static void on_client_close(void *owner, enum err why)
{
    (void) why;
    struct relay *r = owner;
    r->client = NULL;
    if (r->inner) net_close(r->inner);
    end_if_last(r);
}

static void on_inner_close(void *owner, enum err why)
{
    (void) why;
    struct relay *r = owner;
    r->inner = NULL;
    if (is_open(r->client)) net_close_after_write(r->client);
    end_if_last(r);
}

static const struct net_handler client_handler = { on_client_data, on_client_eof, on_drain, on_client_close };
static const struct net_handler inner_handler = { on_inner_data, on_inner_eof, on_drain, on_inner_close };

struct relay *relay_start(struct net_conn *client, struct net_conn *inner, struct str first, bool eof,
                          void (*done)(void *arg), void *arg)
{
    struct relay *r = mem_new(struct relay);
    list_init(&r->link);
    r->client = client;
    r->inner = inner;
    r->client_eof = eof;
    r->done = done;
    r->arg = arg;
    net_attach(client, &client_handler, r);
    net_attach(inner, &inner_handler, r);
    if (first.n) net_write(inner, &(struct iovec){ (void *) first.p, first.n }, 1);
    settle(r);
    return r;
}

void relay_end(struct relay *r)
{
    r->client_eof = true;
    settle(r);
}

void relay_cut(struct relay *r)
{
    if (r->client) net_close(r->client);
    if (r->inner) net_close(r->inner);
}
