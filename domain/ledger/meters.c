/* Postings by what became of them, batches by form: how many, how many postings in them, how long they
 * took. tally_ledger_batch_postings_total / tally_ledger_batches_total is the mean size of a batch. */
#include "domain/ledger/meters.h"

#include <stdio.h>

#include "core/mem.h"

static const char *const form_labels[BATCH_FORMS] = {
    [BATCH_OPTIMISTIC] = "form=\"optimistic\"", [BATCH_LOOK] = "form=\"look\"", [BATCH_EXACT] = "form=\"exact\"",
};

static void add(struct metrics *registry, struct metric *m, const char *name, const char *labels, const char *help,
                enum metric_type type)
{
    *m = (struct metric){ .name = name, .labels = labels, .help = help, .type = type };
    if (registry) metrics_add(registry, m);
}

/* The meters of ledgers that have closed: their registry may still print or clear them. A process closes its
 * ledger once, at its end. */
static struct meters *retired;

struct meters *meters_new(struct metrics *registry, int64_t (*queue)(void *arg), void *arg)
{
    struct meters *m = mem_new(struct meters);
    for (int i = 0; i < OUTCOME_COUNT + ERR_COUNT; i++) {
        bool is_outcome = i < OUTCOME_COUNT;
        const char *name =
            is_outcome ? outcome_info((enum outcome) i)->name : err_info((enum err) (i - OUTCOME_COUNT))->name;
        snprintf(m->labels[i], sizeof m->labels[i], "outcome=\"%s\"", name);
        struct metric *metric = is_outcome ? &m->outcomes[i] : &m->errors[i - OUTCOME_COUNT];
        if (i == OUTCOME_COUNT + OK) continue;
        add(registry, metric, "tally_ledger_postings_total", m->labels[i], "Postings settled", METRIC_COUNTER);
    }
    for (int i = 0; i < BATCH_FORMS; i++)
        add(registry, &m->batches[i], "tally_ledger_batches_total", form_labels[i], "Batches committed",
            METRIC_COUNTER);
    for (int i = 0; i < BATCH_FORMS; i++)
        add(registry, &m->postings[i], "tally_ledger_batch_postings_total", form_labels[i],
            "Postings in batches committed", METRIC_COUNTER);
    for (int i = 0; i < BATCH_FORMS; i++)
        add(registry, &m->seconds[i], "tally_ledger_batch_seconds", form_labels[i],
            "From sending a batch to its answer", METRIC_HISTOGRAM);
    add(registry, &m->lone, "tally_ledger_lone_transfers_total", NULL,
        "Batches sent that were one plain transfer, by a statement of its own", METRIC_COUNTER);
    add(registry, &m->lone_conflicts, "tally_ledger_lone_conflicts_total", NULL,
        "Of these, those that met another process's changes", METRIC_COUNTER);
    add(registry, &m->conflicts, "tally_ledger_conflicts_total", NULL,
        "Batches that met another process's changes, keys or locks", METRIC_COUNTER);
    add(registry, &m->failures, "tally_ledger_failures_total", NULL, "Batches that failed otherwise", METRIC_COUNTER);
    add(registry, &m->recovered, "tally_ledger_recovered_total", NULL,
        "Postings whose answer was lost with a connection, found to have been committed", METRIC_COUNTER);
    add(registry, &m->queue, "tally_ledger_queue_length", NULL, "Postings waiting or under way", METRIC_GAUGE);
    m->queue.read = queue;
    m->queue.arg = arg;
    add(registry, &m->generations, "tally_ledger_key_generations", NULL,
        "Generations of idempotency keys, the open one among them", METRIC_GAUGE);
    add(registry, &m->unfiltered, "tally_ledger_key_generations_unfiltered", NULL,
        "Closed ones without a filter yet: each new key is looked up in them", METRIC_GAUGE);
    return m;
}

void meters_retire(struct meters *m)
{
    m->queue.read = NULL;
    m->next = retired;
    retired = m;
}

void meters_settled(struct meters *m, enum err err, enum outcome outcome)
{
    if (err == OK) m->outcomes[outcome].value++;
    else m->errors[err].value++;
}

void meters_batch(struct meters *m, enum batch_form form, int postings, uint64_t us)
{
    m->batches[form].value++;
    m->postings[form].value += postings;
    if (m->seconds[form].buckets) metric_observe_us(&m->seconds[form], us);
}
