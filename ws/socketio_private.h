/* What the files of Socket.IO share (socketio*.c). Nobody else includes this.
 *
 *     socketio_packet.c   the codec
 *     socketio.c          connections and their sockets
 *     socketio_call.c     events that ask the client for an answer */
#pragma once

#include "ws/socketio.h"

enum { SIO_MAGIC = 0x73696f35, SIO_NAMESPACE_BYTES_MAX = 128, SIO_ACK_DIGITS = 15 };

/* --- socketio_packet.c -------------------------------------------------------------------------------------------- */

enum sio_packet_type {
    SIO_CONNECT = '0',
    SIO_DISCONNECT = '1',
    SIO_EVENT = '2',
    SIO_ACK = '3',
    SIO_CONNECT_ERROR = '4',
};

struct sio_packet {
    char type; /* enum sio_packet_type */
    struct str nsp;
    int64_t id;              /* -1: none */
    const struct json *data; /* NULL: none */
};

/* False: malformed, of a type we do not take (binary), or with data that does not belong to its type. The parsed data
 * lives in the arena and may point into `text`. */
bool sio_packet_parse(struct str text, struct arena *arena, struct sio_packet *out);
/* An event's arguments as they stand in its array's text, without the name and the comma behind it. */
struct str sio_event_raw(const struct json *data);
/* An Engine.IO message with a packet's head: "42/rewards,17"; the data follows. */
void sio_packet_begin(struct buf *b, enum sio_packet_type type, struct str nsp, int64_t id);

/* --- socketio.c --------------------------------------------------------------------------------------------------- */

enum sio_state { SIO_CONNECTING, SIO_OPEN, SIO_GONE };

struct sio_socket {
    uint32_t magic;
    uint8_t state, nsp; /* enum sio_state; index of the namespace */
    uint8_t why;
    bool refused;
    struct sio_server *server;
    struct eio_session *session; /* NULL: it has ended */
    struct list link;            /* among its connection's; once gone, among the server's that are gone */
    struct list all;             /* among the server's that were accepted */
    struct sio_calls *calls;     /* NULL: none are waiting */
    char sid[SIO_SID_CHARS];
    uint64_t extra[];
};
_Static_assert(sizeof(struct sio_socket) <= 96, "an idle connection must stay small");

/* Behind each Engine.IO session. */
struct sio_conn {
    struct list sockets;
    uint32_t lonely_since_ms; /* when it had no socket (or not yet), of the clock's last 32 bits */
    uint8_t known;            /* bit i: it once had a socket in namespace i */
};

struct sio_server {
    struct sio_options options;
    struct eio_server *engine;
    int namespaces;
    struct list accepted, gone;
    struct turn_item flush;
};

/* Sends a packet and gives its memory back. */
bool sio_send_packet(struct sio_socket *s, struct buf *packet);
struct str sio_namespace_name(const struct sio_socket *s);

/* --- socketio_call.c ---------------------------------------------------------------------------------------------- */

void sio_call_answered(struct sio_socket *s, int64_t id, const struct json *args);
void sio_calls_end(struct sio_socket *s); /* all that wait fail */
