/* The buffer between the log and its reader.
 *
 * A log must never stop the server, so nothing here waits for the reader: a socket is written with
 * MSG_DONTWAIT; a pipe or terminal is asked with poll first and given at most PIPE_BUF bytes, which
 * a pipe that reports room takes at once (unless another process was faster, which costs the time
 * its reader needs for one piece); a file takes everything. The descriptor's own
 * O_NONBLOCK flag is left as it is, because it belongs to all processes that share the
 * descriptor. Pieces end at a line's end, so that lines of several processes do not mix.
 *
 * When the reader does not keep up, the buffer fills to its maximum; then lines are dropped and
 * counted. When it is gone for good (EPIPE, EIO), the lines are dropped, too. */
#include "core/log_sink.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"

/* One a process: the log is the one thing every part may use without being handed it. */
static struct {
    int fd;
    mode_t kind;
    struct buf lines;
    size_t line_start;
    unsigned dropped;
} sink = { .fd = STDERR_FILENO, .kind = S_IFIFO, .lines = { .max = LOG_BUFFER_BYTES } };

void log_sink_setup(int fd)
{
    struct stat st;
    sink.fd = fd;
    sink.kind = fstat(fd, &st) == 0 ? st.st_mode & S_IFMT : S_IFIFO;
}

struct buf *log_sink_begin(void)
{
    sink.line_start = sink.lines.n;
    return &sink.lines;
}

void log_sink_end(void)
{
    if (!sink.lines.failed) return;
    sink.lines.n = sink.line_start;
    sink.lines.failed = false;
    sink.dropped++;
}

unsigned log_sink_take_dropped(void)
{
    unsigned dropped = sink.dropped;
    sink.dropped = 0;
    return dropped;
}

void log_sink_keep_dropped(unsigned dropped)
{
    sink.dropped += dropped;
}

/* At most PIPE_BUF bytes, up to the last line's end among them if there is one. */
static size_t piece(const char *p, size_t n)
{
    if (n <= PIPE_BUF) return n;
    const char *end = memrchr(p, '\n', PIPE_BUF);
    return end ? (size_t) (end - p) + 1 : PIPE_BUF;
}

static ssize_t write_some(const char *p, size_t n)
{
    if (S_ISREG(sink.kind)) return write(sink.fd, p, n);
    if (S_ISSOCK(sink.kind)) return send(sink.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    struct pollfd room = { .fd = sink.fd, .events = POLLOUT };
    if (poll(&room, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return write(sink.fd, p, piece(p, n));
}

void log_sink_flush(void)
{
    size_t done = 0;
    while (done < sink.lines.n) {
        ssize_t n = write_some(sink.lines.p + done, sink.lines.n - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
        if (n <= 0) {
            sink.dropped++;
            done = sink.lines.n;
            break;
        }
        done += (size_t) n;
    }
    buf_consume(&sink.lines, done);
}

void log_sink_drain(int timeout_ms)
{
    uint64_t deadline = clock_mono_ms() + (uint64_t) timeout_ms;
    for (log_sink_flush(); sink.lines.n > 0; log_sink_flush()) {
        uint64_t now = clock_mono_ms();
        if (now >= deadline) return;
        struct pollfd room = { .fd = sink.fd, .events = POLLOUT };
        if (poll(&room, 1, (int) (deadline - now)) < 0 && errno != EINTR) return;
    }
}
