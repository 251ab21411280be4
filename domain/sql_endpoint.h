/* Endpoints that are one statement: $1 is the caller's user id (NULL for none), the rest are the
 * validated fields in declared order, as text. The first column of the first row is the reply's
 * JSON text; no row or NULL is the row's `not_found` 404. */
#pragma once

#include "domain/app.h"

/* For http_options.run_sql. */
void sql_endpoint_run(struct http_request *req);

/* The same for a handler that has looked at something first. */
void sql_endpoint_run_as(struct http_request *req, const struct sql *sql);

/* Logs what PostgreSQL said and answers by err_info; for handlers that run statements themselves. */
void sql_endpoint_failed(struct http_request *req, enum err err, const struct db_result *r);

/* Adds the request's caller and fields as parameters: for handlers that run a statement of the same form themselves. */
void sql_endpoint_args(struct http_request *req, struct db_args *args);

/* Answers with a result's JSON, public ids expanded. */
void sql_endpoint_reply(struct http_request *req, int status, struct str json);

/* For http_options.decode_id. */
int64_t sql_endpoint_decode_id(struct http_request *req, int kind, struct str text);
