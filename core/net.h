/* One TCP connection, plain or TLS, whoever speaks over it: HTTP first, WebSocket after an upgrade.
 *
 * Reading: the loop has ONE receive buffer; `on_data` gets a view of it that is valid during the
 * call only. Writing: net_write tries at once; what the kernel does not take is copied and sent
 * when it can be, in order; net_pending tells how much waits. The user decides what too much is.
 * Closing is idempotent and asynchronous; `on_close` comes exactly once, last, after which the
 * connection is gone. After net_close no other callback comes. */
#pragma once

#include <stdbool.h>
#include <sys/uio.h>
#include <uv.h>

#include "core/err.h"
#include "core/str.h"

struct net_conn;
struct net_tls;       /* certificate and key of a listener */

struct net_handler {
    void (*on_data)(void *owner, const uint8_t *data, size_t n);
    void (*on_eof)(void *owner);        /* the peer sent its last byte; writing may still work */
    void (*on_drain)(void *owner);      /* net_pending has become 0 again */
    void (*on_close)(void *owner, enum err why);   /* OK: by net_close; ERR_CLOSED: by the peer or an error */
};

struct net_listener_options {
    const char *host;          /* NULL: all addresses, IPv6 and IPv4 */
    int port;                  /* 0: any; net_listener_port tells which */
    bool reuse_port;           /* several processes share the port */
    int backlog;
    int connections_max;       /* beyond it new ones are accepted and closed at once; 0: no bound of ours */
    struct net_tls *tls;       /* NULL: plain; must outlive the connections */
    bool hold;                 /* takes the port, but nobody can connect before net_listener_open */
};

struct net_listener;

/* `on_conn` gives a fresh connection; it must call net_attach before returning. fault: text for the operator
 * ("port 3000 on 127.0.0.1 is in use"), lives in a static buffer. */
struct net_listener *net_listen(uv_loop_t *loop, const struct net_listener_options *options,
                                void (*on_conn)(void *arg, struct net_conn *c), void *arg, const char **fault);
/* Of a listener on hold: lets clients in. False with *fault: somebody else has opened the port meanwhile. */
bool net_listener_open(struct net_listener *l, const char **fault);
int net_listener_port(const struct net_listener *l);
int net_listener_count(const struct net_listener *l);   /* open connections */
/* Stops accepting; frees itself when its connections are gone. */
void net_listener_close(struct net_listener *l);

/* A connection from a descriptor that did not come by the listener's own door: another process accepted it, or it is
 * one end of a pair. Counts and reads as the listener's, but is plain also where that has TLS. Takes the descriptor;
 * NULL (and closed) when it cannot. peer is what net_peer says from then on; STR_NONE: whom the socket names. Starts
 * paused: net_attach, then net_read_resume. */
struct net_conn *net_adopt(struct net_listener *l, int fd, struct str peer);
/* Another one would be beyond the listener's maximum, or it is closed. */
bool net_listener_is_full(const struct net_listener *l);

/* Reads PEM files; NULL with *fault (file and reason). */
struct net_tls *net_tls_new(const char *cert_file, const char *key_file, const char **fault);
void net_tls_free(struct net_tls *tls);

/* Who gets the callbacks from now on; also used at an upgrade to hand the connection over. */
void net_attach(struct net_conn *c, const struct net_handler *handler, void *owner);
void *net_owner(const struct net_conn *c);

/* All or nothing is accepted: OK, or ERR_CLOSED when the connection is closing (nothing more will be
 * sent). Never calls back from inside. */
enum err net_write(struct net_conn *c, const struct iovec *iov, int n);
size_t net_pending(const struct net_conn *c);
/* Flow control: the kernel's window fills up. With TLS what was already received still arrives (at most 64 KiB);
 * nor is the peer's end noticed. */
void net_read_pause(struct net_conn *c);
void net_read_resume(struct net_conn *c);
/* At once; what is pending is lost. */
void net_close(struct net_conn *c);
/* Sends what is pending (and the FIN), then closes; bounded by 5 s. Of the callbacks only on_close comes any more. */
void net_close_after_write(struct net_conn *c);
bool net_is_closing(const struct net_conn *c);
bool net_is_tls(const struct net_conn *c);

/* The peer's address as text ("203.0.113.7"), IPv4-mapped addresses as IPv4. Written into out. */
enum { NET_ADDRESS_BYTES = 46 };
struct str net_peer(const struct net_conn *c, char out[NET_ADDRESS_BYTES]);
int net_fd(const struct net_conn *c);      /* -1 once it is closing */
/* It will be written to soon: for those who write to thousands one after the other. */
void net_prefetch(const struct net_conn *c);
