#include "domain/phone/phone.h"

bool phone_take(struct http_request *req, struct value *value)
{
    if (!value->set) return true;
    char *digits = arena_raw(&req->arena, PHONE_CHARS_MAX + 1);
    if (!phone_normalise(value->s, app_of(req)->settings->phone_country, digits)) {
        reply_error(req, 400, "PhoneFormatErr");
        return false;
    }
    value->s = str_from(digits);
    return true;
}
