/* Connections on their way from one worker process of this host to another.
 *
 * The supervisor makes an inbox for each worker, a pair of Unix datagram sockets, before it forks, and keeps both
 * ends: a worker that died and was started again reads from the same inbox, and nothing is reachable from outside.
 * What is put into an inbox is two descriptors: the connection, and one end of a channel made for this hop alone.
 * Over the channel go the bytes already read and, back, one byte that says "taken". So every hop ends in exactly one
 * of two ways, however processes die meanwhile:
 *
 *     sender    ──inbox: connection, channel; channel: bytes──▶ receiver
 *     receiver  ──channel: "taken"──▶ sender: closes its copy of the connection
 *     nothing   ──channel ends, or 2 s pass: the sender shuts its end, then looks a last time──▶ refused
 *
 * "Taken" is said before the receiver does anything with the connection, and saying it fails once the sender has
 * shut its end; whatever both believe, they believe the same.
 *
 * Bounds: 256 hops and 64 MiB under way in each direction, a message of 2 MiB, some 250 messages in an inbox that
 * nobody reads. Beyond any of them a hop is refused. Channels of another user's processes are not read. */
#pragma once

#include "core/net.h"
#include "core/wheel.h"

enum { HANDOVER_WORKERS_MAX = 64, HANDOVER_BYTES_MAX = 2 << 20 };

/* -1: not open in this process. */
struct handover_boxes {
    int count;
    int in[HANDOVER_WORKERS_MAX], out[HANDOVER_WORKERS_MAX];
};

/* In the supervisor, before it forks. False when the system refuses; nothing is open then. */
bool handover_boxes_open(struct handover_boxes *b, int count);
/* In a worker: closes what only the others read from. */
void handover_boxes_keep(struct handover_boxes *b, int index);
void handover_boxes_close(struct handover_boxes *b);

struct handover_options {
    uv_loop_t *loop;
    struct wheel *wheel;
    const struct handover_boxes *boxes; /* must outlive the handover */
    int index;                          /* who we are */
    /* Whether a connection that has come would be taken now. */
    bool (*may_take)(void *arg);
    /* It is: fd is the callee's from now on; peer and bytes are views, valid during the call. */
    void (*take)(void *arg, int fd, struct str peer, struct str bytes);
    void *arg;
};

struct handover;

struct handover *handover_new(const struct handover_options *options);
/* Hops under way are refused, from inside the call; connections that have not come wholly are dropped. Frees itself. */
void handover_close(struct handover *h);

/* Offers the connection to the worker `to`. fd stays the caller's and must stay open, unread, until `done` comes:
 * once, later. taken: close it, without shutting it down. peer is the client's address, at most NET_ADDRESS_BYTES;
 * bytes, at least one, are copied. An error: done never comes, the other process has nothing: ERR_INVALID no such
 * worker, ERR_FULL a bound, ERR_UNAVAILABLE the system refuses. */
enum err handover_pass(struct handover *h, int to, int fd, struct str peer, struct str bytes,
                       void (*done)(void *arg, bool taken), void *arg);
