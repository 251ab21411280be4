/* Frames are made once and shared. The header of a server's frame is 2, 4 or 10 bytes and never
 * masked, so the bytes can go to ten thousand sockets without being touched again; what a session
 * holds is a reference.
 *
 * Conflation makes one frame of two: the newer one's object, with the number of events it stands
 * for behind the opening brace and the sum of both deltas in place of its own. A frame that was
 * conflated before has that number already and loses it first, so any chain of conflations reads
 * as if it had been done at once. */
#include "ws/frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/must.h"

enum { FIN = 0x80, HEAD_MAX = 10, PREFIX_MAX = 40, DELTA_MAX = 24 };

static uint32_t write_head(uint8_t out[HEAD_MAX], uint8_t first, size_t n)
{
    out[0] = first;
    if (n < 126) {
        out[1] = (uint8_t) n;
        return 2;
    }
    int bytes = n <= UINT16_MAX ? 2 : 8;
    out[1] = bytes == 2 ? 126 : 127;
    for (int i = 0; i < bytes; i++) out[2 + i] = (uint8_t) ((uint64_t) n >> 8 * (bytes - 1 - i));
    return (uint32_t) (2 + bytes);
}

/* The payload is left to be filled in. */
static struct ws_frame *frame_alloc(uint8_t first, size_t payload)
{
    must(payload <= UINT32_MAX / 2);
    uint8_t head[HEAD_MAX];
    uint32_t head_size = write_head(head, first, payload);
    struct ws_frame *f = mem_alloc(sizeof *f + head_size + payload);
    f->refs = 1;
    f->size = head_size + (uint32_t) payload;
    f->head = head_size;
    f->conflated = 1;
    memcpy(f->bytes, head, head_size);
    return f;
}

struct ws_frame *ws_frame_new(enum ws_opcode opcode, struct str payload)
{
    must(opcode < WS_CLOSE || payload.n <= WS_CONTROL_MAX);
    struct ws_frame *f = frame_alloc((uint8_t) (FIN | opcode), payload.n);
    if (payload.n) memcpy(f->bytes + f->head, payload.p, payload.n);
    return f;
}

struct ws_frame *ws_frame_raw(struct str bytes)
{
    must(bytes.n > 0 && bytes.n <= UINT32_MAX / 2);
    struct ws_frame *f = mem_alloc(sizeof *f + bytes.n);
    f->refs = 1;
    f->size = (uint32_t) bytes.n;
    memcpy(f->bytes, bytes.p, bytes.n);
    return f;
}

struct ws_frame *ws_frame_ref(struct ws_frame *f)
{
    must(f->refs > 0 && f->refs < UINT32_MAX);
    f->refs++;
    return f;
}

void ws_frame_unref(struct ws_frame *f)
{
    must(f->refs > 0);
    if (--f->refs == 0) mem_free(f);
}

struct str ws_frame_payload(const struct ws_frame *f)
{
    return (struct str){ (const char *) f->bytes + f->head, f->size - f->head };
}

static int print_conflated(char out[PREFIX_MAX], uint32_t n, bool alone)
{
    return snprintf(out, PREFIX_MAX, "\"conflated\":%" PRIu32 "%s", n, alone ? "" : ",");
}

/* Minor units as the shortest decimal: -500 is -5, 320 is 3.2, -5 is -0.05. */
static int print_money(char out[DELTA_MAX], int64_t minor)
{
    uint64_t size = minor < 0 ? -(uint64_t) minor : (uint64_t) minor;
    const char *sign = minor < 0 ? "-" : "";
    uint64_t whole = size / 100;
    unsigned cents = (unsigned) (size % 100);
    if (cents == 0) return snprintf(out, DELTA_MAX, "%s%" PRIu64, sign, whole);
    if (cents % 10 == 0) return snprintf(out, DELTA_MAX, "%s%" PRIu64 ".%u", sign, whole, cents / 10);
    return snprintf(out, DELTA_MAX, "%s%" PRIu64 ".%02u", sign, whole, cents);
}

static int print_delta(char out[DELTA_MAX], int64_t delta, bool is_money)
{
    return is_money ? print_money(out, delta) : snprintf(out, DELTA_MAX, "%" PRId64, delta);
}

static size_t put(uint8_t *out, size_t at, const void *p, size_t n)
{
    memcpy(out + at, p, n);
    return at + n;
}

struct ws_frame *ws_frame_conflate(const struct ws_frame *older, const struct ws_frame *newest)
{
    struct str text = ws_frame_payload(newest);
    must(text.n >= 2 && text.p[0] == '{');
    int64_t sum;
    uint32_t count;
    if (__builtin_add_overflow(older->delta, newest->delta, &sum)) return NULL;
    if (__builtin_add_overflow(older->conflated, newest->conflated, &count)) return NULL;
    char prefix[PREFIX_MAX], delta[DELTA_MAX];
    size_t body = 1; /* of text, without the brace and an earlier conflation's count */
    if (newest->conflated > 1) {
        bool alone = text.p[text.n - 1] == '}' && memchr(text.p, ',', text.n) == NULL;
        body += (size_t) print_conflated(prefix, newest->conflated, alone);
    }
    size_t prefix_n = (size_t) print_conflated(prefix, count, text.p[body] == '}');
    bool has_delta = newest->delta_size > 0;
    size_t delta_at = has_delta ? newest->delta_at : text.n, delta_end = delta_at + newest->delta_size;
    size_t delta_n = has_delta ? (size_t) print_delta(delta, sum, newest->delta_is_money) : 0;
    must(body <= delta_at && delta_end <= text.n);

    size_t size = 1 + prefix_n + (delta_at - body) + delta_n + (text.n - delta_end);
    struct ws_frame *f = frame_alloc(newest->bytes[0], size);
    uint8_t *out = f->bytes + f->head;
    size_t at = put(out, 0, "{", 1);
    at = put(out, at, prefix, prefix_n);
    at = put(out, at, text.p + body, delta_at - body);
    f->delta_at = (uint32_t) at;
    at = put(out, at, delta, delta_n);
    at = put(out, at, text.p + delta_end, text.n - delta_end);
    must(at == size);
    if (!has_delta) f->delta_at = 0;
    f->delta_size = (uint32_t) delta_n;
    f->delta_is_money = newest->delta_is_money;
    f->delta = sum;
    f->conflated = count;
    f->key = newest->key;
    return f;
}
