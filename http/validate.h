/* The fields of a request against the rows that declare them. Pure: no server, no loop.
 *
 * - A body field is the first member present among the field's name and its aliases, a query field
 *   the first parameter; what no row names is ignored.
 * - A field with a header takes its value from there when the body has none, so that it is not missing
 *   then. What a header says is text; said twice, or otherwise in the body, it is a fault.
 * - Empty text in a required field counts as missing; an empty query parameter that is not text
 *   ("?page=") counts as not sent.
 * - null counts as not sent with FIELD_NULLABLE and in required fields, elsewhere it is a fault.
 * - Bounds that a type has of its own (min and max both 0; max 0 alone leaves only the upper one):
 *   text 10,000 characters, e-mail 254, whole numbers what JSON carries safely (2^53 - 1), money 0
 *   to 9,999,999,999,999.99, objects 64 KiB, arrays 1,000 elements. */
#pragma once

#include "http/request.h"

struct validate_input {
    struct arena *arena;
    const struct str *path_params;    /* decoded, in order of the path */
    struct str query;
    const struct json *body;          /* an object, or NULL */
    /* As in http_options; NULL: ids are positive whole numbers. */
    int64_t (*decode_id)(struct http_request *req, int kind, struct str text);
    struct http_request *req;         /* for its headers, and handed to decode_id; NULL: there are no headers */
};

/* Fills `values` (as many as the endpoint has fields) and adds all faults in declared order;
 * returns their number. */
int validate(const struct endpoint *e, const struct validate_input *in, struct value *values,
             struct reply_faults *faults);
void validate_fault(struct reply_faults *faults, const char *field, const char *message);

/* For the check of the tables at start: is the field's own initial value valid? */
bool validate_initial(const struct field *f);

/* For the OpenAPI document: the bounds that hold for the field, its type's own included. */
void validate_bounds(const struct field *f, int64_t *min, int64_t *max);
