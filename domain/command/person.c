/* A person with all that belongs to him, in one statement. The unique indexes decide about what two
 * make at the same moment: a username or a referral code is tried again, an e-mail is an answer. */
#include "domain/command/person.h"

#include <string.h>

#include "core/password.h"
#include "sql.h"

enum { TRIES = 5 };

static enum person_added insert(struct shell *sh, const struct db_args *args, const struct db_result **r)
{
    static const char *const retried[] = { "users_username", "users_referral_code" };
    for (int try = 0; try < TRIES; try++) {
        enum err err = db_blocking_exec(sh->db, &sql_command_user_add, args, &sh->arena, r);
        if (err == OK) return db_rows(*r) ? PERSON_ADDED : PERSON_EXISTS;
        const char *constraint = err == ERR_SQL ? db_constraint(*r) : "";
        bool again = strcmp(constraint, retried[0]) == 0 || strcmp(constraint, retried[1]) == 0;
        if (again && try + 1 < TRIES) continue;
        shell_fail(sh, "the user was not made: %s", err == ERR_SQL ? db_message(*r) : err_info(err)->name);
        return PERSON_FAILED;
    }
    return PERSON_FAILED;
}

enum person_added person_add(struct shell *sh, const struct new_person *person, int64_t *id, struct str *username)
{
    const struct db_result *r = NULL;
    char hash[PASSWORD_HASH_BYTES];
    struct db_args args;
    struct str local = person->email, name = person->name;
    if (!name.p) name = str_cut(&local, '@');
    struct str last = name, first = str_cut(&last, ' ');
    if (!password_hash_now(person->password, hash)) {
        shell_fail(sh, "the password cannot be hashed: too long, or not enough memory (46 MiB)");
        return PERSON_FAILED;
    }
    db_args_init(&args, &sh->arena);
    db_text(&args, person->email);
    db_text(&args, first);
    db_text(&args, last.p ? str_trim(last) : STR(""));
    db_text(&args, str_from(hash));
    db_text(&args, person->role);
    enum person_added added = insert(sh, &args, &r);
    if (added != PERSON_ADDED) return added;
    *id = db_cell_i64(r, 0, 0);
    *username = db_cell(r, 0, 1);
    return added;
}
