/* A server's frame: header and payload in one piece, made once and shared by all who get it
 * (server frames are not masked, so the bytes are the same for everybody). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/str.h"

/* The payload of a control frame (close, ping, pong) has at most this many bytes. */
enum { WS_CONTROL_MAX = 125 };

enum ws_opcode { WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

struct ws_frame {
    uint32_t refs;
    uint32_t size;      /* of bytes[] in use */
    uint32_t head;      /* size of the frame header; the payload follows */
    uint32_t conflated; /* how many events this one stands for; 1 as made */
    /* Of several waiting frames with the same key (not 0) the newest may stand for all, with
     * `"conflated":n,` put behind the payload's opening brace and the delta's digits (at delta_at,
     * delta_size of the payload; size 0: none) replaced by the sum. */
    uint64_t key;
    int64_t delta;
    uint32_t delta_at, delta_size;
    bool delta_is_money; /* printed from minor units: -500 is -5, 320 is 3.2 */
    uint8_t bytes[];
};

/* With one reference, the caller's. */
struct ws_frame *ws_frame_new(enum ws_opcode opcode, struct str payload);
struct ws_frame *ws_frame_raw(struct str bytes); /* no frame: bytes that go ahead of the first one */
struct ws_frame *ws_frame_ref(struct ws_frame *f);
void ws_frame_unref(struct ws_frame *f);
struct str ws_frame_payload(const struct ws_frame *f);
/* A new frame that stands for both; the payload is a JSON object and newest is the newer one. NULL
 * when the sum of the deltas does not fit: both stay as they are. */
struct ws_frame *ws_frame_conflate(const struct ws_frame *older, const struct ws_frame *newest);
