#include "domain/offer/offer.h"

#include "domain/auth/auth.h"
#include "sql.h"

#define OFFER_EXAMPLE                                                                                                 \
    "{\"id\":1,\"title\":\"Summer Sale\",\"description\":\"Get 50% off!\",\"image_url\":\"/images/offer1.jpg\","      \
    "\"valid_until\":\"2099-12-31T23:59:59.000Z\",\"is_active\":true}"

const struct endpoint offer_endpoints[] = {
    { .id = "USR-41", .method = HTTP_GET, .path = "/marketing-offer/list", .auth = AUTH_CUSTOMER,
      .sql = &sql_offer_list,
      .summary = "Offers that are active and valid, for everybody or for the caller, newest first",
      .reply = "[" OFFER_EXAMPLE "]" },
    { .id = "USR-42", .method = HTTP_POST, .path = "/marketing-offer", .auth = AUTH_KEY_USERSTATE,
      .sql = &sql_offer_add, .status = 201, .summary = "Make an offer",
      .fields = { { .name = "title", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .min = 1, .max = 200 },
                  { .name = "description", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM | FIELD_MULTILINE,
                    .min = 1, .max = 5000 },
                  { .name = "image_url", .type = FIELD_TEXT, .flags = FIELD_TRIM | FIELD_NULLABLE, .max = 2048 },
                  { .name = "valid_until", .type = FIELD_TIME, .flags = FIELD_REQUIRED | FIELD_DAY_END,
                    .help = "a date alone is valid to its last second" },
                  { .name = "is_active", .type = FIELD_BOOL, .initial = "true" },
                  { .name = "username", .type = FIELD_TEXT, .flags = FIELD_TRIM | FIELD_NULLABLE, .max = 254,
                    .help = "for this user only" } },
      .example = "{\"title\":\"Summer Sale\",\"description\":\"Get 50% off!\",\"image_url\":\"/images/offer1.jpg\","
                 "\"valid_until\":\"2099-12-31\"}",
      .reply = "{\"status\":true,\"message\":\"Marketing offer created\",\"data\":" OFFER_EXAMPLE "}",
      .refusals = { "500 Account does not exist" } },
    { 0 },
};
