/* A database whose host has a name: the loop goes on while the name is looked up, every new connection goes to where
 * the name points then, and of several addresses one that works is found.
 *
 * The system's resolver is replaced by a table that a test fills in; where PostgreSQL listens, children of ours accept
 * and hand everything on to its socket, or say nothing. */
#include "fixture_pg.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/log.h"
#include "db/address.h"
#include "db/db.h"
#include "db/stream.h"
#include "sql.h"

enum { SLOW_MS = 400, PLACES_MAX = 8 };

/* --- the resolver ------------------------------------------------------------------------------ */

static struct {
    const char *name, *addresses[4];
} names[8];
static int names_count;
static _Atomic int lookups, lookups_on_the_loop, lookup_ms, lookups_held;
static pthread_t loop_thread;

static struct addrinfo *address_of(const char *text, struct addrinfo *next)
{
    typedef int (*real_getaddrinfo)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    real_getaddrinfo real = (real_getaddrinfo) dlsym(RTLD_NEXT, "getaddrinfo");
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *found = NULL;
    ck_assert_int_eq(real(text, NULL, &hints, &found), 0);
    found->ai_next = next;
    return found;
}

/* What libuv and libpq call, too: the linker finds this one first. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    typedef int (*real_getaddrinfo)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!name || (hints && hints->ai_flags & AI_NUMERICHOST)) {
        return ((real_getaddrinfo) dlsym(RTLD_NEXT, "getaddrinfo"))(name, service, hints, out);
    }
    lookups++;
    if (pthread_equal(pthread_self(), loop_thread)) lookups_on_the_loop++;
    usleep((useconds_t) lookup_ms * 1000);
    while (lookups_held) usleep(1000);
    for (int i = 0; i < names_count; i++) {
        if (strcmp(names[i].name, name) != 0) continue;
        *out = NULL;
        for (int k = 3; k >= 0; k--) {
            if (names[i].addresses[k]) *out = address_of(names[i].addresses[k], *out);
        }
        if (*out) return 0;
    }
    return EAI_NONAME;
}

static void point(const char *name, const char *first, const char *second)
{
    int i = 0;
    while (i < names_count && strcmp(names[i].name, name) != 0) i++;
    names[i].name = name;
    names[i].addresses[0] = first;
    names[i].addresses[1] = second;
    if (i == names_count) names_count++;
}

/* --- where PostgreSQL listens ------------------------------------------------------------------- */

static struct place {
    const char *address;
    pid_t child;
} places[PLACES_MAX];
static int port;
static _Atomic int *accepted;     /* by place, counted by the children */

static int listening(const char *address, int at)
{
    struct sockaddr_storage to = { 0 };
    struct sockaddr_in *v4 = (struct sockaddr_in *) &to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) &to;
    bool is_v6 = strchr(address, ':') != NULL;
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0), on = 1;
    to.ss_family = is_v6 ? AF_INET6 : AF_INET;
    ck_assert_int_eq(inet_pton(to.ss_family, address, is_v6 ? (void *) &v6->sin6_addr : (void *) &v4->sin_addr), 1);
    *(is_v6 ? &v6->sin6_port : &v4->sin_port) = htons((uint16_t) at);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    socklen_t n = is_v6 ? sizeof *v6 : sizeof *v4;
    ck_assert_msg(bind(fd, (struct sockaddr *) &to, n) == 0, "%s: %s", address, strerror(errno));
    ck_assert_int_eq(listen(fd, 64), 0);
    getsockname(fd, (struct sockaddr *) &to, &n);
    port = ntohs(is_v6 ? v6->sin6_port : v4->sin_port);
    return fd;
}

static void hand_on(int client)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(to.sun_path, sizeof to.sun_path, "%s/.s.PGSQL.5432", fx.dir);
    if (connect(server, (struct sockaddr *) &to, sizeof to) != 0) _exit(1);
    struct pollfd both[2] = { { .fd = client, .events = POLLIN }, { .fd = server, .events = POLLIN } };
    for (;;) {
        char bytes[16384];
        if (poll(both, 2, -1) < 0) _exit(1);
        for (int i = 0; i < 2; i++) {
            if (!both[i].revents) continue;
            ssize_t n = read(both[i].fd, bytes, sizeof bytes);
            if (n <= 0 || write(both[1 - i].fd, bytes, (size_t) n) != n) _exit(0);
        }
    }
}

/* A child that listens there; with `mute` it lets clients wait for ever. All places have one port. */
static void listen_at(const char *address, bool mute)
{
    struct place *place = places;
    while (place->child) place++;
    int fd = listening(address, port), index = (int) (place - places);
    place->address = address;
    place->child = fork();
    if (place->child == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGCHLD, SIG_IGN);
        while (mute) pause();
        for (;;) {
            int client = accept(fd, NULL, NULL);
            accepted[index]++;
            if (fork() == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                hand_on(client);
            }
            close(client);
        }
    }
    setpgid(place->child, place->child);
    close(fd);
}

static void vanish(const char *address)
{
    for (struct place *p = places; p < places + PLACES_MAX; p++) {
        if (!p->child || strcmp(p->address, address) != 0) continue;
        kill(-p->child, SIGKILL);
        waitpid(p->child, NULL, 0);
        p->child = 0;
    }
}

static int arrivals(const char *address)
{
    int n = 0;
    for (int i = 0; i < PLACES_MAX; i++) {
        if (places[i].address && strcmp(places[i].address, address) == 0) n += accepted[i];
    }
    return n;
}

/* --- the database ------------------------------------------------------------------------------- */

static struct db *db;
static struct db_stream *stream;
static bool closed;
static int turns, lives, losses;
static char url[512];

static void on_closed(void *arg)
{
    (void) arg;
    closed = true;
}

static void on_turn(uv_timer_t *timer)
{
    (void) timer;
    turns++;
}

static void open_db(const char *hosts, const char *ports)
{
    snprintf(url, sizeof url, "host=%s %s%s dbname=postgres user=tally", hosts, *ports ? "port=" : "", ports);
    const struct db_options options = {
        .url = url, .name = "address", .connections_max = 1, .queue_max = 32, .deadline_ms = 1000,
    };
    closed = false;
    db = db_new(&fx.loop, &fx.turn, fx.wheel, &options);
}

static const char *port_text(void)
{
    static char text[8];
    snprintf(text, sizeof text, "%d", port);
    return text;
}

static void close_db(void)
{
    db_close(db, on_closed, NULL);
    WAIT(closed);
}

static void setup(void)
{
    log_setup(LOG_OFF, LOG_TEXT);
    loop_thread = pthread_self();
    accepted = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    lookups = lookups_on_the_loop = lookup_ms = lookups_held = 0;
    names_count = port = turns = lives = losses = 0;
    fixture_loop_open();
}

static void teardown(void)
{
    fixture_loop_close();
    for (int i = 0; i < PLACES_MAX; i++) {
        if (places[i].child) vanish(places[i].address);
    }
    ck_assert_int_eq(lookups_on_the_loop, 0);
}

START_TEST(a_name_is_looked_up_while_the_loop_goes_on)
{
    uv_timer_t ticks;
    listen_at("127.0.0.1", false);
    point("db.test", "127.0.0.1", NULL);
    lookup_ms = SLOW_MS;
    uv_timer_init(&fx.loop, &ticks);
    uv_timer_start(&ticks, on_turn, 10, 10);
    open_db("db.test", port_text());
    WAIT(db_is_up(db));
    ck_assert_int_eq(lookups, 1);
    ck_assert_int_gt(turns, SLOW_MS / 10 / 2);
    uv_close((uv_handle_t *) &ticks, NULL);
    close_db();
}
END_TEST

START_TEST(each_connection_goes_where_the_name_points_then)
{
    listen_at("127.0.0.1", false);
    point("db.test", "127.0.0.1", NULL);
    open_db("db.test", port_text());
    WAIT(db_is_up(db));
    listen_at("127.0.0.2", false);
    vanish("127.0.0.1");
    WAIT(!db_is_up(db));
    WAIT(lookups > 3);                      /* the old address refuses */
    ck_assert(!db_is_up(db));
    point("db.test", "127.0.0.2", NULL);
    WAIT_MS(db_is_up(db), 1500);
    ck_assert_int_eq(arrivals("127.0.0.2"), 1);
    close_db();
}
END_TEST

START_TEST(of_several_addresses_one_that_works_is_found)
{
    listen_at("::1", false);
    point("db.test", "127.0.0.3", "::1");   /* nobody listens at the first */
    open_db("db.test", port_text());
    WAIT_MS(db_is_up(db), 1000);
    ck_assert_int_eq(arrivals("::1"), 1);
    close_db();
}
END_TEST

START_TEST(an_address_that_says_nothing_is_not_begun_with_again)
{
    listen_at("127.0.0.1", true);
    listen_at("127.0.0.2", false);
    point("db.test", "127.0.0.1", "127.0.0.2");
    open_db("db.test", port_text());
    WAIT_MS(strcmp(db_trouble(db), "no answer while connecting") == 0, 6000);
    WAIT_MS(db_is_up(db), 1500);
    close_db();
}
END_TEST

/* Hosts of all kinds in one string, each with its port; what has no address is passed over. */
START_TEST(names_addresses_and_sockets_stand_side_by_side)
{
    char hosts[256], ports[64];
    listen_at("127.0.0.2", false);
    point("db.test", "127.0.0.2", NULL);
    snprintf(hosts, sizeof hosts, "unknown.test,127.0.0.1,db.test,%s", fx.dir);
    snprintf(ports, sizeof ports, "1,1,%d,5432", port);
    open_db(hosts, ports);
    WAIT(db_is_up(db));
    ck_assert_int_eq(arrivals("127.0.0.2"), 1);
    vanish("127.0.0.2");
    WAIT(!db_is_up(db));
    WAIT(db_is_up(db));                     /* through the socket: nobody else listens */
    close_db();
    snprintf(hosts, sizeof hosts, "unknown.test,%s", fx.dir);
    open_db(hosts, "");                     /* the default port */
    WAIT(db_is_up(db));
    close_db();
}
END_TEST

START_TEST(a_name_that_is_not_known_is_said_and_tried_again)
{
    listen_at("127.0.0.1", false);
    open_db("db.test", port_text());
    WAIT(strstr(db_trouble(db), "the host's name is not found: ") != NULL);
    ck_assert_ptr_null(strstr(db_trouble(db), "db.test"));
    point("db.test", "127.0.0.1", NULL);
    WAIT_MS(db_is_up(db), 1500);
    close_db();
}
END_TEST

/* The resolver hangs: there is one lookup a connection however often it is given up, and closing does not wait. */
START_TEST(a_resolver_that_hangs_holds_nobody_up)
{
    listen_at("127.0.0.1", false);
    point("db.test", "127.0.0.1", NULL);
    lookups_held = 1;
    open_db("db.test", port_text());
    WAIT_MS(strcmp(db_trouble(db), "no answer while looking up the host's name") == 0, 6000);
    for (int i = 0; i < 50; i++) uv_run(&fx.loop, UV_RUN_ONCE);
    ck_assert_int_eq(lookups, 1);
    lookups_held = 0;
    WAIT_MS(db_is_up(db), 1500);
    close_db();
    lookups_held = 1;
    open_db("db.test", port_text());
    WAIT(lookups > 1);
    close_db();
    lookups_held = 0;
}
END_TEST

static void on_live(void *arg)
{
    (void) arg;
    lives++;
}

static void on_lost(void *arg, const char *why)
{
    (void) arg, (void) why;
    losses++;
}

static void on_message(void *arg, struct str content, int64_t committed_us)
{
    (void) arg, (void) content, (void) committed_us;
}

START_TEST(the_stream_follows_the_name_too)
{
    fx_sql("SET client_min_messages = warning; DROP PUBLICATION IF EXISTS tally; CREATE PUBLICATION tally");
    listen_at("127.0.0.1", false);
    point("db.test", "127.0.0.1", NULL);
    snprintf(url, sizeof url, "postgresql://tally@db.test:%d/postgres", port);
    const struct db_stream_options options = {
        .url = url, .on_live = on_live, .on_lost = on_lost, .on_message = on_message, .silence_ms = 1000,
    };
    stream = db_stream_new(&fx.loop, fx.wheel, &options);
    WAIT(lives == 1);
    listen_at("127.0.0.2", false);
    vanish("127.0.0.1");
    point("db.test", "127.0.0.2", NULL);
    WAIT(losses == 1);
    WAIT(lives == 2);
    closed = false;
    db_stream_close(stream, on_closed, NULL);
    WAIT(closed);
}
END_TEST

/* --- what is looked up --------------------------------------------------------------------------- */

static const struct {
    const char *url, *hosts;   /* "name=port" of each, names in brackets; "": libpq does it */
} strings[] = {
    { "postgresql:///tally", "" },
    { "postgresql:///tally?host=/var/run", "" },
    { "postgresql://10.0.0.1:5433/tally", "" },
    { "postgresql://[::1]/tally", "" },
    { "postgresql://db.test/tally", "[db.test]= " },
    { "postgresql://user:p@db.test:5433/tally", "[db.test]=5433 " },
    { "postgresql://a.test,b.test:1/tally", "[a.test]= [b.test]=1 " },
    { "host=a.test,b.test port=7", "[a.test]=7 [b.test]=7 " },
    { "host=10.0.0.1,10.0.0.2", "10.0.0.1= 10.0.0.2= " },
    { "host=/run,fe80::1,10.1", "/run= fe80::1= [10.1]= " },
    { "host=a.test hostaddr=10.0.0.1", "" },
    { "host=a.test,b.test port=1,2,3", "" },
    { "service=primary", "" },
};

START_TEST(hosts)
{
    struct address_hosts h;
    char got[512] = "";
    ck_assert(address_hosts_init(&h, strings[_i].url));
    for (int i = 0; i < h.count; i++) {
        size_t n = strlen(got);
        bool name = h.list[i].is_name;
        snprintf(got + n, sizeof got - n, "%s%s%s=%s ", name ? "[" : "", h.list[i].name, name ? "]" : "",
                 h.list[i].port);
    }
    ck_assert_str_eq(got, strings[_i].hosts);
}
END_TEST

START_TEST(too_many_hosts_are_refused)
{
    struct address_hosts h;
    ck_assert(address_hosts_init(&h, "host=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p"));
    ck_assert_int_eq(h.count, ADDRESS_HOSTS_MAX);
    ck_assert(!address_hosts_init(&h, "host=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"));
    ck_assert(!address_hosts_init(&h, "postgresql://["));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("db address");
    TCase *t = tcase_create("address"), *pure = tcase_create("hosts");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_name_is_looked_up_while_the_loop_goes_on);
    tcase_add_test(t, each_connection_goes_where_the_name_points_then);
    tcase_add_test(t, of_several_addresses_one_that_works_is_found);
    tcase_add_test(t, an_address_that_says_nothing_is_not_begun_with_again);
    tcase_add_test(t, names_addresses_and_sockets_stand_side_by_side);
    tcase_add_test(t, a_name_that_is_not_known_is_said_and_tried_again);
    tcase_add_test(t, a_resolver_that_hangs_holds_nobody_up);
    tcase_add_test(t, the_stream_follows_the_name_too);
    suite_add_tcase(suite, t);
    tcase_add_loop_test(pure, hosts, 0, (int) (sizeof strings / sizeof *strings));
    tcase_add_test(pure, too_many_hosts_are_refused);
    suite_add_tcase(suite, pure);
    return fixture_pg_run(suite);
}
