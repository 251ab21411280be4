/* Connections over a real loop: what is written arrives in order however slowly it is read, closing
 * works in every state, TLS is TLS, and running out of descriptors neither spins nor stays. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/must.h"
#include "core/net_private.h"

enum { WAIT_MS = 5000, BULK_BYTES = 8 << 20, PEERS_MAX = 64 };

static uv_loop_t loop;
static struct net_listener *listener;
static struct net_conn *conns[PEERS_MAX];
static int opened, closed, eofs, drains;
static enum err closed_why;
static struct buf heard;
static bool echo;

static void on_data(void *owner, const uint8_t *data, size_t n)
{
    struct net_conn *c = *(struct net_conn **) owner;
    if (echo) net_write(c, &(struct iovec){ (void *) data, n }, 1);
    else buf_put(&heard, data, n);
}

static void on_eof(void *owner)
{
    eofs++;
    if (echo) net_close_after_write(*(struct net_conn **) owner);
}

static void on_drain(void *owner)
{
    (void) owner;
    drains++;
}

static void on_close(void *owner, enum err why)
{
    *(struct net_conn **) owner = NULL;
    closed++;
    closed_why = why;
}

static const struct net_handler handler = { on_data, on_eof, on_drain, on_close };

static void on_conn(void *arg, struct net_conn *c)
{
    (void) arg;
    must(opened < PEERS_MAX);
    conns[opened] = c;
    net_attach(c, &handler, &conns[opened++]);
}

static void start(struct net_tls *tls, int connections_max, const char *host)
{
    signal(SIGPIPE, SIG_IGN);
    log_setup(LOG_OFF, LOG_TEXT);
    must(uv_loop_init(&loop) == 0);
    const char *fault = NULL;
    const struct net_listener_options at = { .host = host, .tls = tls, .connections_max = connections_max };
    listener = net_listen(&loop, &at, on_conn, NULL, &fault);
    ck_assert_msg(listener != NULL, "%s", fault);
    buf_init(&heard, 1 << 26);
}

static bool pump(bool (*holds)(void), int ms)
{
    for (uint64_t end = clock_mono_ms() + (uint64_t) ms; !holds();) {
        uv_run(&loop, UV_RUN_NOWAIT);
        if (clock_mono_ms() >= end) return holds();
        usleep(100);
    }
    return true;
}

static bool never(void)
{
    return false;
}

static int wanted;

static bool are_open(void)
{
    return opened >= wanted;
}

static bool are_closed(void)
{
    return closed >= wanted;
}

static bool await(bool (*holds)(void), int n)
{
    wanted = n;
    return pump(holds, WAIT_MS);
}

static void stop(void)
{
    for (int i = 0; i < opened; i++) {
        if (conns[i]) net_close(conns[i]);
    }
    net_listener_close(listener);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(closed, opened);                /* each on_close exactly once */
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    buf_fini(&heard);
}

static int socket_new(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

static void dial(int fd)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t) net_listener_port(listener)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    ck_assert_int_eq(connect(fd, (struct sockaddr *) &to, sizeof to), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

static int dialled(void)
{
    int fd = socket_new();
    dial(fd);
    return fd;
}

static int watched;

static bool is_hung_up(void)
{
    char byte;
    ssize_t n = recv(watched, &byte, 1, 0);
    return n == 0 || (n < 0 && errno != EAGAIN);
}

static bool hangs_up(int fd)
{
    watched = fd;
    return pump(is_hung_up, WAIT_MS);
}

static uint8_t *bulk_new(void)
{
    uint8_t *p = malloc(BULK_BYTES);
    for (size_t i = 0; i < BULK_BYTES; i++) p[i] = (uint8_t) (i * 31 + i / 257);
    return p;
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool is_heard(void)
{
    char piece[65536];
    ssize_t n;
    while ((n = recv(watched, piece, sizeof piece, 0)) > 0) buf_put(&heard, piece, (size_t) n);
    return heard.n >= (size_t) wanted;
}

START_TEST(what_the_kernel_does_not_take_arrives_in_order)
{
    start(NULL, 0, "127.0.0.1");
    watched = dialled();
    ck_assert(await(are_open, 1));
    uint8_t *bulk = bulk_new();
    size_t at = 0;
    for (size_t step = 1; at < BULK_BYTES; step = step * 3 + 7) {      /* small and large, in two parts each */
        if (step > BULK_BYTES - at) step = BULK_BYTES - at;
        struct iovec iov[] = { { bulk + at, step / 3 }, { bulk + at + step / 3, step - step / 3 } };
        ck_assert_int_eq(net_write(conns[0], iov, 2), OK);
        at += step;
    }
    ck_assert_uint_gt(net_pending(conns[0]), 0);
    ck_assert_int_eq(drains, 0);
    wanted = BULK_BYTES;
    ck_assert(pump(is_heard, WAIT_MS));
    ck_assert_mem_eq(heard.p, bulk, BULK_BYTES);
    pump(never, 10);
    ck_assert_int_eq(drains, 1);
    ck_assert_uint_eq(net_pending(conns[0]), 0);
    ck_assert_ptr_null(conns[0]->out);
    close(watched);
    free(bulk);
    stop();
}
END_TEST

START_TEST(paused_connection_is_not_read)
{
    start(NULL, 0, "127.0.0.1");
    int fd = dialled();
    ck_assert(await(are_open, 1));
    net_read_pause(conns[0]);
    ck_assert_int_eq(send(fd, "abc", 3, 0), 3);
    pump(never, 20);
    ck_assert_uint_eq(heard.n, 0);
    net_read_resume(conns[0]);
    pump(never, 20);
    ck_assert(str_eq(buf_view(&heard), STR("abc")));
    close(fd);
    stop();
}
END_TEST

/* --- closing ------------------------------------------------------------------------------------ */

enum moment { FRESH, AFTER_DATA, WHILE_PENDING, AFTER_EOF, PAUSED, TWICE, AFTER_RESET, MOMENTS };

static void bring_to(enum moment moment, int fd)
{
    ck_assert(await(are_open, 1));
    static uint8_t much[BULK_BYTES];
    struct linger reset = { 1, 0 };
    switch (moment) {
    case AFTER_DATA:
        send(fd, "x", 1, 0);
        pump(never, 5);
        break;
    case WHILE_PENDING:
        net_write(conns[0], &(struct iovec){ much, sizeof much }, 1);
        ck_assert_uint_gt(net_pending(conns[0]), 0);
        break;
    case AFTER_EOF:
        shutdown(fd, SHUT_WR);
        pump(never, 5);
        ck_assert_int_eq(eofs, 1);
        break;
    case PAUSED:
        net_read_pause(conns[0]);
        break;
    case TWICE:
        net_close(conns[0]);
        break;
    case AFTER_RESET:
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        net_read_pause(conns[0]);        /* so that the reset is not noticed before the close */
        break;
    default:
        break;
    }
}

START_TEST(closing_works_in_every_state)
{
    start(NULL, 0, "127.0.0.1");
    int fd = dialled();
    bring_to((enum moment) (_i % MOMENTS), fd);
    if (_i % MOMENTS == AFTER_RESET) close(fd);
    if (_i < MOMENTS) net_close(conns[0]);
    else net_close_after_write(conns[0]);
    ck_assert(net_is_closing(conns[0]));
    ck_assert_int_eq(net_write(conns[0], &(struct iovec){ (void *) "x", 1 }, 1), ERR_CLOSED);
    ck_assert_int_eq(closed, 0);                     /* never from inside */
    if (_i % MOMENTS != AFTER_RESET) {
        ck_assert(_i % MOMENTS == WHILE_PENDING || hangs_up(fd));
        close(fd);
    }
    ck_assert(await(are_closed, 1));
    int calls = eofs + drains;
    pump(never, 5);
    ck_assert_int_eq(eofs + drains, calls);
    stop();
}
END_TEST

START_TEST(lost_connection_says_so)
{
    start(NULL, 0, "127.0.0.1");
    int fd = dialled();
    ck_assert(await(are_open, 1));
    struct linger reset = { 1, 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    ck_assert(await(are_closed, 1));
    ck_assert_int_eq(closed_why, ERR_CLOSED);
    stop();
}
END_TEST

/* A socket closed with unread input sends a reset, which may destroy what we wrote last. */
START_TEST(last_words_are_not_lost_when_the_peer_still_speaks)
{
    start(NULL, 0, "127.0.0.1");
    watched = dialled();
    ck_assert(await(are_open, 1));
    net_write(conns[0], &(struct iovec){ (void *) "go away", 7 }, 1);
    net_read_pause(conns[0]);
    char noise[10000] = { 0 };
    ck_assert_int_gt(send(watched, noise, sizeof noise, 0), 0);
    net_close_after_write(conns[0]);
    pump(never, 50);
    ck_assert_int_gt(send(watched, noise, sizeof noise, MSG_NOSIGNAL), 0);
    wanted = 7;
    ck_assert(pump(is_heard, WAIT_MS));
    ck_assert(str_eq(buf_view(&heard), STR("go away")));
    ck_assert_int_eq(closed, 0);
    close(watched);
    ck_assert(await(are_closed, 1));
    ck_assert_int_eq(closed_why, OK);
    stop();
}
END_TEST

START_TEST(lingering_has_an_end)
{
    start(NULL, 0, "127.0.0.1");
    int fd = dialled();
    ck_assert(await(are_open, 1));
    net_close_after_write(conns[0]);
    static char noise[65536];
    uint64_t from = clock_mono_ms();
    while (closed == 0 && clock_mono_ms() < from + 3000) {       /* bytes without end */
        send(fd, noise, sizeof noise, MSG_NOSIGNAL);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    ck_assert_int_eq(closed, 1);
    close(fd);
    stop();
}
END_TEST

/* --- listening ---------------------------------------------------------------------------------- */

START_TEST(socket_options_are_inherited)
{
    start(NULL, 0, "127.0.0.1");
    int fd = dialled();
    ck_assert(await(are_open, 1));
    int on = 0;
    unsigned timeout = 0;
    socklen_t n = sizeof on;
    ck_assert_int_eq(getsockopt(net_fd(conns[0]), IPPROTO_TCP, TCP_NODELAY, &on, &n), 0);
    ck_assert_int_ne(on, 0);
    ck_assert_int_eq(getsockopt(net_fd(conns[0]), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, &n), 0);
    ck_assert_uint_eq(timeout, NET_USER_TIMEOUT_MS);
    char peer[NET_ADDRESS_BYTES];
    ck_assert(str_eq(net_peer(conns[0], peer), STR("127.0.0.1")));
    close(fd);
    stop();
}
END_TEST

START_TEST(any_address_means_both_families_and_mapped_peers_are_v4)
{
    start(NULL, 0, NULL);
    int fd = dialled();
    ck_assert(await(are_open, 1));
    char peer[NET_ADDRESS_BYTES];
    ck_assert(str_eq(net_peer(conns[0], peer), STR("127.0.0.1")));
    close(fd);
    stop();
}
END_TEST

START_TEST(port_is_shared_only_when_both_want_it)
{
    start(NULL, 0, "127.0.0.1");
    const char *fault = NULL;
    struct net_listener_options at = { .host = "127.0.0.1", .port = net_listener_port(listener) };
    ck_assert_ptr_null(net_listen(&loop, &at, on_conn, NULL, &fault));
    ck_assert_ptr_nonnull(strstr(fault, "is in use"));
    at.port = 0;
    at.reuse_port = true;
    struct net_listener *one = net_listen(&loop, &at, on_conn, NULL, &fault);
    at.port = net_listener_port(one);
    struct net_listener *two = net_listen(&loop, &at, on_conn, NULL, &fault);
    ck_assert_ptr_nonnull(two);
    net_listener_close(one);
    net_listener_close(two);
    at.host = "no address";
    ck_assert_ptr_null(net_listen(&loop, &at, on_conn, NULL, &fault));
    ck_assert_ptr_nonnull(strstr(fault, "no address"));
    stop();
}
END_TEST

START_TEST(connections_beyond_the_maximum_are_closed)
{
    start(NULL, 2, "127.0.0.1");
    int fd[4];
    for (int i = 0; i < 4; i++) fd[i] = dialled();
    ck_assert(hangs_up(fd[2]) && hangs_up(fd[3]));
    ck_assert_int_eq(opened, 2);
    close(fd[0]);
    net_close(conns[0]);
    ck_assert(await(are_closed, 1));
    int again = dialled();
    ck_assert(await(are_open, 3));
    close(fd[1]), close(fd[2]), close(fd[3]), close(again);
    stop();
}
END_TEST

static void stop_loop(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* CPU milliseconds of half a second in the loop, waiting as a server waits. */
static int cpu_ms_of_waiting(void)
{
    uv_timer_t timer;
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, stop_loop, 500, 0);
    clock_t from = clock();
    uv_run(&loop, UV_RUN_DEFAULT);
    int ms = (int) ((clock() - from) * 1000 / CLOCKS_PER_SEC);
    uv_close((uv_handle_t *) &timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    return ms;
}

/* Leaves room for `room` further descriptors. */
static void limit_descriptors(int room)
{
    int next = dup(0);
    close(next);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = (rlim_t) (next + room);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(running_out_of_descriptors_turns_away_and_recovers)
{
    start(NULL, 0, "127.0.0.1");
    int fd[10];
    for (int i = 0; i < 10; i++) fd[i] = socket_new();
    limit_descriptors(3);
    for (int i = 0; i < 10; i++) dial(fd[i]);
    ck_assert(hangs_up(fd[9]));
    ck_assert(opened >= 2 && opened < 5);
    for (int i = opened; i < 10; i++) ck_assert(hangs_up(fd[i]));  /* they learn it at once */
    int before = opened;
    ck_assert_int_lt(cpu_ms_of_waiting(), 100);
    ck_assert_int_ge(listener->spare_fd, 0);
    net_close(conns[0]);
    ck_assert(await(are_closed, 1));
    close(fd[9]);
    fd[9] = socket_new();
    net_close(conns[1]);
    ck_assert(await(are_closed, 2));
    dial(fd[9]);
    ck_assert(await(are_open, before + 1));
    for (int i = 0; i < 10; i++) close(fd[i]);
    stop();
}
END_TEST

START_TEST(running_out_without_a_spare_waits_and_recovers)
{
    start(NULL, 0, "127.0.0.1");
    int fd = socket_new();
    close(listener->spare_fd);
    listener->spare_fd = -1;
    limit_descriptors(1);
    int taken = dup(0);
    dial(fd);
    ck_assert_int_lt(cpu_ms_of_waiting(), 100);
    ck_assert_int_eq(opened, 0);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur += 5;
    setrlimit(RLIMIT_NOFILE, &limit);
    ck_assert(await(are_open, 1));
    ck_assert_int_ge(listener->spare_fd, 0);
    close(taken);
    close(fd);
    stop();
}
END_TEST

/* --- TLS ---------------------------------------------------------------------------------------- */

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context randoms;
static char cert_file[64], key_file[64];

static void write_file(char *path, const char *kind, const unsigned char *text)
{
    snprintf(path, sizeof cert_file, "/tmp/test_net_%s_XXXXXX", kind);
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, text, strlen((const char *) text)), (ssize_t) strlen((const char *) text));
    close(fd);
}

static void make_certificate(void)
{
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&randoms);
    must(mbedtls_ctr_drbg_seed(&randoms, mbedtls_entropy_func, &entropy, NULL, 0) == 0);
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    must(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
    must(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), mbedtls_ctr_drbg_random, &randoms) == 0);
    mbedtls_x509write_cert cert;
    mbedtls_x509write_crt_init(&cert);
    mbedtls_mpi serial;
    mbedtls_mpi_init(&serial);
    mbedtls_mpi_lset(&serial, 1);
    mbedtls_x509write_crt_set_serial(&cert, &serial);
    mbedtls_x509write_crt_set_subject_key(&cert, &key);
    mbedtls_x509write_crt_set_issuer_key(&cert, &key);
    must(mbedtls_x509write_crt_set_subject_name(&cert, "CN=localhost") == 0);
    must(mbedtls_x509write_crt_set_issuer_name(&cert, "CN=localhost") == 0);
    must(mbedtls_x509write_crt_set_validity(&cert, "20200101000000", "20990101000000") == 0);
    mbedtls_x509write_crt_set_md_alg(&cert, MBEDTLS_MD_SHA256);
    unsigned char text[4096];
    must(mbedtls_x509write_crt_pem(&cert, text, sizeof text, mbedtls_ctr_drbg_random, &randoms) == 0);
    write_file(cert_file, "cert", text);
    must(mbedtls_pk_write_key_pem(&key, text, sizeof text) == 0);
    write_file(key_file, "key", text);
    mbedtls_mpi_free(&serial);
    mbedtls_x509write_crt_free(&cert);
    mbedtls_pk_free(&key);
}

static void forget_certificate(void)
{
    unlink(cert_file);
    unlink(key_file);
    mbedtls_ctr_drbg_free(&randoms);
    mbedtls_entropy_free(&entropy);
}

struct tls_client {
    int fd;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
};

static int tls_send(void *arg, const unsigned char *p, size_t n)
{
    ssize_t r = send(*(int *) arg, p, n, MSG_NOSIGNAL);
    return r >= 0 ? (int) r : errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE : -1;
}

static int tls_recv(void *arg, unsigned char *p, size_t n)
{
    ssize_t r = recv(*(int *) arg, p, n, 0);
    return r >= 0 ? (int) r : errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ : -1;
}

static void tls_dial(struct tls_client *c)
{
    c->fd = dialled();
    mbedtls_ssl_init(&c->ssl);
    mbedtls_ssl_config_init(&c->config);
    must(mbedtls_ssl_config_defaults(&c->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                     MBEDTLS_SSL_PRESET_DEFAULT) == 0);
    mbedtls_ssl_conf_authmode(&c->config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(&c->config, mbedtls_ctr_drbg_random, &randoms);
    must(mbedtls_ssl_setup(&c->ssl, &c->config) == 0);
    mbedtls_ssl_set_bio(&c->ssl, &c->fd, tls_send, tls_recv, NULL);
}

static void tls_hang_up(struct tls_client *c)
{
    mbedtls_ssl_free(&c->ssl);
    mbedtls_ssl_config_free(&c->config);
    close(c->fd);
}

static int tls_handshake(struct tls_client *c)
{
    int r;
    while ((r = mbedtls_ssl_handshake(&c->ssl)) == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    return r;
}

START_TEST(tls_echoes_in_order)
{
    make_certificate();
    const char *fault = NULL;
    struct net_tls *tls = net_tls_new(cert_file, key_file, &fault);
    ck_assert_msg(tls != NULL, "%s", fault);
    echo = true;
    start(tls, 0, "127.0.0.1");
    struct tls_client c;
    tls_dial(&c);
    ck_assert_int_eq(tls_handshake(&c), 0);
    ck_assert_ptr_nonnull(strstr(mbedtls_ssl_get_ciphersuite(&c.ssl), "ECDHE-ECDSA"));
    ck_assert(net_is_tls(conns[0]));
    uint8_t *bulk = bulk_new();
    size_t sent = 0, got = 0, all = 1 << 20;
    uint8_t *back = malloc(all);
    while (got < all) {
        int r = sent < all ? mbedtls_ssl_write(&c.ssl, bulk + sent, all - sent) : 0;
        if (r > 0) sent += (size_t) r;
        uv_run(&loop, UV_RUN_NOWAIT);
        r = mbedtls_ssl_read(&c.ssl, back + got, all - got);
        if (r > 0) got += (size_t) r;
        ck_assert(r > 0 || r == MBEDTLS_ERR_SSL_WANT_READ);
    }
    ck_assert_mem_eq(back, bulk, all);
    mbedtls_ssl_close_notify(&c.ssl);
    ck_assert(await(are_closed, 1));
    ck_assert_int_eq(eofs, 1);
    tls_hang_up(&c);
    free(bulk);
    free(back);
    stop();
    net_tls_free(tls);
    forget_certificate();
}
END_TEST

static const char *const strangers[] = { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01\xff\xff", "" };

START_TEST(who_speaks_no_tls_is_closed)
{
    make_certificate();
    struct net_tls *tls = net_tls_new(cert_file, key_file, NULL);
    start(tls, 0, "127.0.0.1");
    int fd = dialled();
    ck_assert(await(are_open, 1));
    send(fd, strangers[_i], strlen(strangers[_i]), 0);
    if (!*strangers[_i]) {
        net_write(conns[0], &(struct iovec){ (void *) "early", 5 }, 1);   /* nothing may leave in the clear */
        net_close_after_write(conns[0]);
    } else if (strangers[_i][1] == 3) {
        shutdown(fd, SHUT_WR);
    }
    ck_assert(await(are_closed, 1));
    char out[256];
    ssize_t n = recv(fd, out, sizeof out, 0);
    ck_assert(n <= 0 || out[0] == 21);                                     /* at most an alert */
    ck_assert_uint_eq(heard.n, 0);
    close(fd);
    stop();
    net_tls_free(tls);
    forget_certificate();
}
END_TEST

START_TEST(only_forward_secret_ciphers)
{
    static const int rsa_or_cbc[] = { MBEDTLS_TLS_RSA_WITH_AES_128_GCM_SHA256,
                                      MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, 0 };
    make_certificate();
    struct net_tls *tls = net_tls_new(cert_file, key_file, NULL);
    start(tls, 0, "127.0.0.1");
    struct tls_client c;
    tls_dial(&c);
    if (_i == 0) mbedtls_ssl_conf_ciphersuites(&c.config, rsa_or_cbc);
    else mbedtls_ssl_conf_max_version(&c.config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_2);
    ck_assert_int_ne(tls_handshake(&c), 0);
    ck_assert(await(are_closed, 1));
    tls_hang_up(&c);
    stop();
    net_tls_free(tls);
    forget_certificate();
}
END_TEST

START_TEST(bad_certificates_are_named)
{
    make_certificate();
    char first_key[64];
    memcpy(first_key, key_file, sizeof first_key);
    unlink(cert_file);
    make_certificate();
    const char *fault = NULL;
    ck_assert_ptr_null(net_tls_new("/nonexistent.pem", key_file, &fault));
    ck_assert_ptr_nonnull(strstr(fault, "/nonexistent.pem"));
    ck_assert_ptr_null(net_tls_new(cert_file, cert_file, &fault));
    ck_assert_ptr_nonnull(strstr(fault, cert_file));
    ck_assert_ptr_null(net_tls_new(cert_file, first_key, &fault));
    ck_assert_ptr_nonnull(strstr(fault, "do not fit"));
    unlink(first_key);
    forget_certificate();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net");
    TCase *t = tcase_create("net");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, what_the_kernel_does_not_take_arrives_in_order);
    tcase_add_test(t, paused_connection_is_not_read);
    tcase_add_loop_test(t, closing_works_in_every_state, 0, 2 * MOMENTS);
    tcase_add_test(t, lost_connection_says_so);
    tcase_add_test(t, last_words_are_not_lost_when_the_peer_still_speaks);
    tcase_add_test(t, lingering_has_an_end);
    tcase_add_test(t, socket_options_are_inherited);
    tcase_add_test(t, any_address_means_both_families_and_mapped_peers_are_v4);
    tcase_add_test(t, port_is_shared_only_when_both_want_it);
    tcase_add_test(t, connections_beyond_the_maximum_are_closed);
    tcase_add_test(t, running_out_of_descriptors_turns_away_and_recovers);
    tcase_add_test(t, running_out_without_a_spare_waits_and_recovers);
    tcase_add_test(t, tls_echoes_in_order);
    tcase_add_loop_test(t, who_speaks_no_tls_is_closed, 0, sizeof strangers / sizeof *strangers);
    tcase_add_loop_test(t, only_forward_secret_ciphers, 0, 2);
    tcase_add_test(t, bad_certificates_are_named);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
