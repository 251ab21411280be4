/* Settings from the environment and an .env file, by one table. A name's value is the environment's
 * or else the file's; of a setting's names the first that has a value wins, in the table's order
 * (so TALLY_PORT in the file wins over PORT in the environment, and a notice tells). An empty value
 * counts as none. Every fault names the setting, what is wrong with its
 * value and what is allowed; all faults are reported at once.
 *
 *     static const struct setting settings[] = {
 *         { .name = "TALLY_PORT", .aliases = "PORT API_PORT", .type = SETTING_INT, .min = 1, .max = 65535,
 *           .initial = "3000", .at = offsetof(struct settings, port), .help = "listening port" },
 *         { 0 } };
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"

enum setting_type {
    SETTING_TEXT,      /* const char *, NULL when unset and without initial; min/max bound its length */
    SETTING_INT,       /* int64_t within min..max */
    SETTING_BOOL,      /* bool; 1/0, true/false, on/off, yes/no */
    SETTING_ENUM,      /* int: index into choices */
    SETTING_DECIMAL,   /* int64_t: millionths; "0.01" is 10000; min/max in millionths */
    SETTING_IGNORED,   /* read by another system of the same .env; a notice is logged */
};

struct setting {
    const char *name;
    const char *aliases;        /* separated by blanks, or NULL */
    const char *initial;        /* NULL: unset */
    const char *help;
    const char *choices;        /* SETTING_ENUM: separated by blanks */
    enum setting_type type;
    bool secret;                /* never printed, also not in faults */
    int64_t min, max;           /* both 0: no bound; max below min: no upper bound */
    size_t at;                  /* offset into the caller's struct */
};

struct config_fault {
    const char *text;           /* TALLY_PORT: "99999" is not a whole number within 1..65535 */
    struct config_fault *next;
};

/* Fills *out. Texts live in the arena. env_file may be NULL; a missing file is fine, a malformed
 * one is a fault with its line number. getenv_fn is getenv, or a stand-in of a test. Differing
 * values of two names of one setting are added to *notices ("DB_HOST and PS_HOST differ, …"), also
 * settings we ignore, and names in the file that begin with TALLY_ and are none of the table's. A
 * faulty setting leaves its place in *out as it was. */
struct config_source {
    const char *env_file;
    const char *(*getenv_fn)(const char *name);
};
struct config_fault *config_read(const struct setting *table, const struct config_source *source,
                                 struct arena *arena, void *out, struct config_fault **notices);

/* The settings part of --help: name, aliases, initial value, help; one setting a line, aligned. */
void config_help(const struct setting *table, struct buf *out);

/* The .env form: NAME=value, NAME="va\nlue", NAME='raw', export NAME=…, # comments. Calls take for
 * each pair, in order (of two with one name the later one counts); false with *line set at the first
 * malformed line. Pure; fuzzed. */
bool env_parse(struct str text, struct arena *arena, void (*take)(void *arg, struct str name, struct str value),
               void *arg, int *line);
