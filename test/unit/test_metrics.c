/* What Prometheus reads. */
#include "core/metrics.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static int64_t read_seven(void *arg)
{
    return *(int64_t *) arg + 4;
}

static void prints(const struct metrics *m, const char *wanted)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    metrics_print(m, &b);
    ck_assert_msg(str_eq(buf_view(&b), str_from(wanted)), "%.*s", STR_FMT(buf_view(&b)));
    buf_fini(&b);
}

START_TEST(prints_counters_and_gauges)
{
    int64_t three = 3;
    struct metrics m;
    struct metric bank = { .name = "tally_requests_total", .labels = "surface=\"bank\"", .help = "requests",
                           .value = 5 };
    struct metric points = { .name = "tally_requests_total", .labels = "surface=\"points\"", .help = "requests" };
    struct metric open = { .name = "tally_open", .help = "open connections", .type = METRIC_GAUGE, .value = -2 };
    struct metric read = { .name = "tally_read", .help = "read when asked", .type = METRIC_GAUGE, .read = read_seven,
                           .arg = &three };
    metrics_init(&m);
    prints(&m, "");
    metrics_add(&m, &bank);
    metrics_add(&m, &points);
    metrics_add(&m, &open);
    metrics_add(&m, &read);
    bank.value++;
    points.value = INT64_MAX;
    prints(&m, "# HELP tally_requests_total requests\n"
               "# TYPE tally_requests_total counter\n"
               "tally_requests_total{surface=\"bank\"} 6\n"
               "tally_requests_total{surface=\"points\"} 9223372036854775807\n"
               "# HELP tally_open open connections\n"
               "# TYPE tally_open gauge\n"
               "tally_open -2\n"
               "# HELP tally_read read when asked\n"
               "# TYPE tally_read gauge\n"
               "tally_read 7\n");
    metrics_fini(&m);
}
END_TEST

START_TEST(prints_histograms_cumulated_in_seconds)
{
    static const uint64_t times_us[] = { 0, 50, 51, 1000, 1001, 10000000, 10000001 };
    struct metrics m;
    struct metric h = { .name = "tally_seconds", .labels = "kind=\"x\"", .help = "times", .type = METRIC_HISTOGRAM };
    metrics_init(&m);
    metrics_add(&m, &h);
    for (size_t i = 0; i < sizeof times_us / sizeof *times_us; i++) metric_observe_us(&h, times_us[i]);
    prints(&m, "# HELP tally_seconds times\n"
               "# TYPE tally_seconds histogram\n"
               "tally_seconds_bucket{kind=\"x\",le=\"0.00005\"} 2\n"
               "tally_seconds_bucket{kind=\"x\",le=\"0.0001\"} 3\n"
               "tally_seconds_bucket{kind=\"x\",le=\"0.00025\"} 3\n"
               "tally_seconds_bucket{kind=\"x\",le=\"0.0005\"} 3\n"
               "tally_seconds_bucket{kind=\"x\",le=\"0.001\"} 4\n"
               "tally_seconds_bucket{kind=\"x\",le=\"0.0025\"} 5\n"
               "tally_seconds_bucket{kind=\"x\",le=\"0.005\"} 5\n"
               "tally_seconds_bucket{kind=\"x\",le=\"0.01\"} 5\n"
               "tally_seconds_bucket{kind=\"x\",le=\"0.025\"} 5\n"
               "tally_seconds_bucket{kind=\"x\",le=\"0.05\"} 5\n"
               "tally_seconds_bucket{kind=\"x\",le=\"0.1\"} 5\n"
               "tally_seconds_bucket{kind=\"x\",le=\"0.25\"} 5\n"
               "tally_seconds_bucket{kind=\"x\",le=\"0.5\"} 5\n"
               "tally_seconds_bucket{kind=\"x\",le=\"1\"} 5\n"
               "tally_seconds_bucket{kind=\"x\",le=\"2.5\"} 5\n"
               "tally_seconds_bucket{kind=\"x\",le=\"5\"} 5\n"
               "tally_seconds_bucket{kind=\"x\",le=\"10\"} 6\n"
               "tally_seconds_bucket{kind=\"x\",le=\"+Inf\"} 7\n"
               "tally_seconds_sum{kind=\"x\"} 20.002103\n"
               "tally_seconds_count{kind=\"x\"} 7\n");
    metrics_fini(&m);
    ck_assert_ptr_null(h.buckets);
}
END_TEST

START_TEST(stays_within_the_buffer)
{
    struct metrics m;
    struct metric h = { .name = "tally_seconds", .help = "times", .type = METRIC_HISTOGRAM };
    struct buf b;
    metrics_init(&m);
    metrics_add(&m, &h);
    buf_init(&b, 100);
    metrics_print(&m, &b);
    ck_assert(b.failed && b.n <= 100);
    buf_fini(&b);
    metrics_fini(&m);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("metrics");
    tcase_add_test(tc, prints_counters_and_gauges);
    tcase_add_test(tc, prints_histograms_cumulated_in_seconds);
    tcase_add_test(tc, stays_within_the_buffer);
    Suite *suite = suite_create("metrics");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
