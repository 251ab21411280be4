/* What net.c, net_listener.c and net_tls.c share. Nobody else includes this. */
#pragma once

#include "core/buf.h"
#include "core/net.h"

enum {
    NET_MAGIC = 0x6e657431,
    NET_INPUT_BYTES = 65536,             /* of a listener's one receive buffer */
    NET_PLAIN_BYTES = 16384,             /* of a listener's one buffer for decrypted bytes; a TLS record */
    NET_PENDING_MAX = 1 << 30,           /* a last bound; the users set tighter ones by net_pending */
    NET_LINGER_MS = 5000,
    NET_LINGER_BYTES_MAX = 1 << 20,      /* read for nothing while lingering */
    NET_HANDSHAKE_MS = 10000,
    NET_USER_TIMEOUT_MS = 30000,
};

enum net_state { NET_OPEN, NET_LINGERING, NET_CLOSING };

/* Exists only while bytes wait for the kernel. */
struct net_out {
    uv_write_t write;
    struct buf sending, waiting;
};

/* A bound on the handshake or on lingering; exists only during these. */
struct net_deadline {
    uv_timer_t timer;
    size_t discarded;
};

/* The bulk of an idle socket's memory, so every member counts. What a write looks at stands together behind the handle:
 * with ten thousand sockets, each line of memory touched is one that has to be fetched. */
struct net_conn {
    uv_tcp_t tcp;                        /* first */
    const struct net_handler *handler;
    void *owner;
    struct net_listener *listener;
    struct net_out *out;                 /* NULL: nothing waits */
    struct net_tls_conn *tls;            /* NULL: plain */
    struct net_deadline *deadline;
    char *peer;                          /* NULL: the socket knows */
    uint32_t magic;
    int fd;
    uint8_t state;                       /* enum net_state */
    uint8_t why;                         /* enum err, for on_close */
    bool eof, paused;
};
_Static_assert(sizeof(struct net_conn) <= 320, "an idle connection must stay small");

struct net_listener {
    uv_loop_t *loop;
    uv_poll_t poll;
    uv_timer_t pause;
    int handles;                         /* poll and pause, until their close callbacks */
    int fd, spare_fd, port;
    int backlog, count, connections_max;
    bool closed;
    struct net_tls *tls;
    void (*on_conn)(void *arg, struct net_conn *c);
    void *arg;
    uint64_t starved_logged_ms, shed_logged_ms;
    uint8_t *input, *plain;
};

/* net.c: takes the descriptor; false (and closed) when it cannot. */
bool net_conn_open(struct net_listener *l, int fd);
void net_deliver(struct net_conn *c, const uint8_t *data, size_t n);   /* to the owner */
void net_deliver_eof(struct net_conn *c);
enum err net_send_raw(struct net_conn *c, const struct iovec *iov, int n);
void net_abort(struct net_conn *c);                                    /* closes with ERR_CLOSED */
void net_deadline_start(struct net_conn *c, int timeout_ms);
void net_deadline_end(struct net_conn *c);

/* net_listener.c */
void net_listener_conn_gone(struct net_listener *l);

/* net_tls.c */
struct net_tls_conn *net_tls_conn_new(struct net_tls *tls, struct net_conn *c);
void net_tls_conn_free(struct net_tls_conn *t);
bool net_tls_is_ready(const struct net_tls_conn *t);                   /* the handshake is done */
void net_tls_input(struct net_conn *c, const uint8_t *data, size_t n);
enum err net_tls_write(struct net_conn *c, const struct iovec *iov, int n);
void net_tls_end(struct net_conn *c);                                  /* sends close_notify */
