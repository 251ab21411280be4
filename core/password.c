/* Password hashing and verification on a pool thread.
 *
 * A log-in must take the same time whether the account exists or not, so a verification without a
 * hash, or with one that cannot be read, hashes the password with our own parameters and throws
 * the result away. The parameters of a stored hash decide what verifying it costs; hashes may be
 * brought along from elsewhere, so what they ask for is bounded. */
#include "core/password.h"

#include <crypt.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "core/clock.h"
#include "core/digest.h"
#include "core/mem.h"

/* What our own hashes cost, the least that is recommended (ASVS 5.0): log-ins share the processors with everybody. A
 * stored hash below any of these asks to be re-hashed. */
enum { ARGON2_PASSES = 1, ARGON2_MEMORY_KIB = 46 * 1024 };
/* What a stored hash may cost. */
enum { ARGON2_PASSES_MAX = 16, ARGON2_MEMORY_KIB_MAX = 256 * 1024, BCRYPT_COST_MAX = 15 };

_Static_assert((int) crypto_pwhash_STRBYTES <= (int) PASSWORD_HASH_BYTES, "a hash fits its field");

static enum err argon2_hash(const char *password, char hash[PASSWORD_HASH_BYTES])
{
    int failed = crypto_pwhash_argon2id_str(hash, password, strlen(password), ARGON2_PASSES,
                                            (size_t) ARGON2_MEMORY_KIB * 1024);
    /* The parameters are constants, so what fails is the allocation of the memory. */
    return failed ? ERR_UNAVAILABLE : OK;
}

/* The same work as verifying one of our hashes; nothing matches. */
static enum err verify_nothing(const char *password)
{
    char unused[PASSWORD_HASH_BYTES];
    enum err err = argon2_hash(password, unused);
    sodium_memzero(unused, sizeof unused);
    return err;
}

/* Takes "m=" and a number that ends with `end` off the text. */
static bool take_parameter(struct str *rest, struct str name, char end, int64_t *value)
{
    if (!str_starts(*rest, name)) return false;
    struct str number = str_cut(rest, end);
    number.p += name.n;
    number.n -= name.n;
    return str_to_i64(number, value);
}

struct argon2_cost {
    bool is_argon2id;
    int64_t memory_kib, passes;
};

/* $argon2id$v=19$m=47104,t=1,p=1$salt$hash; false when it is of another form or costs too much. */
static bool argon2_cost_read(struct str hash, struct argon2_cost *cost)
{
    struct str rest = hash;
    str_cut(&rest, '$');
    cost->is_argon2id = str_eq(str_cut(&rest, '$'), STR("argon2id"));
    int64_t version, lanes;
    if (!take_parameter(&rest, STR("v="), '$', &version) || version != 19) return false;
    if (!take_parameter(&rest, STR("m="), ',', &cost->memory_kib)) return false;
    if (!take_parameter(&rest, STR("t="), ',', &cost->passes)) return false;
    if (!take_parameter(&rest, STR("p="), '$', &lanes)) return false;
    return cost->memory_kib <= ARGON2_MEMORY_KIB_MAX && cost->passes <= ARGON2_PASSES_MAX;
}

static enum err argon2_verify(struct password_job *job)
{
    struct argon2_cost cost;
    if (!argon2_cost_read(str_from(job->hash), &cost)) return verify_nothing(job->password);
    errno = 0;
    job->matches = crypto_pwhash_str_verify(job->hash, job->password, strlen(job->password)) == 0;
    if (!job->matches && errno == ENOMEM) return ERR_UNAVAILABLE;
    job->needs_rehash = job->matches && (!cost.is_argon2id || cost.memory_kib < ARGON2_MEMORY_KIB ||
                                         cost.passes < ARGON2_PASSES);
    return OK;
}

static bool is_bcrypt(struct str hash)
{
    return str_starts(hash, STR("$2a$")) || str_starts(hash, STR("$2b$")) || str_starts(hash, STR("$2y$"));
}

/* $2b$12$ and 53 characters of salt and hash. */
static enum err bcrypt_verify(struct password_job *job)
{
    struct str hash = str_from(job->hash);
    int64_t cost;
    bool readable = hash.n == 60 && hash.p[6] == '$' && str_to_i64((struct str){ hash.p + 4, 2 }, &cost) &&
                    cost <= BCRYPT_COST_MAX;
    if (!readable) return verify_nothing(job->password);
    struct crypt_data *data = mem_new(struct crypt_data);   /* 32 KiB */
    const char *hashed = crypt_r(job->password, job->hash, data);
    job->matches = hashed && secret_equal(str_from(hashed), hash);
    job->needs_rehash = job->matches;
    sodium_memzero(data, sizeof *data);
    mem_free(data);
    return OK;
}

static enum err verify(struct password_job *job)
{
    struct str hash = str_from(job->hash);
    if (str_starts(hash, STR("$argon2"))) return argon2_verify(job);
    if (is_bcrypt(hash)) return bcrypt_verify(job);
    return verify_nothing(job->password);
}

static void on_run(struct work *w)
{
    struct password_job *job = list_entry(w, struct password_job, work);
    job->began_ms = clock_mono_ms();
    job->err = job->task == PASSWORD_HASH ? argon2_hash(job->password, job->hash) : verify(job);
    sodium_memzero(job->password, sizeof job->password);
}

static void on_done(struct work *w, enum err err)
{
    struct password_job *job = list_entry(w, struct password_job, work);
    sodium_memzero(job->password, sizeof job->password);   /* when it never ran */
    job->done(job, err != OK ? err : job->err);
}

static bool password_copy(char to[PASSWORD_MAX_BYTES + 1], struct str password)
{
    if (password.n > PASSWORD_MAX_BYTES) return false;
    if (password.n > 0 && memchr(password.p, 0, password.n)) return false;
    memset(to, 0, PASSWORD_MAX_BYTES + 1);
    if (password.n > 0) memcpy(to, password.p, password.n);
    return true;
}

enum err password_start(struct work_queue *q, struct password_job *job, enum password_task task, struct str password,
                        struct str hash, void (*done)(struct password_job *job, enum err err), void *arg)
{
    if (!password_copy(job->password, password)) return ERR_INVALID;
    memset(job->hash, 0, sizeof job->hash);
    /* A hash that is too long is none of ours and stays empty: nothing will match it. */
    bool hash_fits = hash.n < sizeof job->hash;
    if (task == PASSWORD_VERIFY && hash_fits && hash.n > 0) memcpy(job->hash, hash.p, hash.n);
    job->task = task;
    job->matches = job->needs_rehash = false;
    job->err = ERR_INTERNAL;
    job->done = done;
    job->arg = arg;
    job->work.run = on_run;
    job->work.done = on_done;
    enum err err = work_submit(q, &job->work);
    if (err != OK) sodium_memzero(job->password, sizeof job->password);
    return err;
}

bool password_hash_now(struct str password, char hash[PASSWORD_HASH_BYTES])
{
    char copy[PASSWORD_MAX_BYTES + 1];
    if (!password_copy(copy, password)) return false;
    enum err err = argon2_hash(copy, hash);
    sodium_memzero(copy, sizeof copy);
    return err == OK;
}
