/* The parent blocks its signals and takes them one by one with sigtimedwait: no handler, no race. It has no loop and no
 * connection, so there is next to nothing in it that could fail. */
#include "core/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/must.h"

enum { WORKERS_MAX = 64, YOUNG_MS = 1000, STOP_MAX_MS = 60000 };

struct worker {
    pid_t pid;               /* 0: not running */
    uint64_t started_ms;
    uint64_t due_ms;         /* when it is to be started */
};

struct workers {
    struct worker list[WORKERS_MAX];
    int count;
    int (*run)(void *arg, int index);
    void *arg;
    sigset_t watched, before;
    uint64_t stopping_ms;    /* 0: not stopping */
    bool failed;
};

static void start(struct workers *w, int index)
{
    struct worker *worker = &w->list[index];
    pid_t parent = getpid();
    worker->started_ms = clock_mono_ms();
    worker->pid = fork();
    if (worker->pid < 0) {
        log_error("workers", "fork_failed", "errno=%d", errno);
        worker->pid = 0;
        worker->due_ms = worker->started_ms + YOUNG_MS;
    } else if (worker->pid == 0) {
        sigprocmask(SIG_SETMASK, &w->before, NULL);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent) _exit(0);
        _exit(w->run(w->arg, index));
    } else {
        log_info("workers", "started", "index=%d pid=%d", index, (int) worker->pid);
    }
}

static void start_due(struct workers *w)
{
    uint64_t now = clock_mono_ms();
    for (int i = 0; i < w->count; i++) {
        if (!w->list[i].pid && !w->stopping_ms && now >= w->list[i].due_ms) start(w, i);
    }
}

static void ended(struct workers *w, pid_t pid, int status)
{
    uint64_t now = clock_mono_ms();
    for (int i = 0; i < w->count; i++) {
        struct worker *worker = &w->list[i];
        if (worker->pid != pid) continue;
        worker->pid = 0;
        worker->due_ms = now - worker->started_ms < YOUNG_MS ? now + YOUNG_MS : now;
        bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (w->stopping_ms && !good) w->failed = true;
        if (!w->stopping_ms) {
            log_warn("workers", "died", "index=%d pid=%d exit=%d signal=%d", i, (int) pid,
                     WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
        }
    }
}

static void reap(struct workers *w)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) ended(w, pid, status);
}

static void signal_all(struct workers *w, int sig)
{
    for (int i = 0; i < w->count; i++) {
        if (w->list[i].pid) kill(w->list[i].pid, sig);
    }
}

static int running(const struct workers *w)
{
    int n = 0;
    for (int i = 0; i < w->count; i++) n += w->list[i].pid != 0;
    return n;
}

int workers_run(int count, int (*run)(void *arg, int index), void *arg)
{
    static struct workers w;
    must(count >= 1 && count <= WORKERS_MAX);
    w.count = count;
    w.run = run;
    w.arg = arg;
    sigemptyset(&w.watched);
    sigaddset(&w.watched, SIGTERM);
    sigaddset(&w.watched, SIGINT);
    sigaddset(&w.watched, SIGCHLD);
    sigprocmask(SIG_BLOCK, &w.watched, &w.before);
    while (!w.stopping_ms || running(&w)) {
        struct timespec wait = { .tv_nsec = 200 * 1000 * 1000 };
        start_due(&w);
        int sig = sigtimedwait(&w.watched, NULL, &wait);
        if (sig == SIGTERM || sig == SIGINT) {
            if (!w.stopping_ms) w.stopping_ms = clock_mono_ms();
            signal_all(&w, SIGTERM);
        }
        reap(&w);
        if (w.stopping_ms && clock_mono_ms() - w.stopping_ms > STOP_MAX_MS) signal_all(&w, SIGKILL);
    }
    return w.failed ? 1 : 0;
}
