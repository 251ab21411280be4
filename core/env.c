/* The .env form. One line a setting:
 *
 *     # a comment
 *     NAME=value              blanks around the value are dropped, " #" begins a comment
 *     NAME="two\nlines"       \n \r \t \" \\ are escapes; may go on over several lines
 *     NAME='as it stands'     may go on over several lines, too
 *     export NAME=value       so that a shell can read the same file
 *
 * Anything else is an error with its line number instead of a guess: a setting that is silently
 * not read is found in production. Nothing is expanded ($HOME stays $HOME). */
#include "core/config.h"

#include <string.h>

struct env {
    const char *at, *end;
    struct arena *arena;
    int line;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct env *e)
{
    while (e->at < e->end && is_blank(*e->at)) e->at++;
}

static const char *line_end(const struct env *e)
{
    const char *p = e->at;
    while (p < e->end && *p != '\n') p++;
    return p;
}

static bool is_name_char(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static struct str take_word(struct env *e)
{
    const char *start = e->at;
    while (e->at < e->end && is_name_char(*e->at, e->at == start)) e->at++;
    return (struct str){ start, (size_t) (e->at - start) };
}

static bool take_name(struct env *e, struct str *name)
{
    *name = take_word(e);
    if (str_eq(*name, STR("export")) && e->at < e->end && is_blank(*e->at)) {
        skip_blanks(e);
        if (e->at < e->end && *e->at != '=') *name = take_word(e);
    }
    skip_blanks(e);
    if (name->n == 0 || e->at == e->end || *e->at != '=') return false;
    e->at++;
    skip_blanks(e);
    return true;
}

static char unescape(char c)
{
    switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case '"': return '"';
    case '\\': return '\\';
    default: return 0;
    }
}

/* The quote is behind us. False when it is not closed or something follows on its line. */
static bool take_quoted(struct env *e, char quote, struct str *value)
{
    const char *start = e->at;
    while (e->at < e->end && *e->at != quote) {
        e->at += quote == '"' && *e->at == '\\' && e->end - e->at > 1 ? 2 : 1;
    }
    if (e->at == e->end) return false;
    struct str raw = { start, (size_t) (e->at++ - start) };
    char *to = arena_raw(e->arena, raw.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        char plain = quote == '"' && raw.p[i] == '\\' && i + 1 < raw.n ? unescape(raw.p[i + 1]) : 0;
        to[n++] = plain ? plain : raw.p[i];
        i += plain != 0;
    }
    to[n] = 0;
    *value = (struct str){ to, n };
    skip_blanks(e);
    return e->at == e->end || *e->at == '\n' || *e->at == '#';
}

static struct str take_plain(struct env *e)
{
    const char *start = e->at, *end = line_end(e);
    for (const char *p = start; p < end; p++) {
        if (*p == '#' && (p == start || is_blank(p[-1]))) end = p;
    }
    e->at = end;
    return str_trim((struct str){ start, (size_t) (end - start) });
}

/* One line, or several when a quoted value goes on; `at` is then before the line's end. */
static bool take_line(struct env *e, struct str *name, struct str *value)
{
    *name = STR_NONE;
    skip_blanks(e);
    if (e->at == e->end || *e->at == '\n' || *e->at == '#') return true;
    if (!take_name(e, name)) return false;
    if (e->at < e->end && (*e->at == '"' || *e->at == '\'')) return take_quoted(e, *e->at++, value);
    *value = take_plain(e);
    return true;
}

bool env_parse(struct str text, struct arena *arena, void (*take)(void *arg, struct str name, struct str value),
               void *arg, int *line)
{
    if (str_starts(text, STR("\xef\xbb\xbf"))) text = (struct str){ text.p + 3, text.n - 3 };
    if (text.n == 0) return true;
    struct env e = { text.p, text.p + text.n, arena, 1 };
    while (e.at < e.end) {
        const char *start = e.at;
        struct str name, value = STR_NONE;
        bool ok = take_line(&e, &name, &value) && !memchr(start, 0, (size_t) (e.at - start));
        if (!ok) {
            *line = e.line;
            return false;
        }
        if (name.n) take(arg, name, value);
        e.at = line_end(&e);
        for (const char *p = start; p < e.at; p++) e.line += *p == '\n';
        if (e.at < e.end) e.at++, e.line++;
    }
    return true;
}
