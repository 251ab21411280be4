/* One line an event. JSON by default, coloured key=value on a terminal. Lines gather in a buffer
 * and leave in one write at the end of the loop's turn (at once for LOG_ERROR and before the loop
 * runs), to standard error. The buffer is bounded: when the reader of our log does not read,
 * lines are dropped and a later line says how many.
 *
 *     log_info("db", "connected", "conn=%d ms=%d", id, ms);
 *
 * The third text is a printf format of key=value pairs; in JSON each becomes a member, a number when
 * it looks like one. A value that may hold blanks, or that comes from outside, is written with
 * LOG_STR, which quotes it and makes line ends, quotes and control characters harmless:
 *
 *     log_warn("db", "refused", "code=%s message=%s", code, LOG_STR(message));
 *
 * No token, password, key or body goes into a log. Only the loop's thread logs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/str.h"
#include "core/turn.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };
enum log_format { LOG_AUTO, LOG_TEXT, LOG_JSON };

void log_setup(enum log_level level, enum log_format format);
void log_attach(struct turn *turn);      /* from now on lines gather until the end of the turn */
void log_detach(void);                   /* flushes, and writes at once again */
bool log_enabled(enum log_level level);
bool log_level_parse(struct str s, enum log_level *out);
bool log_format_parse(struct str s, enum log_format *out);

void log_line(enum log_level level, const char *area, const char *event, const char *pairs, ...)
    __attribute__((format(printf, 4, 5)));
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

/* s as "s" in quotes, escaped as in JSON, in out; cut with an ellipsis when it is too long. */
enum { LOG_QUOTE_BYTES = 256 };
const char *log_quote(char out[LOG_QUOTE_BYTES], struct str s);
#define LOG_STR(s) log_quote((char[LOG_QUOTE_BYTES]){ 0 }, (s))

/* The access line, on the hot path: no printf. Empty texts are left out; 5xx is a
 * warning, anything else info. */
struct log_access {
    struct str request_id, method, path, remote, endpoint, user;   /* path without its query */
    int status;
    uint64_t duration_us, bytes;
};
void log_access(const struct log_access *a);
