/* Socket.IO for the clients that exist: who connects to which namespace (contract/70-events). A token is optional, but
 * one that is sent must be good; it comes with CONNECT, or in the handshake's Authorization header. */
#include "domain/push/socketio_door.h"

#include <stdio.h>

#include "core/log.h"
#include "core/mem.h"
#include "domain/push/push_private.h"

static const char *const namespaces[] = { "/", "/rewards", NULL };

/* A token that is being checked; outlives its socket when need be. */
struct socket_check {
    struct sio_socket *socket; /* NULL: it has gone */
};

/* Behind each socket (sio_extra). */
struct socket_state {
    struct caller who; /* user 0: nobody */
    struct socket_check *check;
};

static void settle(struct sio_socket *s, enum auth_result result, const struct caller *who)
{
    struct socket_state *state = sio_extra(s);
    if (result == AUTH_YES) {
        state->who = *who;
        sio_accept(s, STR_NONE);
    } else {
        sio_refuse(s, result == AUTH_AWAY ? STR("Try again later") : STR("Unauthorized"), STR_NONE);
    }
}

static void on_checked(void *arg, enum auth_result result, const struct caller *who)
{
    struct socket_check *check = arg;
    if (check->socket) {
        struct socket_state *state = sio_extra(check->socket);
        state->check = NULL;
        settle(check->socket, result, who);
    }
    mem_free(check);
}

static void check_token(struct sio_socket *s, struct str token)
{
    struct app *app = sio_context(s);
    struct socket_state *state = sio_extra(s);
    struct caller who;
    struct socket_check *check = mem_new(struct socket_check);
    check->socket = s;
    state->check = check;
    enum auth_result result = auth_token(app->auth, token, &who, on_checked, check);
    if (result != AUTH_WAIT) on_checked(check, result, &who);
}

static void on_connect(struct sio_socket *s, const struct json *auth)
{
    const struct json *token = auth ? json_get(auth, STR("token")) : NULL;
    struct str opening = sio_opening(s);
    struct caller nobody = { 0 };
    if (token && token->type == JSON_STRING) {
        check_token(s, token->text);
    } else if (token && token->type != JSON_NULL) {
        settle(s, AUTH_NO, NULL);
    } else if (str_starts_nocase(opening, STR("Bearer "))) {
        check_token(s, str_trim((struct str){ opening.p + 7, opening.n - 7 }));
    } else {
        settle(s, opening.n ? AUTH_NO : AUTH_YES, &nobody);
    }
}

static void on_event(struct sio_socket *s, const struct sio_event *event)
{
    (void) s;
    log_debug("socketio", "unknown_event", "bytes=%zu", event->name.n);
}

static void on_disconnect(struct sio_socket *s, int why)
{
    struct socket_state *state = sio_extra(s);
    if (state->check) state->check->socket = NULL;
    log_debug("socketio", "disconnected", "why=%s user=%lld", LOG_STR(str_from(sio_reason_text(why))),
              (long long) state->who.user);
}

static const struct sio_handler handler = { on_connect, on_event, on_disconnect };

struct sio_server *socketio_new(struct app *app)
{
    char prefix[EIO_PREFIX_MAX + 1];
    snprintf(prefix, sizeof prefix, "%02x", (unsigned) app->worker & 0xff);
    struct sio_options options = {
        .engine = { .loop = app->loop,
                    .turn = &app->turn,
                    .wheel = app->wheel,
                    .metrics = &app->metrics,
                    .sid_prefix = prefix,
                    .payload_max = SOCKETIO_BODY_MAX,
                    .slow_code = CLOSE_SLOW,
                    .messages_per_second = 100 },
        .namespaces = namespaces,
        .handler = &handler,
        .context = app,
        .extra_bytes = sizeof(struct socket_state),
    };
    return sio_server_new(&options);
}
