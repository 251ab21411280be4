#include "domain/points/redeem_rule.h"

#include <string.h>

static const int64_t MONEY_MAX = 999999999999999;   /* cents */

bool redeem_credit(int64_t points, int64_t rate, int64_t *cents)
{
    enum { MILLIONTHS_A_CENT = 10000 };
    __int128 credit = (__int128) points * rate / MILLIONTHS_A_CENT;
    if (credit > MONEY_MAX) return false;
    *cents = (int64_t) credit;
    return true;
}

bool discount_code_make(const uint8_t *random, int n, char code[DISCOUNT_CODE_CHARS + 1])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    enum { LETTERS = sizeof letters - 1, FAIR = 256 - 256 % LETTERS };   /* above it, A to D would come more often */
    int at = 5;
    memcpy(code, "DISC-", 5);
    for (int i = 0; i < n && at < DISCOUNT_CODE_CHARS; i++) {
        if (random[i] < FAIR) code[at++] = letters[random[i] % LETTERS];
    }
    code[at] = 0;
    return at == DISCOUNT_CODE_CHARS;
}
