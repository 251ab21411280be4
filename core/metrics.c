/* Prometheus' text form, version 0.0.4. Histograms count microseconds and are printed in seconds,
 * as is the custom there; each observation goes into one bucket, the sums over the buckets that the
 * format wants are made while printing. */
#include "core/metrics.h"

#include <inttypes.h>
#include <string.h>

#include "core/mem.h"
#include "core/must.h"

static const struct { uint64_t us; const char *seconds; } bounds[METRIC_BUCKETS] = {
    { 50, "0.00005" }, { 100, "0.0001" }, { 250, "0.00025" }, { 500, "0.0005" }, { 1000, "0.001" },
    { 2500, "0.0025" }, { 5000, "0.005" }, { 10000, "0.01" }, { 25000, "0.025" }, { 50000, "0.05" },
    { 100000, "0.1" }, { 250000, "0.25" }, { 500000, "0.5" }, { 1000000, "1" }, { 2500000, "2.5" },
    { 5000000, "5" }, { 10000000, "10" },
};

void metrics_init(struct metrics *m)
{
    *m = (struct metrics){ 0 };
}

void metrics_fini(struct metrics *m)
{
    for (struct metric *it = m->first; it; it = it->next) {
        mem_free(it->buckets);
        it->buckets = NULL;
    }
    metrics_init(m);
}

void metrics_add(struct metrics *m, struct metric *metric)
{
    must(metric->next == NULL && metric != m->last && metric->buckets == NULL);
    if (metric->type == METRIC_HISTOGRAM) {
        metric->buckets = mem_alloc((METRIC_BUCKETS + 1) * sizeof *metric->buckets);
    }
    if (m->last) m->last->next = metric;
    else m->first = metric;
    m->last = metric;
}

void metric_observe_us(struct metric *histogram, uint64_t us)
{
    must(histogram->buckets != NULL);
    int i = 0;
    while (i < METRIC_BUCKETS && us > bounds[i].us) i++;
    histogram->buckets[i]++;
    histogram->sum_us += us;
}

/* name_suffix{labels,extra} and the blank before the value */
static void put_series(struct buf *out, const struct metric *m, const char *suffix, const char *le)
{
    bool labels = m->labels && m->labels[0];
    buf_cstr(out, m->name);
    buf_cstr(out, suffix);
    if (labels || le) {
        buf_char(out, '{');
        if (labels) buf_cstr(out, m->labels);
        if (labels && le) buf_char(out, ',');
        if (le) buf_printf(out, "le=\"%s\"", le);
        buf_char(out, '}');
    }
    buf_char(out, ' ');
}

static void put_count(struct buf *out, uint64_t count)
{
    buf_u64(out, count);
    buf_char(out, '\n');
}

static void put_histogram(struct buf *out, const struct metric *m)
{
    uint64_t count = 0;
    for (int i = 0; i <= METRIC_BUCKETS; i++) {
        count += m->buckets[i];
        put_series(out, m, "_bucket", i < METRIC_BUCKETS ? bounds[i].seconds : "+Inf");
        put_count(out, count);
    }
    put_series(out, m, "_sum", NULL);
    buf_printf(out, "%" PRIu64 ".%06" PRIu64 "\n", m->sum_us / 1000000, m->sum_us % 1000000);
    put_series(out, m, "_count", NULL);
    put_count(out, count);
}

void metrics_print(const struct metrics *m, struct buf *out)
{
    static const char *const types[] = { "counter", "gauge", "histogram" };
    const char *name = "";
    for (const struct metric *it = m->first; it; it = it->next) {
        if (strcmp(name, it->name) != 0) {
            buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", it->name, it->help, it->name, types[it->type]);
        }
        name = it->name;
        if (it->type == METRIC_HISTOGRAM) {
            put_histogram(out, it);
            continue;
        }
        put_series(out, it, "", NULL);
        buf_i64(out, it->read ? it->read(it->arg) : it->value);
        buf_char(out, '\n');
    }
}
