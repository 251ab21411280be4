#include "domain/picture/image.h"

#include <string.h>

#include "core/mem.h"

enum image_form image_recognise(struct str file)
{
    static const char png[8] = { '\x89', 'P', 'N', 'G', '\r', '\n', '\x1a', '\n' };
    if (file.n >= 4 && memcmp(file.p, "\xff\xd8\xff", 3) == 0) return IMAGE_JPEG;
    if (file.n >= 8 && memcmp(file.p, png, 8) == 0) return IMAGE_PNG;
    if (file.n >= 16 && memcmp(file.p, "RIFF", 4) == 0 && memcmp(file.p + 8, "WEBPVP8", 7) == 0) return IMAGE_WEBP;
    return IMAGE_NONE;
}

bool image_size_good(uint64_t width, uint64_t height)
{
    return width > 0 && height > 0 && width <= IMAGE_SOURCE_SIDE_MAX && height <= IMAGE_SOURCE_SIDE_MAX
        && width * height <= IMAGE_SOURCE_PIXELS_MAX;
}

bool image_is_opaque(const struct image *image)
{
    size_t n = (size_t) image->width * image->height;
    for (size_t i = 0; i < n; i++) {
        if (image->pixels[4 * i + 3] != 255) return false;
    }
    return true;
}

/* The average of the source's pixels from..to in both directions, colours weighed by their opacity. */
static void average(const struct image *from, uint32_t x0, uint32_t x1, uint32_t y0, uint32_t y1, uint8_t *out)
{
    uint64_t colour[3] = { 0 }, opacity = 0, count = (uint64_t) (x1 - x0) * (y1 - y0);
    for (uint32_t y = y0; y < y1; y++) {
        const uint8_t *p = from->pixels + 4 * ((size_t) y * from->width + x0);
        for (uint32_t x = x0; x < x1; x++, p += 4) {
            for (int c = 0; c < 3; c++) colour[c] += (uint64_t) p[c] * p[3];
            opacity += p[3];
        }
    }
    for (int c = 0; c < 3; c++) out[c] = opacity ? (uint8_t) ((colour[c] + opacity / 2) / opacity) : 0;
    out[3] = (uint8_t) ((opacity + count / 2) / count);
}

static uint32_t at_least_one(uint64_t n)
{
    return n > 0 ? (uint32_t) n : 1;
}

void image_shrink(struct image *image, uint32_t side)
{
    uint32_t longest = image->width > image->height ? image->width : image->height;
    if (longest <= side) return;
    struct image small = { .width = at_least_one((uint64_t) image->width * side / longest),
                           .height = at_least_one((uint64_t) image->height * side / longest) };
    small.pixels = mem_alloc(4 * (size_t) small.width * small.height);
    for (uint32_t y = 0; y < small.height; y++) {
        uint32_t y0 = (uint32_t) ((uint64_t) y * image->height / small.height);
        uint32_t y1 = (uint32_t) ((uint64_t) (y + 1) * image->height / small.height);
        for (uint32_t x = 0; x < small.width; x++) {
            uint32_t x0 = (uint32_t) ((uint64_t) x * image->width / small.width);
            uint32_t x1 = (uint32_t) ((uint64_t) (x + 1) * image->width / small.width);
            average(image, x0, x1, y0, y1, small.pixels + 4 * ((size_t) y * small.width + x));
        }
    }
    mem_free(image->pixels);
    *image = small;
}

/* Orientations 5 to 8 swap the sides; the others mirror rows, columns or both. */
void image_turn(struct image *image, int orientation)
{
    if (orientation < 2 || orientation > 8) return;
    bool swap = orientation >= 5;
    uint32_t w = image->width, h = image->height;
    struct image turned = { .width = swap ? h : w, .height = swap ? w : h };
    turned.pixels = mem_alloc(4 * (size_t) w * h);
    for (uint32_t y = 0; y < turned.height; y++) {
        for (uint32_t x = 0; x < turned.width; x++) {
            bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
            bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
            uint32_t sx = swap ? y : x, sy = swap ? x : y;
            if (flip_x) sx = w - 1 - sx;
            if (flip_y) sy = h - 1 - sy;
            memcpy(turned.pixels + 4 * ((size_t) y * turned.width + x), image->pixels + 4 * ((size_t) sy * w + sx), 4);
        }
    }
    mem_free(image->pixels);
    *image = turned;
}

static uint32_t number(const uint8_t *p, int bytes, bool little)
{
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++) v = v << 8 | p[little ? bytes - 1 - i : i];
    return v;
}

/* "Exif" 0 0, a TIFF header, and a directory of entries of 12 bytes: tag, type, count, value. */
int image_orientation(struct str app1)
{
    if (app1.n < 14 || memcmp(app1.p, "Exif\0\0", 6) != 0) return 1;
    const uint8_t *tiff = (const uint8_t *) app1.p + 6;
    size_t n = app1.n - 6;
    bool little = tiff[0] == 'I';
    uint32_t at = number(tiff + 4, 4, little);
    if ((tiff[0] != 'I' && tiff[0] != 'M') || at > n - 2) return 1;
    uint32_t entries = number(tiff + at, 2, little);
    for (uint32_t i = 0; i < entries; i++) {
        size_t entry = (size_t) at + 2 + 12 * (size_t) i;
        if (entry + 12 > n) return 1;
        if (number(tiff + entry, 2, little) != 0x0112) continue;
        uint32_t orientation = number(tiff + entry + 8, 2, little);
        return orientation >= 1 && orientation <= 8 ? (int) orientation : 1;
    }
    return 1;
}

static bool decode(struct str file, struct image *image)
{
    switch (image_recognise(file)) {
    case IMAGE_JPEG: return image_decode_jpeg(file, image);
    case IMAGE_PNG: return image_decode_png(file, image);
    case IMAGE_WEBP: return image_decode_webp(file, image);
    default: return false;
    }
}

bool image_remake(struct str file, struct buf *out, enum image_form *form)
{
    struct image image = { 0 };
    if (!decode(file, &image)) return false;
    image_shrink(&image, IMAGE_SIDE_MAX);
    *form = image_is_opaque(&image) ? IMAGE_JPEG : IMAGE_PNG;
    bool good = *form == IMAGE_JPEG ? image_encode_jpeg(&image, out) : image_encode_png(&image, out);
    mem_free(image.pixels);
    return good;
}
