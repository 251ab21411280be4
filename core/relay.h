/* Two connections made one: what either says goes out of the other, both ways and no faster than it is taken. The
 * `client` came to us (over TLS, which is why it cannot be handed over as it is); the `inner` one is an end of a pair
 * whose other end another process serves. Whatever ends one of them ends the other, what is under way included: the
 * client's FIN goes inside, where the last answers may still be made; when inside is over, the client is closed
 * behind what waits for it. */
#pragma once

#include "core/list.h"
#include "core/net.h"

struct relay {
    struct list link;                /* among its owner's */
    struct net_conn *client, *inner; /* NULL: gone */
    bool client_eof;
    bool told; /* inside has got the client's FIN */
    void (*done)(void *arg);
    void *arg;
};

/* Takes both connections, open and paused. first: what the client has said already; eof: that it has said all. done
 * comes once, last, later; the relay is gone then. */
struct relay *relay_start(struct net_conn *client, struct net_conn *inner, struct str first, bool eof,
                          void (*done)(void *arg), void *arg);
/* As if the client had said its last word. */
void relay_end(struct relay *r);
/* At once; what is under way is lost. */
void relay_cut(struct relay *r);
