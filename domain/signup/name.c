#include <string.h>

#include "domain/signup/signup.h"

const char *signup_name_fault(struct str name)
{
    static const char others[] = "._-";
    bool digits = true, hex = true;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i], lower = (char) (c >= 'A' && c <= 'Z' ? c + 32 : c);
        bool digit = c >= '0' && c <= '9', letter = lower >= 'a' && lower <= 'z';
        if (!digit && !letter && !memchr(others, c, sizeof others - 1)) {
            return "may contain letters, digits, '.', '_' and '-' only";
        }
        digits &= digit;
        hex &= digit || (lower >= 'a' && lower <= 'f');
    }
    if (digits) return "must not be all digits";
    return hex && name.n == 24 ? "must not be 24 hexadecimal characters" : NULL;
}
