#include "domain/mail/text.h"

#include <string.h>

#include "core/json.h"
#include "core/must.h"

enum { MAIL_BYTES_MAX = 64 << 10, NAME_BYTES_MAX = 60 };

/* A mail being written: both forms side by side, paragraph by paragraph. */
struct draft {
    struct buf text, html;
};

void mail_text_escape(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '&': buf_cstr(b, "&amp;"); break;
        case '<': buf_cstr(b, "&lt;"); break;
        case '>': buf_cstr(b, "&gt;"); break;
        case '"': buf_cstr(b, "&quot;"); break;
        case '\'': buf_cstr(b, "&#39;"); break;
        default: buf_char(b, s.p[i]);
        }
    }
}

/* "J. R. Smith" is a name; "win.example.com", "see http://…" and "a@b" are not. */
struct str mail_text_name(struct str name)
{
    static const char of_links[] = "/\\:@<>\"#?&=%!$*+;[]{}|~^`_";
    if (name.n == 0 || name.n > NAME_BYTES_MAX) return STR_NONE;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char) name.p[i];
        if (c < ' ' || c == 0x7f || strchr(of_links, c)) return STR_NONE;
        if (c == '.' && i + 1 < name.n && name.p[i + 1] != ' ') return STR_NONE;
    }
    return name;
}

static void draft_open(struct draft *d, struct str name)
{
    buf_init(&d->text, MAIL_BYTES_MAX);
    buf_init(&d->html, MAIL_BYTES_MAX);
    struct str shown = mail_text_name(name);
    buf_cstr(&d->html, "<!doctype html>\n<html lang=\"en\"><body style=\"font-family:sans-serif\">\n<p>Hello");
    buf_cstr(&d->text, "Hello");
    if (shown.p) {
        buf_char(&d->text, ' ');
        buf_str(&d->text, shown);
        buf_char(&d->html, ' ');
        mail_text_escape(&d->html, shown);
    }
    buf_cstr(&d->text, ",\n");
    buf_cstr(&d->html, ",</p>\n");
}

static void paragraph(struct draft *d, struct str s)
{
    buf_char(&d->text, '\n');
    buf_str(&d->text, s);
    buf_char(&d->text, '\n');
    buf_cstr(&d->html, "<p>");
    mail_text_escape(&d->html, s);
    buf_cstr(&d->html, "</p>\n");
}

static void link_to(struct draft *d, struct str link)
{
    buf_char(&d->text, '\n');
    buf_str(&d->text, link);
    buf_char(&d->text, '\n');
    buf_cstr(&d->html, "<p><a href=\"");
    mail_text_escape(&d->html, link);
    buf_cstr(&d->html, "\">");
    mail_text_escape(&d->html, link);
    buf_cstr(&d->html, "</a></p>\n");
}

static struct mail_text draft_close(struct draft *d, struct arena *arena, struct str subject)
{
    buf_cstr(&d->html, "</body></html>\n");
    must(!d->text.failed && !d->html.failed);   /* every part of a mail is bounded */
    struct mail_text mail = { arena_str(arena, subject), arena_str(arena, buf_view(&d->text)),
                              arena_str(arena, buf_view(&d->html)) };
    buf_fini(&d->text);
    buf_fini(&d->html);
    return mail;
}

static struct mail_text with_link(struct arena *arena, struct str name, struct str subject, struct str why,
                                  struct str link, const char *life)
{
    struct draft d;
    draft_open(&d, name);
    paragraph(&d, why);
    link_to(&d, link);
    paragraph(&d, arena_printf(arena, "The link works once and for %s. If this was not you, you need not do anything.",
                               life));
    return draft_close(&d, arena, subject);
}

struct mail_text mail_text_welcome(struct arena *arena, struct str name, struct str link)
{
    return with_link(arena, name, STR("Welcome"),
                     STR("Your account has been created. Please confirm that this address is yours:"), link, "7 days");
}

struct mail_text mail_text_verify(struct arena *arena, struct str name, struct str link)
{
    return with_link(arena, name, STR("Confirm your e-mail address"),
                     STR("Please confirm that this address is yours:"), link, "7 days");
}

struct mail_text mail_text_signup(struct arena *arena, struct str name, struct str link)
{
    return with_link(arena, name, STR("Confirm your account"),
                     STR("Somebody, probably you, is signing up with this address. Please confirm it:"), link,
                     "24 hours");
}

struct mail_text mail_text_reset(struct arena *arena, struct str name, struct str link)
{
    return with_link(arena, name, STR("Reset your password"),
                     STR("Somebody, probably you, has asked for a new password. Choose one here:"), link,
                     "30 minutes");
}

/* Transfer alerts
 * ------------------------------------------------------------------------------------------- */

static void put_money(struct buf *b, int64_t minor, struct str currency)
{
    struct buf number;
    buf_init(&number, 64);
    json_money(&number, minor);
    buf_str(b, buf_view(&number));
    buf_fini(&number);
    buf_char(b, ' ');
    buf_str(b, currency);
}

static void put_single(struct buf *b, const struct mail_movement *m, struct str currency)
{
    buf_cstr(b, m->in ? "You received " : "You sent ");
    put_money(b, m->in ? m->in : m->out, currency);
    buf_printf(b, m->in ? " on account %.*s." : " from account %.*s.", STR_FMT(m->account));
    buf_cstr(b, " Balance: ");
    put_money(b, m->balance, currency);
    buf_char(b, '.');
}

static void put_summary(struct buf *b, const struct mail_movement *m, struct str currency)
{
    buf_printf(b, "Account %.*s: %lld %s", STR_FMT(m->account), (long long) m->count,
               m->count == 1 ? "transfer" : "transfers");
    if (m->totals_known) {
        buf_cstr(b, ", in ");
        put_money(b, m->in, currency);
        buf_cstr(b, ", out ");
        put_money(b, m->out, currency);
    }
    buf_cstr(b, ". Balance: ");
    put_money(b, m->balance, currency);
    buf_char(b, '.');
}

struct mail_text mail_text_alert(struct arena *arena, struct str name, struct str currency,
                                 const struct mail_movement *m, int count)
{
    struct draft d;
    struct buf line, subject;
    int64_t transfers = 0;
    draft_open(&d, name);
    buf_init(&line, 1024);
    buf_init(&subject, 256);
    for (int i = 0; i < count; i++) transfers += m[i].count;
    bool single = transfers == 1 && count == 1 && m[0].totals_known;
    for (int i = 0; i < count; i++) {
        buf_clear(&line);
        if (single) put_single(&line, &m[i], currency);
        else put_summary(&line, &m[i], currency);
        paragraph(&d, buf_view(&line));
    }
    if (single) {
        buf_cstr(&subject, m[0].in ? "You received " : "You sent ");
        put_money(&subject, m[0].in ? m[0].in : m[0].out, currency);
    } else {
        buf_printf(&subject, "%lld transfers", (long long) transfers);
    }
    struct mail_text mail = draft_close(&d, arena, buf_view(&subject));
    buf_fini(&line);
    buf_fini(&subject);
    return mail;
}

/* Receipts ------------------------------------------------------------------------------------------- */

struct mail_text mail_text_receipt(struct arena *arena, struct str name, struct str currency, int64_t amount,
                                   struct str description, struct str reference)
{
    struct draft d;
    struct buf line, subject;
    draft_open(&d, name);
    buf_init(&line, 4096);
    buf_init(&subject, 256);
    buf_cstr(&line, "We have received your payment of ");
    put_money(&line, amount, currency);
    buf_cstr(&line, ". It has been credited to your wallet.");
    paragraph(&d, buf_view(&line));
    buf_clear(&line);
    buf_printf(&line, "For: %.*s", STR_FMT(description));
    paragraph(&d, buf_view(&line));
    buf_clear(&line);
    buf_printf(&line, "Reference: %.*s", STR_FMT(reference));
    paragraph(&d, buf_view(&line));
    buf_cstr(&subject, "Payment received: ");
    put_money(&subject, amount, currency);
    struct mail_text mail = draft_close(&d, arena, buf_view(&subject));
    buf_fini(&line);
    buf_fini(&subject);
    return mail;
}
