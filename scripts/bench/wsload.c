/* Many WebSocket clients in one thread: opens them, waits until each is greeted, and then does one of five things.
 *
 *     wsload port=N conns=N [tokens=FILE] [hello=1] [socketio=1] [warmup=S] [seconds=S] what=…
 *
 *     idle        keeps them open until stdin ends
 *     broadcast   the first one sends messages of size=N bytes that the server relays to all
 *     grants      window=N HTTP connections grant a point to user=ID with the token admin=T; all clients are his
 *     earns       window=N HTTP connections let the member user=ID earn a point, of which all clients hear
 *     listen      notes when each balance-updated came: log=FILE gets stream, seq, microseconds since 1970
 *
 * With socketio=1 they are Socket.IO clients in the namespace /rewards, over WebSocket from the start.
 *
 * broadcast, grants and earns are closed loops: window=N events are under way, one being done when every client has
 * it. On stdout: "ready", then "start" and "stop" around the measured seconds (the caller reads the server's CPU
 * then), then one line of JSON. Client i uses line i of the tokens (its first field), going round. An event is
 * counted by the frame that was parsed, never by bytes. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 1 << 18, REST_MAX = 1 << 17, REPLY_MAX = 8192 };
enum { OPENING_MAX = 128, PER_SOURCE = 10000, RING = 64, PAYERS_MAX = RING };
enum state { UPGRADING, GREETING, OPEN, LOST };
enum what { IDLE, BROADCAST, GRANTS, EARNS, LISTEN };

#define REWARDS "/rewards,"
#define POINTS_UPDATED "42" REWARDS "[\"pointsUpdated\","

struct client {
    int fd;
    enum state state;
    uint64_t seen;             /* events */
    uint8_t *rest;             /* an incomplete frame or head, malloced */
    size_t rest_n;
};

/* An HTTP connection that grants points, or lets them be earned. */
struct payer {
    int fd;
    bool busy;
    size_t n;
    char reply[REPLY_MAX];
};

static struct {
    int port, conns, window, size;
    bool hello, socketio;
    double warmup, seconds;
    const char *tokens, *user, *admin, *log;
    enum what what;
} opt = { .window = 1, .size = 100, .warmup = 1, .seconds = 5 };

static struct {
    int epoll, opened, ready, closed;
    char **tokens;
    int token_count;
    struct client *clients;
    struct payer payers[PAYERS_MAX];
    uint64_t sent, done, refused, surplus, deliveries, event_bytes;
    uint32_t have[RING];       /* how many clients have event number n: at n % RING */
    bool measuring, input_ended;
    FILE *log;
} w;

static _Noreturn void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("wsload: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static int64_t now_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void watch(int fd, uint64_t who, uint32_t events, int operation)
{
    struct epoll_event e = { .events = events, .data.u64 = who };
    if (epoll_ctl(w.epoll, operation, fd, &e) != 0) die("epoll: %s", strerror(errno));
}

static void send_all(int fd, const void *p, size_t n)
{
    /* What we send is small and asked for one at a time: a socket that cannot take it is a fault. */
    if (send(fd, p, n, MSG_NOSIGNAL) != (ssize_t) n) die("send: %s", strerror(errno));
}

/* Opening ------------------------------------------------------------------------------------- */

static int socket_to_server(int source, bool wait)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (wait ? 0 : SOCK_NONBLOCK), 0);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t) opt.port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t) source) };
    if (fd < 0) die("socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *) &from, sizeof from) != 0) die("bind: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *) &to, sizeof to) != 0 && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    return fd;
}

static void open_more(void)
{
    while (w.opened < opt.conns && w.opened - w.ready - w.closed < OPENING_MAX) {
        struct client *c = &w.clients[w.opened];
        *c = (struct client){ .fd = socket_to_server(w.opened / PER_SOURCE, false) };
        watch(c->fd, (uint64_t) w.opened, EPOLLOUT, EPOLL_CTL_ADD);
        w.opened++;
    }
}

static void ask_upgrade(struct client *c)
{
    char text[2048];
    int i = (int) (c - w.clients), n;
    n = snprintf(text, sizeof text,
                 "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s%s\r\n\r\n",
                 opt.socketio ? "/socket.io/?EIO=4&transport=websocket" : "/ws", opt.port,
                 w.token_count ? "Authorization: Bearer " : "User-Agent: wsload",
                 w.token_count ? w.tokens[i % w.token_count] : "");
    if (n >= (int) sizeof text) die("a token is too long");
    send_all(c->fd, text, (size_t) n);
    watch(c->fd, (uint64_t) i, EPOLLIN, EPOLL_CTL_MOD);
}

static void became_open(struct client *c)
{
    c->state = OPEN;
    w.ready++;
}

static void lose(struct client *c)
{
    if (c->state == OPEN) w.ready--;
    w.closed++;
    c->state = LOST;
    close(c->fd);
    free(c->rest);
    c->rest = NULL;
    c->rest_n = 0;
}

/* The length of the head, 0 while it is incomplete. */
static size_t read_upgrade(struct client *c, const uint8_t *p, size_t n)
{
    static const char accept[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";   /* the answer to our key, by RFC 6455 */
    const uint8_t *end = memmem(p, n, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t) (end - p) + 4;
    if (memcmp(p, "HTTP/1.1 101", 12) != 0 || !memmem(p, head, accept, sizeof accept - 1))
        die("the server refuses the upgrade: %.*s", (int) head, p);
    if (opt.hello || opt.socketio) c->state = GREETING;
    else became_open(c);
    return head;
}

/* Events -------------------------------------------------------------------------------------- */

static bool starts(const char *p, size_t n, const char *with)
{
    size_t k = strlen(with);
    return n >= k && memcmp(p, with, k) == 0;
}

static void count_event(struct client *c, size_t n)
{
    uint64_t event = c->seen++;
    if (event >= w.sent) {
        w.surplus++;
        return;
    }
    w.event_bytes = n;
    if (w.measuring) w.deliveries++;
    if (++w.have[event % RING] < (uint32_t) opt.conns) return;
    w.have[event % RING] = 0;
    w.done++;
}

static void note_event(const char *p, size_t n, int64_t at_us)
{
    const char *stream = memmem(p, n, "\"stream\":\"", 10), *seq = memmem(p, n, "\"seq\":", 6);
    if (!stream || !seq || stream + 34 > p + n) die("an event without stream or seq: %.*s", (int) n, p);
    w.deliveries++;
    fprintf(w.log, "%.24s\t%lld\t%lld\n", stream + 10, strtoll(seq + 6, NULL, 10), (long long) at_us);
}

static void send_frame(struct client *c, int opcode, const void *payload, size_t n);

/* A packet of Socket.IO: opened ("0"), we connect to the namespace; connected; a heartbeat; an event. */
static void take_packet(struct client *c, const char *p, size_t n)
{
    if (starts(p, n, POINTS_UPDATED)) {
        count_event(c, n);
    } else if (n == 1 && *p == '2') {
        send_frame(c, 1, "3", 1);
    } else if (c->state == GREETING && starts(p, n, "0{")) {
        send_frame(c, 1, "40" REWARDS, sizeof "40" REWARDS - 1);
    } else if (c->state == GREETING && starts(p, n, "40" REWARDS)) {
        became_open(c);
    } else {
        die("a packet we do not expect: %.*s", (int) n, p);
    }
}

static void take_text(struct client *c, const char *p, size_t n, int64_t at_us)
{
    if (opt.socketio) {
        take_packet(c, p, n);
    } else if (c->state == GREETING) {
        if (!starts(p, n, "{\"type\":\"hello\"")) die("no hello but: %.*s", (int) n, p);
        became_open(c);
    } else if (opt.what == BROADCAST || (opt.what == GRANTS && starts(p, n, "{\"type\":\"points-updated\""))) {
        count_event(c, n);
    } else if (opt.what == LISTEN && w.measuring && starts(p, n, "{\"type\":\"balance-updated\"")) {
        note_event(p, n, at_us);
    }
}

/* Client frames are masked; four zeros are a mask too. */
static void send_frame(struct client *c, int opcode, const void *payload, size_t n)
{
    static uint8_t frame[8 + 65535];
    size_t head = n < 126 ? 6 : 8;
    if (n > 65535) die("a message of %zu bytes", n);
    frame[0] = (uint8_t) (0x80 | opcode);
    frame[1] = (uint8_t) (0x80 | (n < 126 ? n : 126));
    if (n >= 126) {
        frame[2] = (uint8_t) (n >> 8);
        frame[3] = (uint8_t) n;
    }
    memset(frame + head - 4, 0, 4);
    memcpy(frame + head, payload, n);
    send_all(c->fd, frame, head + n);
}

/* The length of the first frame in p, header included, taken; 0 while it is incomplete. */
static size_t take_frame(struct client *c, const uint8_t *p, size_t n, int64_t at_us)
{
    size_t head = 2, length;
    if (n < head) return 0;
    length = p[1] & 0x7f;
    if (length >= 126) {
        head = length == 126 ? 4 : 10;
        if (n < head) return 0;
        length = 0;
        for (size_t i = 2; i < head; i++) length = length << 8 | p[i];
    }
    if (!(p[0] & 0x80) || p[0] & 0x70 || p[1] & 0x80 || length > REST_MAX)
        die("a frame we do not expect: %02x %02x", p[0], p[1]);
    if (n - head < length) return 0;
    int opcode = p[0] & 15;
    if (opcode == 1) take_text(c, (const char *) p + head, length, at_us);
    else if (opcode == 9) send_frame(c, 10, p + head, length);
    else if (opcode == 8) lose(c);
    return head + length;
}

static void take_input(struct client *c)
{
    static uint8_t room[ROOM];
    size_t n = c->rest_n, used = 0, step = 1;
    memcpy(room, c->rest ? c->rest : room, n);
    ssize_t got = recv(c->fd, room + n, sizeof room - n, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        lose(c);
        return;
    }
    n += (size_t) got;
    int64_t at_us = now_us(CLOCK_REALTIME);
    while (c->state != LOST && used < n && step) {
        step = c->state == UPGRADING ? read_upgrade(c, room, n) : take_frame(c, room + used, n - used, at_us);
        used += step;
    }
    if (c->state == LOST) return;
    c->rest_n = n - used;
    if (c->rest_n > REST_MAX) die("a message without end");
    if (c->rest_n) {
        c->rest = realloc(c->rest, c->rest_n);
        if (!c->rest) die("out of memory");
        memcpy(c->rest, room + used, c->rest_n);
    }
}

/* Causing events ------------------------------------------------------------------------------ */

static int write_grant(char *text, size_t size)
{
    char body[256];
    int n = snprintf(body, sizeof body, "{\"userId\":\"%s\",\"amount\":1,\"reason\":\"bench\"}", opt.user);
    return snprintf(text, size,
                    "POST /api/points/admin/add HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n"
                    "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", opt.port, opt.admin, n, body);
}

static int write_earning(char *text, size_t size)
{
    static const char body[] = "{\"points\":1,\"category\":\"shopping\",\"amount\":1}";
    return snprintf(text, size,
                    "POST /rewards/add-points/%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                    opt.user, opt.port, sizeof body - 1, body);
}

static void grant(struct payer *p)
{
    char text[2048];
    int n = opt.what == EARNS ? write_earning(text, sizeof text) : write_grant(text, sizeof text);
    if (n >= (int) sizeof text) die("the token is too long");
    send_all(p->fd, text, (size_t) n);
    p->busy = true;
    p->n = 0;
}

static void take_reply(struct payer *p)
{
    ssize_t got = recv(p->fd, p->reply + p->n, sizeof p->reply - 1 - p->n, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) die("the server closed a connection that grants points");
    p->n += (size_t) got;
    p->reply[p->n] = 0;
    const char *end = strstr(p->reply, "\r\n\r\n"), *length = strcasestr(p->reply, "\r\nContent-Length:");
    if (!end || !length || p->n < (size_t) (end + 4 - p->reply) + (size_t) strtoul(length + 17, NULL, 10)) return;
    if (!starts(p->reply, p->n, opt.what == EARNS ? "HTTP/1.1 201" : "HTTP/1.1 200") && w.refused++ == 0)
        fprintf(stderr, "wsload: a grant is refused: %s\n", p->reply);
    p->busy = false;
}

/* The same for both kinds of client: the size of what arrives. */
static void write_message(char *message, size_t size)
{
    static const char before[] = POINTS_UPDATED "\"", after[] = "\"]";
    memset(message, 'x', size);
    if (!opt.socketio) return;
    memcpy(message, before, sizeof before - 1);
    memcpy(message + size - (sizeof after - 1), after, sizeof after - 1);
}

static bool cause_event(void)
{
    static char message[65536];
    if (opt.what == BROADCAST) {
        write_message(message, (size_t) opt.size);
        w.sent++;
        send_frame(&w.clients[0], 1, message, (size_t) opt.size);
        return true;
    }
    for (int i = 0; i < opt.window; i++) {
        if (w.payers[i].busy) continue;
        w.sent++;
        grant(&w.payers[i]);
        return true;
    }
    return false;
}

/* Running ------------------------------------------------------------------------------------- */

static void turn(void)
{
    struct epoll_event events[1024];
    int n = epoll_wait(w.epoll, events, 1024, 10);
    for (int i = 0; i < n; i++) {
        uint64_t who = events[i].data.u64;
        if (who == UINT64_MAX) {
            char ignored[256];
            w.input_ended = read(STDIN_FILENO, ignored, sizeof ignored) <= 0;
        } else if (who >= (uint64_t) opt.conns) {
            take_reply(&w.payers[who - (uint64_t) opt.conns]);
        } else if (events[i].events & EPOLLOUT) {
            ask_upgrade(&w.clients[who]);
        } else {
            take_input(&w.clients[who]);
        }
    }
}

static bool has_payers(void)
{
    return opt.what == GRANTS || opt.what == EARNS;
}

static void run_for(double seconds)
{
    int64_t end = now_us(CLOCK_MONOTONIC) + (int64_t) (seconds * 1e6);
    bool drive = opt.what == BROADCAST || has_payers();
    while (now_us(CLOCK_MONOTONIC) < end) {
        while (drive && w.sent - w.done < (uint64_t) opt.window && cause_event()) continue;
        turn();
    }
}

static bool payers_busy(void)
{
    for (int i = 0; has_payers() && i < opt.window; i++) {
        if (w.payers[i].busy) return true;
    }
    return false;
}

static void measure(void)
{
    run_for(opt.warmup);
    puts("start");
    uint64_t done = w.done;
    int64_t start = now_us(CLOCK_MONOTONIC);
    w.measuring = true;
    run_for(opt.seconds);
    w.measuring = false;
    puts("stop");
    double seconds = (double) (now_us(CLOCK_MONOTONIC) - start) / 1e6;
    done = w.done - done;
    /* What is under way must still come, to everybody. */
    int64_t end = now_us(CLOCK_MONOTONIC) + 5000000;
    while ((w.done < w.sent || payers_busy()) && now_us(CLOCK_MONOTONIC) < end) turn();
    printf("{\"seconds\":%.6f,\"events\":%" PRIu64 ",\"deliveries\":%" PRIu64 ",\"sent\":%" PRIu64
           ",\"missing\":%" PRIu64 ",\"surplus\":%" PRIu64
           ",\"refused\":%" PRIu64 ",\"closed\":%d,\"event_bytes\":%" PRIu64 "}\n",
           seconds, done, w.deliveries, w.sent, w.sent - w.done, w.surplus, w.refused, w.closed, w.event_bytes);
}

static void read_tokens(void)
{
    FILE *f = opt.tokens ? fopen(opt.tokens, "r") : NULL;
    char *line = NULL;
    size_t size = 0;
    if (!opt.tokens) return;
    if (!f) die("%s: %s", opt.tokens, strerror(errno));
    while (w.token_count < opt.conns && getline(&line, &size, f) > 0) {
        w.tokens = realloc(w.tokens, sizeof *w.tokens * (size_t) (w.token_count + 1));
        line[strcspn(line, "\t\r\n")] = 0;
        w.tokens[w.token_count++] = strdup(line);
    }
    free(line);
    fclose(f);
}

static void read_option(char *word)
{
    static const char *const whats[] = { "idle", "broadcast", "grants", "earns", "listen" };
    char *value = strchr(word, '=');
    if (!value) die("name=value, not %s", word);
    *value++ = 0;
    if (!strcmp(word, "port")) opt.port = (int) strtol(value, NULL, 10);
    else if (!strcmp(word, "conns")) opt.conns = (int) strtol(value, NULL, 10);
    else if (!strcmp(word, "window")) opt.window = (int) strtol(value, NULL, 10);
    else if (!strcmp(word, "size")) opt.size = (int) strtol(value, NULL, 10);
    else if (!strcmp(word, "hello")) opt.hello = *value == '1';
    else if (!strcmp(word, "socketio")) opt.socketio = *value == '1';
    else if (!strcmp(word, "warmup")) opt.warmup = strtod(value, NULL);
    else if (!strcmp(word, "seconds")) opt.seconds = strtod(value, NULL);
    else if (!strcmp(word, "tokens")) opt.tokens = value;
    else if (!strcmp(word, "user")) opt.user = value;
    else if (!strcmp(word, "admin")) opt.admin = value;
    else if (!strcmp(word, "log")) opt.log = value;
    else if (!strcmp(word, "what")) {
        while (opt.what < LISTEN && strcmp(whats[opt.what], value)) opt.what++;
    } else die("unknown option %s", word);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) read_option(argv[i]);
    if (opt.port < 1 || opt.conns < 1 || opt.window < 1 || opt.window > PAYERS_MAX || opt.size < 64 || opt.size > 65535)
        die("see the head of wsload.c");
    setvbuf(stdout, NULL, _IOLBF, 0);
    read_tokens();
    w.epoll = epoll_create1(EPOLL_CLOEXEC);
    w.clients = calloc((size_t) opt.conns, sizeof *w.clients);
    if (w.epoll < 0 || !w.clients) die("cannot begin");
    while (w.ready < opt.conns) {
        open_more();
        turn();
        if (w.closed) die("the server closed a connection while %d of %d were open", w.ready, opt.conns);
    }
    for (int i = 0; has_payers() && i < opt.window; i++) {
        w.payers[i].fd = socket_to_server(0, true);
        watch(w.payers[i].fd, (uint64_t) (opt.conns + i), EPOLLIN, EPOLL_CTL_ADD);
    }
    if (opt.log && !(w.log = fopen(opt.log, "w"))) die("%s: %s", opt.log, strerror(errno));
    puts("ready");
    if (opt.what == IDLE) {
        watch(STDIN_FILENO, UINT64_MAX, EPOLLIN, EPOLL_CTL_ADD);
        while (!w.input_ended) turn();
        printf("{\"closed\":%d}\n", w.closed);
    } else {
        measure();
    }
    if (w.log && fclose(w.log) != 0) die("%s: %s", opt.log, strerror(errno));
    return 0;
}
