/* What Cloudinary is asked and what it answers, as its public interface has it: signed calls to /image/upload and
 * /image/destroy. Here are only requests and answers; store.c and removal.c make the calls. */
#pragma once

#include "core/arena.h"
#include "core/outbound.h"
#include "domain/picture/image.h"

#define CLOUDINARY_FOLDER "avatars/"

struct cloudinary {
    const char *base_url, *name, *api_key, *api_secret;
};

enum { CLOUDINARY_SIGNATURE_BYTES = 41 };

/* The parameters as they are signed, "name=value&…" by name, and the secret behind them. Pure. */
void cloudinary_sign(struct str parameters, const char *api_secret, char out[CLOUDINARY_SIGNATURE_BYTES]);

/* Calls to be started. The public id is the whole one, with its folder. */
void cloudinary_upload_init(const struct cloudinary *c, struct outbound_call *call, struct str bytes,
                            enum image_form form, struct str public_id,
                            void (*done)(struct outbound_call *call, enum err err), void *arg);
void cloudinary_destroy_init(const struct cloudinary *c, struct outbound_call *call, struct str public_id,
                             void (*done)(struct outbound_call *call, enum err err), void *arg);

/* OK and where the picture is now; ERR_INVALID: refused; ERR_UNAVAILABLE: not now; ERR_UNCERTAIN: no answer of theirs,
 * or not to what was asked. Pure. */
enum err cloudinary_read_upload(int status, struct str body, struct str public_id, struct arena *arena,
                                const char **url);
/* OK: it is gone, or was never there. ERR_UNAVAILABLE: to be asked again. Pure. */
enum err cloudinary_read_destroy(int status, struct str body);
