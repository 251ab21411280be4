/* Pictures: what is recognised, how large one may be, which way it stands, and making it smaller. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "domain/picture/image.h"
#include "domain/picture/store.h"

#define BYTES(text) { "" text, sizeof(text) - 1 }

static const struct {
    struct str file;
    enum image_form form;
} forms[] = {
    { BYTES("\xff\xd8\xff\xe0"), IMAGE_JPEG },
    { BYTES("\x89PNG\r\n\x1a\n"), IMAGE_PNG },
    { BYTES("RIFF\x10\0\0\0WEBPVP8 "), IMAGE_WEBP },
    { BYTES("RIFF\x10\0\0\0WEBPVP8L"), IMAGE_WEBP },
    { BYTES(""), IMAGE_NONE },
    { BYTES("\xff\xd8\xff"), IMAGE_NONE },
    { BYTES("\x89PNG\n\x1a\n"), IMAGE_NONE },
    { BYTES("RIFF\x10\0\0\0WAVEfmt "), IMAGE_NONE },
    { BYTES("GIF89a"), IMAGE_NONE },
    { BYTES("<svg xmlns=\"http://www.w3.org/2000/svg\">"), IMAGE_NONE },
};

START_TEST(form)
{
    ck_assert_int_eq(image_recognise(forms[_i].file), forms[_i].form);
}
END_TEST

START_TEST(size)
{
    ck_assert(image_size_good(1, 1) && image_size_good(5000, 5000) && image_size_good(16384, 1525));
    ck_assert(!image_size_good(0, 1) && !image_size_good(1, 0));
    ck_assert(!image_size_good(16385, 1) && !image_size_good(1, 16385) && !image_size_good(5001, 5000));
    ck_assert(!image_size_good(30000, 30000) && !image_size_good(1ull << 33, 1ull << 33));
}
END_TEST

/* Each head is cut off everywhere, in memory of its own. */
static const struct {
    struct str app1;
    int orientation;
} heads[] = {
    { BYTES("Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"), 6 },
    { BYTES("Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0"), 8 },
    { BYTES("Exif\0\0II*\0\x08\0\0\0\x02\0\x0f\x01\x02\0\x01\0\0\0AAAA\x12\x01\x03\0\x01\0\0\0\x03\0\0\0"), 3 },
    { BYTES("Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0"), 1 },
    { BYTES("Exif\0\0II*\0\xff\xff\xff\xff\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"), 1 },
    { BYTES("Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x02\x03\0\x01\0\0\0\x06\0\0\0"), 1 },
    { BYTES("http://ns.adobe.com/xap/1.0/"), 1 },
};

START_TEST(orientation)
{
    struct str whole = heads[_i].app1;
    ck_assert_int_eq(image_orientation(whole), heads[_i].orientation);
    for (size_t n = 0; n < whole.n; n++) {
        char *cut = malloc(n ? n : 1);
        memcpy(cut, whole.p, n);
        int found = image_orientation((struct str){ cut, n });
        ck_assert(found == 1 || found == heads[_i].orientation);
        free(cut);
    }
}
END_TEST

static struct image made(uint32_t width, uint32_t height)
{
    struct image image = { .width = width, .height = height };
    image.pixels = mem_alloc(4 * (size_t) width * height);
    for (size_t i = 0; i < (size_t) width * height; i++) {
        image.pixels[4 * i] = (uint8_t) i;
        image.pixels[4 * i + 3] = 255;
    }
    return image;
}

/* Pixels 0 1 2 / 3 4 5 in each of the eight ways. */
START_TEST(turn)
{
    static const char *const expected[] = { "", "012345", "210543", "543210", "345012", "031425", "304152", "524130",
                                            "251403" };
    struct image image = made(3, 2);
    char seen[7] = "";
    image_turn(&image, _i);
    for (int i = 0; i < 6; i++) seen[i] = (char) ('0' + image.pixels[4 * i]);
    ck_assert_str_eq(seen, expected[_i]);
    ck_assert_uint_eq(image.width, _i >= 5 ? 2 : 3);
    mem_free(image.pixels);
}
END_TEST

START_TEST(shrink)
{
    struct image image = made(4, 2);
    image_shrink(&image, 4);
    ck_assert_uint_eq(image.width, 4);
    image_shrink(&image, 2);
    ck_assert_uint_eq(image.width, 2);
    ck_assert_uint_eq(image.height, 1);
    ck_assert_uint_eq(image.pixels[0], 3);    /* of 0 1 4 5 */
    ck_assert_uint_eq(image.pixels[4], 5);    /* of 2 3 6 7, rounded */
    ck_assert(image_is_opaque(&image));
    mem_free(image.pixels);
    image = made(4, 2);
    memset(image.pixels, 0, 8);               /* what cannot be seen does not colour what can */
    image_shrink(&image, 2);
    ck_assert_uint_eq(image.pixels[0], 5);    /* of 4 5 */
    ck_assert_uint_eq(image.pixels[3], 128);
    ck_assert(!image_is_opaque(&image));
    mem_free(image.pixels);
}
END_TEST

START_TEST(both_forms)
{
    for (int opaque = 0; opaque < 2; opaque++) {
        struct image image = made(50, 30), again = { 0 };
        struct buf file, remade;
        enum image_form kind;
        if (!opaque) image.pixels[3] = 0;
        buf_init(&file, IMAGE_BYTES_MAX);
        buf_init(&remade, IMAGE_BYTES_MAX);
        ck_assert(opaque ? image_encode_jpeg(&image, &file) : image_encode_png(&image, &file));
        ck_assert(image_remake(buf_view(&file), &remade, &kind));
        ck_assert_int_eq(kind, opaque ? IMAGE_JPEG : IMAGE_PNG);
        ck_assert_int_eq(image_recognise(buf_view(&remade)), kind);
        ck_assert(opaque ? image_decode_jpeg(buf_view(&remade), &again) : image_decode_png(buf_view(&remade), &again));
        ck_assert(again.width == 50 && again.height == 30);
        for (size_t n = 0; n < file.n; n += 7) {
            char *cut = malloc(n ? n : 1);
            memcpy(cut, file.p, n);
            if (n + 64 < file.n) ck_assert(!image_remake((struct str){ cut, n }, &remade, &kind));
            free(cut);
        }
        mem_free(image.pixels);
        mem_free(again.pixels);
        buf_fini(&file);
        buf_fini(&remade);
    }
}
END_TEST

START_TEST(names)
{
    static const char *const bad[] = { "", ".", "..", ".x", "a/b", "../x", "a\\b", "a b", "a\n", "\xc3\xa4", "a%00" };
    ck_assert(picture_name_good(STR("0f1e.jpg")) && picture_name_good(STR("A-b_c.2.png")));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!picture_name_good(str_from(bad[i])), "%s", bad[i]);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("image");
    tcase_add_loop_test(t, form, 0, (int) (sizeof forms / sizeof *forms));
    tcase_add_loop_test(t, orientation, 0, (int) (sizeof heads / sizeof *heads));
    tcase_add_loop_test(t, turn, 1, 9);
    tcase_add_test(t, size);
    tcase_add_test(t, shrink);
    tcase_add_test(t, both_forms);
    tcase_add_test(t, names);
    Suite *s = suite_create("image");
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
