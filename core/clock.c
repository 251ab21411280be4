#include "core/clock.h"

#include <string.h>
#include <time.h>

static uint64_t mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

uint64_t clock_mono_ms(void)
{
    return mono_ns() / 1000000;
}

uint64_t clock_mono_us(void)
{
    return mono_ns() / 1000;
}

int64_t clock_wall_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_wall_s(void)
{
    return clock_wall_us() / 1000000;
}

/* Days since 1970-01-01 and back, proleptic Gregorian; the year starts in March so that the leap
 * day comes last (the usual era arithmetic of 400 years). */
static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_days(int64_t days, int *y, int *m, int *d)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *d = (int) (doy - (153 * mp + 2) / 5 + 1);
    *m = (int) (mp < 10 ? mp + 3 : mp - 9);
    *y = (int) (yoe + era * 400 + (*m <= 2));
}

static void put_digits(char *to, int width, int64_t value)
{
    for (int i = width - 1; i >= 0; i--) {
        to[i] = (char) ('0' + value % 10);
        value /= 10;
    }
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

void clock_iso(int64_t wall_us, char out[CLOCK_ISO_BYTES])
{
    int y, m, d;
    int64_t ms = floor_div(wall_us, 1000);
    int64_t days = floor_div(ms, 86400000);
    int64_t rest = ms - days * 86400000;
    civil_from_days(days, &y, &m, &d);
    memcpy(out, "0000-00-00T00:00:00.000Z", CLOCK_ISO_BYTES);
    put_digits(out, 4, y);
    put_digits(out + 5, 2, m);
    put_digits(out + 8, 2, d);
    put_digits(out + 11, 2, rest / 3600000);
    put_digits(out + 14, 2, rest / 60000 % 60);
    put_digits(out + 17, 2, rest / 1000 % 60);
    put_digits(out + 20, 3, rest % 1000);
}

void clock_http_date(int64_t wall_s, char out[CLOCK_HTTP_BYTES])
{
    static const char weekdays[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int y, m, d;
    int64_t days = floor_div(wall_s, 86400);
    int64_t rest = wall_s - days * 86400;
    civil_from_days(days, &y, &m, &d);
    memcpy(out, "Xxx, 00 Xxx 0000 00:00:00 GMT", CLOCK_HTTP_BYTES);
    memcpy(out, weekdays + 3 * (((days % 7) + 7) % 7), 3);
    put_digits(out + 5, 2, d);
    memcpy(out + 8, months + 3 * (m - 1), 3);
    put_digits(out + 12, 4, y);
    put_digits(out + 17, 2, rest / 3600);
    put_digits(out + 20, 2, rest / 60 % 60);
    put_digits(out + 23, 2, rest % 60);
}

/* Takes exactly `width` digits off *s. */
static bool take_digits(struct str *s, size_t width, int *out)
{
    if (s->n < width) return false;
    int value = 0;
    for (size_t i = 0; i < width; i++) {
        if (s->p[i] < '0' || s->p[i] > '9') return false;
        value = value * 10 + (s->p[i] - '0');
    }
    *s = (struct str){ s->p + width, s->n - width };
    *out = value;
    return true;
}

static bool take_char(struct str *s, char c)
{
    if (s->n == 0 || s->p[0] != c) return false;
    *s = (struct str){ s->p + 1, s->n - 1 };
    return true;
}

static bool take_day(struct str *s, int64_t *days)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int y, m, d;
    if (!take_digits(s, 4, &y) || !take_char(s, '-') || !take_digits(s, 2, &m) || !take_char(s, '-') ||
        !take_digits(s, 2, &d)) return false;
    if (m < 1 || m > 12 || d < 1) return false;
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    if (d > lengths[m - 1] + (m == 2 && leap)) return false;
    *days = days_from_civil(y, m, d);
    return true;
}

static bool take_fraction(struct str *s, int64_t *us)
{
    *us = 0;
    if (!take_char(s, '.')) return true;
    int64_t scale = 100000;
    size_t digits = 0;
    for (; s->n && s->p[0] >= '0' && s->p[0] <= '9'; digits++, scale /= 10) {
        *us += (s->p[0] - '0') * scale;
        *s = (struct str){ s->p + 1, s->n - 1 };
    }
    return digits > 0 && digits <= 9;
}

static bool take_zone(struct str *s, int64_t *offset_s)
{
    *offset_s = 0;
    if (s->n == 0 || take_char(s, 'Z')) return s->n == 0;
    int sign = take_char(s, '-') ? -1 : take_char(s, '+') ? 1 : 0, h, m;
    if (!sign || !take_digits(s, 2, &h) || !take_char(s, ':') || !take_digits(s, 2, &m) || s->n) return false;
    *offset_s = sign * (h * 3600 + m * 60);
    return h < 24 && m < 60;
}

bool clock_parse(struct str s, int64_t *wall_us, bool *is_date)
{
    int64_t days, us, offset;
    int h, min, sec;
    if (!take_day(&s, &days)) return false;
    *is_date = s.n == 0;
    *wall_us = days * 86400000000;
    if (*is_date) return true;
    if (!take_char(&s, 'T') || !take_digits(&s, 2, &h) || !take_char(&s, ':') || !take_digits(&s, 2, &min) ||
        !take_char(&s, ':') || !take_digits(&s, 2, &sec) || !take_fraction(&s, &us) || !take_zone(&s, &offset))
        return false;
    if (h > 23 || min > 59 || sec > 59) return false;
    *wall_us += ((int64_t) h * 3600 + min * 60 + sec - offset) * 1000000 + us;
    return true;
}
