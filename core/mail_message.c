/* Everything that comes from outside is made harmless here: a subject or name with anything but
 * printable ASCII becomes encoded words (RFC 2047), bodies become quoted-printable, whose lines
 * never exceed 76 characters and never begin a MIME boundary of ours ("=_" cannot occur in it). */
#include "core/mail_message.h"

#include <string.h>

#include "core/clock.h"
#include "core/digest.h"

enum { ADDRESS_MAX = 254, LINE_MAX_CHARS = 76, WORD_BYTES_MAX = 42, PLAIN_SUBJECT_MAX = 60, TAG_BYTES = 8 };

bool mail_address_is_safe(struct str address)
{
    if (address.n > ADDRESS_MAX) return false;
    size_t ats = 0;
    for (size_t i = 0; i < address.n; i++) {
        char c = address.p[i];
        if (c <= ' ' || c > '~' || strchr("<>()[]\\,;:\"", c)) return false;
        ats += c == '@';
    }
    return ats == 1 && address.p[0] != '@' && address.p[address.n - 1] != '@';
}

bool mail_sender_read(struct str from, struct mail_sender *out)
{
    struct str rest = str_trim(from);
    out->name = STR_NONE;
    if (rest.n > 0 && rest.p[rest.n - 1] == '>') {
        rest.n--;
        out->name = str_trim(str_cut(&rest, '<'));
        if (out->name.n >= 2 && out->name.p[0] == '"' && out->name.p[out->name.n - 1] == '"') {
            out->name = (struct str){ out->name.p + 1, out->name.n - 2 };
        }
    }
    if (!mail_address_is_safe(rest)) return false;
    out->address = out->domain = rest;
    str_cut(&out->domain, '@');
    return true;
}

/* Plain words that need no quoting in a display name and no encoding in a subject. */
static bool is_plain(struct str s, const char *except)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < ' ' || s.p[i] > '~' || strchr(except, s.p[i])) return false;
    }
    return s.n <= PLAIN_SUBJECT_MAX;
}

/* One encoded word a line, each of whole characters. Control characters become blanks. */
static void write_encoded_words(struct buf *out, struct str s)
{
    for (size_t at = 0; at < s.n;) {
        size_t n = s.n - at < WORD_BYTES_MAX ? s.n - at : WORD_BYTES_MAX;
        while (n > WORD_BYTES_MAX - 4 && at + n < s.n && (s.p[at + n] & 0xc0) == 0x80) n--;
        char piece[WORD_BYTES_MAX], encoded[WORD_BYTES_MAX / 3 * 4 + 4];
        for (size_t i = 0; i < n; i++) {
            unsigned char c = (unsigned char) s.p[at + i];
            piece[i] = c < ' ' || c == 0x7f ? ' ' : (char) c;
        }
        if (at > 0) buf_cstr(out, "\r\n ");
        buf_cstr(out, "=?UTF-8?B?");
        buf_put(out, encoded, base64_write(encoded, (struct str){ piece, n }));
        buf_cstr(out, "?=");
        at += n;
    }
}

static void write_words(struct buf *out, struct str s, const char *except)
{
    if (is_plain(s, except)) {
        buf_str(out, s);
    } else {
        write_encoded_words(out, s);
    }
}

/* ---------------------------------------------------------------- quoted-printable (RFC 2045) */

static bool is_literal(struct str s, size_t i)
{
    char c = s.p[i];
    if (c == ' ' || c == '\t') {
        bool ends_line = i + 1 == s.n || s.p[i + 1] == '\n' || s.p[i + 1] == '\r';
        return !ends_line;
    }
    return c > ' ' && c <= '~' && c != '=';
}

static void write_quoted_printable(struct buf *out, struct str s)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t column = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char) s.p[i];
        if (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n') continue;
        if (c == '\n') {
            buf_cstr(out, "\r\n");
            column = 0;
            continue;
        }
        bool literal = is_literal(s, i);
        size_t width = literal ? 1 : 3;
        if (column + width > LINE_MAX_CHARS - 1) {
            buf_cstr(out, "=\r\n");
            column = 0;
        }
        if (literal) {
            buf_char(out, (char) c);
        } else {
            buf_put(out, (char[]){ '=', digits[c >> 4], digits[c & 15] }, 3);
        }
        column += width;
    }
    if (column > 0) buf_cstr(out, "\r\n");
}

static void write_part(struct buf *out, const char *type, struct str body)
{
    buf_printf(out, "Content-Type: text/%s; charset=utf-8\r\n", type);
    buf_cstr(out, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    write_quoted_printable(out, body);
}

/* ---------------------------------------------------------------- headers */

/* Ids begin again with a new database; the content tells such mails apart. */
static void tag_of(const struct mail *mail, uint8_t tag[TAG_BYTES])
{
    const struct str parts[] = { mail->to, mail->subject, mail->text, mail->html };
    uint8_t hashes[sizeof parts / sizeof *parts][SHA256_BYTES], hash[SHA256_BYTES];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) sha256(parts[i], hashes[i]);
    sha256((struct str){ (const char *) hashes, sizeof hashes }, hash);
    memcpy(tag, hash, TAG_BYTES);
}

static void write_sender(struct buf *out, const struct mail_sender *from)
{
    buf_cstr(out, "From: ");
    if (from->name.n > 0) {
        write_words(out, from->name, "()<>[]:;@\\,.\"=?_");
        buf_char(out, ' ');
    }
    buf_printf(out, "<%.*s>\r\n", STR_FMT(from->address));
}

static void write_headers(struct buf *out, const struct mail *mail, const struct mail_sender *from,
                          int64_t wall_s, const uint8_t tag[TAG_BYTES])
{
    char date[CLOCK_HTTP_BYTES];
    clock_http_date(wall_s, date);
    /* "GMT" is obsolete in mails. */
    buf_printf(out, "Date: %.*s +0000\r\n", CLOCK_HTTP_BYTES - 4, date);
    write_sender(out, from);
    buf_printf(out, "To: <%.*s>\r\n", STR_FMT(mail->to));
    buf_cstr(out, "Subject: ");
    write_words(out, mail->subject, "=");
    buf_printf(out, "\r\nMessage-ID: <%lld.", (long long) mail->id);
    buf_hex(out, tag, TAG_BYTES);
    buf_printf(out, "@%.*s>\r\n", STR_FMT(from->domain));
    buf_cstr(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
}

void mail_message_write(struct buf *out, const struct mail *mail, const struct mail_sender *from, int64_t wall_s)
{
    uint8_t tag[TAG_BYTES];
    tag_of(mail, tag);
    write_headers(out, mail, from, wall_s, tag);
    if (mail->html.n == 0) {
        write_part(out, "plain", mail->text);
        return;
    }
    char room[64];
    struct buf boundary = { .p = room, .cap = sizeof room, .max = sizeof room };
    buf_cstr(&boundary, "=_tally_");
    buf_hex(&boundary, tag, TAG_BYTES);
    struct str b = buf_view(&boundary);
    buf_printf(out, "Content-Type: multipart/alternative; boundary=\"%.*s\"\r\n\r\n", STR_FMT(b));
    buf_printf(out, "--%.*s\r\n", STR_FMT(b));
    write_part(out, "plain", mail->text);
    buf_printf(out, "\r\n--%.*s\r\n", STR_FMT(b));
    write_part(out, "html", mail->html);
    buf_printf(out, "\r\n--%.*s--\r\n", STR_FMT(b));
}
