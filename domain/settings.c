/* The settings of contract/90-external, one row each. What several rows together must fulfil is checked
 * behind the table; a wrong setting is refused at start, by name. */
#include "domain/settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/curl_loop.h"
#include "core/digest.h"
#include "core/log.h"

#define AT(member) .at = offsetof(struct settings, member)
#define TEXT .type = SETTING_TEXT
#define INT .type = SETTING_INT
#define IGNORED .type = SETTING_IGNORED, .help = "accepted, not used"

enum { PORT_SMTPS = 465 };
enum { SECURE_AUTO, SECURE_TRUE };

static const struct setting table[] = {
    { .name = "TALLY_PORT", .aliases = "PORT API_PORT", INT, .min = 0, .max = 65535, .initial = "3000", AT(port),
      .help = "listening port; 0 takes any free one" },
    { .name = "TALLY_HOST", .aliases = "HOST", TEXT, AT(host), .help = "listening address; unset: all" },
    { .name = "TALLY_PUBLIC_URL", TEXT, AT(public_url),
      .help = "base URL that clients see; unset: http://localhost:<port>" },
    { .name = "TALLY_FRONTEND_URL", .aliases = "FRONTEND_URL", TEXT, AT(frontend_url),
      .help = "where links in mails and /r/:code lead; unset: the public URL" },
    { .name = "SHORT_LINK_BASE", TEXT, AT(short_link_base), .help = "base of referral links; unset: the public URL" },
    { .name = "TALLY_ENV", .aliases = "NODE_ENV", .type = SETTING_ENUM, .choices = "development production test",
      .initial = "development", AT(environment), .help = "production forbids sample data and sandbox payments" },
    { .name = "WORKERS", INT, .min = 1, .max = 64, .initial = "1", AT(workers),
      .help = "processes that share the port" },
    { .name = "TALLY_CORS_ORIGINS", .aliases = "ORIGIN_CORS", TEXT, AT(cors_origins),
      .help = "allowed origins, comma-separated; unset: * without credentials" },
    { .name = "TALLY_TRUSTED_PROXIES", TEXT, AT(trusted_proxies),
      .help = "addresses whose X-Forwarded-For is believed, comma-separated" },
    { .name = "TLS_CERT", TEXT, AT(tls_cert), .help = "PEM file; with TLS_KEY: https and wss" },
    { .name = "TLS_KEY", TEXT, AT(tls_key), .help = "PEM file" },
    { .name = "TALLY_OPEN", .type = SETTING_BOOL, .initial = "0", AT(open),
      .help = "1 opens the doors that the six systems left open (demonstrations, gateways)" },
    { .name = "TALLY_CONNECTIONS", INT, .min = 16, .max = 1000000, .initial = "100000", AT(connections_max),
      .help = "open connections at most; also bounded by the limit of open files" },
    { .name = "TALLY_RATE_LIMIT", .type = SETTING_BOOL, .initial = "on", AT(rate_limit),
      .help = "off disables rate limits" },
    { .name = "TALLY_RATE_PER_MINUTE", INT, .min = 1, .max = 100000000, .initial = "60000", AT(rate_per_minute),
      .help = "plain requests per address and process" },

    { .name = "TALLY_DATABASE_URL", .aliases = "DATABASE_URL", TEXT, .secret = true, AT(database_url),
      .help = "PostgreSQL in one: postgres://user:password@host:port/name" },
    { .name = "TALLY_DB_HOST", .aliases = "DB_HOST PS_HOST", TEXT, AT(db_host),
      .help = "or in parts: host or socket directory" },
    { .name = "TALLY_DB_PORT", .aliases = "DB_PORT PS_PORT", INT, .min = 1, .max = 65535, .initial = "5432",
      AT(db_port), .help = "port" },
    { .name = "TALLY_DB_USER", .aliases = "DB_USER DB_USERNAME PS_USER", TEXT, AT(db_user), .help = "user" },
    { .name = "TALLY_DB_PASSWORD", .aliases = "DB_PASSWORD PS_PASSWORD", TEXT, .secret = true, AT(db_password),
      .help = "password" },
    { .name = "TALLY_DB_NAME", .aliases = "DB_NAME PS_DB", TEXT, .initial = "tally", AT(db_name), .help = "database" },
    { .name = "TALLY_DB_POOL", .aliases = "PS_POOL_MAX", INT, .min = 1, .max = 200, .initial = "16", AT(db_pool),
      .help = "connections at most, per process" },
    { .name = "PS_DIALECT", TEXT, AT(db_dialect), .help = "postgres, or nothing" },

    { .name = "TALLY_JWT_SECRET", .aliases = "JWT_SECRET SECRET_AUTH_CONFIG", TEXT, .secret = true,
      .min = 1, .max = 4096, AT(jwt_secret),
      .help = "key of the tokens; unset: one is made in the data directory (not in production)" },
    { .name = "SANDBOX_AUTH_CONFIG", TEXT, .secret = true, AT(sandbox_secret),
      .help = "the same outside production, when no other is set" },
    { .name = "TALLY_TOKEN_TTL", INT, .min = 60, .max = 31536000, .initial = "86400", AT(token_ttl),
      .help = "life of a token, seconds" },
    { .name = "TALLY_GOOGLE_CLIENT_ID", .aliases = "GOOGLE_CLIENT_ID", TEXT, AT(google_client_id),
      .help = "audience of Google sign-ins" },

    { .name = "TALLY_SMTP_HOST", .aliases = "SMTP_HOST EMAIL_HOST", TEXT, AT(smtp_host),
      .help = "mail server; unset: mails are files in the data directory" },
    { .name = "TALLY_SMTP_PORT", .aliases = "SMTP_PORT EMAIL_PORT", INT, .min = 1, .max = 65535, .initial = "587",
      AT(smtp_port), .help = "port" },
    { .name = "TALLY_SMTP_SECURE", .aliases = "SMTP_SECURE EMAIL_SECURE", .type = SETTING_ENUM,
      .choices = "auto true false", .initial = "auto", AT(smtp_secure),
      .help = "true: TLS from the start; false: STARTTLS, demanded with a password; auto: true on port 465" },
    { .name = "TALLY_SMTP_USER", .aliases = "SMTP_USER EMAIL_USER", TEXT, AT(smtp_user), .help = "user" },
    { .name = "TALLY_SMTP_PASSWORD", .aliases = "SMTP_PASSWORD EMAIL_PASS", TEXT, .secret = true, AT(smtp_password),
      .help = "password" },
    { .name = "GMAIL_USER", TEXT, AT(gmail_user), .help = "Gmail with an app password, when no server is set" },
    { .name = "GMAIL_PASS", TEXT, .secret = true, AT(gmail_password), .help = "its app password" },
    { .name = "TALLY_MAIL_FROM", TEXT, AT(mail_from), .help = "sender; unset: the user" },
    { .name = "SUPPORT_EMAIL", TEXT, AT(support_email), .help = "receiver of support tickets" },

    { .name = "TALLY_CA_FILE", TEXT, AT(ca_file),
      .help = "PEM file: certificates that mail servers and providers may have besides the system's" },
    { .name = "XENDIT_SECRET_KEY", TEXT, .secret = true, AT(xendit_secret_key),
      .help = "payments at Xendit; unset: the sandbox inside the server (none in production)" },
    { .name = "XENDIT_CALLBACK_TOKEN", TEXT, .secret = true, AT(xendit_callback_token),
      .help = "what callbacks must carry; unset: they are refused" },
    { .name = "XENDIT_BASE_URL", TEXT, .initial = "https://api.xendit.co", AT(xendit_base_url),
      .help = "address of the payment provider" },
    { .name = "CLOUDINARY_NAME", TEXT, .max = 100, AT(cloudinary_name),
      .help = "pictures at Cloudinary, with its key and secret; unset: they are files in the data directory" },
    { .name = "CLOUDINARY_API_KEY", TEXT, .max = 200, AT(cloudinary_api_key), .help = "its key" },
    { .name = "CLOUDINARY_API_SECRET", TEXT, .secret = true, .max = 200, AT(cloudinary_api_secret),
      .help = "its secret, which signs the calls" },
    { .name = "CLOUDINARY_BASE_URL", TEXT, .initial = "https://api.cloudinary.com", AT(cloudinary_base_url),
      .help = "address of the picture provider" },
    { .name = "TALLY_FCM_KEY_FILE", TEXT, AT(fcm_key_file),
      .help = "Firebase service account; unset: keystore/onmapss-main-key.json, here or in the data directory" },
    { .name = "FCM_BASE_URL", TEXT, .initial = "https://fcm.googleapis.com", AT(fcm_base_url),
      .help = "address of the push service" },
    { .name = "API_URL_SMSVIRO", TEXT, AT(smsviro_url),
      .help = "text messages, with SMSVIROTOKEN; unset: they are files in the data directory" },
    { .name = "SMSVIROTOKEN", TEXT, .secret = true, AT(smsviro_token), .help = "key of SMSViro" },

    { .name = "POINTS_REDEEM_RATE", .type = SETTING_DECIMAL, .min = 1, .max = 1000000000, .initial = "0.01",
      AT(redeem_rate), .help = "money per point" },
    { .name = "POINTS_PER_CURRENCY", .type = SETTING_DECIMAL, .min = 0, .max = 1000000000, .initial = "1",
      AT(points_per_currency), .help = "points per unit of money spent" },
    { .name = "POINTS_MIN_REDEEM", INT, .min = 1, .max = 1000000000, .initial = "1", AT(points_min_redeem),
      .help = "smallest redemption" },
    { .name = "POINTS_REFERRAL", INT, .min = 0, .max = 1000000000, .initial = "50", AT(points_referral),
      .help = "points per referral" },

    { .name = "TALLY_DATA_DIR", TEXT, .initial = "./data", AT(data_dir),
      .help = "directory of outboxes, pictures, the made key" },
    { .name = "TALLY_CURRENCY", TEXT, .min = 3, .max = 3, .initial = "USD", AT(currency),
      .help = "the one money unit" },
    { .name = "TALLY_TZ", TEXT, .initial = "UTC", AT(timezone), .help = "days of reports" },
    { .name = "TALLY_PHONE_COUNTRY", TEXT, .min = 1, .max = 4, .initial = "62", AT(phone_country),
      .help = "replaces a leading 0" },
    { .name = "TALLY_LOG_LEVEL", .type = SETTING_ENUM, .choices = "debug info warn error off", .initial = "info",
      AT(log_level), .help = "what is logged" },
    { .name = "TALLY_LOG_FORMAT", .type = SETTING_ENUM, .choices = "auto text json", .initial = "auto", AT(log_format),
      .help = "auto: coloured text on a terminal, JSON otherwise" },
    { .name = "TALLY_METRICS", .type = SETTING_ENUM, .choices = "loopback key all", .initial = "loopback",
      AT(metrics_access), .help = "who may read /metrics" },

    { .name = "MONGO_URI", .aliases = "MONGODB_URI MONGO_DB", IGNORED },
    { .name = "REDIS_URL", .aliases = "REDIS_HOST REDIS_PORT REDIS_PASSWORD", IGNORED },
    { .name = "GOOGLE_CLIENT_SECRET", .aliases = "TALLY_GOOGLE_CLIENT_SECRET", IGNORED },
    { .name = "XENDIT_PUBLIC_KEY", IGNORED },
    { .name = "API_URL_SUNSHINE", IGNORED },
    { 0 },
};

static const char *environment(const char *name)
{
    return getenv(name);
}

void settings_help(struct buf *out)
{
    config_help(table, out);
}

/* "a, b,c" as a NULL-terminated list; NULL for nothing. */
static const char *const *split_list(const char *text, struct arena *arena)
{
    struct str rest = str_trim(str_from(text));
    if (rest.n == 0) return NULL;
    size_t n = 1;
    for (size_t i = 0; i < rest.n; i++) n += rest.p[i] == ',';
    const char **list = arena_alloc(arena, (n + 1) * sizeof *list);
    size_t k = 0;
    while (rest.p) {
        struct str item = str_trim(str_cut(&rest, ','));
        if (item.n) list[k++] = arena_cstr(arena, item);
    }
    return k ? list : NULL;
}

/* A value for a libpq connection string: in quotes, with quotes and backslashes escaped. */
static void put_conninfo(struct buf *b, const char *name, const char *value)
{
    if (!value) return;
    buf_printf(b, "%s='", name);
    for (const char *p = value; *p; p++) {
        if (*p == '\'' || *p == '\\') buf_char(b, '\\');
        buf_char(b, *p);
    }
    buf_cstr(b, "' ");
}

static const char *compose_database_url(const struct settings *s, struct arena *arena)
{
    struct buf b;
    char port[8];
    buf_init(&b, 8192);
    snprintf(port, sizeof port, "%d", (int) s->db_port);
    put_conninfo(&b, "host", s->db_host);
    put_conninfo(&b, "port", port);
    put_conninfo(&b, "user", s->db_user);
    put_conninfo(&b, "password", s->db_password);
    put_conninfo(&b, "dbname", s->db_name);
    const char *url = arena_cstr(arena, buf_view(&b));
    buf_fini(&b);
    return url;
}

static void derive(struct settings *s, struct arena *arena)
{
    s->production = s->environment == 1;
    s->cors_list = split_list(s->cors_origins, arena);
    s->proxy_list = split_list(s->trusted_proxies, arena);
    if (!s->public_url) {
        s->public_url = arena_printf(arena, "%s://localhost:%d", s->tls_cert ? "https" : "http", (int) s->port).p;
    }
    if (!s->frontend_url) s->frontend_url = s->public_url;
    if (!s->short_link_base) s->short_link_base = s->public_url;
    if (!s->database_url) s->database_url = compose_database_url(s, arena);
    if (!s->smtp_host && s->gmail_user && s->gmail_password) {
        s->smtp_host = "smtp.gmail.com";
        s->smtp_port = PORT_SMTPS;
        s->smtp_secure = SECURE_TRUE;
        s->smtp_user = s->gmail_user;
        s->smtp_password = s->gmail_password;
    }
    s->smtp_tls_first = s->smtp_secure == SECURE_AUTO ? s->smtp_port == PORT_SMTPS : s->smtp_secure == SECURE_TRUE;
    if (!s->mail_from) s->mail_from = s->smtp_user ? s->smtp_user : "tally@localhost";
    if (!s->jwt_secret && !s->production) s->jwt_secret = s->sandbox_secret;
}

static bool refuse(const char *text)
{
    fprintf(stderr, "tallyd: %s\n", text);
    return false;
}

/* An address that could never be a peer's would be believed by nobody, without a word: a range, or a name. */
static bool are_addresses(const char *const *list)
{
    unsigned char address[16];
    for (; list && *list; list++) {
        if (inet_pton(AF_INET, *list, address) != 1 && inet_pton(AF_INET6, *list, address) != 1) return false;
    }
    return true;
}

/* The account's name stands in addresses as it is. */
static bool is_plain_name(const char *name)
{
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == strlen(name);
}

/* What no single row can say. */
static bool check_together(const struct settings *s)
{
    bool good = true;
    if (s->db_dialect && strcmp(s->db_dialect, "postgres") != 0)
        good = refuse("PS_DIALECT: only postgres is supported");
    if (!s->tls_cert != !s->tls_key)
        good = refuse("TLS_CERT and TLS_KEY: set both, or neither");
    if (s->ca_file && !curl_loop_can_trust(s->ca_file))
        good = refuse("TALLY_CA_FILE: cannot be read, or holds no certificate in PEM");
    if (s->production && !s->jwt_secret)
        good = refuse("TALLY_JWT_SECRET: must be set in production");
    if (s->production && s->jwt_secret && strlen(s->jwt_secret) < 32)
        good = refuse("TALLY_JWT_SECRET: must have at least 32 characters in production");
    if (s->production && s->open && !s->host)
        good = refuse("TALLY_OPEN: in production TALLY_HOST must be set explicitly with it");
    if (strncmp(s->public_url, "http://", 7) != 0 && strncmp(s->public_url, "https://", 8) != 0)
        good = refuse("TALLY_PUBLIC_URL: must begin with http:// or https://");
    if (!are_addresses(s->proxy_list))
        good = refuse("TALLY_TRUSTED_PROXIES: takes addresses, separated by commas; no ranges and no names");
    if (!s->cloudinary_name != !s->cloudinary_api_key || !s->cloudinary_name != !s->cloudinary_api_secret)
        good = refuse("CLOUDINARY_NAME, CLOUDINARY_API_KEY and CLOUDINARY_API_SECRET: set all, or none");
    if (s->cloudinary_name && !is_plain_name(s->cloudinary_name))
        good = refuse("CLOUDINARY_NAME: may hold letters, digits, hyphens and underscores only");
    return good;
}

bool settings_read(struct settings *s, struct arena *arena)
{
    struct config_source source = { .env_file = ".env", .getenv_fn = environment };
    struct config_fault *notices = NULL;
    *s = (struct settings){ 0 };
    struct config_fault *faults = config_read(table, &source, arena, s, &notices);
    for (struct config_fault *f = faults; f; f = f->next) refuse(f->text);
    if (faults) return false;
    derive(s, arena);
    if (!check_together(s)) return false;
    static const enum log_format formats[] = { LOG_AUTO, LOG_TEXT, LOG_JSON };
    log_setup((enum log_level) s->log_level, formats[s->log_format]);
    for (struct config_fault *n = notices; n; n = n->next)
        log_info("config", "notice", "text=%s", LOG_STR(str_from(n->text)));
    return true;
}

static const char *read_key(const char *path, struct arena *arena)
{
    char text[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return NULL;
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    struct str key = n > 0 ? str_trim((struct str){ text, (size_t) n }) : STR_NONE;
    return key.n >= 32 ? arena_cstr(arena, key) : NULL;
}

/* Several processes may start at once: the file is made complete under another name, and the first link wins. */
static void make_key(const char *path, struct arena *arena)
{
    uint8_t secret[32];
    struct buf hex;
    random_bytes(secret, sizeof secret);
    buf_init(&hex, 128);
    buf_hex(&hex, secret, sizeof secret);
    const char *fresh = arena_printf(arena, "%s.%d", path, (int) getpid()).p;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        bool written = write(fd, hex.p, hex.n) == (ssize_t) hex.n && fsync(fd) == 0;
        if (close(fd) == 0 && written && link(fresh, path) != 0 && errno != EEXIST) written = false;
        unlink(fresh);
    }
    buf_fini(&hex);
}

const char *settings_jwt_secret(const struct settings *s, struct arena *arena, const char **fault)
{
    if (s->jwt_secret) return s->jwt_secret;
    const char *directory = arena_printf(arena, "%s/keystore", s->data_dir).p;
    const char *path = arena_printf(arena, "%s/jwt.key", directory).p;
    mkdir(s->data_dir, 0755);
    mkdir(directory, 0700);
    const char *key = read_key(path, arena);
    if (!key) {
        make_key(path, arena);
        key = read_key(path, arena);
    }
    if (!key) *fault = arena_printf(arena, "cannot make or read %s: set TALLY_JWT_SECRET or TALLY_DATA_DIR", path).p;
    return key;
}
