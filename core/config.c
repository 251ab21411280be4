/* Settings: find each one's value, check it, store it in the caller's struct.
 *
 * Nothing stops at the first fault: who sets up a server wants to hear of all of them at once. The
 * text of a fault begins with the name that was really used, because DB_PORT in somebody's .env is
 * where the mistake is, not in TALLY_DB_PORT. */
#include "core/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/must.h"

enum { ENV_FILE_MAX = 1024 * 1024, SHOWN_BYTES = 60, DECIMALS = 6, MILLION = 1000000, NAME_MAX_BYTES = 64 };

struct pair {
    struct str name, value;
    struct pair *next;
};

struct reader {
    const struct setting *table;
    const struct config_source *source;
    struct arena *arena;
    struct pair *file;                     /* newest first */
    struct config_fault *faults, **faults_tail;
    struct config_fault *notices, **notices_tail;
};

/* One of a setting's names and what it is set to. */
struct found {
    struct str name, value;                /* value.p is NULL when none has one */
};

static void append(struct arena *arena, struct config_fault ***tail, struct str text)
{
    struct config_fault *fault = arena_new(arena, struct config_fault);
    fault->text = text.p;
    **tail = fault;
    *tail = &fault->next;
}

#define add_fault(r, ...) append((r)->arena, &(r)->faults_tail, arena_printf((r)->arena, __VA_ARGS__))
#define add_notice(r, ...) append((r)->arena, &(r)->notices_tail, arena_printf((r)->arena, __VA_ARGS__))

static void take_pair(void *arg, struct str name, struct str value)
{
    struct reader *r = arg;
    struct pair *pair = arena_new(r->arena, struct pair);
    *pair = (struct pair){ name, value, r->file };
    r->file = pair;
}

static void read_env_file(struct reader *r)
{
    const char *path = r->source->env_file;
    if (!path) return;
    FILE *file = fopen(path, "re");
    if (!file) {
        if (errno != ENOENT) add_fault(r, "%s: %s", path, strerror(errno));
        return;
    }
    char *text = arena_raw(r->arena, ENV_FILE_MAX + 1);
    size_t n = fread(text, 1, ENV_FILE_MAX + 1, file);
    int line;
    if (ferror(file)) add_fault(r, "%s: cannot be read", path);
    else if (n > ENV_FILE_MAX) add_fault(r, "%s: is larger than 1 MiB", path);
    else if (!env_parse((struct str){ text, n }, r->arena, take_pair, r, &line)) {
        add_fault(r, "%s: line %d is not of the form NAME=value", path, line);
    }
    fclose(file);
}

/* STR_NONE when unset or empty. */
static struct str lookup(const struct reader *r, struct str name)
{
    char cname[NAME_MAX_BYTES];
    must(name.n < sizeof cname);
    memcpy(cname, name.p, name.n);
    cname[name.n] = 0;
    struct str value = str_from(r->source->getenv_fn(cname));
    if (value.n) return value;
    for (const struct pair *p = r->file; p; p = p->next) {
        if (str_eq(p->name, name)) return p->value.n ? p->value : STR_NONE;
    }
    return STR_NONE;
}

/* The setting's first name, then its aliases; false behind the last. Start with *rest of the
 * aliases and *name of STR_NONE. */
static bool next_name(const struct setting *s, struct str *rest, struct str *name)
{
    if (!name->p) {
        *rest = str_from(s->aliases);
        *name = str_from(s->name);
        return true;
    }
    do {
        if (!rest->p) return false;
        *name = str_cut(rest, ' ');
    } while (name->n == 0);
    return true;
}

static struct found find_value(struct reader *r, const struct setting *s)
{
    struct found found = { STR_NONE, STR_NONE };
    struct str rest = STR_NONE, name = STR_NONE;
    while (next_name(s, &rest, &name)) {
        struct str value = lookup(r, name);
        if (!value.p) continue;
        if (!found.value.p) {
            found = (struct found){ name, value };
        } else if (s->type != SETTING_IGNORED && !str_eq(value, found.value)) {
            add_notice(r, "%.*s and %.*s differ, %.*s is used", STR_FMT(found.name), STR_FMT(name),
                       STR_FMT(found.name));
        }
    }
    return found;
}

/* The value as a fault may show it: not at all when secret, short, and without control characters. */
static const char *shown(struct reader *r, const struct setting *s, struct str value)
{
    if (s->secret) return "the value";
    bool cut = value.n > SHOWN_BYTES;
    if (cut) value.n = SHOWN_BYTES;
    while (cut && value.n && ((unsigned char) value.p[value.n] & 0xc0) == 0x80) value.n--;
    struct str text = arena_printf(r->arena, "\"%.*s%s\"", STR_FMT(value), cut ? "…" : "");
    char *p = (char *) (uintptr_t) text.p;
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char) p[i] < 0x20 || p[i] == 0x7f) p[i] = '?';
    }
    return p;
}

static bool has_upper_bound(const struct setting *s)
{
    return s->max > s->min || (s->max == s->min && s->max != 0);
}

static bool within(const struct setting *s, int64_t value)
{
    if (s->min == 0 && s->max == 0) return true;
    return value >= s->min && (!has_upper_bound(s) || value <= s->max);
}

/* A bound as it would be written in a setting: DECIMAL's are millionths. */
static const char *bound_text(struct arena *arena, const struct setting *s, int64_t bound)
{
    if (s->type != SETTING_DECIMAL) return arena_printf(arena, "%" PRId64, bound).p;
    uint64_t size = bound < 0 ? 0 - (uint64_t) bound : (uint64_t) bound;
    struct str text = arena_printf(arena, "%s%" PRIu64 ".%06" PRIu64, bound < 0 ? "-" : "",
                                   size / MILLION, size % MILLION);
    while (text.p[text.n - 1] == '0') text.n--;
    if (text.p[text.n - 1] == '.') text.n--;
    return arena_cstr(arena, text);
}

static const char *bounds_text(struct arena *arena, const struct setting *s)
{
    const char *min = bound_text(arena, s, s->min);
    if (!has_upper_bound(s)) return arena_printf(arena, "at least %s", min).p;
    return arena_printf(arena, "within %s..%s", min, bound_text(arena, s, s->max)).p;
}

/* What is allowed, for the texts "… is not <this>". */
static const char *allowed(struct arena *arena, const struct setting *s)
{
    bool bounded = s->min != 0 || s->max != 0;
    const char *bounds = bounded ? arena_printf(arena, " %s", bounds_text(arena, s)).p : "";
    switch (s->type) {
    case SETTING_INT: return arena_printf(arena, "a whole number%s", bounds).p;
    case SETTING_DECIMAL: return arena_printf(arena, "a number with at most 6 decimals%s", bounds).p;
    case SETTING_BOOL: return "one of 1, 0, true, false, on, off, yes, no";
    case SETTING_ENUM: return arena_printf(arena, "one of %s", s->choices).p;
    case SETTING_TEXT: return arena_printf(arena, "a text with a length%s", bounds).p;
    case SETTING_IGNORED: break;
    }
    return "";
}

/* The index of the word among words separated by blanks, or -1. */
static int word_index(struct str words, struct str word)
{
    for (int i = 0; words.p;) {
        struct str candidate = str_cut(&words, ' ');
        if (candidate.n == 0) continue;
        if (str_eq_nocase(candidate, word)) return i;
        i++;
    }
    return -1;
}

/* False when the value is not of the type or out of bounds; *to is untouched then. */
static bool store(const struct setting *s, struct arena *arena, struct str value, void *to)
{
    static const char bools[] = "0 1 false true off on no yes";
    struct str word = str_trim(value);
    int64_t number;
    int index;
    switch (s->type) {
    case SETTING_TEXT:
        if (!within(s, (int64_t) str_utf8_length(value))) return false;
        *(const char **) to = arena_cstr(arena, value);
        return true;
    case SETTING_INT:
        if (!str_to_i64(word, &number) || !within(s, number)) return false;
        *(int64_t *) to = number;
        return true;
    case SETTING_DECIMAL:
        if (!json_decimal(word, DECIMALS, &number) || !within(s, number)) return false;
        *(int64_t *) to = number;
        return true;
    case SETTING_BOOL:
        if ((index = word_index(str_from(bools), word)) < 0) return false;
        *(bool *) to = index % 2 == 1;
        return true;
    case SETTING_ENUM:
        if ((index = word_index(str_from(s->choices), word)) < 0) return false;
        *(int *) to = index;
        return true;
    case SETTING_IGNORED: break;
    }
    return true;
}

static void read_setting(struct reader *r, const struct setting *s, void *to)
{
    struct found found = find_value(r, s);
    if (s->type == SETTING_IGNORED) {
        if (found.value.p) add_notice(r, "%.*s is set, but not used: %s", STR_FMT(found.name), s->help);
        return;
    }
    if (!found.value.p) {
        if (s->initial) must(store(s, r->arena, str_from(s->initial), to));
        else if (s->type == SETTING_TEXT) *(const char **) to = NULL;
        return;
    }
    if (!store(s, r->arena, found.value, to)) {
        add_fault(r, "%.*s: %s is not %s", STR_FMT(found.name), shown(r, s, found.value), allowed(r->arena, s));
    }
}

static bool is_known(const struct setting *table, struct str name)
{
    for (const struct setting *s = table; s->name; s++) {
        struct str rest = STR_NONE, known = STR_NONE;
        while (next_name(s, &rest, &known)) {
            if (str_eq(known, name)) return true;
        }
    }
    return false;
}

/* A misspelt name would otherwise look like a setting that has no effect. */
static void notice_unknown(struct reader *r)
{
    for (const struct pair *p = r->file; p; p = p->next) {
        if (!str_starts(p->name, STR("TALLY_")) || is_known(r->table, p->name)) continue;
        add_notice(r, "%.*s in %s is no setting", STR_FMT(p->name), r->source->env_file);
    }
}

struct config_fault *config_read(const struct setting *table, const struct config_source *source,
                                 struct arena *arena, void *out, struct config_fault **notices)
{
    struct reader r = { .table = table, .source = source, .arena = arena };
    r.faults_tail = &r.faults;
    r.notices_tail = &r.notices;
    read_env_file(&r);
    for (const struct setting *s = table; s->name; s++) read_setting(&r, s, (char *) out + s->at);
    notice_unknown(&r);
    *notices = r.notices;
    return r.faults;
}

/* What stands in the column of initial values. */
static const char *initial_text(const struct setting *s)
{
    return s->initial ? s->initial : "-";
}

void config_help(const struct setting *table, struct buf *out)
{
    int name_width = 0, initial_width = 0;
    for (const struct setting *s = table; s->name; s++) {
        int name = (int) strlen(s->name), initial = (int) strlen(initial_text(s));
        if (name > name_width) name_width = name;
        if (initial > initial_width && s->type != SETTING_IGNORED) initial_width = initial;
    }
    for (const struct setting *s = table; s->name; s++) {
        const char *initial = s->type == SETTING_IGNORED ? "" : initial_text(s);
        buf_printf(out, "  %-*s  %-*s  %s", name_width, s->name, initial_width, initial, s->help ? s->help : "");
        if (s->type == SETTING_ENUM) buf_printf(out, " (one of %s)", s->choices);
        if (s->type == SETTING_IGNORED) buf_cstr(out, " (accepted, not used)");
        if (s->aliases) buf_printf(out, " [also %s]", s->aliases);
        buf_char(out, '\n');
    }
}
