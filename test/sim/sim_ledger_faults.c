/* The ledger while everything around it fails: backends ended, connections cut after the commit was sent
 * and before its answer, PostgreSQL gone as after a crash. Whatever happens, nothing that was
 * acknowledged is missing, nothing is there twice, and whatever is there unacknowledged was told to be
 * uncertain. SEED and SECONDS in the environment choose another run. */
#include "ledger_rig.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static uint64_t dice;

/* Lets the load go on until `seconds` have passed and calls `harm` every now and then. */
static void under_load(uint32_t keys, const char *url, int processes, int every_ms, void (*harm)(void),
                       int deadline_ms)
{
    pid_t pids[RIG_PROCESSES_MAX];
    rig_open(keys);
    dice = rig_mix(rig.seed);
    for (int i = 0; i < processes; i++) pids[i] = rig_start((uint32_t) i, url, deadline_ms);
    uint64_t end = clock_mono_ms() + (uint64_t) rig_seconds(4) * 1000;
    while (clock_mono_ms() < end) {
        rig_wait(1 + (int) rig_roll(&dice, (uint64_t) every_ms));
        if (harm) harm();
        ck_assert_int_lt(rig.log->count, RIG_LOG_MAX * 9 / 10);
    }
    rig.log->stop = true;
    for (int i = 0; i < processes; i++) rig_join(pids[i]);
    ck_assert_int_gt(rig.log->done, 0);
}

static void end_a_backend(void)
{
    if (rig_roll(&dice, 4) == 0) rig_close_generation();
    fx_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%%ledger%%' "
           "ORDER BY random() LIMIT 1");
}

START_TEST(backends_are_ended)
{
    under_load(20000, fx.url, 2, 150, end_a_backend, 3000);
    rig_check(false, false);
    rig_close();
}
END_TEST

static void crash_and_restart(void)
{
    fx_postmaster_stop(SIGQUIT);
    rig_wait((int) rig_roll(&dice, 200));
    fx_postmaster_start();
}

START_TEST(postgresql_crashes)
{
    under_load(20000, fx.url, 2, 1500, crash_and_restart, 3000);
    rig_check(false, false);
    rig_close();
}
END_TEST

/* PostgreSQL stands still for longer than a posting may wait: everybody is answered nevertheless, and what the stopped
 * backends still commit when they go on was told to be uncertain, or is found by its key. */
static void stop_and_continue(void)
{
    int pids[64], n = 0;
    char *all = strdup(fx_sql("SELECT string_agg(pid::text, ' ') FROM pg_stat_activity "
                              "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"));
    char *text = all;
    pids[n++] = fx.postmaster;
    while (n < 64 && *text) pids[n++] = (int) strtol(text, &text, 10);
    free(all);
    for (int i = 0; i < n; i++) kill(pids[i], SIGSTOP);
    rig_wait(2500);
    for (int i = 0; i < n; i++) kill(pids[i], SIGCONT);
}

START_TEST(postgresql_stands_still)
{
    under_load(60000, fx.url, 1, 500, stop_and_continue, 1500);
    rig_check(false, false);
    rig_close();
}
END_TEST

/* A proxy that cuts ---------------------------------------------------------------------------- */

enum { PROXY_MAX = 16 };

struct pair {
    int client, server;
    int chunks;
};

static int unix_socket(const char *path, bool listening)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    if (listening) {
        must(bind(fd, (struct sockaddr *) &a, sizeof a) == 0 && chmod(path, 0777) == 0 && listen(fd, 16) == 0);
    } else if (connect(fd, (struct sockaddr *) &a, sizeof a) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void cut(struct pair *p)
{
    close(p->client);
    close(p->server);
    p->client = p->server = -1;
}

static bool write_all(int fd, const char *p, ssize_t n)
{
    while (n > 0) {
        ssize_t done = send(fd, p, (size_t) n, MSG_NOSIGNAL);
        if (done <= 0) return false;
        p += done;
        n -= done;
    }
    return true;
}

/* Carries one piece, or lets the line break: before it, in the middle of it, or right after it. */
static void carry(struct pair *p, bool to_server)
{
    static char room[1 << 16];
    int from = to_server ? p->client : p->server, to = to_server ? p->server : p->client;
    ssize_t n = recv(from, room, sizeof room, 0);
    if (n <= 0 || !write_all(to, room, 0)) {
        cut(p);
        return;
    }
    /* The first pieces are the log-in and the checks. */
    uint64_t chance = ++p->chunks > 40 ? rig_roll(&dice, 200) : 100;
    if (chance == 0) n = 0;
    if (chance == 1) n /= 2;
    bool sent = write_all(to, room, n);
    /* chance 2: all has been sent, and the answer will not come through. */
    if (!sent || chance <= 2) cut(p);
}

static _Noreturn void proxy(const char *listen_path, const char *server_path)
{
    struct pair pairs[PROXY_MAX];
    int listener = unix_socket(listen_path, true);
    for (int i = 0; i < PROXY_MAX; i++) pairs[i] = (struct pair){ -1, -1, 0 };
    for (;;) {
        struct pollfd fds[1 + 2 * PROXY_MAX] = { { listener, POLLIN, 0 } };
        for (int i = 0; i < PROXY_MAX; i++) {
            fds[1 + 2 * i] = (struct pollfd){ pairs[i].client, POLLIN, 0 };
            fds[2 + 2 * i] = (struct pollfd){ pairs[i].server, POLLIN, 0 };
        }
        must(poll(fds, 1 + 2 * PROXY_MAX, -1) > 0 || errno == EINTR);
        for (int i = 0; i < PROXY_MAX; i++) {
            if (pairs[i].client >= 0 && fds[1 + 2 * i].revents) carry(&pairs[i], true);
            if (pairs[i].client >= 0 && fds[2 + 2 * i].revents) carry(&pairs[i], false);
        }
        if (!fds[0].revents) continue;
        int client = accept(listener, NULL, NULL), server = unix_socket(server_path, false), slot = 0;
        while (slot < PROXY_MAX && pairs[slot].client >= 0) slot++;
        if (client < 0 || server < 0 || slot == PROXY_MAX) {
            close(client);
            close(server);
        } else {
            pairs[slot] = (struct pair){ client, server, 0 };
        }
    }
}

START_TEST(connections_are_cut_after_the_commit_was_sent)
{
    char dir[96], listen_path[160], server_path[160], url[256];
    snprintf(dir, sizeof dir, "%s/proxy", fx.dir);
    snprintf(listen_path, sizeof listen_path, "%s/.s.PGSQL.5432", dir);
    snprintf(server_path, sizeof server_path, "%s/.s.PGSQL.5432", fx.dir);
    snprintf(url, sizeof url, "postgresql:///postgres?host=%s&user=tally", dir);
    must(mkdir(dir, 0777) == 0);
    fflush(stdout);
    dice = rig_mix((uint64_t) time(NULL));
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        proxy(listen_path, server_path);
    }
    under_load(60000, url, 1, 100, NULL, 3000);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ck_assert_int_gt(rig.log->recovered, 0);
    rig_check(false, false);
    rig_close();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim_ledger_faults");
    TCase *c = tcase_create("faults");
    tcase_set_timeout(c, 0);
    tcase_add_test(c, backends_are_ended);
    tcase_add_test(c, connections_are_cut_after_the_commit_was_sent);
    tcase_add_test(c, postgresql_crashes);
    tcase_add_test(c, postgresql_stands_still);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    fixture_pg_start();
    srunner_run_all(runner, CK_NORMAL);
    fixture_pg_stop();
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
