/* Files from memory: who gets the compressed form, who has the file already, and which headers say so. */
#include "test/unit/http_fixture.h"

#include "http/file.h"

static const struct http_file page = {
    .type = { "text/html; charset=utf-8", 24 }, .bytes = { "<p>long", 7 }, .gzip = { "gz", 2 },
    .tag = "00ff00ff00ff00ff",
};
static const struct http_file icon = {
    .type = { "image/svg+xml", 13 }, .bytes = { "<svg/>", 6 }, .tag = "11aa11aa11aa11aa", .immutable = true
};

static const struct endpoint rows[] = {
    { .id = "PAGE", .method = HTTP_GET, .path = "/page", .file = &page },
    { .id = "ICON", .method = HTTP_GET, .path = "/icon.svg", .file = &icon },
    { 0 },
};
static const struct endpoint *const tables[] = { rows, NULL };

static struct fixture f;

static void set_up(void)
{
    fixture_init(&f, &(struct http_options){ .tables = tables });
}

static void tear_down(void)
{
    fixture_fini(&f);
}

static const struct {
    const char *header;
    bool yes;
} acceptances[] = {
    { "gzip", true }, { "GZip", true }, { "br, gzip;q=0.5", true }, { "gzip;q=1.000", true }, { "*", true },
    { "x-gzip", true }, { " deflate ,\tgzip ; q=0.1", true }, { "*;q=0, gzip", true },
    { "", false }, { "br", false }, { "identity", false }, { "gzip;q=0", false }, { "gzip;q=0.000", false },
    { "gzip ; Q=0.0, br", false }, { "*;q=0", false }, { "gzip;q=0, *", false }, { "*, gzip;q=0", false },
    { "gzippy", false }, { ",,;", false },
};

START_TEST(accepts)
{
    ck_assert_msg(http_accepts_gzip(str_from(acceptances[_i].header)) == acceptances[_i].yes, "%s",
                  acceptances[_i].header);
}
END_TEST

START_TEST(accepts_nothing_without_a_header)
{
    ck_assert(!http_accepts_gzip(STR_NONE));
}
END_TEST

static const struct {
    const char *header;
    bool page, icon;
} tags[] = {
    { "\"00ff00ff00ff00ff\"", true, false }, { "\"00ff00ff00ff00ff-gz\"", true, false },
    { "W/\"00ff00ff00ff00ff\"", true, false }, { "*", true, true },
    { "\"x\", \"11aa11aa11aa11aa\"", false, true }, { "\"11aa11aa11aa11aa-gz\"", false, false },
    { "00ff00ff00ff00ff", false, false }, { "\"00ff00ff00ff00ff-br\"", false, false }, { "\"", false, false },
    { "", false, false }, { "\"00ff\"", false, false }, { ",", false, false }, { "W/", false, false },
};

START_TEST(is_known)
{
    struct str header = str_from(tags[_i].header);
    ck_assert_msg(http_file_is_known(&page, header) == tags[_i].page, "the page by %s", tags[_i].header);
    ck_assert_msg(http_file_is_known(&icon, header) == tags[_i].icon, "the icon by %s", tags[_i].header);
}
END_TEST

static void says(const char *header, const char *value)
{
    struct str found = fixture_header(&f, header);
    ck_assert_msg(str_eq(found, str_from(value)), "%s is %.*s", header, STR_FMT(found));
}

START_TEST(plain)
{
    ck_assert_int_eq(fixture_send(&f, HTTP_GET, "/page", "", NULL), 200);
    ck_assert(str_eq(fixture_body(&f), STR("<p>long")));
    says("Content-Type", "text/html; charset=utf-8");
    says("ETag", "\"00ff00ff00ff00ff\"");
    says("Cache-Control", "no-cache");
    says("Vary", "Accept-Encoding");
    ck_assert(!fixture_header(&f, "Content-Encoding").p);
    ck_assert(fixture_header(&f, "Content-Security-Policy").n > 0);
}
END_TEST

START_TEST(compressed)
{
    ck_assert_int_eq(fixture_send(&f, HTTP_GET, "/page", "Accept-Encoding: gzip\n", NULL), 200);
    ck_assert(str_eq(fixture_body(&f), STR("gz")));
    says("Content-Encoding", "gzip");
    says("ETag", "\"00ff00ff00ff00ff-gz\"");
}
END_TEST

START_TEST(known)
{
    ck_assert_int_eq(fixture_send(&f, HTTP_GET, "/page", "If-None-Match: \"00ff00ff00ff00ff\"\n", NULL), 304);
    ck_assert_uint_eq(fixture_body(&f).n, 0);
    says("ETag", "\"00ff00ff00ff00ff\"");
    ck_assert(!fixture_header(&f, "Content-Type").p);
    ck_assert(!fixture_header(&f, "Content-Length").p);
}
END_TEST

START_TEST(head)
{
    ck_assert_int_eq(fixture_send(&f, HTTP_HEAD, "/icon.svg", "", NULL), 200);
    ck_assert_uint_eq(fixture_body(&f).n, 0);
    says("Content-Length", "6");
    says("Cache-Control", "public, max-age=31536000, immutable");
    ck_assert(!fixture_header(&f, "Vary").p);
}
END_TEST

START_TEST(described_at_run_time)
{
    struct http_file file;
    digest_init();
    http_file_init(&file, STR("text/plain"), STR("abc"));
    ck_assert_str_eq(file.tag, "ba7816bf8f01cfea");
    ck_assert(!file.immutable && !file.gzip.p);
    http_file_fini(&file);
}
END_TEST

START_TEST(compressed_at_run_time)
{
    char text[1000];
    struct http_file file;
    digest_init();
    memset(text, 'a', sizeof text);
    http_file_init(&file, STR("text/plain"), (struct str){ text, sizeof text });
    ck_assert(file.gzip.n > 18 && file.gzip.n < 100);
    ck_assert(memcmp(file.gzip.p, "\x1f\x8b\x08", 3) == 0);
    ck_assert(memcmp(file.gzip.p + file.gzip.n - 4, "\xe8\x03\0", 4) == 0);   /* gzip ends with the length */
    http_file_fini(&file);
    ck_assert(!file.gzip.p);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("file");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_loop_test(t, accepts, 0, (int) (sizeof acceptances / sizeof *acceptances));
    tcase_add_test(t, accepts_nothing_without_a_header);
    tcase_add_loop_test(t, is_known, 0, (int) (sizeof tags / sizeof *tags));
    tcase_add_test(t, plain);
    tcase_add_test(t, compressed);
    tcase_add_test(t, known);
    tcase_add_test(t, head);
    tcase_add_test(t, described_at_run_time);
    tcase_add_test(t, compressed_at_run_time);
    Suite *s = suite_create("file");
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
