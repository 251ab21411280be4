/* Each type of field has one check: it reads the value as it was sent, leaves it in `struct value`
 * and returns NULL, or returns what is wrong with it. A value comes either from the body, as JSON
 * with its type, or from path and query, where everything is text. */
#include "http/validate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/must.h"
#include "http/query.h"

enum { FAULTS_MAX = 100, FAULTS_BYTES_MAX = 65536, MONEY_SCALE = 2 };

static const int64_t DAY_US = 86400000000;

struct check {
    const struct field *field;
    const struct validate_input *in;
    const struct json *json;     /* NULL: from the path or the query */
    struct str text;             /* what was sent; of a JSON value its text */
    struct value *value;
    const char *named;           /* how the field is called in a fault */
    char message[320];
};

static const char *check_field(struct check *c);

void validate_fault(struct reply_faults *faults, const char *field, const char *message)
{
    if (faults->count++ >= FAULTS_MAX) return;   /* enough to go on with; the rest is counted */
    if (faults->json.max == 0) buf_init(&faults->json, FAULTS_BYTES_MAX);
    json_open(&faults->json, '{');
    json_key(&faults->json, STR("field"));
    json_string(&faults->json, str_from(field));
    json_key(&faults->json, STR("message"));
    json_string(&faults->json, str_from(message));
    json_close(&faults->json, '}');
}

/* The next of the field's names: `rest` starts with p == NULL and then walks the aliases. */
static struct str next_name(const struct field *f, struct str *rest, bool *first)
{
    if (*first) {
        *first = false;
        *rest = str_from(f->aliases);
        return str_from(f->name);
    }
    return rest->n ? str_cut(rest, ' ') : STR_NONE;
}

static bool find_in_body(struct check *c)
{
    struct str rest = STR_NONE, name;
    bool first = true;
    while ((name = next_name(c->field, &rest, &first)).p) {
        const struct json *member = json_get(c->in->body, name);
        if (!member) continue;
        c->json = member;
        c->text = member->type == JSON_TRUE ? STR("true") : member->type == JSON_FALSE ? STR("false") : member->text;
        return true;
    }
    return false;
}

static enum query_result find_in_query(struct check *c)
{
    struct str rest = STR_NONE, name;
    bool first = true;
    while ((name = next_name(c->field, &rest, &first)).p) {
        enum query_result found = query_get(c->in->query, name, c->in->arena, &c->text);
        if (found != QUERY_ABSENT) return found;
    }
    return QUERY_ABSENT;
}

static const char *take_initial(struct check *c)
{
    c->text = str_from(c->field->initial);
    c->json = NULL;
    return c->text.p ? check_field(c) : NULL;
}

static const char *absent(struct check *c)
{
    return c->field->flags & FIELD_REQUIRED ? "is required" : take_initial(c);
}

/* The field's header; false: there is none. */
static bool find_in_header(const struct check *c, struct str *text)
{
    *text = c->field->header && c->in->req ? request_header(c->in->req, str_from(c->field->header)) : STR_NONE;
    return text->p != NULL;
}

static const char *validate_header_field(struct check *c, struct str text)
{
    bool in_body = c->json && c->json->type != JSON_NULL;
    c->named = in_body ? c->field->name : c->field->header;
    if (request_header_count(c->in->req, str_from(c->field->header)) > 1) return "must be sent once only";
    if (in_body && !str_eq(c->text, text)) return "must be the same as in the header";
    if (!in_body) {
        c->json = NULL;
        c->text = text;
    }
    return check_field(c);
}

static const char *validate_body_field(struct check *c)
{
    struct str text;
    bool found = c->in->body && find_in_body(c);
    if (find_in_header(c, &text)) return validate_header_field(c, text);
    if (!found) return absent(c);
    unsigned flags = c->field->flags;
    if (c->json->type == JSON_NULL) return flags & (FIELD_NULLABLE | FIELD_REQUIRED) ? absent(c) : "must not be null";
    return check_field(c);
}

static const char *validate_query_field(struct check *c)
{
    enum query_result found = find_in_query(c);
    if (found == QUERY_BROKEN) return "must be correctly percent-encoded";
    if (found == QUERY_ABSENT || (c->text.n == 0 && c->field->type != FIELD_TEXT)) return absent(c);
    return check_field(c);
}

int validate(const struct endpoint *e, const struct validate_input *in, struct value *values,
             struct reply_faults *faults)
{
    int param = 0;
    for (int i = 0; i < ENDPOINT_FIELDS_MAX && e->fields[i].name; i++) {
        struct check c = { .field = &e->fields[i], .in = in, .value = &values[i], .named = e->fields[i].name };
        const char *fault;
        *c.value = (struct value){ 0 };
        switch (c.field->in) {
        case IN_BODY: fault = validate_body_field(&c); break;
        case IN_QUERY: fault = validate_query_field(&c); break;
        default:
            c.text = in->path_params[param++];
            fault = check_field(&c);
        }
        if (fault) validate_fault(faults, c.named, fault);
    }
    return faults->count;
}

/* --- bounds ---------------------------------------------------------------------------------- */

void validate_bounds(const struct field *f, int64_t *min, int64_t *max)
{
    static const struct { int64_t min, max; } own[] = {
        [FIELD_TEXT] = { 0, 10000 },
        [FIELD_EMAIL] = { 0, 254 },
        [FIELD_INT] = { -9007199254740991, 9007199254740991 },
        [FIELD_MONEY] = { 0, 999999999999999 },
        [FIELD_OBJECT] = { 0, 65536 },
        [FIELD_ARRAY] = { 0, 1000 },
    };
    bool bounded = (size_t) f->type < sizeof own / sizeof *own;
    *min = f->min || f->max ? f->min : bounded ? own[f->type].min : 0;
    *max = f->max || !bounded ? f->max : own[f->type].max;
}

/* "characters", "elements": how many there may be. */
static const char *check_count(struct check *c, int64_t count, const char *verb, const char *unit)
{
    int64_t min, max;
    validate_bounds(c->field, &min, &max);
    if (count >= min && count <= max) return NULL;
    if (min == max) {
        snprintf(c->message, sizeof c->message, "must %s %" PRId64 " %s", verb, max, unit);
    } else if (min > 0 && c->field->max) {
        snprintf(c->message, sizeof c->message, "must %s %" PRId64 " to %" PRId64 " %s", verb, min, max, unit);
    } else {
        bool few = count < min;
        snprintf(c->message, sizeof c->message, "must %s at %s %" PRId64 " %s", verb, few ? "least" : "most",
                 few ? min : max, unit);
    }
    return c->message;
}

/* --- text ------------------------------------------------------------------------------------ */

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool has_control(struct str s, bool multiline)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char) s.p[i];
        if (c >= 0x20 && c != 0x7f) continue;
        if (!multiline || (c != '\t' && c != '\n' && c != '\r')) return true;
    }
    return false;
}

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '_' && s.p[i] != '-') return false;
    }
    return true;
}

/* A path's word that is none, or too long, names nothing. */
static const char *check_path_word(struct check *c)
{
    int64_t min, max;
    validate_bounds(c->field, &min, &max);
    c->value->s = is_word(c->text) && c->text.n <= (size_t) max ? c->text : STR("");
    return NULL;
}

static const char *check_text(struct check *c)
{
    if (c->json && c->json->type != JSON_STRING) return "must be a string";
    if ((c->field->flags & FIELD_WORD) && c->field->in == IN_PATH) return check_path_word(c);
    if ((c->field->flags & FIELD_WORD) && !is_word(c->text)) return "must consist of letters, digits, '.', '_' and '-'";
    if (has_control(c->text, c->field->flags & FIELD_MULTILINE)) return "must not contain control characters";
    c->value->s = c->text;
    return check_count(c, (int64_t) str_utf8_length(c->text), "be", "characters");
}

/* Words of allowed characters with single dots between them. */
static bool is_local_part(struct str s)
{
    if (s.n == 0 || s.n > 64) return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '.' ? i == 0 || i + 1 == s.n || s.p[i - 1] == '.'
                     : !is_alnum(c) && (c == 0 || !strchr("!#$%&'*+/=?^_`{|}~-", c))) return false;
    }
    return true;
}

static bool is_mail_domain(struct str s)
{
    int labels = 0;
    bool letter = false;
    while (s.p) {
        struct str label = str_cut(&s, '.');
        if (label.n == 0 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-') return false;
        letter = false;
        for (size_t i = 0; i < label.n; i++) {
            if (!is_alnum(label.p[i]) && label.p[i] != '-') return false;
            letter |= label.p[i] > '9';
        }
        labels++;
    }
    return labels >= 2 && letter;   /* 10.0.0.1 is no domain: the last label has a letter */
}

static const char *check_email(struct check *c)
{
    int64_t min, max;
    validate_bounds(c->field, &min, &max);
    struct str domain = c->text, local;
    bool fits = c->text.n <= (size_t) max && (!c->json || c->json->type == JSON_STRING);
    if (!fits) return "must be a valid e-mail address";
    local = str_cut(&domain, '@');
    if (!domain.p || !is_local_part(local) || !is_mail_domain(domain)) return "must be a valid e-mail address";
    char *lower = arena_raw(c->in->arena, c->text.n);
    for (size_t i = 0; i < c->text.n; i++) {
        char letter = c->text.p[i];
        lower[i] = letter >= 'A' && letter <= 'Z' ? (char) (letter + 32) : letter;
    }
    c->value->s = (struct str){ lower, c->text.n };
    return NULL;
}

static const char *check_enum(struct check *c)
{
    if (!c->json || c->json->type == JSON_STRING) {
        struct str rest = str_from(c->field->choices);
        for (int64_t i = 0; rest.n; i++) {
            struct str choice = str_cut(&rest, ' ');
            if (!str_eq(choice, c->text)) continue;
            c->value->i = i;
            c->value->s = choice;
            return NULL;
        }
    }
    size_t n = (size_t) snprintf(c->message, sizeof c->message, "must be one of ");
    struct str rest = str_from(c->field->choices);
    while (rest.n && n < sizeof c->message) {
        struct str choice = str_cut(&rest, ' ');
        n += (size_t) snprintf(c->message + n, sizeof c->message - n, "%.*s%s", STR_FMT(choice), rest.n ? ", " : "");
    }
    return c->message;
}

/* --- numbers --------------------------------------------------------------------------------- */

/* What a query may hold: the plain form of a JSON number, without an exponent. */
static bool is_plain_number(struct str s)
{
    size_t i = s.n > 0 && s.p[0] == '-', first = i, digits = 0;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) digits++;
    if (digits == 0 || (digits > 1 && s.p[first] == '0')) return false;
    if (i == s.n) return true;
    if (s.p[i++] != '.' || i == s.n) return false;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9') i++;
    return i == s.n;
}

static int64_t exponent_of(struct str s)
{
    int64_t e = 0, limit = 1000000;   /* no body is long enough to need more */
    bool negative = s.n > 0 && s.p[0] == '-';
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] >= '0' && s.p[i] <= '9' && e < limit * 10) e = e * 10 + (s.p[i] - '0');
    }
    return negative ? -e : e;
}

/* Tells 1.005 (too fine) from 1e400 (too big): json_decimal refuses both. */
static bool has_decimals(struct str number, int scale)
{
    int64_t decimals = 0, zeros = 0;
    bool point = false, digits = false;
    size_t i = 0;
    for (; i < number.n && (number.p[i] | 0x20) != 'e'; i++) {
        char c = number.p[i];
        if (c == '.') point = true;
        if (c < '0' || c > '9') continue;
        decimals += point;
        zeros = c == '0' ? zeros + 1 : 0;
        digits |= c != '0';
    }
    if (!digits) return false;
    int64_t exponent = i < number.n ? exponent_of((struct str){ number.p + i + 1, number.n - i - 1 }) : 0;
    return decimals - zeros - exponent > scale;
}

static const char *out_of_bounds(struct check *c, const char *which, int64_t bound, int scale)
{
    char text[32];
    const char *minus = scale && bound < 0 && bound > -100 ? "-" : "";
    int n = snprintf(text, sizeof text, "%s%" PRId64, minus, scale ? bound / 100 : bound);
    int64_t cents = bound % 100 < 0 ? -(bound % 100) : bound % 100;
    if (scale && cents) snprintf(text + n, sizeof text - (size_t) n, ".%02d", (int) cents);
    snprintf(c->message, sizeof c->message, "must be at %s %s", which, text);
    return c->message;
}

static const char *check_number(struct check *c, int scale, const char *expected)
{
    if (c->json ? c->json->type != JSON_NUMBER : !is_plain_number(c->text)) return expected;
    if (has_decimals(c->text, scale)) return expected;
    int64_t min, max;
    validate_bounds(c->field, &min, &max);
    bool negative = c->text.p[0] == '-';
    bool fits = json_decimal(c->text, scale, &c->value->i);
    if (fits ? c->value->i < min : negative) return out_of_bounds(c, "least", min, scale);
    if (fits ? c->value->i > max : !negative) return out_of_bounds(c, "most", max, scale);
    return NULL;
}

static const char *check_int(struct check *c)
{
    return check_number(c, 0, "must be a whole number");
}

static const char *check_money(struct check *c)
{
    return check_number(c, MONEY_SCALE, "must be a number with at most 2 decimals");
}

static const char *check_bool(struct check *c)
{
    bool word = !c->json || c->json->type == JSON_TRUE || c->json->type == JSON_FALSE;
    bool yes = str_eq(c->text, STR("true")) || (!c->json && str_eq(c->text, STR("1")));
    bool no = str_eq(c->text, STR("false")) || (!c->json && str_eq(c->text, STR("0")));
    if (!word || (!yes && !no)) return "must be true or false";
    c->value->i = yes;
    return NULL;
}

/* --- ids, times, nested values --------------------------------------------------------------- */

static int64_t plain_id(struct str text)
{
    int64_t id;
    return str_to_i64(text, &id) && id > 0 ? id : -1;
}

static const char *check_id(struct check *c)
{
    int64_t number;
    struct str text = c->text;
    if (c->json && c->json->type == JSON_NUMBER) {
        if (json_i64(c->json, &number)) text = arena_printf(c->in->arena, "%" PRId64, number);
    } else if (c->json && c->json->type != JSON_STRING) {
        return "must be an id";
    }
    c->value->i = c->in->decode_id ? c->in->decode_id(c->in->req, c->field->kind, text) : plain_id(text);
    return NULL;
}

static const char *check_time(struct check *c)
{
    bool is_date, text = !c->json || c->json->type == JSON_STRING;
    if (!text || !clock_parse(c->text, &c->value->i, &is_date)) return "must be an ISO 8601 date or time";
    if (is_date && (c->field->flags & FIELD_DAY_END)) c->value->i += DAY_US - 1;
    return NULL;
}

static const char *check_object(struct check *c)
{
    if (!c->json || c->json->type != JSON_OBJECT) return "must be an object";
    c->value->json = c->json;
    return check_count(c, (int64_t) c->text.n, "have", "bytes");
}

static const char *check_array(struct check *c)
{
    if (!c->json || c->json->type != JSON_ARRAY) return "must be an array";
    c->value->json = c->json;
    return check_count(c, c->json->count, "have", "elements");
}

/* --- all of them ----------------------------------------------------------------------------- */

static const char *check_field(struct check *c)
{
    static const char *(*const checks[])(struct check *c) = {
        [FIELD_TEXT] = check_text, [FIELD_EMAIL] = check_email, [FIELD_INT] = check_int, [FIELD_MONEY] = check_money,
        [FIELD_BOOL] = check_bool, [FIELD_ENUM] = check_enum, [FIELD_ID] = check_id, [FIELD_TIME] = check_time,
        [FIELD_OBJECT] = check_object, [FIELD_ARRAY] = check_array,
    };
    const struct field *f = c->field;
    bool text = !c->json || c->json->type == JSON_STRING;
    bool names_nothing = f->in == IN_PATH && (f->flags & FIELD_WORD);
    if (!c->json && !names_nothing && !str_is_utf8(c->text)) return "must be valid UTF-8";
    if (text && (f->type == FIELD_EMAIL || (f->flags & FIELD_TRIM))) c->text = str_trim(c->text);
    if (text && c->text.n == 0 && (f->flags & FIELD_REQUIRED)) return "is required";
    c->value->s = c->text;
    const char *fault = checks[f->type](c);
    if (!fault && f->check) fault = f->check(c->value->s);
    c->value->set = fault == NULL;
    return fault;
}

bool validate_initial(const struct field *f)
{
    struct arena arena;
    arena_init(&arena);
    struct validate_input in = { .arena = &arena };
    struct value value = { 0 };
    struct check c = { .field = f, .in = &in, .value = &value };
    bool valid = take_initial(&c) == NULL;
    arena_fini(&arena);
    return valid;
}
