/* Socket.IO 5 on Engine.IO: sockets, each the membership of one connection in one namespace, with events and
 * acknowledgements both ways. Text only: binary packets end the connection (parse error).
 *
 * A client asks to connect to a namespace; the owner answers with sio_accept or sio_refuse, now or later. Namespaces
 * that are not in options.namespaces are refused here ("Invalid namespace"). A connection that has no socket for
 * connect_timeout is closed.
 *
 * An event for many is made once, as a frame (sio_event_begin … ws_frame_new), and sent to any number of sockets of its
 * namespace by sio_send, or by a hub through sio_outlet. */
#pragma once

#include "core/json.h"
#include "ws/engineio.h"

struct sio_server;
struct sio_socket;

enum { SIO_NAMESPACES_MAX = 8, SIO_CALLS_MAX = 16, SIO_SID_CHARS = 20 };

/* Why a socket has ended: an eio_reason (its connection's), or one of these. */
enum sio_reason {
    SIO_CLIENT_DISCONNECT = 100, /* "client namespace disconnect" */
    SIO_SERVER_DISCONNECT,       /* "server namespace disconnect": sio_disconnect */
};
const char *sio_reason_text(int why);

/* An event from a client; all views, valid during the call. */
struct sio_event {
    struct str name;
    const struct json *args; /* the first argument, the others by ->next; NULL: none */
    int count;               /* of arguments */
    struct str raw;          /* the arguments as JSON text: `1,"2"` */
    int64_t ack;             /* for sio_ack, when the client wants to be answered; -1: it does not */
};

struct sio_handler {
    /* Somebody asks to connect; `auth` is the payload (an object) or NULL, valid during the call; the socket's extra is
     * zeroed. Must be answered exactly once by sio_accept or sio_refuse, unless on_disconnect comes first. */
    void (*on_connect)(struct sio_socket *s, const struct json *auth);
    void (*on_event)(struct sio_socket *s, const struct sio_event *event);
    /* Comes once for each on_connect that was not refused, last, never from inside a call of ours; also when it was not
     * answered yet. The socket is gone afterwards, its subscriptions must be ended here. `why`: sio_reason_text. */
    void (*on_disconnect)(struct sio_socket *s, int why);
};

struct sio_options {
    struct eio_options engine;     /* handler, context and extra_bytes are filled in here */
    const char *const *namespaces; /* "/", "/rewards", …, NULL-terminated */
    const struct sio_handler *handler;
    void *context;          /* the owner's, see sio_context */
    int connect_timeout_ms; /* 0: 45,000 */
    int extra_bytes;        /* of the owner's own, behind each socket, zeroed, aligned to 8 bytes */
};

struct sio_server *sio_server_new(const struct sio_options *options);
struct eio_server *sio_engine(struct sio_server *server); /* for the door: eio_serve, eio_upgrade */
/* As eio_server_drain and eio_server_free. */
void sio_server_drain(struct sio_server *server, int timeout_ms, void (*drained)(void *arg), void *arg);
void sio_server_free(struct sio_server *server);
int sio_server_count(const struct sio_server *server); /* connections */
/* for (s = NULL; (s = sio_next(server, s));) visits all accepted sockets; ending the visited one is allowed. */
struct sio_socket *sio_next(const struct sio_server *server, struct sio_socket *after);

/* --- sockets ------------------------------------------------------------------------------------------------------ */

void *sio_extra(struct sio_socket *s);
void *sio_context(const struct sio_socket *s);
int sio_namespace(const struct sio_socket *s);                  /* index into options.namespaces */
struct str sio_sid(const struct sio_socket *s);                 /* the client's socket.id */
struct str sio_opening(const struct sio_socket *s);             /* what the door kept of the handshake, or STR_NONE */
struct eio_session *sio_connection(const struct sio_socket *s); /* NULL when it has ended */
bool sio_is_open(const struct sio_socket *s);                   /* accepted, and not ending */

/* The socket is connected. `members` are further members of the answer beside sid, as JSON text (`"pid":"…"`), or
 * STR_NONE. Events sent from now on follow it. */
void sio_accept(struct sio_socket *s, struct str members);
/* CONNECT_ERROR {"message":…} with "data" when that is not STR_NONE (JSON text). The socket is gone at the end of the
 * turn; on_disconnect does not come. */
void sio_refuse(struct sio_socket *s, struct str message, struct str data);

/* An event as text, to be made a frame by ws_frame_new(WS_TEXT, …): begin writes all up to the name, the caller appends
 * the arguments with the json_ calls, end closes. `nsp` is the namespace's name. */
void sio_event_begin(struct buf *b, struct str nsp, struct str name);
void sio_event_end(struct buf *b);
/* The same in one: `args` are the arguments as JSON text, separated by commas, or STR_NONE. One reference, the
 * caller's. */
struct ws_frame *sio_event_frame(struct str nsp, struct str name, struct str args);

/* Sends an event's frame of the socket's namespace; false when the socket is not open. */
bool sio_send(struct sio_socket *s, struct ws_frame *event);
bool sio_emit(struct sio_socket *s, struct str name, struct str args); /* to this socket alone */
/* The same for a hub. Subscribe after sio_accept, unsubscribe at the latest in on_disconnect. */
struct ws_outlet sio_outlet(struct sio_socket *s);
size_t sio_waiting(const struct sio_socket *s); /* bytes that wait for the connection */

/* Answers an event with its ack id; `args` as above. At most once for each; nothing happens when the socket has gone
 * meanwhile (but the caller must not use it after on_disconnect). */
void sio_ack(struct sio_socket *s, int64_t ack, struct str args);
/* An event that asks the client for an answer. `done` comes once, later: with OK and its arguments (a JSON array, valid
 * during the call), ERR_TIMEOUT, or ERR_CLOSED when the socket ends. ERR_FULL at once when SIO_CALLS_MAX are waiting,
 * ERR_CLOSED when it is not open; `done` does not come then. */
enum err sio_call(struct sio_socket *s, struct str name, struct str args, int timeout_ms,
                  void (*done)(void *arg, enum err err, const struct json *args), void *arg);

/* Leaves the namespace: the client is told ("io server disconnect": it does not come back by itself). */
void sio_disconnect(struct sio_socket *s);
/* Ends the whole connection with all its sockets; a stock client comes back by itself. */
void sio_close(struct sio_socket *s, enum eio_reason why);
