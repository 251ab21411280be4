/* multipart/form-data (RFC 7578) as it comes, in pieces of any size: nothing is kept but the boundary, the headers of
 * the part being read, and how much of a delimiter has been seen. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/str.h"

enum { MULTIPART_BOUNDARY_MAX = 70, MULTIPART_HEAD_BYTES_MAX = 4096, MULTIPART_PARTS_MAX = 32 };

enum multipart_state {
    MULTIPART_TEXT,       /* in a part's content, or before the first one */
    MULTIPART_BEHIND,     /* a delimiter was seen; what follows it says what it was */
    MULTIPART_HEAD,       /* in a part's headers */
    MULTIPART_DONE,       /* the last delimiter was seen; whatever follows is ignored */
    MULTIPART_BROKEN,
};

struct multipart {
    enum multipart_state state;
    char delimiter[4 + MULTIPART_BOUNDARY_MAX];   /* CR LF -- boundary */
    size_t delimiter_n;
    size_t seen;                                  /* of the delimiter */
    size_t given;                                 /* of these: no bytes of a part's text, should it be none */
    char tail[2];                                 /* behind a delimiter */
    size_t tail_n;
    char head[MULTIPART_HEAD_BYTES_MAX];
    size_t head_n;
    bool in_part;
    int parts;
    /* A part begins: its name, and if it is a file its file name as sent (else STR_NONE). Valid during the call. */
    void (*on_part)(void *arg, struct str name, struct str file);
    void (*on_text)(void *arg, const uint8_t *data, size_t n);
    void *arg;
};

/* False when the Content-Type is not multipart/form-data with a good boundary. */
bool multipart_init(struct multipart *m, struct str content_type);
/* After MULTIPART_DONE and MULTIPART_BROKEN nothing more happens. A whole form ends in MULTIPART_DONE. */
void multipart_feed(struct multipart *m, const uint8_t *data, size_t n);
