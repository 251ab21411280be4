#include <string.h>

#include "domain/phone/phone.h"

enum { DIGITS_MIN = 8 };

bool phone_normalise(struct str text, const char *country, char out[PHONE_CHARS_MAX + 1])
{
    bool plus = text.n > 0 && text.p[0] == '+';
    struct str digits = { text.p + plus, text.n - plus };
    if (digits.n < DIGITS_MIN || digits.n > PHONE_CHARS_MAX) return false;
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9') return false;
    }
    bool national = digits.p[0] == '0';
    if (national && plus) return false;   /* no country's code begins with 0 */
    size_t prefix = national ? strlen(country) : 0;
    if (prefix + digits.n - national > PHONE_CHARS_MAX) return false;
    memcpy(out, country, prefix);
    memcpy(out + prefix, digits.p + national, digits.n - national);
    out[prefix + digits.n - national] = 0;
    return true;
}
