#include "core/err.h"

#include "core/must.h"

static const struct err_info table[ERR_COUNT] = {
    [OK] = { "ok", 200, "OK", false },
    [ERR_INVALID] = { "invalid", 400, "Bad Request", false },
    [ERR_TOO_BIG] = { "too_big", 413, "Payload Too Large", false },
    [ERR_FULL] = { "full", 503, "Server is busy, try again later", true },
    [ERR_UNAVAILABLE] = { "unavailable", 503, "Service temporarily unavailable", true },
    [ERR_UNCERTAIN] = { "uncertain", 503,
                        "The outcome is not known yet, repeat the request with the same key", true },
    [ERR_TIMEOUT] = { "timeout", 503, "Service temporarily unavailable", true },
    [ERR_SQL] = { "sql", 500, "Internal Server Error", false },
    [ERR_CLOSED] = { "closed", 503, "Server is going away", true },
    [ERR_INTERNAL] = { "internal", 500, "Internal Server Error", false },
};

const struct err_info *err_info(enum err err)
{
    must((unsigned) err < ERR_COUNT);
    return &table[err];
}
