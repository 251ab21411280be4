/* All settings of the server; the table with names, aliases, defaults and help stands in settings.c. */
#pragma once

#include "core/config.h"

struct settings {
    /* server */
    int64_t port, workers;
    const char *host, *public_url, *frontend_url, *short_link_base, *cors_origins, *trusted_proxies;
    const char *tls_cert, *tls_key;
    int environment;               /* index into "development production test" */
    bool open;
    int64_t connections_max, rate_per_minute;
    bool rate_limit;
    /* database */
    const char *database_url, *db_host, *db_user, *db_password, *db_name, *db_dialect;
    int64_t db_port, db_pool;
    /* authentication */
    const char *jwt_secret, *sandbox_secret, *google_client_id;
    int64_t token_ttl;
    /* mail */
    const char *smtp_host, *smtp_user, *smtp_password, *mail_from, *support_email, *gmail_user, *gmail_password;
    int64_t smtp_port;
    int smtp_secure;               /* index into "auto true false", until settings_read has made smtp_tls_first of it */
    /* outside services */
    const char *ca_file;
    const char *smsviro_url, *smsviro_token;
    const char *fcm_key_file, *fcm_base_url;
    const char *cloudinary_name, *cloudinary_api_key, *cloudinary_api_secret, *cloudinary_base_url;
    const char *xendit_secret_key, *xendit_callback_token, *xendit_base_url;
    /* points */
    int64_t redeem_rate, points_per_currency;      /* millionths */
    int64_t points_min_redeem, points_referral;
    /* the rest */
    const char *data_dir, *currency, *timezone, *phone_country;
    int log_level, log_format, metrics_access;     /* indexes into their choices */
    /* made of the above by settings_read */
    bool production, smtp_tls_first;
    const char *const *cors_list;                  /* NULL-terminated, or NULL for "*" */
    const char *const *proxy_list;                 /* NULL-terminated, or NULL */
};

enum { METRICS_LOOPBACK, METRICS_KEY, METRICS_ALL };

/* Reads environment and .env, derives the rest. False when something is wrong: each fault is a line
 * on stderr. Notices go to the log. */
bool settings_read(struct settings *s, struct arena *arena);
void settings_help(struct buf *out);
/* Writes 32 random bytes to data_dir/keystore/jwt.key when there is no secret yet, and reads it; NULL with *fault. */
const char *settings_jwt_secret(const struct settings *s, struct arena *arena, const char **fault);
