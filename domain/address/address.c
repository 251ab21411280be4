#include "domain/address/address.h"

#include "domain/auth/auth.h"
#include "domain/phone/phone.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

static void put(struct http_request *req);

#define ADDRESS_EXAMPLE                                                                                               \
    "{\"id\":1,\"label\":\"Home\",\"recipient_name\":\"John Doe\",\"phone_number\":\"628123456789\","                 \
    "\"address\":\"Jl. Example No. 123\",\"is_default\":true}"
#define BODY_EXAMPLE                                                                                                  \
    "{\"label\":\"Home\",\"recipient_name\":\"John Doe\",\"phone_number\":\"628123456789\","                          \
    "\"address\":\"Jl. Example No. 123\",\"is_default\":true}"

#define FIELD_LABEL { .name = "label", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .min = 1, .max = 50 }
#define FIELD_RECIPIENT                                                                                               \
    { .name = "recipient_name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .min = 1, .max = 100 }
#define FIELD_PHONE { .name = "phone_number", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .max = 32 }
#define FIELD_LINES                                                                                                   \
    { .name = "address", .type = FIELD_TEXT,                                                                         \
      .flags = FIELD_REQUIRED | FIELD_TRIM | FIELD_MULTILINE, .min = 1, .max = 500 }

const struct endpoint address_endpoints[] = {
    { .id = "USR-16", .method = HTTP_GET, .path = "/address/list", .auth = AUTH_CUSTOMER, .sql = &sql_address_list,
      .summary = "The caller's addresses, the default first, then the oldest", .reply = "[" ADDRESS_EXAMPLE "]" },
    { .id = "USR-17", .method = HTTP_POST, .path = "/address", .auth = AUTH_CUSTOMER, .run = put, .status = 201,
      .summary = "Add an address; the first one becomes the default",
      .fields = { FIELD_LABEL, FIELD_RECIPIENT, FIELD_PHONE, FIELD_LINES,
                  { .name = "is_default", .type = FIELD_BOOL, .initial = "false" } },
      .example = BODY_EXAMPLE,
      .reply = "{\"status\":true,\"message\":\"Address created\",\"data\":" ADDRESS_EXAMPLE "}" },
    { .id = "USR-18", .method = HTTP_PUT, .path = "/address/:id", .auth = AUTH_CUSTOMER, .run = put,
      .not_found = "Address Not Found", .summary = "Change an address",
      .description = "Without `is_default` the mark stays where it is; false hands it to the newest other address.",
      .fields = { FIELD_LABEL, FIELD_RECIPIENT, FIELD_PHONE, FIELD_LINES,
                  { .name = "is_default", .type = FIELD_BOOL },
                  { .name = "id", .in = IN_PATH, .type = FIELD_ID } },
      .example = BODY_EXAMPLE,
      .reply = "{\"status\":true,\"message\":\"Address updated\",\"data\":" ADDRESS_EXAMPLE "}" },
    { .id = "USR-19", .method = HTTP_DELETE, .path = "/address/:id", .auth = AUTH_CUSTOMER, .sql = &sql_address_remove,
      .not_found = "Address Not Found", .summary = "Delete an address; the newest one left becomes the default",
      .fields = { { .name = "id", .in = IN_PATH, .type = FIELD_ID } },
      .reply = "{\"status\":true,\"message\":\"Address deleted\"}" },
    { .id = "USR-20", .method = HTTP_POST, .path = "/address/set-default", .auth = AUTH_CUSTOMER,
      .sql = &sql_address_set_default, .not_found = "Address Not Found", .summary = "Make an address the default",
      .fields = { { .name = "id", .type = FIELD_INT, .flags = FIELD_REQUIRED } },
      .example = "{\"id\":1}",
      .reply = "{\"status\":true,\"message\":\"Default address updated\",\"data\":" ADDRESS_EXAMPLE "}" },
    { 0 },
};

/* USR-17 and 18 */
static void put(struct http_request *req)
{
    enum { PHONE = 2 };   /* in both rows' order */
    bool is_new = req->method == HTTP_POST;
    if (phone_take(req, &req->values[PHONE])) sql_endpoint_run_as(req, is_new ? &sql_address_add : &sql_address_change);
}
