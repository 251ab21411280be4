/* The handlers of account.c and transfer.c, for the table in bank.c. */
#pragma once

#include "domain/bank/bank.h"

void bank_account_open(struct http_request *req);
void bank_account_list(struct http_request *req);
void bank_account_balance(struct http_request *req);
void bank_account_get(struct http_request *req);
void bank_account_status(struct http_request *req);
void bank_transaction_list(struct http_request *req);
void bank_transfer(struct http_request *req);
void bank_initial_funds(struct http_request *req);
