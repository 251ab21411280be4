/* The bank surface's accounts and transactions, one row each; the handlers stand in account.c and transfer.c. */
#include "domain/bank/bank.h"

#include "domain/auth/auth.h"
#include "domain/bank/bank_private.h"
#include "domain/idempotency.h"
#include "sql.h"

#define ACCOUNT_EXAMPLE                                                                                              \
    "{\"_id\":\"65d4f0a1b2c3d4e5f6071829\",\"user\":\"65d3f0a1b2c3d4e5f6071828\",\"status\":\"active\","             \
    "\"currency\":\"USD\",\"balance\":500,\"createdAt\":\"2026-02-09T10:00:00.000Z\","                                \
    "\"updatedAt\":\"2026-02-09T10:00:00.000Z\"}"

#define TRANSACTION_MEMBERS                                                                                          \
    "\"_id\":\"65d6f0a1b2c3d4e5f6071831\",\"type\":\"transfer\",\"fromAccount\":\"65d4f0a1b2c3d4e5f6071829\","       \
    "\"toAccount\":\"65d5f0a1b2c3d4e5f6071830\",\"amount\":500,\"status\":\"completed\","                            \
    "\"idempotencyKey\":\"unique-key-123\",\"createdAt\":\"2026-02-09T10:00:00.000Z\","                              \
    "\"updatedAt\":\"2026-02-09T10:00:00.000Z\""

#define FIELD_ACCOUNT_PATH { .name = "accountid", .in = IN_PATH, .type = FIELD_ID, .kind = PID_ACCOUNT }
#define FIELD_AMOUNT                                                                                                 \
    { .name = "amount", .type = FIELD_MONEY, .flags = FIELD_REQUIRED, .min = 1, .max = 999999999999999,              \
      .help = "more than 0, at most 2 decimals" }
#define FIELD_KEY                                                                                                    \
    { .name = "idempotencyKey", .header = "Idempotency-Key", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1,  \
      .max = POSTING_KEY_CHARS_MAX, .help = "the same key never moves value twice; here or in the header" }

#define NO_ACCOUNT "404 Account not found"
#define NOT_OWNER "403 This account does not belong to you"

const struct endpoint bank_endpoints[] = {
    { .id = "BANK-03", .method = HTTP_POST, .path = "/api/accounts", .auth = AUTH_CUSTOMER, .run = bank_account_open,
      .status = 201, .flags = ENDPOINT_BODY_IGNORED, .summary = "Open an account of the caller",
      .reply = "{\"message\":\"Account created successfully\",\"account\":" ACCOUNT_EXAMPLE "}",
      .refusals = { "409 Account limit reached" } },
    { .id = "BANK-04", .method = HTTP_GET, .path = "/api/accounts", .auth = AUTH_CUSTOMER, .run = bank_account_list,
      .summary = "The caller's accounts, oldest first",
      .reply = "{\"account\":" ACCOUNT_EXAMPLE ",\"accounts\":[" ACCOUNT_EXAMPLE "]}" },
    { .id = "BANK-05", .method = HTTP_GET, .path = "/api/accounts/balance/:accountid", .auth = AUTH_CUSTOMER,
      .run = bank_account_balance, .summary = "Balance of an account of the caller", .fields = { FIELD_ACCOUNT_PATH },
      .reply = "{\"accountId\":\"65d4f0a1b2c3d4e5f6071829\",\"balance\":500,\"currency\":\"USD\"}",
      .refusals = { NO_ACCOUNT, NOT_OWNER } },
    { .id = "BANK-06", .method = HTTP_POST, .path = "/api/transactions", .auth = AUTH_CUSTOMER, .run = bank_transfer,
      .summary = "Move money from an account of the caller to any account",
      .fields = { { .name = "fromAccount", .type = FIELD_ID, .flags = FIELD_REQUIRED, .kind = PID_ACCOUNT },
                  { .name = "toAccount", .type = FIELD_ID, .flags = FIELD_REQUIRED, .kind = PID_ACCOUNT },
                  FIELD_AMOUNT, FIELD_KEY },
      .example = "{\"fromAccount\":\"65d4f0a1b2c3d4e5f6071829\",\"toAccount\":\"65d5f0a1b2c3d4e5f6071830\","
                 "\"amount\":500,\"idempotencyKey\":\"unique-key-123\"}",
      .reply = "{\"message\":\"Transaction completed successfully\",\"transaction\":{" TRANSACTION_MEMBERS "}}",
      .refusals = { IDEMPOTENCY_CONFLICT, "400 fromAccount and toAccount must be different", NO_ACCOUNT, NOT_OWNER,
                    "400 Account is not active", "400 Insufficient balance" } },
    { .id = "BANK-07", .method = HTTP_POST, .path = "/api/transactions/system/initial-funds", .auth = AUTH_FUNDS,
      .run = bank_initial_funds, .summary = "Put money from the treasury into an account",
      .fields = { { .name = "toAccount", .type = FIELD_ID, .kind = PID_ACCOUNT, .help = "either this" },
                  { .name = "userId", .type = FIELD_ID, .kind = PID_USER,
                    .help = "or this: the user's oldest active account" },
                  FIELD_AMOUNT, FIELD_KEY },
      .example = "{\"toAccount\":\"65d5f0a1b2c3d4e5f6071830\",\"amount\":500,\"idempotencyKey\":\"unique-key-124\"}",
      .reply = "{\"message\":\"Initial funds added successfully\",\"transaction\":{" TRANSACTION_MEMBERS "}}",
      .refusals = { NO_ACCOUNT, "404 User not found", "400 Account is not active", IDEMPOTENCY_CONFLICT } },
    { .id = "BANK-22", .method = HTTP_GET, .path = "/api/transactions", .auth = AUTH_CUSTOMER,
      .run = bank_transaction_list, .summary = "The caller's transactions, newest first",
      .fields = { { .name = "account", .in = IN_QUERY, .type = FIELD_ID, .kind = PID_ACCOUNT,
                    .help = "one of the caller's; default all" },
                  { .name = "page", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 100000, .initial = "1" },
                  { .name = "limit", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 100, .initial = "20" } },
      .reply = "{\"transactions\":[{" TRANSACTION_MEMBERS ",\"direction\":\"debit\"}],"
               "\"pagination\":{\"page\":1,\"limit\":20,\"total\":1,\"hasMore\":false}}",
      .refusals = { NO_ACCOUNT, NOT_OWNER } },
    { .id = "BANK-23", .method = HTTP_GET, .path = "/api/transactions/:id", .auth = AUTH_CUSTOMER,
      .sql = &sql_bank_transaction_get, .not_found = "Transaction not found",
      .summary = "One transaction of the caller",
      .fields = { { .name = "id", .in = IN_PATH, .type = FIELD_ID, .kind = PID_TRANSFER } },
      .reply = "{\"transaction\":{" TRANSACTION_MEMBERS "}}" },
    { .id = "BANK-24", .method = HTTP_GET, .path = "/api/accounts/:accountid", .auth = AUTH_CUSTOMER,
      .run = bank_account_get, .summary = "One account of the caller", .fields = { FIELD_ACCOUNT_PATH },
      .reply = "{\"account\":" ACCOUNT_EXAMPLE "}", .refusals = { NO_ACCOUNT, NOT_OWNER } },
    { .id = "BANK-25", .method = HTTP_PATCH, .path = "/api/accounts/:accountid/status", .auth = AUTH_SYSTEM,
      .run = bank_account_status, .summary = "Freeze, close or reopen an account",
      .fields = { FIELD_ACCOUNT_PATH,
                  { .name = "status", .type = FIELD_ENUM, .flags = FIELD_REQUIRED,
                    .choices = "active frozen closed" } },
      .example = "{\"status\":\"frozen\"}",
      .reply = "{\"message\":\"Account status updated\",\"account\":" ACCOUNT_EXAMPLE "}",
      .refusals = { NO_ACCOUNT, "400 Account balance must be 0 to close it" } },
    { 0 },
};
