/* Where a frame can be sent, whatever carries it: a WebSocket session or a Socket.IO connection on either of its
 * transports. Two words, passed by value. */
#pragma once

#include "ws/frame.h"

struct ws_outlet {
    /* Queues the frame for the end of this turn with a reference of its own; false when the receiver is closing. Calls
     * nobody back. */
    bool (*send)(void *to, struct ws_frame *frame);
    void *to;
};
