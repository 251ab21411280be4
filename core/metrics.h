/* Counters, gauges and histograms in Prometheus' text form. Metrics register themselves once in a
 * registry owned by the caller; updating one is an addition, so the hot path may. */
#pragma once

#include <stdint.h>

#include "core/buf.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {
    const char *name, *labels, *help;   /* labels: "surface=\"bank\"" or NULL */
    enum metric_type type;
    int64_t value;                       /* counter, gauge */
    int64_t (*read)(void *arg);          /* gauge read when asked for, or NULL */
    void *arg;
    uint64_t *buckets;                   /* histogram of microseconds: METRIC_BUCKETS + 1 counts */
    uint64_t sum_us;
    struct metric *next;
};

enum { METRIC_BUCKETS = 17 };            /* 50 µs … 10 s, in steps of 1-2.5-5 */

struct metrics {
    struct metric *first, *last;
};

void metrics_init(struct metrics *m);
void metrics_fini(struct metrics *m);    /* frees buckets */
/* The metric is the caller's and must outlive the registry. Metrics of one name must be added one after another. */
void metrics_add(struct metrics *m, struct metric *metric);
void metric_observe_us(struct metric *histogram, uint64_t us);
void metrics_print(const struct metrics *m, struct buf *out);
