#include "domain/faq/faq.h"

#include "domain/auth/auth.h"
#include "sql.h"

#define FAQ_EXAMPLE                                                                                                   \
    "{\"id\":1,\"question\":\"How do I top up?\",\"answer\":\"By the button Top up.\",\"category\":\"Payments\"}"

const struct endpoint faq_endpoints[] = {
    { .id = "USR-61", .method = HTTP_GET, .path = "/faq/list", .sql = &sql_faq_list,
      .summary = "Questions and answers, newest first", .reply = "[" FAQ_EXAMPLE "]" },
    { .id = "USR-62", .method = HTTP_POST, .path = "/faq", .auth = AUTH_KEY_USERSTATE, .sql = &sql_faq_add,
      .status = 201, .summary = "Add a question with its answer",
      .fields = { { .name = "question", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM | FIELD_MULTILINE,
                    .min = 1, .max = 1000 },
                  { .name = "answer", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM | FIELD_MULTILINE,
                    .min = 1, .max = 10000 },
                  { .name = "category", .type = FIELD_TEXT, .flags = FIELD_TRIM | FIELD_NULLABLE, .max = 100 } },
      .example = "{\"question\":\"How do I top up?\",\"answer\":\"By the button Top up.\",\"category\":\"Payments\"}",
      .reply = "{\"status\":true,\"message\":\"FAQ created\",\"data\":" FAQ_EXAMPLE "}" },
    { 0 },
};
