#include "domain/payments/report.h"

#include "core/clock.h"

enum { ID_CHARS_MAX = 128, WORD_CHARS_MAX = 64, URL_CHARS_MAX = 2048 };
#define AMOUNT_MAX INT64_C(999999999999999)

/* A member that is not there, or null, leaves *out as it is. */
static bool read_text(const struct json *object, struct str name, size_t most, struct str *out)
{
    const struct json *m = json_get(object, name);
    if (!m || m->type == JSON_NULL) return true;
    if (m->type != JSON_STRING || m->text.n == 0 || m->text.n > most) return false;
    *out = m->text;
    return true;
}

static bool is_id_char(char c)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* Ids become parts of addresses. */
static bool read_id(const struct json *object, struct str name, struct str *out)
{
    if (!read_text(object, name, ID_CHARS_MAX, out)) return false;
    for (size_t i = 0; i < out->n; i++) {
        if (!is_id_char(out->p[i])) return false;
    }
    return !str_eq(*out, STR(".")) && !str_eq(*out, STR(".."));
}

static bool read_amount(const struct json *object, struct str name, int64_t *out)
{
    const struct json *m = json_get(object, name);
    if (!m || m->type == JSON_NULL) return true;
    return m->type == JSON_NUMBER && json_decimal(m->text, 2, out) && *out > 0 && *out <= AMOUNT_MAX;
}

static bool read_time(const struct json *object, struct str name, int64_t *out)
{
    struct str text = STR_NONE;
    bool is_date;
    if (!read_text(object, name, WORD_CHARS_MAX, &text)) return false;
    return !text.p || clock_parse(text, out, &is_date);
}

enum err report_read(const struct json *object, struct report *out)
{
    struct str word = STR_NONE, ewallet = STR_NONE, bank = STR_NONE;
    *out = (struct report){ .amount = -1, .paid_amount = -1, .paid_us = INT64_MIN, .expiry_us = INT64_MIN };
    bool good = object && object->type == JSON_OBJECT &&
                read_id(object, STR("id"), &out->id) && read_id(object, STR("external_id"), &out->external_id) &&
                read_text(object, STR("status"), WORD_CHARS_MAX, &word) &&
                read_amount(object, STR("amount"), &out->amount) &&
                read_amount(object, STR("paid_amount"), &out->paid_amount) &&
                read_time(object, STR("paid_at"), &out->paid_us) &&
                read_time(object, STR("expiry_date"), &out->expiry_us) &&
                read_text(object, STR("invoice_url"), URL_CHARS_MAX, &out->url) &&
                read_text(object, STR("currency"), WORD_CHARS_MAX, &out->currency) &&
                read_text(object, STR("payment_method"), WORD_CHARS_MAX, &out->method) &&
                read_text(object, STR("payment_channel"), WORD_CHARS_MAX, &out->channel) &&
                read_text(object, STR("ewallet_type"), WORD_CHARS_MAX, &ewallet) &&
                read_text(object, STR("bank_code"), WORD_CHARS_MAX, &bank);
    if (!good) return ERR_INVALID;
    if (!out->channel.p) out->channel = ewallet.p ? ewallet : bank;
    out->has_status = word.p && invoice_report_parse(word, &out->status);
    return OK;
}

enum err report_parse(struct str body, struct arena *arena, struct report *out)
{
    struct json *object;
    const char *why;
    if (json_parse(body, arena, &object, &why) != OK || report_read(object, out) != OK) return ERR_INVALID;
    return out->id.p ? OK : ERR_INVALID;
}

enum err payout_said_read(const struct json *object, struct payout_said *out)
{
    struct str word = STR_NONE;
    const struct json *data = json_get(object, STR("data"));
    const struct json *from = data ? data : object;
    *out = (struct payout_said){ 0 };
    if (!from || from->type != JSON_OBJECT || !read_id(from, STR("id"), &out->id) ||
        !read_id(from, STR("reference_id"), &out->reference_id) ||
        !read_text(from, STR("status"), WORD_CHARS_MAX, &word))
        return ERR_INVALID;
    out->has_report = word.p && payout_report_parse(word, &out->report);
    return OK;
}
