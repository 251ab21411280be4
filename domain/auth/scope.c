#include "domain/auth/scope.h"

#include "domain/auth/auth.h"

static const struct {
    struct str name;
    int scope;
} scopes[] = {
    { { "userstate", 9 }, SCOPE_USERSTATE }, { { "points", 6 }, SCOPE_POINTS }, { { "system", 6 }, SCOPE_SYSTEM },
    { { "rewards", 7 }, SCOPE_REWARDS },
};

enum { SCOPES = sizeof scopes / sizeof *scopes };

static int scope_of(struct str name)
{
    for (int i = 0; i < SCOPES; i++) {
        if (str_eq(name, scopes[i].name)) return scopes[i].scope;
    }
    return -1;
}

int scope_parse(struct str list)
{
    int set = 0;
    while (list.p) {
        int scope = scope_of(str_trim(str_cut(&list, ',')));
        if (scope < 0) return -1;
        set |= scope;
    }
    return set;
}

struct str scope_text(int set, struct arena *arena)
{
    struct str text = STR("");
    for (int i = 0; i < SCOPES; i++) {
        if (!(set & scopes[i].scope)) continue;
        text = arena_printf(arena, "%.*s%s%.*s", STR_FMT(text), text.n ? "," : "", STR_FMT(scopes[i].name));
    }
    return text;
}
