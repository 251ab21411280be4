#include "domain/device/device.h"

#include "domain/auth/auth.h"
#include "sql.h"

const struct endpoint device_endpoints[] = {
    { .id = "USR-38", .method = HTTP_POST, .path = "/fcm/register", .auth = AUTH_CUSTOMER, .sql = &sql_device_register,
      .summary = "Register a device for pushes",
      .description = "A token that is known for another user moves to the caller.",
      .fields = { { .name = "token", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .max = 4096 },
                  { .name = "device_type", .type = FIELD_ENUM, .flags = FIELD_REQUIRED,
                    .choices = "android ios web" } },
      .example = "{\"token\":\"fcm-token-1\",\"device_type\":\"android\"}",
      .reply = "{\"status\":true,\"message\":\"Token registered\"}" },
    { .id = "USR-39", .method = HTTP_DELETE, .path = "/fcm/token", .auth = AUTH_CUSTOMER, .sql = &sql_device_remove,
      .not_found = "Token Not Found", .summary = "Forget a device",
      .fields = { { .name = "token", .in = IN_QUERY, .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .max = 4096 } },
      .reply = "{\"status\":true,\"message\":\"Token removed\"}" },
    { 0 },
};
