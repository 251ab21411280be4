/* Hashes, MACs, random bytes and comparisons. mbedTLS and libsodium below; nobody above includes
 * their headers for this. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/str.h"

enum { SHA1_BYTES = 20, SHA256_BYTES = 32, SIPHASH_KEY_BYTES = 16 };

void digest_init(void);   /* once, before any other call and before threads */

void sha1(struct str data, uint8_t out[SHA1_BYTES]);      /* where others demand it: handshakes, signatures */
void sha256(struct str data, uint8_t out[SHA256_BYTES]);

/* HMAC-SHA-256 with the key's pads hashed once: two compressions less for every token. */
struct hmac_key;
struct hmac_key *hmac_key_new(struct str secret);
void hmac_key_free(struct hmac_key *key);
void hmac_sha256(const struct hmac_key *key, struct str data, uint8_t out[SHA256_BYTES]);

/* RSASSA-PKCS1-v1_5 with SHA-256; pem is a public key or certificate. False for anything wrong. */
bool rsa_sha256_verify(struct str pem, struct str data, struct str signature);

/* The signature of the same kind by a private key (PEM); it lives in the arena. False when the key is none. Takes about
 * two milliseconds. */
bool rsa_sha256_sign(struct str pem, struct str data, struct arena *arena, struct str *signature);

uint64_t siphash(const uint8_t key[SIPHASH_KEY_BYTES], const void *data, size_t n);

void random_bytes(void *out, size_t n);
bool secret_equal(struct str a, struct str b);            /* constant time for equal lengths */

/* URL-safe base64 without padding (RFC 7515). Decoding is strict: no padding, no other characters,
 * unused bits zero. The result lives in the arena; false (and nothing) when malformed. */
struct str base64url_encode(struct arena *arena, struct str data);
bool base64url_decode(struct arena *arena, struct str text, struct str *out);
/* The ordinary alphabet with padding, as Basic authentication and Sec-WebSocket-Accept use it. */
struct str base64_encode(struct arena *arena, struct str data);
bool base64_decode(struct arena *arena, struct str text, struct str *out);
/* Either alphabet into memory of the caller's, which must hold 4 * ((n + 2) / 3) characters; the
 * number written. */
size_t base64url_write(char *out, struct str data);
size_t base64_write(char *out, struct str data);
bool hex_decode(struct str text, uint8_t *out, size_t n);  /* exactly n bytes, either case */
