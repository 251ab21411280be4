#include "domain/auth/scope.h"

#include "domain/auth/auth.h"

static int scope_of(struct str name)
{
    if (str_eq(name, STR("userstate"))) return SCOPE_USERSTATE;
    if (str_eq(name, STR("points"))) return SCOPE_POINTS;
    if (str_eq(name, STR("system"))) return SCOPE_SYSTEM;
    if (str_eq(name, STR("rewards"))) return SCOPE_REWARDS;
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
