/* PNG by libspng, WebP by libwebp. */
#include <spng.h>
#include <stdlib.h>
#include <webp/decode.h>

#include "core/mem.h"
#include "domain/picture/image.h"

enum { CHUNK_BYTES_MAX = 1 << 20 };

static bool read_png(spng_ctx *png, struct str file, struct image *image)
{
    struct spng_ihdr head;
    size_t size;
    spng_set_image_limits(png, IMAGE_SOURCE_SIDE_MAX, IMAGE_SOURCE_SIDE_MAX);
    spng_set_chunk_limits(png, CHUNK_BYTES_MAX, 4 * CHUNK_BYTES_MAX);
    if (spng_set_png_buffer(png, file.p, file.n) != 0 || spng_get_ihdr(png, &head) != 0) return false;
    if (!image_size_good(head.width, head.height)) return false;
    if (spng_decoded_image_size(png, SPNG_FMT_RGBA8, &size) != 0) return false;
    if (size != 4 * (size_t) head.width * head.height) return false;
    image->width = head.width;
    image->height = head.height;
    image->pixels = mem_alloc(size);
    return spng_decode_image(png, image->pixels, size, SPNG_FMT_RGBA8, SPNG_DECODE_TRNS) == 0;
}

bool image_decode_png(struct str file, struct image *out)
{
    struct image image = { 0 };
    spng_ctx *png = spng_ctx_new(0);
    bool good = png && read_png(png, file, &image);
    spng_ctx_free(png);
    if (good) *out = image;
    else mem_free(image.pixels);
    return good;
}

bool image_encode_png(const struct image *image, struct buf *out)
{
    struct spng_ihdr head = { .width = image->width, .height = image->height, .bit_depth = 8,
                              .color_type = SPNG_COLOR_TYPE_TRUECOLOR_ALPHA };
    size_t n = 0;
    int fault = 1;
    spng_ctx *png = spng_ctx_new(SPNG_CTX_ENCODER);
    if (!png) return false;
    spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1);
    spng_set_ihdr(png, &head);
    bool good = spng_encode_image(png, image->pixels, 4 * (size_t) image->width * image->height, SPNG_FMT_PNG,
                                  SPNG_ENCODE_FINALIZE) == 0;
    void *bytes = good ? spng_get_png_buffer(png, &n, &fault) : NULL;
    if (bytes) buf_put(out, bytes, n);
    free(bytes);
    spng_ctx_free(png);
    return bytes && fault == 0 && !out->failed;
}

bool image_decode_webp(struct str file, struct image *out)
{
    WebPBitstreamFeatures features;
    const uint8_t *bytes = (const uint8_t *) file.p;
    if (WebPGetFeatures(bytes, file.n, &features) != VP8_STATUS_OK || features.has_animation) return false;
    if (!image_size_good((uint64_t) features.width, (uint64_t) features.height)) return false;
    struct image image = { .width = (uint32_t) features.width, .height = (uint32_t) features.height };
    size_t stride = 4 * (size_t) image.width, size = stride * image.height;
    image.pixels = mem_alloc(size);
    if (!WebPDecodeRGBAInto(bytes, file.n, image.pixels, size, (int) stride)) {
        mem_free(image.pixels);
        return false;
    }
    *out = image;
    return true;
}
