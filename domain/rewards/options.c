#include "domain/rewards/options.h"

void reward_options_init(struct reward_options *o)
{
    *o = (struct reward_options){ 0 };
    arena_init(&o->arena);
}

void reward_options_fini(struct reward_options *o)
{
    arena_fini(&o->arena);
    *o = (struct reward_options){ 0 };
}

static bool read_option(const struct json *m, struct reward_option *out)
{
    const struct json *type = json_get(m, STR("type")), *min_points = json_get(m, STR("minPoints"));
    if (!type || type->type != JSON_STRING || type->text.n == 0) return false;
    if (!min_points || min_points->type != JSON_NUMBER || !json_i64(min_points, &out->min_points)) return false;
    out->type = type->text;
    out->json = m->text;
    return true;
}

enum err reward_options_read(struct reward_options *o, struct str json, const char **why)
{
    struct reward_options fresh;
    struct json *array;
    reward_options_init(&fresh);
    fresh.json = arena_str(&fresh.arena, json);
    enum err err = json_parse(fresh.json, &fresh.arena, &array, why);
    if (err == OK && array->type != JSON_ARRAY) {
        *why = "not an array";
        err = ERR_INVALID;
    }
    if (err == OK) fresh.list = arena_alloc(&fresh.arena, sizeof *fresh.list * (size_t) (array->count + 1));
    for (const struct json *m = err == OK ? array->child : NULL; m && err == OK; m = m->next) {
        if (read_option(m, &fresh.list[fresh.count++])) continue;
        *why = "an option without type or minPoints";
        err = ERR_INVALID;
    }
    if (err != OK) {
        reward_options_fini(&fresh);
        return err;
    }
    reward_options_fini(o);
    *o = fresh;
    return OK;
}

const struct reward_option *reward_options_find(const struct reward_options *o, struct str type)
{
    for (int i = 0; i < o->count; i++) {
        if (str_eq(o->list[i].type, type)) return &o->list[i];
    }
    return NULL;
}
