/* An endpoint is a row. From this one row come routing, the gates, validation, the OpenAPI document
 * and the list against which the tests check that every endpoint is exercised.
 *
 *     static const struct endpoint endpoints[] = {
 *         { .id = "BANK-05", .method = HTTP_GET, .path = "/api/accounts/balance/:accountid",
 *           .auth = AUTH_CUSTOMER, .run = balance, .summary = "Balance of an account",
 *           .fields = { { .name = "accountid", .in = IN_PATH, .type = FIELD_ID, .kind = ID_ACCOUNT } },
 *           .reply = "{\"accountId\":\"65d4f0a1b2c3d4e5f6071829\",\"balance\":500,\"currency\":\"USD\"}" },
 *         { 0 } };
 *
 * A row with `sql` and without `run` is answered by its one statement: $1 is the caller, the rest are
 * the fields in declared order, the single result column is the reply's JSON text. One with `file` is
 * answered by that file. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/json.h"
#include "core/sql.h"
#include "core/str.h"

enum http_method { HTTP_NONE, HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_OPTIONS, HTTP_HEAD };

enum field_in { IN_BODY, IN_QUERY, IN_PATH };

enum field_type {
    FIELD_TEXT,     /* value.s; min/max bound its length in code points; control characters are refused */
    FIELD_EMAIL,    /* value.s, trimmed, lower-cased; <= 254 */
    FIELD_INT,      /* value.i, whole, within min..max */
    FIELD_MONEY,    /* value.i in minor units, within min..max; at most 2 decimals, no strings */
    FIELD_BOOL,     /* value.i 0/1; true/false in a body, true/false/1/0 in a query */
    FIELD_ENUM,     /* value.s is one of choices, value.i its index */
    FIELD_ID,       /* value.i the row's id, or -1 for what cannot be one (an unknown id, not a fault) */
    FIELD_TIME,     /* value.i in µs; a date alone is the day's first µs, with FIELD_DAY_END its last */
    FIELD_OBJECT,   /* value.json; max bounds its raw size in bytes */
    FIELD_ARRAY,    /* value.json; min/max bound the number of elements; the handler checks them */
};

enum field_flags {
    FIELD_REQUIRED = 1,
    FIELD_TRIM = 2,        /* blanks at both ends are cut before the length is looked at */
    FIELD_NULLABLE = 4,    /* null counts as unset; without it null is a fault */
    FIELD_DAY_END = 8,
    FIELD_MULTILINE = 16,  /* line feeds and tabs are text, too */
    FIELD_WORD = 32,       /* text of ASCII letters, digits, '.', '_' and '-' only; in a path, what cannot be one (also
                              by its length) is the empty text: an unknown name, not a fault */
};

struct field {
    const char *name;
    const char *aliases;      /* further names of the same field, separated by blanks, or NULL */
    const char *header;       /* body fields: a header that says the same; given both, they must agree */
    enum field_in in;
    enum field_type type;
    unsigned flags;
    int kind;                 /* FIELD_ID: whose id; given to http_options.decode_id */
    int64_t min, max;         /* both 0: the type's own bounds, see http/validate.h; max 0: the type's own maximum */
    const char *choices;      /* FIELD_ENUM: separated by blanks */
    const char *initial;      /* used when the field is not sent; as it would stand in a query */
    const char *(*check)(struct str value);   /* a further rule for texts: NULL, or what is wrong; pure */
    const char *help;
};

/* A field after validation, at the field's index in request.values. */
struct value {
    bool set;                 /* sent, or given its initial value */
    int64_t i;
    struct str s;             /* FIELD_TEXT, EMAIL, ENUM; for the others the text as sent */
    const struct json *json;  /* OBJECT, ARRAY */
};

struct http_request;
struct http_file;

enum { ENDPOINT_FIELDS_MAX = 16, ENDPOINT_REFUSALS_MAX = 8 };

enum endpoint_flags {
    ENDPOINT_UPGRADE = 1,     /* a WebSocket door: `run` may take the connection */
    ENDPOINT_HIDDEN = 2,      /* not in the OpenAPI document (operators' pages) */
    ENDPOINT_BODY_IGNORED = 4,/* "any body is ignored": neither type nor form is looked at */
    ENDPOINT_CHANGES = 8,     /* a GET that changes something: HEAD is 405 */
    ENDPOINT_ALIAS = 16,      /* another path of an endpoint that stands elsewhere in the table */
    ENDPOINT_WAITS = 32,      /* a long poll: waits for news, and counts neither as work under way nor in durations */
};

struct endpoint {
    const char *id;           /* "BANK-05"; also the OpenAPI operationId and the endpoint= of logs; aliases share
                                 their endpoint's, else it is unique */
    enum http_method method;
    const char *path;         /* "/api/accounts/:accountid"; fixed words win; its parameters are the row's path fields,
                                 in this order */
    int auth;                 /* who may call; the meaning is http_options.authenticate's */
    void (*run)(struct http_request *req);   /* must answer exactly once, now or later */
    void (*begin)(struct http_request *req); /* the head has come; for who must know before the body has, or NULL */
    const struct sql *sql;
    const struct http_file *file;
    int status;               /* of a success, or of the redirect that it is; 0: 200 */
    const char *not_found;    /* sql: message of the 404 when there is no row (or a NULL) */
    unsigned flags;
    int rate_per_minute;      /* per address, this process; 0: the server's general rate only */
    int64_t body_max;         /* bytes; 0: 1 MiB */
    const char *upload;       /* the body is multipart/form-data with a file in this field, see http/upload.h */
    int64_t upload_max;       /* bytes of the file; body_max leaves room for what is around it */
    const char *summary, *description;
    const char *example;      /* a body that works, JSON text */
    const char *produces;     /* content types of a success that is no JSON, separated by blanks */
    const char *reply;        /* the reply's example, JSON text; its shape becomes the schema */
    const char *refusals[ENDPOINT_REFUSALS_MAX]; /* for the document: "409 Redemption already claimed"; ends at NULL.
                                 not_found and what the gates and validation say need not be repeated */
    struct field fields[ENDPOINT_FIELDS_MAX];   /* ends at name == NULL */
};

int endpoint_field_count(const struct endpoint *e);
const char *http_method_name(enum http_method method);
