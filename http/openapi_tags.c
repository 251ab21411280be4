/* The groups of the document. An endpoint's group is what stands before the dash of its id: "BANK-05" is in "bank", or
 * in whatever the options call "BANK"; an id without a dash belongs to the server itself. */
#include <string.h>

#include "core/must.h"
#include "http/openapi.h"

enum { TAGS_MAX = 64 };

static struct str prefix_of(const struct endpoint *e)
{
    struct str rest = str_from(e->id), prefix = str_cut(&rest, '-');
    return rest.p ? prefix : STR_NONE;
}

static const struct http_tag *find_tag(const struct http_options *o, struct str prefix)
{
    for (const struct http_tag *t = o->tags; t && t->prefix; t++) {
        if (str_eq(str_from(t->prefix), prefix)) return t;
    }
    return NULL;
}

struct str openapi_tag(const struct http_options *options, const struct endpoint *e, char own[OPENAPI_TAG_BYTES])
{
    struct str prefix = prefix_of(e);
    const struct http_tag *tag = find_tag(options, prefix);
    if (tag) return str_from(tag->name);
    if (!prefix.p) return STR("server");
    must(prefix.n > 0 && prefix.n < OPENAPI_TAG_BYTES);
    for (size_t i = 0; i < prefix.n; i++) {
        char c = prefix.p[i];
        own[i] = (char) (c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return (struct str){ own, prefix.n };
}

static void put_tag(struct buf *out, struct str name, const char *description)
{
    json_open(out, '{');
    json_key(out, STR("name"));
    json_string(out, name);
    if (description) {
        json_key(out, STR("description"));
        json_string(out, str_from(description));
    }
    json_close(out, '}');
}

/* The names that shown rows have, each once, in the order of the tables. */
static int names_in_use(const struct http_options *o, struct str names[TAGS_MAX], char own[TAGS_MAX][OPENAPI_TAG_BYTES])
{
    int count = 0;
    for (const struct endpoint *const *t = o->tables; *t; t++) {
        for (const struct endpoint *e = *t; e->id; e++) {
            if (e->flags & ENDPOINT_HIDDEN) continue;
            must(count < TAGS_MAX);
            names[count] = openapi_tag(o, e, own[count]);
            int i = 0;
            while (!str_eq(names[i], names[count])) i++;
            if (i == count) count++;
        }
    }
    return count;
}

/* Takes the name out; false when it is not there. */
static bool take_name(struct str names[], int count, struct str name)
{
    for (int i = 0; i < count; i++) {
        if (!names[i].p || !str_eq(names[i], name)) continue;
        names[i] = STR_NONE;
        return true;
    }
    return false;
}

void openapi_put_tags(struct buf *out, const struct http_options *options)
{
    struct str names[TAGS_MAX];
    char own[TAGS_MAX][OPENAPI_TAG_BYTES];
    int count = names_in_use(options, names, own);
    json_key(out, STR("tags"));
    json_open(out, '[');
    for (const struct http_tag *t = options->tags; t && t->prefix; t++) {
        struct str name = str_from(t->name);
        if (take_name(names, count, name)) put_tag(out, name, t->description);
    }
    for (int i = 0; i < count; i++) {
        if (names[i].p) put_tag(out, names[i], NULL);
    }
    json_close(out, ']');
}
