/* A tree whose edges are path words: below a node stand its fixed words, sorted, and at most one
 * node for a parameter, whatever the rows call it. A look-up visits a node at most once, so its
 * cost is bounded by the tree even where it must go back to a parameter. */
#include "http/router.h"

#include <string.h>

#include "core/mem.h"
#include "core/must.h"
#include "http/query.h"

enum { METHODS = HTTP_HEAD + 1 };

struct node {
    struct str word;
    struct node **fixed;                      /* sorted by word */
    int fixed_count;
    struct node *param;
    const struct endpoint *rows[METHODS];     /* by method; HEAD's is unused */
    unsigned allowed;
};

struct router {
    struct node root;
};

static void add(struct router *r, const struct endpoint *e);

/* An id names one row; only the further paths of an endpoint share its id. */
static void check_id(const struct endpoint *const *tables, const struct endpoint *e)
{
    if (e->flags & ENDPOINT_ALIAS) return;
    for (; *tables; tables++) {
        for (const struct endpoint *other = *tables; other->id; other++) {
            must(other == e || (other->flags & ENDPOINT_ALIAS) || strcmp(other->id, e->id) != 0);
        }
    }
}

struct router *router_new(const struct endpoint *const *tables)
{
    const struct endpoint *const *all = tables;
    struct router *r = mem_new(struct router);
    for (; *tables; tables++) {
        for (const struct endpoint *e = *tables; e->id; e++) {
            endpoint_check(e);
            check_id(all, e);
            add(r, e);
        }
    }
    return r;
}

static void node_fini(struct node *n)
{
    for (int i = 0; i < n->fixed_count; i++) {
        node_fini(n->fixed[i]);
        mem_free(n->fixed[i]);
    }
    mem_free(n->fixed);
    if (n->param) node_fini(n->param);
    mem_free(n->param);
}

void router_free(struct router *r)
{
    if (!r) return;
    node_fini(&r->root);
    mem_free(r);
}

static int word_compare(struct str a, struct str b)
{
    if (a.n != b.n) return a.n < b.n ? -1 : 1;
    return memcmp(a.p, b.p, a.n);
}

/* The index of the word, or where it belongs. */
static int find_word(const struct node *n, struct str word, bool *found)
{
    int low = 0, high = n->fixed_count;
    while (low < high) {
        int middle = (low + high) / 2;
        int order = word_compare(n->fixed[middle]->word, word);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    *found = false;
    return low;
}

static struct node *child_for(struct node *n, struct str word)
{
    if (word.p[0] == ':') {
        if (!n->param) n->param = mem_new(struct node);
        return n->param;
    }
    bool found;
    int at = find_word(n, word, &found);
    if (found) return n->fixed[at];
    n->fixed = mem_realloc(n->fixed, (size_t) (n->fixed_count + 1) * sizeof(struct node *));
    memmove(n->fixed + at + 1, n->fixed + at, (size_t) (n->fixed_count - at) * sizeof(struct node *));
    n->fixed_count++;
    n->fixed[at] = mem_new(struct node);
    n->fixed[at]->word = word;
    return n->fixed[at];
}

static void add(struct router *r, const struct endpoint *e)
{
    struct node *n = &r->root;
    struct str rest = str_from(e->path + 1);
    while (rest.n) n = child_for(n, str_cut(&rest, '/'));
    for (int m = 0; m < METHODS; m++) {
        /* Rows that share a path must write it alike, or OpenAPI's templates would collide. */
        must(!n->rows[m] || strcmp(n->rows[m]->path, e->path) == 0);
    }
    must(n->rows[e->method] == NULL);
    n->rows[e->method] = e;
    n->allowed |= 1u << e->method;
    if (e->method == HTTP_GET && !(e->flags & ENDPOINT_CHANGES)) n->allowed |= 1u << HTTP_HEAD;
}

/* What one look-up carries down the tree. */
struct lookup {
    enum http_method method;
    bool is_head;
    struct route *out;
};

static bool arrive(const struct node *n, const struct lookup *l)
{
    l->out->allowed |= n->allowed;
    const struct endpoint *e = n->rows[l->method];
    if (!e || (l->is_head && (e->flags & ENDPOINT_CHANGES))) return false;
    l->out->endpoint = e;
    return true;
}

/* `rest` is what follows the node's word and its slash; p == NULL: nothing. */
static bool descend(const struct node *n, struct str rest, int params, const struct lookup *l)
{
    if (!rest.p) {
        l->out->param_count = params;
        return arrive(n, l);
    }
    struct str word = str_cut(&rest, '/');
    if (word.n == 0) return false;
    bool found;
    int at = find_word(n, word, &found);
    if (found && descend(n->fixed[at], rest, params, l)) return true;
    if (!n->param) return false;
    must(params < ROUTE_PARAMS_MAX);
    l->out->params[params] = word;
    return descend(n->param, rest, params + 1, l);
}

void router_find(const struct router *r, enum http_method method, bool is_head, struct str path, struct route *out)
{
    out->endpoint = NULL;
    out->allowed = 0;
    out->param_count = 0;
    if (path.n == 0 || path.p[0] != '/') return;
    struct str rest = { path.p + 1, path.n - 1 };
    if (rest.n && rest.p[rest.n - 1] == '/') rest.n--;
    else if (rest.n == 0) rest = STR_NONE;
    descend(&r->root, rest, 0, &(struct lookup){ method, is_head, out });
}

bool route_decode(struct str param, struct arena *arena, struct str *out)
{
    if (!percent_decode(param, false, arena, out)) return false;
    /* The path was cut at its slashes before: a slash in a word can only be an escaped one. */
    return !memchr(out->p, '/', out->n) && str_is_utf8(*out);
}

struct str route_allow(unsigned allowed, char *out, size_t size)
{
    static const enum http_method order[] = { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE,
                                              HTTP_OPTIONS };
    size_t n = 0;
    allowed |= 1u << HTTP_OPTIONS;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (!(allowed & 1u << order[i])) continue;
        struct str name = str_from(http_method_name(order[i]));
        must(n + 2 + name.n <= size);
        if (n) {
            memcpy(out + n, ", ", 2);
            n += 2;
        }
        memcpy(out + n, name.p, name.n);
        n += name.n;
    }
    return (struct str){ out, n };
}
