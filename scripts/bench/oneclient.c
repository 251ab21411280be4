/* How long one client waits for a transfer: one keep-alive connection, one request at a time, every wait counted
 * as it was. (wrk corrects its latencies for what it would have sent meanwhile; pgbench's log, which this is
 * compared with, does not.)
 *
 *     oneclient PORT FILE SEED WARMUP_S SECONDS       FILE as for load.lua; prints one line of JSON */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { ACCOUNTS_MAX = 1 << 21, WAITS_MAX = 1 << 22, ID_CHARS = 24 };

static struct {
    char **ids, **tokens;      /* of one account each */
    int count;
    int64_t *waits_ns;
    long made, bad, measured;
    uint64_t random;
} o;

static _Noreturn void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("oneclient: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

static int roll(int below)
{
    o.random ^= o.random << 13;
    o.random ^= o.random >> 7;
    o.random ^= o.random << 17;
    return (int) (o.random % (uint64_t) below);
}

static void read_accounts(const char *file)
{
    FILE *f = fopen(file, "r");
    char *line = NULL, *list, *id;
    size_t size = 0;
    if (!f) die("%s: %s", file, strerror(errno));
    while (getline(&line, &size, f) > 0) {
        line[strcspn(line, "\n")] = 0;
        list = line;
        char *token = strdup(strsep(&list, "\t"));
        while ((id = strsep(&list, ",")) && o.count < ACCOUNTS_MAX) {
            o.ids[o.count] = strdup(id);
            o.tokens[o.count++] = token;
        }
    }
    free(line);
    fclose(f);
    if (o.count < 2) die("%s: no accounts", file);
}

static int connect_to(int port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t) port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (fd < 0 || connect(fd, (struct sockaddr *) &to, sizeof to) != 0) die("connect: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static bool read_reply(int fd)
{
    char reply[8192];
    size_t n = 0;
    for (;;) {
        ssize_t got = recv(fd, reply + n, sizeof reply - 1 - n, 0);
        if (got <= 0) die("the server closed the connection");
        n += (size_t) got;
        reply[n] = 0;
        const char *end = strstr(reply, "\r\n\r\n"), *length = strcasestr(reply, "\r\nContent-Length:");
        if (end && length && n >= (size_t) (end + 4 - reply) + strtoul(length + 17, NULL, 10))
            return strncmp(reply, "HTTP/1.1 200", 12) == 0;
    }
}

static void transfer(int fd, int port, const char *seed)
{
    char body[512], text[4096];
    int from = roll(o.count), to = (from + 1 + roll(o.count - 1)) % o.count;
    const char *quote = strlen(o.ids[0]) == ID_CHARS ? "\"" : "";
    int n = snprintf(body, sizeof body,
                     "{\"fromAccount\":%s%s%s,\"toAccount\":%s%s%s,\"amount\":1,\"idempotencyKey\":\"one-%s-%ld\"}",
                     quote, o.ids[from], quote, quote, o.ids[to], quote, seed, o.made);
    n = snprintf(text, sizeof text,
                 "POST /api/transactions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n"
                 "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", port, o.tokens[from], n, body);
    if (n >= (int) sizeof text || send(fd, text, (size_t) n, MSG_NOSIGNAL) != n) die("send");
    if (read_reply(fd)) o.made++;
    else o.bad++;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc != 6) die("see the head of oneclient.c");
    o.ids = calloc(ACCOUNTS_MAX, sizeof *o.ids);
    o.tokens = calloc(ACCOUNTS_MAX, sizeof *o.tokens);
    o.waits_ns = calloc(WAITS_MAX, sizeof *o.waits_ns);
    if (!o.ids || !o.tokens || !o.waits_ns) die("out of memory");
    o.random = strtoull(argv[3], NULL, 10) * 2654435761u + 1;
    read_accounts(argv[2]);
    int port = (int) strtol(argv[1], NULL, 10), fd = connect_to(port);
    int64_t start = now_ns() + (int64_t) (strtod(argv[4], NULL) * 1e9), now;
    int64_t end = start + (int64_t) (strtod(argv[5], NULL) * 1e9);
    while ((now = now_ns()) < end && o.measured < WAITS_MAX) {
        transfer(fd, port, argv[3]);
        if (now >= start) o.waits_ns[o.measured++] = now_ns() - now;
    }
    if (o.measured == 0) die("nothing was measured");
    qsort(o.waits_ns, (size_t) o.measured, sizeof *o.waits_ns, by_value);
    printf("{\"requests\":%ld,\"made\":%ld,\"bad\":%ld,\"p50_us\":%.1f,\"p99_us\":%.1f}\n", o.measured, o.made, o.bad,
           (double) o.waits_ns[o.measured / 2] / 1e3, (double) o.waits_ns[o.measured * 99 / 100] / 1e3);
    return 0;
}
