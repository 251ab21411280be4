/* Numbers as text to integers, exactly. A number is digits × 10^exponent; we take its significant
 * digits (no zeros at either end) and shift the exponent by the scale. A negative exponent left
 * over means more decimals than allowed, more than nineteen digits mean out of range; both are
 * known before any arithmetic, so a hostile exponent costs nothing. */
#include "core/json.h"

#include "core/json_token.h"
#include "core/must.h"

enum { INT64_DIGITS = 19, SCALE_MAX = 18 };

/* No text is long enough to bring an exponent of this size back into range. */
static const int64_t EXPONENT_MAX = (int64_t) 1 << 48;

static int64_t read_exponent(const char *p, const char *end)
{
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    int64_t value = 0;
    for (; p < end; p++) {
        if (value < EXPONENT_MAX) value = value * 10 + (*p - '0');
    }
    return negative ? -value : value;
}

/* digits may hold the point. Builds the value downwards, because INT64_MIN has no positive twin. */
static bool shift(const char *digits, const char *end, int64_t exponent, bool negative, int64_t *out)
{
    int64_t value = 0;
    for (; digits < end; digits++) {
        if (*digits == '.') continue;
        if (__builtin_mul_overflow(value, (int64_t) 10, &value) ||
            __builtin_sub_overflow(value, (int64_t) (*digits - '0'), &value)) return false;
    }
    for (; exponent > 0; exponent--) {
        if (__builtin_mul_overflow(value, (int64_t) 10, &value)) return false;
    }
    if (!negative && value == INT64_MIN) return false;
    *out = negative ? value : -value;
    return true;
}

bool json_decimal(struct str number, int scale, int64_t *out)
{
    must(scale >= 0 && scale <= SCALE_MAX);
    if (number.n == 0) return false;
    const char *p = number.p, *end = p + number.n;
    if (json_number_end(p, end) != end) return false;
    bool negative = *p == '-';
    if (negative) p++;

    const char *mantissa_end = p, *point = NULL;
    for (; mantissa_end < end && (*mantissa_end | 0x20) != 'e'; mantissa_end++) {
        if (*mantissa_end == '.') point = mantissa_end;
    }
    int64_t exponent = scale + (mantissa_end < end ? read_exponent(mantissa_end + 1, end) : 0);
    if (point) exponent -= mantissa_end - point - 1;

    const char *last = mantissa_end;
    while (p < last && (*p == '0' || *p == '.')) p++;
    for (; last > p && (last[-1] == '0' || last[-1] == '.'); last--) exponent += last[-1] == '0';
    if (p == last) {
        *out = 0;
        return true;
    }
    int64_t digits = last - p - (point > p && point < last);
    if (exponent < 0 || exponent > INT64_DIGITS || digits > INT64_DIGITS) return false;
    return shift(p, last, exponent, negative, out);
}

bool json_i64(const struct json *number, int64_t *out)
{
    return number && number->type == JSON_NUMBER && json_decimal(number->text, 0, out);
}
