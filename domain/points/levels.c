/* Reading the levels, and finding one. There are at most fifty and mostly four, so they are
 * searched from the top. */
#include "domain/points/levels.h"

#include "core/must.h"

void levels_init(struct levels *l)
{
    l->count = 0;
    arena_init(&l->arena);
}

void levels_fini(struct levels *l)
{
    arena_fini(&l->arena);
    l->count = 0;
}

static bool read_number(const struct json *object, struct str name, int64_t *out)
{
    const struct json *n = json_get(object, name);
    return n && n->type == JSON_NUMBER && json_i64(n, out);
}

static bool read_perks(const struct json *object, struct arena *arena, struct str *out)
{
    const struct json *perks = json_get(object, STR("perks"));
    *out = STR("[]");
    if (!perks) return true;
    if (perks->type != JSON_ARRAY) return false;
    for (const struct json *perk = perks->child; perk; perk = perk->next) {
        if (perk->type != JSON_STRING) return false;
    }
    *out = arena_str(arena, perks->text);
    return true;
}

static const char *read_level(const struct json *object, struct arena *arena, const struct level *below,
                              struct level *out)
{
    const struct json *name = json_get(object, STR("name"));
    if (!name || name->type != JSON_STRING || name->text.n == 0) return "a level has no name";
    if (!read_number(object, STR("tier"), &out->tier)) return "a tier is no whole number";
    if (!read_number(object, STR("minPoints"), &out->min_points)) return "a minPoints is no whole number";
    if (out->min_points < 0) return "a minPoints is below 0";
    if (below && out->tier <= below->tier) return "tiers must ascend";
    if (below && out->min_points <= below->min_points) return "minPoints must ascend";
    if (!read_perks(object, arena, &out->perks)) return "perks must be an array of texts";
    out->name = arena_str(arena, name->text);
    return NULL;
}

static const char *read_all(struct levels *l, struct str json)
{
    struct json *array;
    const char *why = NULL;
    if (json_parse(json, &l->arena, &array, &why) != OK) return why;
    bool fits = array->type == JSON_ARRAY && array->count >= 1 && array->count <= LEVELS_MAX;
    if (!fits) return "there must be 1 to 50 levels";
    for (const struct json *object = array->child; object && !why; object = object->next) {
        struct level *level = &l->list[l->count];
        why = read_level(object, &l->arena, l->count ? level - 1 : NULL, level);
        l->count++;
    }
    return why;
}

enum err levels_read(struct levels *l, struct str json, const char **why)
{
    struct levels fresh;
    levels_init(&fresh);
    *why = read_all(&fresh, json);
    if (*why) {
        levels_fini(&fresh);
        return ERR_INVALID;
    }
    levels_fini(l);
    *l = fresh;
    return OK;
}

static const char *check_perks(struct str perks)
{
    enum { PERKS_MAX = 20, PERK_CHARS_MAX = 200 };
    struct arena arena;
    struct json *array;
    const char *why = NULL;
    arena_init(&arena);
    must(json_parse(perks, &arena, &array, &why) == OK);
    if (array->count > PERKS_MAX) why = "a level has at most 20 perks";
    for (const struct json *perk = array->child; perk && !why; perk = perk->next) {
        size_t length = str_utf8_length(perk->text);
        if (length < 1 || length > PERK_CHARS_MAX) why = "a perk has 1 to 200 characters";
    }
    arena_fini(&arena);
    return why;
}

static const char *check_level(const struct level *level)
{
    if (str_utf8_length(level->name) > 64 || str_trim(level->name).n == 0) return "a name has 1 to 64 characters";
    if (level->tier < 0 || level->tier > 1000000) return "a tier is within 0 to 1000000";
    if (level->min_points > 9007199254740991) return "a minPoints is too large";
    return check_perks(level->perks);
}

enum err levels_check(const struct levels *l, const char **why)
{
    *why = l->list[0].min_points != 0 ? "the first minPoints must be 0" : NULL;
    for (int i = 0; i < l->count && !*why; i++) *why = check_level(&l->list[i]);
    return *why ? ERR_INVALID : OK;
}

/* How many levels have been reached. */
static int reached_count(const struct levels *l, int64_t lifetime)
{
    int n = l->count;
    while (n > 0 && l->list[n - 1].min_points > lifetime) n--;
    return n;
}

const struct level *levels_at(const struct levels *l, int64_t lifetime, const struct level **next)
{
    int n = reached_count(l, lifetime);
    *next = n < l->count ? &l->list[n] : NULL;
    return n ? &l->list[n - 1] : NULL;
}

bool levels_crossed(const struct levels *l, int64_t before, int64_t after, const struct level **previous,
                    const struct level **reached)
{
    int from = reached_count(l, before), to = reached_count(l, after);
    if (to <= from) return false;
    *previous = from ? &l->list[from - 1] : NULL;
    *reached = &l->list[to - 1];
    return true;
}
