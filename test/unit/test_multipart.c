/* Forms as a table: what parts come out, whole and byte by byte. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "http/multipart.h"

/* What the callbacks said: "name=file[text]" for each part, "-" for no file. */
struct heard {
    struct buf b;
    bool open;
};

static void on_part(void *arg, struct str name, struct str file)
{
    struct heard *h = arg;
    if (h->open) buf_char(&h->b, ']');
    h->open = true;
    buf_str(&h->b, name);
    buf_char(&h->b, '=');
    buf_str(&h->b, file.p ? file : STR("-"));
    buf_char(&h->b, '[');
}

static void on_text(void *arg, const uint8_t *data, size_t n)
{
    buf_put(&((struct heard *) arg)->b, data, n);
}

#define PART(name, text) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" text "\r\n"
#define FILE_PART(name, file, text) \
    "--b\r\nContent-Disposition: form-data; name=\"" name "\"; filename=\"" file "\"\r\n" \
    "Content-Type: x/y\r\n\r\n" text "\r\n"

static const struct {
    const char *body, *heard;     /* heard NULL: not a whole form */
} cases[] = {
    { FILE_PART("f", "a.png", "hello") "--b--\r\n", "f=a.png[hello" },
    { FILE_PART("f", "a.png", "hello") "--b--", "f=a.png[hello" },
    { "preamble\r\n" FILE_PART("f", "a", "x") "--b--\r\nepilogue", "f=a[x" },
    { "--b--", "" },
    { FILE_PART("f", "a", "") "--b--", "f=a[" },
    { "--b\r\nContent-Disposition: form-data; name=f\r\n\r\n--b--", "f=-[" },
    { PART("t", "one") FILE_PART("f", "", "two") "--b--", "t=-[one]f=[two" },
    { FILE_PART("f", "a", "\r\n--c\r\n-\r\r\n--\r\n--bx") "--b--", NULL },       /* --bx begins with the delimiter */
    { FILE_PART("f", "a", "\r\n--c\r\n-\r\r\n--\r\n--") "--b--", "f=a[\r\n--c\r\n-\r\r\n--\r\n--" },
    { FILE_PART("f", "a", "--b") "--b--", NULL },
    { FILE_PART("f", "a", "x--b") "--b--", "f=a[x--b" },
    { FILE_PART("f", "a", "\r\n\r\n\r\n") "--b--", "f=a[\r\n\r\n\r\n" },
    { FILE_PART("f", "../a", "x") "--b--", "f=../a[x" },
    { FILE_PART("f", "a\\\"b", "x") "--b--", "f=a\"b[x" },
    { "--b \t\r\nCONTENT-disposition : form-data;name=f ; filename=a\r\n\r\nx\r\n--b--", "f=a[x" },
    { "", NULL },
    { "--b", NULL },
    { "--b\r\n", NULL },
    { "--b\r\n\r\nx\r\n--b--", NULL },                                    /* a part without a name */
    { "--b\r\nContent-Disposition: attachment; name=\"f\"\r\n\r\nx\r\n--b--", NULL },
    { "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--", NULL },
    { "--b\r\nContent-Disposition: form-data; name=\"f\r\n\r\nx\r\n--b--", NULL },
    { FILE_PART("f", "a", "hello"), NULL },
    { "--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nhello\r\n--b-x", NULL },
    { "--bContent-Disposition: form-data; name=\"f\"\r\n\r\nhello\r\n--b--", NULL },
};

static void feed(const char *body, size_t step, const char *expected)
{
    struct multipart m;
    struct heard h = { 0 };
    buf_init(&h.b, 65536);
    ck_assert(multipart_init(&m, STR("multipart/form-data; boundary=b")));
    m.on_part = on_part;
    m.on_text = on_text;
    m.arg = &h;
    size_t n = strlen(body);
    for (size_t at = 0; at < n; at += step)
        multipart_feed(&m, (const uint8_t *) body + at, n - at < step ? n - at : step);
    ck_assert_msg((m.state == MULTIPART_DONE) == (expected != NULL), "state %d of %s", m.state, body);
    if (expected) ck_assert_msg(str_eq(buf_view(&h.b), str_from(expected)), "%.*s", STR_FMT(buf_view(&h.b)));
    buf_fini(&h.b);
}

START_TEST(form)
{
    for (size_t step = 1; step < 9; step++) feed(cases[_i].body, step, cases[_i].heard);
    feed(cases[_i].body, 1 << 20, cases[_i].heard);
}
END_TEST

START_TEST(too_much)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < MULTIPART_PARTS_MAX + 1; i++) buf_cstr(&b, PART("t", "x"));
    buf_cstr(&b, "--b--");
    buf_char(&b, 0);
    feed(b.p, 1000, NULL);
    buf_clear(&b);
    buf_cstr(&b, "--b\r\nContent-Disposition: form-data; name=\"f\"\r\nX: ");
    for (int i = 0; i < MULTIPART_HEAD_BYTES_MAX; i++) buf_char(&b, 'x');
    buf_cstr(&b, "\r\n\r\nx\r\n--b--");
    buf_char(&b, 0);
    feed(b.p, 1000, NULL);
    buf_fini(&b);
}
END_TEST

static const struct {
    const char *type;
    bool good;
} types[] = {
    { "multipart/form-data; boundary=b", true },
    { "Multipart/Form-Data;BOUNDARY=\"a b\"", true },
    { "multipart/form-data; charset=utf-8; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW", true },
    { "multipart/form-data", false },
    { "multipart/form-data; boundary=", false },
    { "multipart/form-data; boundary=\"b", false },
    { "multipart/form-data; boundary=\"b \"", false },
    { "multipart/form-data; boundary=\"b\rc\"", false },
    { "multipart/form-data; boundary=1234567890123456789012345678901234567890123456789012345678901234567890", true },
    { "multipart/form-data; boundary=12345678901234567890123456789012345678901234567890123456789012345678901", false },
    { "multipart/mixed; boundary=b", false },
    { "application/json", false },
    { "", false },
};

START_TEST(content_type)
{
    struct multipart m;
    ck_assert_msg(multipart_init(&m, str_from(types[_i].type)) == types[_i].good, "%s", types[_i].type);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("multipart");
    tcase_add_loop_test(t, form, 0, (int) (sizeof cases / sizeof *cases));
    tcase_add_loop_test(t, content_type, 0, (int) (sizeof types / sizeof *types));
    tcase_add_test(t, too_much);
    Suite *s = suite_create("multipart");
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
