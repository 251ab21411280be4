/* Hashes, MACs, encodings: published vectors, and the inputs that must be refused. */
#include "core/digest.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"

/* A key pair made for this test; the private half was thrown away. */
static const char public_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEApg5+UwaKLnq8NLfbcnAV\n"
    "Uo9htxEuda+DmHr9nVgdhJWqSB6uHSeAlGeV+32CG2j4Tw/hTX4Yzqc6OUlfSQl4\n"
    "U7P6SjQgd+1IsWwjdeC5HC5S8/z5HfVeU6zcUssfuY+3AcWGqbnQ8P9Jw6+9D7J3\n"
    "WhpVIw8KMRodeL2fdyADPaemegdz9iU2BSXVRDCjQd95rd0AVjKAIHU1vFwDImzY\n"
    "3ZQsSzjIonj3s0zQ8cnNvMlh1v8RX9GJXA8WHYQCr70K9E7fKprcF+Z4SPXwK6ze\n"
    "okcQfVIIZjf8p5vaHCTuKI0lPeKVDO0PmUhqtI6LT27/jqPD+Kb/LlWMk8xHP34z\n"
    "EwIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
static const char certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIDDTCCAfWgAwIBAgIUHhgmmD3FYFbIpX7FyFygDdiXExAwDQYJKoZIhvcNAQEL\n"
    "BQAwFTETMBEGA1UEAwwKdGFsbHktdGVzdDAgFw0yNjExMjEwODA3MDhaGA8yMTI2\n"
    "MTAyODA4MDcwOFowFTETMBEGA1UEAwwKdGFsbHktdGVzdDCCASIwDQYJKoZIhvcN\n"
    "AQEBBQADggEPADCCAQoCggEBAKYOflMGii56vDS323JwFVKPYbcRLnWvg5h6/Z1Y\n"
    "HYSVqkgerh0ngJRnlft9ghto+E8P4U1+GM6nOjlJX0kJeFOz+ko0IHftSLFsI3Xg\n"
    "uRwuUvP8+R31XlOs3FLLH7mPtwHFhqm50PD/ScOvvQ+yd1oaVSMPCjEaHXi9n3cg\n"
    "Az2npnoHc/YlNgUl1UQwo0Hfea3dAFYygCB1NbxcAyJs2N2ULEs4yKJ497NM0PHJ\n"
    "zbzJYdb/EV/RiVwPFh2EAq+9CvRO3yqa3BfmeEj18Cus3qJHEH1SCGY3/Keb2hwk\n"
    "7iiNJT3ilQztD5lIarSOi09u/46jw/im/y5VjJPMRz9+MxMCAwEAAaNTMFEwHQYD\n"
    "VR0OBBYEFHZVJH1w2OJibCwxf1OhsMGee7unMB8GA1UdIwQYMBaAFHZVJH1w2OJi\n"
    "bCwxf1OhsMGee7unMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADggEB\n"
    "AC0fkOtJw4qCMyelgwmGCO/BwqwUH2IE+4BurDOgSFuSy9mrGvSqVc4kObB2AN4P\n"
    "a3+uI1IcfmShePpJ3dFCZoYS0DNWZ8jb9vkdVpS3xgCHiIrfeXh6Wq9if9iDbXC6\n"
    "ELTgE7JHv2LE4Gy+YxRhWIFIsYu4Ocf9XCziVJbfBjoHbpW3Yi90Fx+PuseGNaTq\n"
    "bJvX9NchEeg4Nwdt4bRmVqEYoQ/1keki5I42Hxcexvvo6E0TQA9/aXyPBW198BPD\n"
    "jhKx6UBNOondbMsmgtlNXdGThP5fC4/+yxHbLlniSvV3womgxBuMIwU2eb7+uxQN\n"
    "XOzNK/auqa+bcTOz4u/BaV4=\n"
    "-----END CERTIFICATE-----\n";
static const char signature_base64[] =
    "cVhvhdhbSN5NQUl82eO2EYZGLd5amujXp8J78yxgkIsK9BztqAmiTOBnREhFxhh7wXYxRyr5gT1OVBeV"
    "EImp/tQEp35IWw+QZlk0Uw0AQYliM+8RH2JPKJpzaBaGlTUMwEPe6ThgIHvEWyq5es5efUPJT0cYVcEP"
    "FltVgGN20ASDk5XLyDSXREnMSqEhAhFSuIFf2P/H2ZFgFpBS8i/JDNfXpzWIbHtyGPnqKHpwiK7K7KX9"
    "49T/8+1vlxJFkdkE99czXpBLwZX8sPVJlBUM5s19SCAx/osf+jqvBugrkSvH2IQQ+aK5aks66KxLFWvF"
    "E4Oqw5VTyvBQCydcpV/rnQ==";
/* The same data signed over SHA-1, and by a key of 1024 bits. */
static const char signature_sha1_base64[] =
    "XAsAwZYhzIDYEkzz20Hs7hAtW35w6Wg6gvNRRlso0HTARwvB18AL64r7GiM3yp/QVI+eX432xOoC96Ey"
    "rqsVvBHmVyqtRVJxYL6hf3uVJmQA/gBp5EMMPg5hCHnJksgWQedjbIoQEe2NrJcX+r7aKH5DG/VVBkk7"
    "lCfRZ+7tFb46RSIeN5TCPOTDkHO4o61nh4P5aaAwgFHbUhAGB7FcmPSWUrjVyf+e9T30Zvn5+qzCoIke"
    "fCKfqDHbY/DTHGqCNn9CNGGd+uvIhwTCkK+biMKnjGWYS7NX/nFrv72W9gKPZTdeYnvHshsCne9dUfo/"
    "YjFNABxWQW5TK5YlHenwGw==";
static const char short_key[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDULy5gII53KPRGiFLw/oUZYklt\n"
    "+J2AHi+a0L3KMf6s+eReiW6zikMdGjimW8DJTk4gpRaAV8WrBSflNyuQ/dR7aTci\n"
    "C/ttIKwhyFW/HkY67WiDi6Tn3zSMH9XSBVxRMnzTRgVnVgsmnWr1UND3j7F6fW6t\n"
    "eOSvvm+/jLT77iEe/wIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
static const char short_signature_base64[] =
    "bkPGajvdExUpDyhnhy6ExGD+ePW2bbYnuMvcKwgCZ35MHNzdKP+Mv2iPcB12ynsR31kHAova01vAsyDh"
    "WBNDbRAbPA+YbuLg1UcVGeQmb5IbRhTBB0BqbpIUhkd4dv64EOSTNkAakt5P5aADaFXDe2NPTE2DEJDO"
    "j0lbeCKB7EU=";

static struct arena arena;
static struct buf hex_buf;

static void setup(void)
{
    digest_init();
    arena_init(&arena);
    buf_init(&hex_buf, 4096);
}

static void teardown(void)
{
    buf_fini(&hex_buf);
    arena_fini(&arena);
}

static const char *hex(const void *p, size_t n)
{
    buf_clear(&hex_buf);
    buf_hex(&hex_buf, p, n);
    buf_char(&hex_buf, 0);
    return hex_buf.p;
}

static struct str repeated(char c, size_t n)
{
    char *p = arena_raw(&arena, n + 1);
    memset(p, c, n);
    return (struct str){ p, n };
}

static const struct {
    const char *text, *sha1, *sha256;
} hashes[] = {
    { "", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", "a9993e364706816aba3e25717850c26c9cd0d89d",
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

START_TEST(hash_vectors)
{
    uint8_t out[SHA256_BYTES];
    struct str text = str_from(hashes[_i].text);
    sha1(text, out);
    ck_assert_str_eq(hex(out, SHA1_BYTES), hashes[_i].sha1);
    sha256(text, out);
    ck_assert_str_eq(hex(out, SHA256_BYTES), hashes[_i].sha256);
}
END_TEST

START_TEST(hash_of_no_pointer_is_hash_of_nothing)
{
    uint8_t out[SHA256_BYTES];
    sha256(STR_NONE, out);
    ck_assert_str_eq(hex(out, sizeof out), hashes[0].sha256);
}
END_TEST

/* RFC 4231, cases 1, 2, 3, 6 and 7. */
START_TEST(hmac_vectors)
{
    const struct {
        struct str key, data;
        const char *mac;
    } cases[] = {
        { repeated(0x0b, 20), STR("Hi There"),
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
        { STR("Jefe"), STR("what do ya want for nothing?"),
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
        { repeated((char) 0xaa, 20), repeated((char) 0xdd, 50),
          "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
        { repeated((char) 0xaa, 131), STR("Test Using Larger Than Block-Size Key - Hash Key First"),
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
        { repeated((char) 0xaa, 131),
          STR("This is a test using a larger than block-size key and a larger than block-size data. "
              "The key needs to be hashed before being used by the HMAC algorithm."),
          "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
        { repeated(0, 64), STR_NONE, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hmac_key *key = hmac_key_new(cases[i].key);
        uint8_t mac[SHA256_BYTES];
        /* Twice: the first MAC must leave the key as it was. */
        for (int round = 0; round < 2; round++) {
            hmac_sha256(key, cases[i].data, mac);
            ck_assert_str_eq(hex(mac, sizeof mac), cases[i].mac);
        }
        hmac_key_free(key);
    }
}
END_TEST

/* From the SipHash paper (15 bytes), and the empty text. */
START_TEST(siphash_vectors)
{
    uint8_t key[SIPHASH_KEY_BYTES], data[15];
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t) i;
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t) i;
    ck_assert_uint_eq(siphash(key, data, sizeof data), 0xa129ca6149be45e5u);
    ck_assert_uint_eq(siphash(key, data, 0), 0x726fdb47dd0e0e31u);
}
END_TEST

static struct str from_base64(const char *text)
{
    struct str out;
    ck_assert(base64_decode(&arena, str_from(text), &out));
    return out;
}

START_TEST(rsa_signatures)
{
    struct str data = STR("signed by tally"), key = str_from(public_key);
    struct str signature = from_base64(signature_base64);
    ck_assert_uint_eq(signature.n, 256);
    ck_assert(rsa_sha256_verify(key, data, signature));
    ck_assert(rsa_sha256_verify(str_from(certificate), data, signature));

    ck_assert(!rsa_sha256_verify(key, STR("signed by tallY"), signature));
    ck_assert(!rsa_sha256_verify(key, STR_NONE, signature));
    ck_assert(!rsa_sha256_verify(key, data, STR_NONE));
    ck_assert(!rsa_sha256_verify(key, data, (struct str){ signature.p, 255 }));
    ck_assert(!rsa_sha256_verify(key, data, (struct str){ signature.p, 257 }));
    ck_assert(!rsa_sha256_verify(key, data, from_base64(signature_sha1_base64)));
    ck_assert(!rsa_sha256_verify(STR_NONE, data, signature));
    ck_assert(!rsa_sha256_verify(STR("no key at all"), data, signature));
    ck_assert(!rsa_sha256_verify((struct str){ key.p, key.n / 2 }, data, signature));
    ck_assert(!rsa_sha256_verify(str_from(short_key), data, from_base64(short_signature_base64)));
}
END_TEST

START_TEST(rsa_signature_with_any_bit_changed_is_refused)
{
    struct str signature = from_base64(signature_base64);
    uint8_t changed[256];
    memcpy(changed, signature.p, sizeof changed);
    for (size_t i = 0; i < sizeof changed; i += 17) {
        changed[i] ^= (uint8_t) (1 << i % 8);
        struct str s = { (const char *) changed, sizeof changed };
        ck_assert(!rsa_sha256_verify(str_from(public_key), STR("signed by tally"), s));
        changed[i] ^= (uint8_t) (1 << i % 8);
    }
}
END_TEST

/* RFC 4648 §10, and the characters in which the alphabets differ. */
static const struct {
    struct str bytes;
    const char *url, *padded;
} encodings[] = {
    { { "", 0 }, "", "" },
    { { "f", 1 }, "Zg", "Zg==" },
    { { "fo", 2 }, "Zm8", "Zm8=" },
    { { "foo", 3 }, "Zm9v", "Zm9v" },
    { { "foob", 4 }, "Zm9vYg", "Zm9vYg==" },
    { { "fooba", 5 }, "Zm9vYmE", "Zm9vYmE=" },
    { { "foobar", 6 }, "Zm9vYmFy", "Zm9vYmFy" },
    { { "\xfb\xff\xbf", 3 }, "-_-_", "+/+/" },
    { { "\0\0\0\0", 4 }, "AAAAAA", "AAAAAA==" },
};

START_TEST(base64_both_ways)
{
    struct str bytes = encodings[_i].bytes, url = str_from(encodings[_i].url);
    struct str padded = str_from(encodings[_i].padded), out;
    ck_assert(str_eq(base64url_encode(&arena, bytes), url));
    ck_assert(str_eq(base64_encode(&arena, bytes), padded));
    ck_assert(base64url_decode(&arena, url, &out) && str_eq(out, bytes));
    ck_assert(base64_decode(&arena, padded, &out) && str_eq(out, bytes));
}
END_TEST

START_TEST(base64_every_length_and_byte)
{
    uint8_t bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t) (i * 167 + 13);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct str data = { (const char *) bytes, n }, out;
        ck_assert(base64url_decode(&arena, base64url_encode(&arena, data), &out) && str_eq(out, data));
        ck_assert(base64_decode(&arena, base64_encode(&arena, data), &out) && str_eq(out, data));
    }
}
END_TEST

static const char *const bad_url[] = {
    "A", "AAAAA", "Zg==", "Zg=", "Zm8=", "Zh", "Zm9", "Zm9v+A", "Zm9v/A",
    "Zm 9v", "Zm9v\n", "=", "====", "Z\xc3\xa9", "Zm9v.A",
};
static const char *const bad_padded[] = {
    "A", "AA", "AAA", "AAAAA", "Zg", "Zm8", "Zh==", "Zm9=", "Zm9v-_==",
    "Z===", "====", "=", "Zg==Zg==", "Zg==\n", "Zm9vYg=A", "Zm8 ",
};

START_TEST(base64_malformed)
{
    struct str out = STR("untouched");
    for (size_t i = 0; i < sizeof bad_url / sizeof *bad_url; i++) {
        ck_assert_msg(!base64url_decode(&arena, str_from(bad_url[i]), &out), "%s", bad_url[i]);
    }
    for (size_t i = 0; i < sizeof bad_padded / sizeof *bad_padded; i++) {
        ck_assert_msg(!base64_decode(&arena, str_from(bad_padded[i]), &out), "%s", bad_padded[i]);
    }
    ck_assert(!base64url_decode(&arena, (struct str){ "Zm\0v", 4 }, &out));
    ck_assert(str_eq(out, STR("untouched")));
}
END_TEST

/* Each of the 256 characters in each place: accepted exactly when it is of the alphabet. */
START_TEST(base64_every_character)
{
    for (int c = 0; c < 256; c++) {
        bool shared = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        for (size_t at = 0; at < 4; at++) {
            char text[5] = "AAAA";
            text[at] = (char) c;
            struct str s = { text, 4 }, out;
            ck_assert_int_eq(base64url_decode(&arena, s, &out), shared || c == '-' || c == '_');
            bool mail = shared || c == '+' || c == '/' || (c == '=' && at == 3);
            ck_assert_int_eq(base64_decode(&arena, s, &out), mail);
        }
    }
}
END_TEST

START_TEST(hex_digits)
{
    uint8_t out[3];
    ck_assert(hex_decode(STR("00aFf9"), out, 3));
    ck_assert(out[0] == 0 && out[1] == 0xaf && out[2] == 0xf9);
    ck_assert(hex_decode(STR_NONE, out, 0));
    ck_assert(!hex_decode(STR("00aFf"), out, 3));
    ck_assert(!hex_decode(STR("00aFf9a"), out, 3));
    ck_assert(!hex_decode(STR("00aFf900"), out, 3));
    ck_assert(!hex_decode(STR("00ag00"), out, 3));
    ck_assert(!hex_decode(STR("0x1234"), out, 3));
}
END_TEST

START_TEST(secrets_and_randomness)
{
    ck_assert(secret_equal(STR("abc"), STR("abc")));
    ck_assert(secret_equal(STR_NONE, STR("")));
    ck_assert(!secret_equal(STR("abc"), STR("abd")));
    ck_assert(!secret_equal(STR("abc"), STR("ab")));
    uint8_t a[32] = { 0 }, b[32] = { 0 };
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    ck_assert(memcmp(a, b, sizeof a) != 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("digest");
    TCase *tcase = tcase_create("digest");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, hash_vectors, 0, sizeof hashes / sizeof *hashes);
    tcase_add_test(tcase, hash_of_no_pointer_is_hash_of_nothing);
    tcase_add_test(tcase, hmac_vectors);
    tcase_add_test(tcase, siphash_vectors);
    tcase_add_test(tcase, rsa_signatures);
    tcase_add_test(tcase, rsa_signature_with_any_bit_changed_is_refused);
    tcase_add_loop_test(tcase, base64_both_ways, 0, sizeof encodings / sizeof *encodings);
    tcase_add_test(tcase, base64_every_length_and_byte);
    tcase_add_test(tcase, base64_malformed);
    tcase_add_test(tcase, base64_every_character);
    tcase_add_test(tcase, hex_digits);
    tcase_add_test(tcase, secrets_and_randomness);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
