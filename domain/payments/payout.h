/* Payouts: see payout.c. */
#pragma once

#include "domain/payments/payments_private.h"

void payments_payout(struct http_request *req);
void payments_payout_callback(struct http_request *req);
/* Asks for payouts of which the provider has not been heard; every process, once a minute. */
void payout_sweep(struct payments *p);
