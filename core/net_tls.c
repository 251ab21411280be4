/* TLS by mbedTLS, between the socket and the connection's owner.
 *
 * mbedTLS never touches the socket: what arrived is given to it as a view (tls->in), what it wants to
 * send gathers in tls->out and leaves in one write at the end of each step. It keeps partial
 * records itself, so a view is always used up before the step ends, or the connection fails.
 *
 * Only ECDHE with an AEAD cipher, only TLS 1.2 (the library has no 1.3), no session cache, no
 * tickets, no renegotiation: nothing is kept between connections. A handshake has ten seconds
 * (net_deadline); whoever does not speak TLS is closed without an answer. */
#include "core/net_private.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/must.h"

enum { TLS_OUT_MAX = 1 << 26 };

struct net_tls {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt cert;
    mbedtls_pk_context key;
    mbedtls_ssl_config config;
};

struct net_tls_conn {
    mbedtls_ssl_context ssl;
    const uint8_t *in;
    size_t in_n;
    struct buf out;
    bool ready;
};

static const int ciphers[] = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};

static const char *protocols[] = { "http/1.1", NULL };

/* --- certificate and key --------------------------------------------------------------------- */

static char fault_text[320];

static struct net_tls *fail(struct net_tls *tls, const char *what, int error, const char **fault)
{
    char reason[128] = "they do not fit each other";
    if (error < 0) mbedtls_strerror(error, reason, sizeof reason);
    else if (error > 0) snprintf(reason, sizeof reason, "%d of its certificates cannot be read", error);
    snprintf(fault_text, sizeof fault_text, "%s: %s", what, reason);
    if (fault) *fault = fault_text;
    net_tls_free(tls);
    return NULL;
}

static int configure(struct net_tls *tls)
{
    mbedtls_ssl_config *c = &tls->config;
    int error = mbedtls_ssl_config_defaults(c, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                            MBEDTLS_SSL_PRESET_DEFAULT);
    if (error) return error;
    mbedtls_ssl_conf_min_version(c, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_ciphersuites(c, ciphers);
    mbedtls_ssl_conf_rng(c, mbedtls_ctr_drbg_random, &tls->random);
    mbedtls_ssl_conf_session_tickets(c, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    error = mbedtls_ssl_conf_alpn_protocols(c, protocols);
    if (error) return error;
    return mbedtls_ssl_conf_own_cert(c, &tls->cert, &tls->key);
}

struct net_tls *net_tls_new(const char *cert_file, const char *key_file, const char **fault)
{
    struct net_tls *tls = mem_new(struct net_tls);
    mbedtls_entropy_init(&tls->entropy);
    mbedtls_ctr_drbg_init(&tls->random);
    mbedtls_x509_crt_init(&tls->cert);
    mbedtls_pk_init(&tls->key);
    mbedtls_ssl_config_init(&tls->config);
    int error = mbedtls_ctr_drbg_seed(&tls->random, mbedtls_entropy_func, &tls->entropy, NULL, 0);
    if (error) return fail(tls, "random numbers", error, fault);
    error = mbedtls_x509_crt_parse_file(&tls->cert, cert_file);
    if (error) return fail(tls, cert_file, error, fault);
    error = mbedtls_pk_parse_keyfile(&tls->key, key_file, NULL);
    if (error) return fail(tls, key_file, error, fault);
    if (mbedtls_pk_check_pair(&tls->cert.pk, &tls->key) != 0) {
        return fail(tls, "the certificate and the key", 0, fault);
    }
    error = configure(tls);
    return error ? fail(tls, "TLS", error, fault) : tls;
}

void net_tls_free(struct net_tls *tls)
{
    if (!tls) return;
    mbedtls_ssl_config_free(&tls->config);
    mbedtls_pk_free(&tls->key);
    mbedtls_x509_crt_free(&tls->cert);
    mbedtls_ctr_drbg_free(&tls->random);
    mbedtls_entropy_free(&tls->entropy);
    mem_free(tls);
}

/* --- a connection ---------------------------------------------------------------------------- */

static int give(void *arg, const unsigned char *data, size_t n)
{
    struct net_tls_conn *t = arg;
    buf_put(&t->out, data, n);
    return t->out.failed ? MBEDTLS_ERR_SSL_ALLOC_FAILED : (int) n;
}

static int take(void *arg, unsigned char *out, size_t n)
{
    struct net_tls_conn *t = arg;
    if (t->in_n == 0) return MBEDTLS_ERR_SSL_WANT_READ;
    if (n > t->in_n) n = t->in_n;
    memcpy(out, t->in, n);
    t->in += n;
    t->in_n -= n;
    return (int) n;
}

struct net_tls_conn *net_tls_conn_new(struct net_tls *tls, struct net_conn *c)
{
    (void) c;
    struct net_tls_conn *t = mem_new(struct net_tls_conn);
    buf_init(&t->out, TLS_OUT_MAX);
    mbedtls_ssl_init(&t->ssl);
    must(mbedtls_ssl_setup(&t->ssl, &tls->config) == 0);     /* fails only without memory */
    mbedtls_ssl_set_bio(&t->ssl, t, give, take, NULL);
    return t;
}

void net_tls_conn_free(struct net_tls_conn *t)
{
    mbedtls_ssl_free(&t->ssl);
    buf_fini(&t->out);
    mem_free(t);
}

bool net_tls_is_ready(const struct net_tls_conn *t)
{
    return t->ready;
}

/* The encrypted bytes leave; the buffer is given back, since an idle connection must not hold it. */
static enum err flush(struct net_conn *c)
{
    struct buf out = c->tls->out;
    if (out.n == 0) return OK;
    buf_init(&c->tls->out, TLS_OUT_MAX);
    struct iovec iov = { out.p, out.n };
    enum err err = net_send_raw(c, &iov, 1);
    buf_fini(&out);
    return err;
}

/* False when there is nothing to read (yet, or ever). */
static bool shake_hands(struct net_conn *c)
{
    struct net_tls_conn *t = c->tls;
    int r = mbedtls_ssl_handshake(&t->ssl);
    flush(c);
    if (r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE) return false;
    if (r != 0) {
        net_abort(c);
        return false;
    }
    t->ready = true;
    net_deadline_end(c);
    return true;
}

void net_tls_input(struct net_conn *c, const uint8_t *data, size_t n)
{
    struct net_tls_conn *t = c->tls;
    t->in = data;
    t->in_n = n;
    if (!t->ready && !shake_hands(c)) return;
    while (c->state == NET_OPEN) {
        int r = mbedtls_ssl_read(&t->ssl, c->listener->plain, NET_PLAIN_BYTES);
        if (r > 0) {
            net_deliver(c, c->listener->plain, (size_t) r);
            continue;
        }
        flush(c);                             /* alerts */
        if (r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE) break;
        if (r == 0 || r == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
            uv_read_stop((uv_stream_t *) &c->tcp);
            net_deliver_eof(c);
        } else {
            net_abort(c);
        }
        break;
    }
    t->in_n = 0;
}

static bool encrypt(struct net_tls_conn *t, const uint8_t *p, size_t n)
{
    while (n > 0) {
        int r = mbedtls_ssl_write(&t->ssl, p, n);
        if (r <= 0) return false;             /* never WANT_WRITE: the output buffer takes all */
        p += r;
        n -= (size_t) r;
    }
    return true;
}

/* Small parts are joined first: a record a header line would cost 29 bytes and a cipher call each. */
enum err net_tls_write(struct net_conn *c, const struct iovec *iov, int n)
{
    struct net_tls_conn *t = c->tls;
    if (!t->ready) return ERR_CLOSED;
    uint8_t joined[4096];
    size_t used = 0;
    bool good = true;
    for (int i = 0; i < n && good; i++) {
        if (iov[i].iov_len > sizeof joined - used) {
            good = encrypt(t, joined, used);
            used = 0;
        }
        if (iov[i].iov_len > sizeof joined) {
            good = good && encrypt(t, iov[i].iov_base, iov[i].iov_len);
        } else if (iov[i].iov_len > 0) {
            memcpy(joined + used, iov[i].iov_base, iov[i].iov_len);
            used += iov[i].iov_len;
        }
    }
    good = good && encrypt(t, joined, used);
    if (good) return flush(c);
    net_abort(c);
    return ERR_CLOSED;
}

void net_tls_end(struct net_conn *c)
{
    mbedtls_ssl_close_notify(&c->tls->ssl);
    flush(c);
}
