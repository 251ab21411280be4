/* libcurl on the loop: its multi interface driven by uv_poll and one uv_timer. Names are resolved
 * on libcurl's own threads (Debian builds it with the threaded resolver), so nothing blocks.
 *
 * Note for protocols with a closing word (SMTP, FTP): libcurl 7.88 BLOCKS in curl_multi for the
 * answer to the end of an upload and to QUIT. Use them with CURLOPT_CONNECT_ONLY, see mail_smtp. */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <uv.h>

struct curl_loop;

struct curl_transfer {
    CURL *easy;
    void (*done)(struct curl_transfer *t, CURLcode code);
    /* Its connection is libcurl's alone and serves others after it: cheaper. Set before curl_loop_add. */
    bool keeps_alive;
    bool added;
};

enum { CURL_LOOP_TIMEOUT_MS = 10000 };

/* The process must ignore SIGPIPE: libcurl is told not to touch signals. ca_file: PEM, whose certificates are trusted
 * besides the system's, NULL for none; it outlives the loop, and curl_loop_can_trust has said yes to it. */
struct curl_loop *curl_loop_new(uv_loop_t *loop, const char *ca_file);
/* Can the file be read, and is there a certificate in it? Blocks; for the start. */
bool curl_loop_can_trust(const char *ca_file);
/* All transfers must have been removed; frees itself. May be called from `done`. */
void curl_loop_close(struct curl_loop *c);

/* An easy handle with what holds for every outside call: 10 s, TLS verified, no signals, no
 * redirects. The caller adds URL and the rest, and cleans it up after curl_loop_remove. */
CURL *curl_loop_easy(void);

/* `done` comes once, later. The transfer stays added, so that a connection made with
 * CURLOPT_CONNECT_ONLY can be used, until curl_loop_remove, which `done` may call. */
void curl_loop_add(struct curl_loop *c, struct curl_transfer *t);
/* Before `done`: it will not come. Never from inside one of libcurl's own callbacks. */
void curl_loop_remove(struct curl_loop *c, struct curl_transfer *t);
