/* TLS over a real loop: it echoes like a plain connection, nobody who speaks anything else is heard, weak
 * ciphers are refused, and certificates that do not fit are named. */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <string.h>

#include "test/unit/net_rig.h"

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
    Suite *suite = suite_create("net_tls");
    TCase *t = tcase_create("net_tls");
    tcase_set_timeout(t, 30);
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
