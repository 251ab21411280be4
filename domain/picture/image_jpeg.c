/* JPEG by libjpeg. It reports errors by leaving through longjmp: nothing of ours that must be freed lives across that
 * but what stands in `struct decoding` and `struct encoding`. Decoding is scaled down by the library, as far as the
 * result stays larger than what is kept. */
#include <jerror.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "core/mem.h"
#include "domain/picture/image.h"

enum { QUALITY = 85, SCANS_MAX = 100 };

struct leave {
    struct jpeg_error_mgr errors;
    jmp_buf out;
    bool cut_off;
};

static void on_error(j_common_ptr info)
{
    longjmp(((struct leave *) info->err)->out, 1);
}

/* A file that ends too early is only worth a warning to the library: it paints the rest grey. */
static void on_message(j_common_ptr info, int level)
{
    struct leave *leave = (struct leave *) info->err;
    int code = leave->errors.msg_code;
    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER)) leave->cut_off = true;
}

static void on_output(j_common_ptr info)
{
    (void) info;
}

static struct jpeg_error_mgr *make_errors(struct leave *leave)
{
    struct jpeg_error_mgr *errors = jpeg_std_error(&leave->errors);
    errors->error_exit = on_error;
    errors->emit_message = on_message;
    errors->output_message = on_output;
    return errors;
}

struct decoding {
    struct leave leave;
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct info;
    struct image image;
    uint8_t *row;
    int orientation;
};

/* Each of a progressive picture's scans costs a walk over all of it, however few bytes it has. */
static void on_progress(j_common_ptr info)
{
    if (((j_decompress_ptr) info)->input_scan_number > SCANS_MAX) on_error(info);
}

static void read_orientation(struct decoding *d)
{
    d->orientation = 1;
    for (jpeg_saved_marker_ptr m = d->info.marker_list; m; m = m->next) {
        d->orientation = image_orientation((struct str){ (const char *) m->data, m->data_length });
        if (d->orientation != 1) return;
    }
}

static void choose_scale(struct decoding *d)
{
    unsigned longest = d->info.image_width > d->info.image_height ? d->info.image_width : d->info.image_height;
    d->info.scale_num = 1;
    d->info.scale_denom = 1;
    while (d->info.scale_denom < 8 && longest / (2 * d->info.scale_denom) >= 2 * IMAGE_SIDE_MAX)
        d->info.scale_denom *= 2;
}

/* Ink on paper, inverted as Adobe writes it. */
static void put_cmyk(uint8_t *to, const uint8_t *from, bool inverted)
{
    unsigned black = inverted ? from[3] : 255u - from[3];
    for (int c = 0; c < 3; c++) {
        unsigned ink = inverted ? from[c] : 255u - from[c];
        to[c] = (uint8_t) (ink * black / 255);
    }
}

static void put_row(struct decoding *d, uint32_t y)
{
    uint8_t *to = d->image.pixels + 4 * (size_t) y * d->image.width;
    int n = d->info.output_components;
    for (uint32_t x = 0; x < d->image.width; x++, to += 4) {
        const uint8_t *from = d->row + (size_t) x * (size_t) n;
        if (n == 4) put_cmyk(to, from, d->info.saw_Adobe_marker);
        else memcpy(to, from, 3);
        to[3] = 255;
    }
}

static bool read_pixels(struct decoding *d)
{
    struct jpeg_decompress_struct *info = &d->info;
    jpeg_save_markers(info, JPEG_APP0 + 1, 0xffff);
    if (jpeg_read_header(info, TRUE) != JPEG_HEADER_OK) return false;
    if (!image_size_good(info->image_width, info->image_height)) return false;
    read_orientation(d);
    choose_scale(d);
    bool inks = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
    info->out_color_space = inks ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(info);
    d->image.width = info->output_width;
    d->image.height = info->output_height;
    d->image.pixels = mem_alloc(4 * (size_t) d->image.width * d->image.height);
    d->row = mem_alloc((size_t) d->image.width * (size_t) info->output_components);
    while (info->output_scanline < info->output_height && !d->leave.cut_off) {
        uint32_t y = info->output_scanline;
        if (jpeg_read_scanlines(info, &d->row, 1) == 1) put_row(d, y);
    }
    if (!d->leave.cut_off) jpeg_finish_decompress(info);
    return !d->leave.cut_off;
}

bool image_decode_jpeg(struct str file, struct image *out)
{
    struct decoding *d = mem_new(struct decoding);
    volatile bool good = false;
    d->info.err = make_errors(&d->leave);
    if (setjmp(d->leave.out) == 0) {
        jpeg_create_decompress(&d->info);
        d->progress.progress_monitor = on_progress;
        d->info.progress = &d->progress;
        jpeg_mem_src(&d->info, (const unsigned char *) file.p, file.n);
        good = read_pixels(d);
    } else {
        good = false;
    }
    jpeg_destroy_decompress(&d->info);
    mem_free(d->row);
    if (good) {
        *out = d->image;
        image_turn(out, d->orientation);
    } else {
        mem_free(d->image.pixels);
    }
    mem_free(d);
    return good;
}

struct encoding {
    struct leave leave;
    struct jpeg_compress_struct info;
    unsigned char *bytes;         /* the library's, free() */
    unsigned long n;
    uint8_t *row;
};

static void write_pixels(struct encoding *e, const struct image *image)
{
    struct jpeg_compress_struct *info = &e->info;
    jpeg_mem_dest(info, &e->bytes, &e->n);
    info->image_width = image->width;
    info->image_height = image->height;
    info->input_components = 3;
    info->in_color_space = JCS_RGB;
    jpeg_set_defaults(info);
    jpeg_set_quality(info, QUALITY, TRUE);
    info->optimize_coding = TRUE;
    jpeg_start_compress(info, TRUE);
    e->row = mem_alloc(3 * (size_t) image->width);
    for (uint32_t y = 0; y < image->height; y++) {
        const uint8_t *from = image->pixels + 4 * (size_t) y * image->width;
        for (uint32_t x = 0; x < image->width; x++) memcpy(e->row + 3 * (size_t) x, from + 4 * (size_t) x, 3);
        jpeg_write_scanlines(info, &e->row, 1);
    }
    jpeg_finish_compress(info);
}

bool image_encode_jpeg(const struct image *image, struct buf *out)
{
    struct encoding *e = mem_new(struct encoding);
    volatile bool good = false;
    e->info.err = make_errors(&e->leave);
    if (setjmp(e->leave.out) == 0) {
        jpeg_create_compress(&e->info);
        write_pixels(e, image);
        good = true;
    }
    jpeg_destroy_compress(&e->info);
    if (good) buf_put(out, e->bytes, e->n);
    free(e->bytes);
    mem_free(e->row);
    mem_free(e);
    return good && !out->failed;
}
