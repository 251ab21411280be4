/* A payment provider: every invoice is open, which it says LATENCY_MS after it was asked; "/" is answered at once, and
 * below /hang/ nothing ever is. It stands for a machine elsewhere, so what it costs this one is kept small.
 *
 *     PORT=… provider */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LATENCY_MS = 20, CONNS_MAX = 1024, REQUEST_MAX = 8192, PATH_MAX_BYTES = 256, EVENTS = 64 };

/* One request at a time, as libcurl sends them; the connection's number is its descriptor. */
struct conn {
    char input[REQUEST_MAX];
    size_t n;
    char path[PATH_MAX_BYTES];
};

/* Answers that are due, oldest first: all wait for the same time, and a connection for one at most. */
static struct {
    int epoll, listener;
    struct conn *conns[CONNS_MAX];
    struct {
        int fd;
        int64_t at_ns;
    } due[CONNS_MAX];
    unsigned head, tail;
} p;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "provider: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

static void watch(int fd)
{
    struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };
    if (epoll_ctl(p.epoll, EPOLL_CTL_ADD, fd, &e) != 0) die("epoll_ctl");
}

static void listen_at(int port)
{
    int one = 1;
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t) port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    p.listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(p.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(p.listener, (struct sockaddr *) &at, sizeof at) != 0 || listen(p.listener, 128) != 0) die("listen");
    p.epoll = epoll_create1(0);
    watch(p.listener);
}

static void take(void)
{
    int one = 1, fd = accept4(p.listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    if (fd >= CONNS_MAX || !(p.conns[fd] = calloc(1, sizeof *p.conns[fd]))) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(fd);
}

static void drop(int fd)
{
    for (unsigned i = p.head; i != p.tail; i++) {
        if (p.due[i % CONNS_MAX].fd == fd) p.due[i % CONNS_MAX].fd = -1;
    }
    free(p.conns[fd]);
    p.conns[fd] = NULL;
    close(fd);
}

/* {"id": "inv_tally_1", "external_id": "tally-1", …}: what invoices.sql has written. */
static void answer(int fd)
{
    char body[1024], text[2048], external[PATH_MAX_BYTES];
    const char *slash = strrchr(p.conns[fd]->path, '/'), *id = slash ? slash + 1 : "";
    snprintf(external, sizeof external, "%s", strncmp(id, "inv_", 4) == 0 ? id + 4 : id);
    char *line = strchr(external, '_');
    if (line) *line = '-';
    int n = snprintf(body, sizeof body, "{\"id\":\"%s\",\"external_id\":\"%s\",\"status\":\"PENDING\",\"amount\":10}",
                     id, external);
    n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                 n, body);
    if (send(fd, text, (size_t) n, MSG_NOSIGNAL) != n) drop(fd);
}

static void ask(int fd)
{
    struct conn *c = p.conns[fd];
    if (strncmp(c->path, "/hang/", 6) == 0) return;
    if (strcmp(c->path, "/") == 0) {
        answer(fd);
        return;
    }
    p.due[p.tail % CONNS_MAX].fd = fd;
    p.due[p.tail++ % CONNS_MAX].at_ns = now_ns() + (int64_t) LATENCY_MS * 1000000;
}

static void read_from(int fd)
{
    struct conn *c = p.conns[fd];
    ssize_t got = recv(fd, c->input + c->n, sizeof c->input - 1 - c->n, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        drop(fd);
        return;
    }
    c->n += (size_t) got;
    c->input[c->n] = 0;
    if (!strstr(c->input, "\r\n\r\n")) return;
    c->n = 0; /* bodies are not minded: who posts is never answered */
    if (sscanf(c->input, "%*s %255s", c->path) == 1) ask(fd);
}

/* Milliseconds until the next answer, rounded up; -1: none is due. */
static int answer_due(void)
{
    for (; p.head != p.tail; p.head++) {
        int fd = p.due[p.head % CONNS_MAX].fd;
        int64_t left = p.due[p.head % CONNS_MAX].at_ns - now_ns();
        if (fd >= 0 && left > 0) return (int) ((left + 999999) / 1000000);
        if (fd >= 0) answer(fd);
    }
    return -1;
}

int main(void)
{
    const char *port = getenv("PORT");
    struct epoll_event events[EVENTS];
    if (!port) die("PORT is not set");
    sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){ 0 });
    listen_at((int) strtol(port, NULL, 10));
    for (;;) {
        int n = epoll_wait(p.epoll, events, EVENTS, answer_due());
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == p.listener) take();
            else if (p.conns[events[i].data.fd]) read_from(events[i].data.fd);
        }
    }
}
