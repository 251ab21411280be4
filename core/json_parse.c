/* The JSON parser: one pass, no recursion.
 *
 * A loop alternates between taking a value and finding where the next one begins. Opening an object
 * or array pushes a frame, its end pops it; the depth is bounded, so the frames stand on the C
 * stack. Nodes come from the arena in blocks whose size follows what is left of the input: a small
 * body is one block, and a hostile one cannot make us reserve more than a fixed multiple of what
 * it sent. Names are compared when their object ends: pairwise in small objects, through a table
 * under a keyed hash in others, so that nobody can choose names that make the comparison slow.
 *
 * What is stricter than RFC 8259, and why: duplicate names (a check may read the first, the logic
 * the last), lone surrogates, U+0000 and noncharacters (PostgreSQL refuses or changes them), a
 * byte order mark, depth. */
#include "core/json.h"

#include <limits.h>
#include <string.h>
#include <sys/random.h>

#include "core/digest.h"
#include "core/json_token.h"
#include "core/map.h"
#include "core/must.h"

enum { COMPARED_PAIRWISE_MAX = 16, BLOCK_NODES_MIN = 4, BLOCK_NODES_MAX = 60, BYTES_PER_NODE = 12 };

struct frame {
    struct json *container;
    struct json **tail;        /* where the next child is linked */
};

struct parser {
    struct json_cursor cursor;
    struct json *spare, *spare_end;
    struct frame *stack;
    int depth;
};

static bool fail(struct parser *p, const char *why)
{
    p->cursor.why = p->cursor.at == p->cursor.end ? "unexpected end" : why;
    return false;
}

static struct json *node_new(struct parser *p)
{
    if (p->spare == p->spare_end) {
        size_t n = (size_t) (p->cursor.end - p->cursor.at) / BYTES_PER_NODE + BLOCK_NODES_MIN;
        if (n > BLOCK_NODES_MAX) n = BLOCK_NODES_MAX;
        p->spare = arena_raw(p->cursor.arena, n * sizeof *p->spare);
        p->spare_end = p->spare + n;
    }
    struct json *node = p->spare++;
    *node = (struct json){ 0 };
    return node;
}

/* The next byte that is no blank; 0 at the end (a NUL in the text is an error wherever it stands). */
static inline unsigned char skip_blanks(struct parser *p)
{
    const char *at = p->cursor.at, *end = p->cursor.end;
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
    p->cursor.at = at;
    return at < end ? (unsigned char) *at : 0;
}

static bool take_word(struct parser *p, struct json *node, struct str word, enum json_type type)
{
    struct str rest = { p->cursor.at, (size_t) (p->cursor.end - p->cursor.at) };
    if (!str_starts(rest, word)) return fail(p, "unexpected character");
    p->cursor.at += word.n;
    node->type = type;
    return true;
}

static bool take_number(struct parser *p, struct json *node)
{
    const char *end = json_number_end(p->cursor.at, p->cursor.end);
    if (!end) {
        p->cursor.why = "malformed number";
        return false;
    }
    node->type = JSON_NUMBER;
    node->text = (struct str){ p->cursor.at, (size_t) (end - p->cursor.at) };
    p->cursor.at = end;
    return true;
}

static bool open_container(struct parser *p, struct json *node, enum json_type type)
{
    if (p->depth == JSON_DEPTH_MAX) return fail(p, "nested deeper than 64");
    node->type = type;
    node->text.p = p->cursor.at++;
    p->stack[p->depth++] = (struct frame){ node, &node->child };
    return true;
}

/* The whole value, or only the beginning of an object or array. */
static bool take_value(struct parser *p, struct json *node)
{
    switch (skip_blanks(p)) {
    case '"':
        p->cursor.at++;
        node->type = JSON_STRING;
        return json_take_string(&p->cursor, &node->text);
    case '-': case '0': case '1': case '2': case '3': case '4':
    case '5': case '6': case '7': case '8': case '9': return take_number(p, node);
    case '{': return open_container(p, node, JSON_OBJECT);
    case '[': return open_container(p, node, JSON_ARRAY);
    case 't': return take_word(p, node, STR("true"), JSON_TRUE);
    case 'f': return take_word(p, node, STR("false"), JSON_FALSE);
    case 'n': return take_word(p, node, STR("null"), JSON_NULL);
    default: return fail(p, "unexpected character");
    }
}

static bool pairwise_distinct(const struct json *object)
{
    for (const struct json *a = object->child; a; a = a->next) {
        for (const struct json *b = a->next; b; b = b->next) {
            if (a->name.n == b->name.n && memcmp(a->name.p, b->name.p, a->name.n) == 0) return false;
        }
    }
    return true;
}

/* One key a process, drawn at the first need: names of large objects are hashed under it. */
static const uint8_t *hash_key(void)
{
    static uint8_t key[SIPHASH_KEY_BYTES];
    static bool drawn;
    while (!drawn) drawn = getrandom(key, sizeof key, 0) == (ssize_t) sizeof key;
    return key;
}

/* Two names with one hash are compared; when they differ after all, which nobody can provoke, the
 * slow way decides. */
static bool hashed_distinct(struct json *object)
{
    bool distinct = true;
    struct map seen;
    map_init(&seen);
    for (struct json *m = object->child; m && distinct; m = m->next) {
        const struct json *before = map_set(&seen, siphash(hash_key(), m->name.p, m->name.n), m);
        if (before) distinct = !str_eq(before->name, m->name) && pairwise_distinct(object);
    }
    map_fini(&seen);
    return distinct;
}

static bool close_container(struct parser *p)
{
    struct json *node = p->stack[--p->depth].container;
    node->text.n = (size_t) (++p->cursor.at - node->text.p);
    if (node->type == JSON_ARRAY) return true;
    if (node->count <= COMPARED_PAIRWISE_MAX ? pairwise_distinct(node) : hashed_distinct(node)) return true;
    p->cursor.why = "duplicate name";
    return false;
}

static bool take_name(struct parser *p, struct json *node)
{
    if (skip_blanks(p) != '"') return fail(p, "a name is expected");
    p->cursor.at++;
    if (!json_take_string(&p->cursor, &node->name)) return false;
    if (skip_blanks(p) != ':') return fail(p, "':' is expected");
    p->cursor.at++;
    return true;
}

/* A value ended or a container began: closes what ends here and returns the node for the value that
 * begins next. NULL at the end of the outermost value, or with `why` set. */
static struct json *next_node(struct parser *p)
{
    while (p->depth > 0) {
        struct frame *f = &p->stack[p->depth - 1];
        bool object = f->container->type == JSON_OBJECT;
        unsigned char c = skip_blanks(p);
        if (c == (object ? '}' : ']')) {
            if (!close_container(p)) return NULL;
            continue;
        }
        if (f->container->count++ > 0) {
            if (c != ',') return fail(p, object ? "',' or '}' is expected" : "',' or ']' is expected"), NULL;
            p->cursor.at++;
        }
        struct json *node = node_new(p);
        *f->tail = node;
        f->tail = &node->next;
        return object && !take_name(p, node) ? NULL : node;
    }
    return NULL;
}

static bool parse(struct parser *p, struct json **out)
{
    struct str text = { p->cursor.at, (size_t) (p->cursor.end - p->cursor.at) };
    if (str_starts(text, STR("\xef\xbb\xbf"))) return fail(p, "begins with a byte order mark");
    if (text.n > INT_MAX) return fail(p, "too long");
    if (skip_blanks(p) == 0 && p->cursor.at == p->cursor.end) {
        p->cursor.why = "empty";
        return false;
    }
    struct json *node = *out = node_new(p);
    do {
        if (!take_value(p, node)) return false;
    } while ((node = next_node(p)));
    if (p->cursor.why) return false;
    skip_blanks(p);
    return p->cursor.at == p->cursor.end || fail(p, "something follows the value");
}

enum err json_parse(struct str text, struct arena *arena, struct json **out, const char **why)
{
    struct frame stack[JSON_DEPTH_MAX];
    struct parser p = { .stack = stack };
    if (!text.p) text.p = "";
    p.cursor = (struct json_cursor){ .at = text.p, .end = text.p + text.n, .arena = arena };
    bool ok = parse(&p, out);
    must(ok == (p.cursor.why == NULL));
    if (!ok) {
        *out = NULL;
        *why = p.cursor.why;
    }
    return ok ? OK : ERR_INVALID;
}

struct json *json_get(const struct json *object, struct str name)
{
    if (!object || object->type != JSON_OBJECT) return NULL;
    for (struct json *m = object->child; m; m = m->next) {
        if (str_eq(m->name, name)) return m;
    }
    return NULL;
}
