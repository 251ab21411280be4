/* Pictures as strangers send them, made safe: recognised by content, decoded within bounds, turned upright, made
 * smaller, and written anew without anything but pixels. Pure but for memory; for pool threads. */
#pragma once

#include "core/buf.h"

enum { IMAGE_SIDE_MAX = 1024, IMAGE_BYTES_MAX = 8 << 20 };

enum image_form { IMAGE_NONE, IMAGE_JPEG, IMAGE_PNG, IMAGE_WEBP };

/* By its first bytes. */
enum image_form image_recognise(struct str file);

/* The picture anew, at most IMAGE_SIDE_MAX on a side: a JPEG, or a PNG when any of it is transparent. False when the
 * file is no picture, is cut off, or would be larger than it pretends to be (its header is looked at before a pixel
 * is decoded). */
bool image_remake(struct str file, struct buf *out, enum image_form *form);

/* Pixels of four bytes: red, green, blue, opacity. */
struct image {
    uint8_t *pixels;              /* mem_free */
    uint32_t width, height;
};
enum { IMAGE_SOURCE_SIDE_MAX = 16384, IMAGE_SOURCE_PIXELS_MAX = 25000000 };

/* Whether a picture that says it is so large is decoded at all. */
bool image_size_good(uint64_t width, uint64_t height);
/* The way a camera was held: 1 to 8 as in EXIF; 1 when it is not said. `app1` is what follows the marker's length. */
int image_orientation(struct str app1);

bool image_decode_jpeg(struct str file, struct image *out);   /* upright already */
bool image_decode_png(struct str file, struct image *out);
bool image_decode_webp(struct str file, struct image *out);
bool image_encode_jpeg(const struct image *image, struct buf *out);
bool image_encode_png(const struct image *image, struct buf *out);

/* To at most `side` by averaging; nothing happens to a smaller one. */
void image_shrink(struct image *image, uint32_t side);
void image_turn(struct image *image, int orientation);
bool image_is_opaque(const struct image *image);
