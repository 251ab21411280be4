/* The log: builds one line an event straight in the sink's buffer.
 *
 * A line's pairs are formatted once, as text. On a terminal that text is the line; for JSON it is
 * taken apart again: name=value, where a value ends before the next " name=", so that a forgotten
 * blank spoils nothing; a value in quotes is a string whatever it looks like. The access line, one
 * for every request, goes another way: it is put together from its known parts without printf. */
#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json_token.h"
#include "core/log_sink.h"
#include "core/log_text.h"
#include "core/must.h"

enum { PAIRS_BYTES = 8192, ACCESS_VALUE_BYTES = 1024, DRAIN_MS = 1000 };

/* One a process, like standard error itself. */
static struct {
    enum log_level level;
    enum log_format format;
    bool coloured;
    struct turn *turn;
    struct turn_item item;
} state = { .level = LOG_INFO, .format = LOG_JSON };

static const char *const level_names[] = { "debug", "info", "warn", "error", "off" };
static const char *const level_colours[] = { "\033[2m", "\033[32m", "\033[33m", "\033[31m", "" };
static const char *const format_names[] = { "auto", "text", "json" };

static void run_flush(struct turn_item *item)
{
    (void) item;
    log_sink_flush();
}

void log_setup(enum log_level level, enum log_format format)
{
    bool terminal = isatty(STDERR_FILENO);
    must(level >= LOG_DEBUG && level <= LOG_OFF);
    state.level = level;
    state.format = format == LOG_AUTO ? (terminal ? LOG_TEXT : LOG_JSON) : format;
    state.coloured = terminal;
    log_sink_setup(STDERR_FILENO);
}

void log_attach(struct turn *turn)
{
    must(!state.turn);
    state.turn = turn;
    turn_item_init(&state.item, run_flush);
}

void log_detach(void)
{
    if (state.turn) turn_cancel(&state.item);
    state.turn = NULL;
    log_sink_drain(DRAIN_MS);
}

bool log_enabled(enum log_level level)
{
    return level >= state.level && level < LOG_OFF;
}

static bool find_name(const char *const *names, int count, struct str s, int *out)
{
    for (int i = 0; i < count; i++) {
        if (!str_eq_nocase(s, str_from(names[i]))) continue;
        *out = i;
        return true;
    }
    return false;
}

bool log_level_parse(struct str s, enum log_level *out)
{
    int i = 0;
    bool found = find_name(level_names, LOG_OFF + 1, s, &i);
    if (found) *out = (enum log_level) i;
    return found;
}

bool log_format_parse(struct str s, enum log_format *out)
{
    int i = 0;
    bool found = find_name(format_names, LOG_JSON + 1, s, &i);
    if (found) *out = (enum log_format) i;
    return found;
}

static void put_head(struct buf *b, enum log_level level, struct str area, struct str event)
{
    char at[CLOCK_ISO_BYTES];
    clock_iso(clock_wall_us(), at);
    if (state.format == LOG_JSON) {
        buf_str(b, STR("{\"at\":\""));
        buf_put(b, at, sizeof at);
        buf_str(b, STR("\",\"level\":\""));
        buf_cstr(b, level_names[level]);
        buf_str(b, STR("\",\"area\":"));
        log_put_json(b, area);
        buf_str(b, STR(",\"event\":"));
        log_put_json(b, event);
        return;
    }
    buf_cstr(b, state.coloured ? "\033[2m" : "");
    buf_put(b, at + 11, 12);
    buf_cstr(b, state.coloured ? "\033[0m " : " ");
    buf_cstr(b, state.coloured ? level_colours[level] : "");
    buf_printf(b, "%-5s", level_names[level]);
    buf_cstr(b, state.coloured ? "\033[0m " : " ");
    log_put_plain(b, area);
    buf_char(b, ' ');
    log_put_plain(b, event);
}

static void put_end(struct buf *b, enum log_level level)
{
    buf_str(b, state.format == LOG_JSON ? STR("}\n") : STR("\n"));
    log_sink_end();
    if (level == LOG_ERROR || !state.turn) log_sink_flush();
    else turn_defer(state.turn, &state.item);
}

/* Says how many lines were lost, once there is room again. */
static void report_dropped(void)
{
    unsigned dropped = log_sink_take_dropped();
    if (dropped == 0) return;
    struct buf *b = log_sink_begin();
    put_head(b, LOG_WARN, STR("log"), STR("dropped"));
    buf_printf(b, state.format == LOG_JSON ? ",\"lines\":%u" : " lines=%u", dropped);
    bool fits = !b->failed;
    put_end(b, LOG_WARN);
    if (!fits) log_sink_keep_dropped(dropped - 1);
}

/* The length of the name when s begins with "name=", otherwise 0. */
static size_t name_length(struct str s)
{
    size_t n = 0;
    for (; n < s.n; n++) {
        char c = s.p[n];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (n == 0 || !((c >= '0' && c <= '9') || c == '.' || c == '-'))) break;
    }
    return n > 0 && n < s.n && s.p[n] == '=' ? n : 0;
}

struct pair {
    struct str name, value;
    bool quoted;
};

static struct str skip(struct str s, size_t n)
{
    return (struct str){ s.p + n, s.n - n };
}

/* s begins behind a quote; the length up to the quote that ends it, or all. */
static size_t quoted_length(struct str s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] != '"') n += s.p[n] == '\\' && n + 1 < s.n ? 2 : 1;
    return n;
}

static bool take_pair(struct str *rest, struct pair *out)
{
    struct str s = str_trim(*rest);
    if (s.n == 0) return false;
    size_t n = name_length(s);
    out->name = n ? (struct str){ s.p, n } : STR("text");
    if (n) s = skip(s, n + 1);
    out->quoted = s.n > 0 && s.p[0] == '"';
    if (out->quoted) {
        s = skip(s, 1);
        out->value = (struct str){ s.p, quoted_length(s) };
        *rest = skip(s, out->value.n + (out->value.n < s.n));
        return true;
    }
    size_t end = 0;
    while (end < s.n && !(s.p[end] == ' ' && name_length(skip(s, end + 1)))) end++;
    out->value = str_trim((struct str){ s.p, end });
    *rest = skip(s, end);
    return true;
}

/* Undoes what log_quote escaped. Nothing is copied as it stands, because the quotes may also be the
 * caller's own around any text. `to` has room for s.n bytes. */
static struct str unescape(struct str s, char *to)
{
    static const char from[] = "bfnrt", control[] = "\b\f\n\r\t";
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned code;
        const char *known;
        if (s.p[i] != '\\' || i + 1 == s.n) {
            to[n++] = s.p[i];
        } else if (s.n - i >= 6 && memcmp(s.p + i, "\\u00", 4) == 0 && sscanf(s.p + i + 4, "%2x", &code) == 1) {
            to[n++] = (char) code;
            i += 5;
        } else if ((known = strchr(from, s.p[i + 1]))) {
            to[n++] = control[known - from];
            i++;
        } else {
            to[n++] = s.p[++i];
        }
    }
    return (struct str){ to, n };
}

/* A number as people write it; what only happens to look like one ("1e5", twenty digits) is an id. */
static bool is_number(struct str s)
{
    if (s.n == 0 || s.n > 18 || memchr(s.p, 'e', s.n) || memchr(s.p, 'E', s.n)) return false;
    return json_number_end(s.p, s.p + s.n) == s.p + s.n;
}

static bool is_reserved(struct str name)
{
    return str_eq(name, STR("at")) || str_eq(name, STR("level")) || str_eq(name, STR("area")) ||
           str_eq(name, STR("event"));
}

static void put_pairs_json(struct buf *b, struct str pairs)
{
    char room[PAIRS_BYTES];
    struct pair pair;
    while (take_pair(&pairs, &pair)) {
        buf_str(b, STR(",\""));
        buf_str(b, pair.name);
        buf_str(b, is_reserved(pair.name) ? STR("_\":") : STR("\":"));
        if (pair.quoted) log_put_json(b, unescape(pair.value, room));
        else if (is_number(pair.value)) buf_str(b, pair.value);
        else log_put_json(b, pair.value);
    }
}

void log_line(enum log_level level, const char *area, const char *event, const char *pairs, ...)
{
    if (!log_enabled(level)) return;
    char text[PAIRS_BYTES];
    va_list args;
    va_start(args, pairs);
    int n = vsnprintf(text, sizeof text, pairs, args);
    va_end(args);
    must(n >= 0);
    struct str s = { text, (size_t) n < sizeof text ? (size_t) n : sizeof text - 1 };

    report_dropped();
    struct buf *b = log_sink_begin();
    put_head(b, level, str_from(area), str_from(event));
    if (state.format == LOG_JSON) {
        put_pairs_json(b, s);
    } else if (s.n) {
        buf_char(b, ' ');
        log_put_plain(b, s);
    }
    put_end(b, level);
}

/* ,"name": or, in text, a blank and name= */
static void put_name(struct buf *b, struct str name)
{
    bool json = state.format == LOG_JSON;
    char *to = buf_reserve(b, name.n + 4);
    if (!to) return;
    to[0] = json ? ',' : ' ';
    to[1] = '"';
    memcpy(to + 1 + json, name.p, name.n);
    memcpy(to + 1 + json + name.n, json ? "\":" : "=", 2);
    buf_added(b, name.n + (json ? 4 : 2));
}

static void put_access_text(struct buf *b, struct str name, struct str value)
{
    if (value.n == 0) return;
    if (value.n > ACCESS_VALUE_BYTES) value.n = ACCESS_VALUE_BYTES;
    put_name(b, name);
    if (state.format == LOG_JSON) log_put_json(b, value);
    else log_put_word(b, value);
}

static void put_access_number(struct buf *b, struct str name, uint64_t value)
{
    put_name(b, name);
    buf_u64(b, value);
}

void log_access(const struct log_access *a)
{
    enum log_level level = a->status >= 500 ? LOG_WARN : LOG_INFO;
    if (!log_enabled(level)) return;
    report_dropped();
    struct buf *b = log_sink_begin();
    put_head(b, level, STR("http"), STR("request"));
    put_access_text(b, STR("req"), a->request_id);
    put_access_text(b, STR("method"), a->method);
    put_access_text(b, STR("path"), a->path);
    put_access_number(b, STR("status"), (uint64_t) a->status);
    put_access_number(b, STR("us"), a->duration_us);
    put_access_number(b, STR("bytes"), a->bytes);
    put_access_text(b, STR("endpoint"), a->endpoint);
    put_access_text(b, STR("user"), a->user);
    put_access_text(b, STR("remote"), a->remote);
    put_end(b, level);
}
