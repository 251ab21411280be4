/* The ways in which infrastructure can fail. Business refusals ("Insufficient balance") are not
 * errors of this kind: each capability has its own outcomes with their own table. */
#pragma once

#include <stdbool.h>

enum err {
    OK = 0,
    ERR_INVALID,      /* the input is not of the form asked for */
    ERR_TOO_BIG,      /* a bound was reached: size of a body, a buffer, a message */
    ERR_FULL,         /* a queue is at its bound; try again later */
    ERR_UNAVAILABLE,  /* the other side is away, and nothing was done */
    ERR_UNCERTAIN,    /* the other side went away after being asked: done or not, not known yet */
    ERR_TIMEOUT,      /* the deadline passed before anything was sent; nothing was done */
    ERR_SQL,          /* PostgreSQL refused the statement; the SQLSTATE tells why */
    ERR_CLOSED,       /* the object is closing; callbacks only release */
    ERR_INTERNAL,     /* anything else; details are in the log */
    ERR_COUNT
};

struct err_info {
    const char *name;     /* for logs: "unavailable" */
    int http_status;      /* what a client gets when nothing more specific applies */
    const char *message;  /* and the message that goes with it */
    bool retryable;       /* the same request may succeed later: Retry-After is sent */
};

/* Never NULL; err must be one of the enum's. */
const struct err_info *err_info(enum err err);
