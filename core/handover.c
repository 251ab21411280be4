/* The picture stands in the header. Passing and taking are two halves that share nothing but the message; both hold one
 * small struct for each hop, with a poll on the channel and a deadline. */
#include "core/handover.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"

enum {
    MESSAGE_MAGIC = 0x68616e64,
    HOPS_MAX = 256,           /* in each direction */
    HOP_BYTES_MAX = 64 << 20, /* of all of them */
    HOP_MS = 2000,            /* after which the sender asks no longer */
    ARRIVAL_MS = 3000,
    MESSAGES_A_TURN = 64,
    DESCRIPTORS = 2,     /* the connection, the channel */
    DESCRIPTORS_MAX = 8, /* room for what a message must not have, so that it can be closed */
    READ_BYTES = 65536,
};

struct message {
    uint32_t magic, bytes;
    uint8_t peer_n;
    char peer[NET_ADDRESS_BYTES];
};

struct handover {
    struct handover_options options;
    uv_poll_t inbox;
    struct list hops, arrivals;
    int hop_count, arrival_count;
    size_t hop_bytes, arrival_bytes;
    int handles; /* polls whose close callback is still to come */
    bool closed;
};

/* One connection that is being passed on. */
struct hop {
    uv_poll_t poll; /* on the channel */
    struct list link;
    struct handover *handover;
    int channel;
    struct buf bytes;
    size_t sent;
    struct wheel_timer deadline;
    void (*done)(void *arg, bool taken);
    void *arg;
};

/* One that is coming. */
struct arrival {
    uv_poll_t poll; /* on the channel */
    struct list link;
    struct handover *handover;
    int channel, fd;
    struct message message;
    struct buf bytes;
    struct wheel_timer deadline;
};

/* --- inboxes ------------------------------------------------------------------------------------------------------ */

static void close_one(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

bool handover_boxes_open(struct handover_boxes *b, int count)
{
    must(count >= 1 && count <= HANDOVER_WORKERS_MAX);
    *b = (struct handover_boxes){ 0 };
    for (; b->count < count; b->count++) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
            handover_boxes_close(b);
            return false;
        }
        b->in[b->count] = ends[0];
        b->out[b->count] = ends[1];
    }
    return true;
}

void handover_boxes_keep(struct handover_boxes *b, int index)
{
    for (int i = 0; i < b->count; i++) {
        if (i != index) close_one(&b->in[i]);
    }
}

void handover_boxes_close(struct handover_boxes *b)
{
    for (int i = 0; i < b->count; i++) {
        close_one(&b->in[i]);
        close_one(&b->out[i]);
    }
    b->count = 0;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void on_inbox(uv_poll_t *poll, int status, int events);
static void refuse(struct hop *hop);
static void drop(struct arrival *a);

struct handover *handover_new(const struct handover_options *options)
{
    struct handover *h = mem_new(struct handover);
    h->options = *options;
    list_init(&h->hops);
    list_init(&h->arrivals);
    must(uv_poll_init(options->loop, &h->inbox, options->boxes->in[options->index]) == 0);
    h->inbox.data = h;
    h->handles = 1;
    must(uv_poll_start(&h->inbox, UV_READABLE, on_inbox) == 0);
    return h;
}

static void handle_gone(struct handover *h)
{
    if (--h->handles == 0) mem_free(h);
}

static void on_inbox_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

void handover_close(struct handover *h)
{
    must(!h->closed);
    h->closed = true;
    uv_close((uv_handle_t *) &h->inbox, on_inbox_closed);
    list_each(&h->arrivals, it) drop(list_entry(it, struct arrival, link));
    while (!list_empty(&h->hops)) refuse(list_entry(list_first(&h->hops), struct hop, link));
}

/* --- passing on --------------------------------------------------------------------------------------------------- */

static void on_hop(uv_poll_t *poll, int status, int events);

static void on_hop_closed(uv_handle_t *handle)
{
    struct hop *hop = list_entry(handle, struct hop, poll);
    close(hop->channel);
    handle_gone(hop->handover);
    mem_free(hop);
}

static void finish(struct hop *hop, bool taken)
{
    struct handover *h = hop->handover;
    list_unlink(&hop->link);
    wheel_cancel(&hop->deadline);
    h->hop_count--;
    h->hop_bytes -= hop->bytes.n;
    buf_fini(&hop->bytes);
    uv_close((uv_handle_t *) &hop->poll, on_hop_closed);
    hop->done(hop->arg, taken);
}

/* From the moment our end is shut the other process cannot say "taken" any more; it may have done so before. */
static void refuse(struct hop *hop)
{
    char taken;
    shutdown(hop->channel, SHUT_RD);
    finish(hop, recv(hop->channel, &taken, 1, MSG_DONTWAIT) == 1);
}

static void on_hop_late(struct wheel_timer *t)
{
    refuse(list_entry(t, struct hop, deadline));
}

/* False when the channel has ended. */
static bool send_bytes(struct hop *hop)
{
    while (hop->sent < hop->bytes.n) {
        ssize_t n = send(hop->channel, hop->bytes.p + hop->sent, hop->bytes.n - hop->sent, MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        hop->sent += (size_t) n;
    }
    return true;
}

static bool watch(struct hop *hop)
{
    int events = UV_READABLE | (hop->sent < hop->bytes.n ? UV_WRITABLE : 0);
    return uv_poll_start(&hop->poll, events, on_hop) == 0;
}

static void on_hop(uv_poll_t *poll, int status, int events)
{
    struct hop *hop = list_entry(poll, struct hop, poll);
    char taken;
    if (status != 0 || ((events & UV_WRITABLE) && !send_bytes(hop))) {
        refuse(hop);
        return;
    }
    ssize_t n = recv(hop->channel, &taken, 1, MSG_DONTWAIT);
    if (n == 1) finish(hop, true);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR) || !watch(hop)) refuse(hop);
}

static enum err put_into_inbox(int inbox, const struct message *m, int fd, int channel)
{
    union {
        char space[CMSG_SPACE(sizeof(int) * DESCRIPTORS)];
        struct cmsghdr align;
    } control = { 0 };
    int fds[DESCRIPTORS] = { fd, channel };
    struct iovec iov = { (void *) m, sizeof *m };
    struct msghdr header = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space
    };
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(c), fds, sizeof fds);
    if (sendmsg(inbox, &header, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t) sizeof *m) return OK;
    return errno == EAGAIN || errno == ETOOMANYREFS ? ERR_FULL : ERR_UNAVAILABLE;
}

static struct hop *hop_new(struct handover *h, int channel, struct str bytes)
{
    struct hop *hop = mem_new(struct hop);
    hop->handover = h;
    hop->channel = channel;
    buf_init(&hop->bytes, HANDOVER_BYTES_MAX);
    buf_str(&hop->bytes, bytes);
    wheel_timer_init(&hop->deadline, on_hop_late);
    list_init(&hop->link);
    list_append(&h->hops, &hop->link);
    h->hop_count++;
    h->hop_bytes += bytes.n;
    must(uv_poll_init(h->options.loop, &hop->poll, channel) == 0);
    h->handles++;
    return hop;
}

static bool has_room(const struct handover *h, size_t bytes)
{
    return !h->closed && h->hop_count < HOPS_MAX && bytes <= HANDOVER_BYTES_MAX &&
           h->hop_bytes + bytes <= HOP_BYTES_MAX;
}

enum err handover_pass(struct handover *h, int to, int fd, struct str peer, struct str bytes,
                       void (*done)(void *arg, bool taken), void *arg)
{
    struct message m = { .magic = MESSAGE_MAGIC, .bytes = (uint32_t) bytes.n, .peer_n = (uint8_t) peer.n };
    int ends[2];
    must(peer.n <= sizeof m.peer && bytes.n > 0);
    if (to < 0 || to >= h->options.boxes->count || to == h->options.index) return ERR_INVALID;
    if (!has_room(h, bytes.n)) return ERR_FULL;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return ERR_UNAVAILABLE;
    if (peer.n) memcpy(m.peer, peer.p, peer.n);
    enum err err = put_into_inbox(h->options.boxes->out[to], &m, fd, ends[1]);
    close(ends[1]);
    if (err != OK) {
        close(ends[0]);
        return err;
    }
    struct hop *hop = hop_new(h, ends[0], bytes);
    hop->done = done;
    hop->arg = arg;
    /* What fails from here on is found by the poll or by the deadline. */
    send_bytes(hop);
    watch(hop);
    wheel_set(h->options.wheel, &hop->deadline, HOP_MS);
    return OK;
}

/* --- taking ------------------------------------------------------------------------------------------------------- */

static void on_arrival(uv_poll_t *poll, int status, int events);

static void on_arrival_closed(uv_handle_t *handle)
{
    struct arrival *a = list_entry(handle, struct arrival, poll);
    close(a->channel);
    handle_gone(a->handover);
    mem_free(a);
}

static void end_arrival(struct arrival *a)
{
    list_unlink(&a->link);
    wheel_cancel(&a->deadline);
    a->handover->arrival_count--;
    a->handover->arrival_bytes -= a->message.bytes;
    buf_fini(&a->bytes);
    uv_close((uv_handle_t *) &a->poll, on_arrival_closed);
}

static void drop(struct arrival *a)
{
    close(a->fd);
    end_arrival(a);
}

static void on_arrival_late(struct wheel_timer *t)
{
    drop(list_entry(t, struct arrival, deadline));
}

/* All is here. What follows the word "taken" is ours to answer for; without the word nothing is. */
static void take(struct arrival *a)
{
    struct handover_options *o = &a->handover->options;
    if (!o->may_take(o->arg) || send(a->channel, "t", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) {
        drop(a);
        return;
    }
    o->take(o->arg, a->fd, (struct str){ a->message.peer, a->message.peer_n }, buf_view(&a->bytes));
    end_arrival(a);
}

static void on_arrival(uv_poll_t *poll, int status, int events)
{
    (void) events;
    struct arrival *a = list_entry(poll, struct arrival, poll);
    ssize_t n = status == 0 ? 1 : 0;
    while (n > 0 && a->bytes.n < a->message.bytes) {
        size_t rest = a->message.bytes - a->bytes.n, step = rest < READ_BYTES ? rest : READ_BYTES;
        n = recv(a->channel, buf_reserve(&a->bytes, step), step, MSG_DONTWAIT);
        if (n > 0) buf_added(&a->bytes, (size_t) n);
        else if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    }
    if (n > 0) take(a);
    else drop(a);
}

static bool is_ours(int channel)
{
    struct ucred who = { 0 };
    socklen_t n = sizeof who;
    return getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.uid == geteuid();
}

static void begin_arrival(struct handover *h, const struct message *m, int fd, int channel)
{
    struct arrival *a = mem_new(struct arrival);
    a->handover = h;
    a->fd = fd;
    a->channel = channel;
    a->message = *m;
    buf_init(&a->bytes, HANDOVER_BYTES_MAX);
    wheel_timer_init(&a->deadline, on_arrival_late);
    wheel_set(h->options.wheel, &a->deadline, ARRIVAL_MS);
    list_init(&a->link);
    list_append(&h->arrivals, &a->link);
    h->arrival_count++;
    h->arrival_bytes += m->bytes;
    must(uv_poll_init(h->options.loop, &a->poll, channel) == 0);
    h->handles++;
    must(uv_poll_start(&a->poll, UV_READABLE, on_arrival) == 0);
}

static bool is_welcome(const struct handover *h, const struct message *m, size_t n, const int *fds, int count)
{
    return n == sizeof *m && m->magic == MESSAGE_MAGIC && m->bytes <= HANDOVER_BYTES_MAX &&
           m->peer_n <= sizeof m->peer && count == DESCRIPTORS && is_ours(fds[1]) && h->arrival_count < HOPS_MAX &&
           h->arrival_bytes + m->bytes <= HOP_BYTES_MAX;
}

/* How many descriptors came with the message. */
static int descriptors_of(struct msghdr *header, int fds[DESCRIPTORS_MAX])
{
    int count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        int n = (int) ((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < n && count < DESCRIPTORS_MAX; i++) {
            memcpy(&fds[count++], CMSG_DATA(c) + (size_t) i * sizeof(int), sizeof(int));
        }
    }
    return count;
}

static void on_inbox(uv_poll_t *poll, int status, int events)
{
    (void) status, (void) events;
    struct handover *h = poll->data;
    for (int i = 0; i < MESSAGES_A_TURN && !h->closed; i++) {
        union {
            char space[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
            struct cmsghdr align;
        } control;
        struct message m = { 0 };
        struct iovec iov = { &m, sizeof m };
        struct msghdr header = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space
        };
        int fds[DESCRIPTORS_MAX];
        ssize_t n = recvmsg(h->options.boxes->in[h->options.index], &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0) return;
        int count = descriptors_of(&header, fds);
        if (is_welcome(h, &m, (size_t) n, fds, count)) {
            begin_arrival(h, &m, fds[0], fds[1]);
            continue;
        }
        log_warn("handover", "dropped", "bytes=%d descriptors=%d", (int) n, count);
        for (int k = 0; k < count; k++) close(fds[k]);
    }
}
