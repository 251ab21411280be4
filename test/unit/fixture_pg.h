/* A private PostgreSQL for a unit test, and a loop with what stands on it. The cluster lies in a
 * directory of its own, listens on a unix socket there and nowhere else, and ends with the test.
 *
 *     fixture_pg_start();              in main, before the suite; fixture_pg_stop() after it
 *     fixture_loop_open();             in a checked set-up; fixture_loop_close() in the tear-down
 *     WAIT(done);                      turns the loop until `done` is true; fails after ten seconds
 */
#pragma once

#include <check.h>
#include <errno.h>
#include <glob.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "core/clock.h"
#include "core/turn.h"
#include "core/wheel.h"

static struct {
    char dir[64], bin[128], url[160];
    pid_t postmaster;
    uv_loop_t loop;
    uv_timer_t alarm;
    struct turn turn;
    struct wheel *wheel;
} fx;

static inline void fx_fail(const char *what)
{
    fprintf(stderr, "fixture: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Starts a program as the cluster's owner; its output goes to a file in the directory. */
static inline pid_t fx_spawn(char *const argv[], const char *output)
{
    pid_t pid = fork();
    if (pid < 0) fx_fail("fork");
    if (pid > 0) return pid;
    char *with_owner[24] = { (char *) "setpriv", (char *) "--reuid=postgres", (char *) "--regid=postgres",
                             (char *) "--init-groups", (char *) "--pdeathsig=QUIT" };
    int n = getuid() == 0 ? 5 : 0;
    for (int i = 0; argv[i] && n < 23; i++) with_owner[n++] = argv[i];
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (!freopen(output, "a", stdout) || dup2(1, 2) < 0 || chdir("/") != 0) _exit(126);
    setenv("LC_ALL", "C", 1);
    execvp(with_owner[0], with_owner);
    _exit(127);
}

static inline PGconn *fx_connect(void)
{
    PGconn *pg = PQconnectdb(fx.url);
    if (PQstatus(pg) == CONNECTION_OK) return pg;
    PQfinish(pg);
    return NULL;
}

/* Runs SQL on a connection of its own; returns the first cell ("" when none) until the next call. */
static inline const char *fx_sql(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline const char *fx_sql(const char *format, ...)
{
    static char cell[256];
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    PGconn *pg = fx_connect();
    ck_assert_msg(pg != NULL, "no connection for: %s", text);
    PGresult *r = PQexec(pg, text);
    ck_assert_msg(PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK, "%s: %s", text,
                  PQerrorMessage(pg));
    snprintf(cell, sizeof cell, "%s", PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
    PQclear(r);
    PQfinish(pg);
    return cell;
}

static inline void fx_postmaster_start(void)
{
    char data[96], socket_dir[128], log[96], program[160];
    snprintf(data, sizeof data, "%s/data", fx.dir);
    snprintf(socket_dir, sizeof socket_dir, "unix_socket_directories=%s", fx.dir);
    snprintf(log, sizeof log, "%s/log", fx.dir);
    snprintf(program, sizeof program, "%s/postgres", fx.bin);
    char *argv[] = { program, (char *) "-D", data, (char *) "-c", socket_dir, (char *) "-c",
                     (char *) "listen_addresses=", (char *) "-c", (char *) "fsync=off", (char *) "-c",
                     (char *) "wal_level=logical", (char *) "-c", (char *) "shared_buffers=16MB", NULL };
    fx.postmaster = fx_spawn(argv, log);
    for (int i = 0; i < 600; i++) {
        PGconn *pg = fx_connect();
        if (pg) {
            PQfinish(pg);
            return;
        }
        usleep(20000);
    }
    fx_fail("PostgreSQL does not start");
}

/* SIGINT: fast; SIGQUIT: immediate, as after a crash. */
static inline void fx_postmaster_stop(int signal)
{
    if (fx.postmaster <= 0) return;
    kill(fx.postmaster, signal);
    while (waitpid(fx.postmaster, NULL, 0) < 0 && errno == EINTR) continue;
    fx.postmaster = 0;
}

static inline void fixture_pg_stop(void)
{
    fx_postmaster_stop(SIGQUIT);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", fx.dir);
    if (*fx.dir && system(command) != 0) fprintf(stderr, "fixture: %s is left behind\n", fx.dir);
}

/* A failed assertion inside a callback leaves the loop in the middle of things; what follows may hang. */
static inline void fx_on_sigalrm(int signal)
{
    static const char text[] = "fixture: the test hangs, perhaps after a failed assertion\n";
    (void) signal;
    if (write(2, text, sizeof text - 1) < 0 || fx.postmaster <= 0) _exit(1);
    kill(fx.postmaster, SIGQUIT);
    _exit(1);
}

static inline void fixture_pg_start(void)
{
    signal(SIGALRM, fx_on_sigalrm);
    alarm(120);
    glob_t found;
    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) != 0) fx_fail("no PostgreSQL server is installed");
    snprintf(fx.bin, sizeof fx.bin, "%s", found.gl_pathv[found.gl_pathc - 1]);
    *strrchr(fx.bin, '/') = 0;
    globfree(&found);
    snprintf(fx.dir, sizeof fx.dir, "/tmp/tally-unit-XXXXXX");
    if (!mkdtemp(fx.dir)) fx_fail("mkdtemp");
    const struct passwd *owner = getuid() == 0 ? getpwnam("postgres") : NULL;
    if (getuid() == 0 && (!owner || chown(fx.dir, owner->pw_uid, owner->pw_gid) != 0)) fx_fail("user postgres");
    snprintf(fx.url, sizeof fx.url, "postgresql:///postgres?host=%s&user=tally", fx.dir);
    char data[96], log[96], program[160];
    snprintf(data, sizeof data, "%s/data", fx.dir);
    snprintf(log, sizeof log, "%s/log", fx.dir);
    snprintf(program, sizeof program, "%s/initdb", fx.bin);
    char *argv[] = { program, (char *) "-D", data, (char *) "-U", (char *) "tally", (char *) "-A",
                     (char *) "trust", (char *) "-E", (char *) "UTF8", (char *) "--no-locale",
                     (char *) "--no-sync", NULL };
    int status = 0;
    if (waitpid(fx_spawn(argv, log), &status, 0) < 0 || status != 0) fx_fail("initdb");
    fx_postmaster_start();
}

static inline void fx_on_alarm(uv_timer_t *timer)
{
    (void) timer;   /* only wakes the loop, so that a waiting test can look at its clock */
}

static inline void fixture_loop_open(void)
{
    ck_assert_int_eq(uv_loop_init(&fx.loop), 0);
    turn_init(&fx.turn, &fx.loop);
    fx.wheel = wheel_new(&fx.loop);
    uv_timer_init(&fx.loop, &fx.alarm);
    uv_timer_start(&fx.alarm, fx_on_alarm, 20, 20);
}

static inline void fixture_loop_close(void)
{
    wheel_close(fx.wheel);
    turn_close(&fx.turn);
    uv_close((uv_handle_t *) &fx.alarm, NULL);
    uv_run(&fx.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&fx.loop), 0);   /* nobody left a handle behind */
}

#define WAIT_MS(condition, ms)                                                         \
    do {                                                                               \
        uint64_t wait_start = clock_mono_ms();                                         \
        while (!(condition)) {                                                         \
            uv_run(&fx.loop, UV_RUN_ONCE);                                             \
            ck_assert_msg(clock_mono_ms() - wait_start < (ms), "%s", "waited for " #condition); \
        }                                                                              \
    } while (0)
#define WAIT(condition) WAIT_MS(condition, 10000)

/* A suite's main: runs it on a cluster of its own; the exit status. */
static inline int fixture_pg_run(Suite *suite)
{
    fixture_pg_start();
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);   /* the cluster is this process's child */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    fixture_pg_stop();
    return failed ? 1 : 0;
}
