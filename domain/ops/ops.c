/* /health says that the process answers, and nothing else; /ready says whether it can do its work. */
#include "domain/ops/ops.h"

#include "core/clock.h"
#include "domain/auth/auth.h"
#include "domain/live/live.h"

static void put_seconds(struct buf *b, uint64_t us)
{
    uint64_t hundredths = us / 10000;
    buf_u64(b, hundredths / 100);
    buf_char(b, '.');
    buf_char(b, (char) ('0' + hundredths / 10 % 10));
    buf_char(b, (char) ('0' + hundredths % 10));
}

static void health(struct http_request *req)
{
    char text[128], time[CLOCK_ISO_BYTES];
    struct buf b = { .p = text, .cap = sizeof text, .max = sizeof text };   /* on the stack: it never grows */
    clock_iso(clock_wall_us(), time);
    buf_str(&b, STR("{\"status\":\"OK\",\"timestamp\":\""));
    buf_put(&b, time, sizeof time);
    buf_str(&b, STR("\",\"uptime\":"));
    put_seconds(&b, clock_mono_us() - app_of(req)->started_us);
    buf_char(&b, '}');
    reply_json(req, 200, buf_view(&b));
}

static const char *stream_word(const struct app *app)
{
    static const char *const words[] = { [LIVE_AWAY] = "away", [LIVE_LOADING] = "loading", [LIVE_LIVE] = "live" };
    return words[live_state(app->live)];
}

bool ops_is_ready(const struct app *app)
{
    return db_is_up(app->db) && ledger_is_up(app->ledger) && live_state(app->live) == LIVE_LIVE && !app->stopping;
}

static void ready(struct http_request *req)
{
    struct app *app = app_of(req);
    const char *trouble = db_trouble(app->db);
    bool good = ops_is_ready(app);
    struct buf b;
    buf_init(&b, 4096);
    json_open(&b, '{');
    json_key(&b, STR("ready"));
    json_bool(&b, good);
    json_key(&b, STR("database"));
    json_string(&b, db_is_up(app->db) ? STR("up") : str_from(trouble ? trouble : "connecting"));
    json_key(&b, STR("ledger"));
    json_string(&b, ledger_is_up(app->ledger) ? STR("up") : STR("away"));
    json_key(&b, STR("stream"));
    json_string(&b, str_from(stream_word(app)));
    json_key(&b, STR("stopping"));
    json_bool(&b, app->stopping);
    json_close(&b, '}');
    if (!good) reply_header(req, STR("Retry-After"), STR("1"));
    reply_json(req, good ? 200 : 503, buf_view(&b));
    buf_fini(&b);
}

static void metrics(struct http_request *req)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    metrics_print(&app_of(req)->metrics, &b);
    reply_body(req, 200, STR("text/plain; version=0.0.4; charset=utf-8"), buf_view(&b));
    buf_fini(&b);
}

const struct endpoint ops_endpoints[] = {
    { .id = "USR-43", .method = HTTP_GET, .path = "/health", .run = health, .summary = "The process is alive",
      .reply = "{\"status\":\"OK\",\"timestamp\":\"2024-01-01T00:00:00.000Z\",\"uptime\":123.45}" },
    { .id = "OPS-READY", .method = HTTP_GET, .path = "/ready", .run = ready, .flags = ENDPOINT_HIDDEN,
      .summary = "Database, ledger and stream are there",
      .reply = "{\"ready\":true,\"database\":\"up\",\"ledger\":\"up\",\"stream\":\"live\",\"stopping\":false}" },
    { .id = "OPS-METRICS", .method = HTTP_GET, .path = "/metrics", .run = metrics, .auth = AUTH_METRICS,
      .flags = ENDPOINT_HIDDEN, .summary = "Metrics in Prometheus' text form" },
    { 0 },
};
