/* Hashes and MACs by mbedTLS, SipHash, random bytes and comparisons by libsodium.
 *
 * The one path that counts is HMAC-SHA-256 over a token of some 300 bytes, with every request. An
 * HMAC begins by hashing the key's inner and outer pad, one block each, and that is the same every
 * time: hmac_key keeps the two states behind the pads, and a MAC starts from copies of them. A
 * key is never written to after hmac_key_new, so threads may share it. */
#include "core/digest.h"

#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/sha1.h>
#include <mbedtls/sha256.h>
#include <mbedtls/x509_crt.h>
#include <sodium.h>
#include <string.h>

#include "core/mem.h"
#include "core/must.h"

enum { SHA256_BLOCK_BYTES = 64, PEM_BYTES_MAX = 16 * 1024, RSA_BITS_MIN = 2048 };

struct hmac_key {
    mbedtls_sha256_context inner, outer;   /* behind one block of pad each */
};

void digest_init(void)
{
    must(sodium_init() >= 0);
    must(crypto_shorthash_BYTES == sizeof(uint64_t));
    must(crypto_shorthash_KEYBYTES == SIPHASH_KEY_BYTES);
}

static const unsigned char *bytes(struct str s)
{
    return (const unsigned char *) (s.p ? s.p : "");
}

void sha1(struct str data, uint8_t out[SHA1_BYTES])
{
    must(mbedtls_sha1_ret(bytes(data), data.n, out) == 0);
}

void sha256(struct str data, uint8_t out[SHA256_BYTES])
{
    must(mbedtls_sha256_ret(bytes(data), data.n, out, 0) == 0);
}

static void pad_start(mbedtls_sha256_context *state, const uint8_t block[SHA256_BLOCK_BYTES], uint8_t mask)
{
    uint8_t pad[SHA256_BLOCK_BYTES];
    for (size_t i = 0; i < sizeof pad; i++) pad[i] = block[i] ^ mask;
    mbedtls_sha256_init(state);
    must(mbedtls_sha256_starts_ret(state, 0) == 0);
    must(mbedtls_sha256_update_ret(state, pad, sizeof pad) == 0);
    sodium_memzero(pad, sizeof pad);
}

struct hmac_key *hmac_key_new(struct str secret)
{
    uint8_t block[SHA256_BLOCK_BYTES] = { 0 };
    if (secret.n > sizeof block) {
        sha256(secret, block);
    } else if (secret.n > 0) {
        memcpy(block, secret.p, secret.n);
    }
    struct hmac_key *key = mem_new(struct hmac_key);
    pad_start(&key->inner, block, 0x36);
    pad_start(&key->outer, block, 0x5c);
    sodium_memzero(block, sizeof block);
    return key;
}

void hmac_key_free(struct hmac_key *key)
{
    if (!key) return;
    mbedtls_sha256_free(&key->inner);   /* wipes */
    mbedtls_sha256_free(&key->outer);
    mem_free(key);
}

void hmac_sha256(const struct hmac_key *key, struct str data, uint8_t out[SHA256_BYTES])
{
    uint8_t inner[SHA256_BYTES];
    mbedtls_sha256_context state;
    mbedtls_sha256_clone(&state, &key->inner);
    must(mbedtls_sha256_update_ret(&state, bytes(data), data.n) == 0);
    must(mbedtls_sha256_finish_ret(&state, inner) == 0);
    mbedtls_sha256_clone(&state, &key->outer);
    must(mbedtls_sha256_update_ret(&state, inner, sizeof inner) == 0);
    must(mbedtls_sha256_finish_ret(&state, out) == 0);
}

/* Only RSA keys that are long enough; PKCS #1 v1.5 is what a parsed key starts with. */
static bool key_verifies(mbedtls_pk_context *key, struct str data, struct str signature)
{
    if (mbedtls_pk_get_type(key) != MBEDTLS_PK_RSA) return false;
    if (mbedtls_pk_get_bitlen(key) < RSA_BITS_MIN) return false;
    uint8_t hash[SHA256_BYTES];
    sha256(data, hash);
    return mbedtls_pk_verify(key, MBEDTLS_MD_SHA256, hash, sizeof hash, bytes(signature), signature.n) == 0;
}

bool rsa_sha256_verify(struct str pem, struct str data, struct str signature)
{
    if (pem.n == 0 || pem.n > PEM_BYTES_MAX) return false;
    /* mbedTLS wants the terminating NUL, and wants it counted. */
    unsigned char *text = mem_alloc(pem.n + 1);
    memcpy(text, pem.p, pem.n);
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    mbedtls_x509_crt certificate;
    mbedtls_x509_crt_init(&certificate);
    bool verified = false;
    if (mbedtls_pk_parse_public_key(&key, text, pem.n + 1) == 0) {
        verified = key_verifies(&key, data, signature);
    } else if (mbedtls_x509_crt_parse(&certificate, text, pem.n + 1) == 0) {
        verified = key_verifies(&certificate.pk, data, signature);
    }
    mbedtls_x509_crt_free(&certificate);
    mbedtls_pk_free(&key);
    mem_free(text);
    return verified;
}

/* For blinding, which keeps the key from being read off the time it takes. */
static int random_for_key(void *arg, unsigned char *out, size_t n)
{
    (void) arg;
    random_bytes(out, n);
    return 0;
}

bool rsa_sha256_sign(struct str pem, struct str data, struct arena *arena, struct str *signature)
{
    uint8_t hash[SHA256_BYTES];
    size_t size = 0;
    if (pem.n == 0 || pem.n > PEM_BYTES_MAX) return false;
    unsigned char *text = mem_alloc(pem.n + 1);
    memcpy(text, pem.p, pem.n);
    text[pem.n] = 0;
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    unsigned char *room = arena_raw(arena, MBEDTLS_PK_SIGNATURE_MAX_SIZE);
    sha256(data, hash);
    bool made = mbedtls_pk_parse_key(&key, text, pem.n + 1, NULL, 0) == 0 && mbedtls_pk_can_do(&key, MBEDTLS_PK_RSA) &&
                mbedtls_pk_sign(&key, MBEDTLS_MD_SHA256, hash, sizeof hash, room, &size, random_for_key, NULL) == 0;
    mbedtls_pk_free(&key);
    sodium_memzero(text, pem.n);
    mem_free(text);
    *signature = (struct str){ (const char *) room, size };
    return made;
}

uint64_t siphash(const uint8_t key[SIPHASH_KEY_BYTES], const void *data, size_t n)
{
    uint8_t hash[sizeof(uint64_t)];
    crypto_shorthash(hash, data, n, key);
    uint64_t value = 0;
    for (size_t i = sizeof hash; i-- > 0;) value = value << 8 | hash[i];
    return value;
}

void random_bytes(void *out, size_t n)
{
    randombytes_buf(out, n);
}

bool secret_equal(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || sodium_memcmp(a.p, b.p, a.n) == 0);
}
