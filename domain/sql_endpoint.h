/* Endpoints that are one statement: $1 is the caller's user id (NULL for none), the rest are the
 * validated fields in declared order, as text. The columns of the first row:
 *
 *     reply      the JSON text; no row or NULL is the row's `not_found` 404
 *     refusal    may be left out; "409 Account limit reached" answers that instead, NULL nothing
 *     told       may be left out; a JSON array of what the statement has told (user_message() …), so
 *                that this process knows before the change stream brings it
 *
 * A unique index that decides has its refusal in the table of sql_endpoint.c. */
#pragma once

#include "domain/app.h"

/* For http_options.run_sql. */
void sql_endpoint_run(struct http_request *req);

/* The same for a handler that has looked at something first. */
void sql_endpoint_run_as(struct http_request *req, const struct sql *sql);

/* Answers by err_info, or by what the constraint that was violated says to clients; logs what PostgreSQL said when it
 * is neither. For handlers that run statements themselves. */
void sql_endpoint_failed(struct http_request *req, enum err err, const struct db_result *r);

/* Adds the request's caller and fields as parameters: for handlers that run a statement of the same form themselves. */
void sql_endpoint_args(struct http_request *req, struct db_args *args);

/* The last part of an answer, for handlers that looked at other columns first: `reply` and what follows it as above. */
void sql_endpoint_answer(struct http_request *req, const struct db_result *r, int reply);

/* Answers with a result's JSON, public ids expanded. */
void sql_endpoint_reply(struct http_request *req, int status, struct str json);

/* For http_options.decode_id. Kind 0: the row's number itself, where ids are integers. */
int64_t sql_endpoint_decode_id(struct http_request *req, int kind, struct str text);
