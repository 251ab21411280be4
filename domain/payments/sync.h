/* The scheduled synchronisation: asks the provider for every open invoice. One process at a time does it. */
#pragma once

#include "domain/payments/payments.h"

struct sync;

struct sync *sync_new(struct payments *p);
/* Now. OK: `done` comes once, later, with ERR_FULL when another process is at it. ERR_FULL: this one is; done will
 * not come. */
enum err sync_run(struct sync *s, void (*done)(void *arg, enum err err, int64_t checked, int64_t updated), void *arg);
void sync_close(struct sync *s, void (*closed)(void *arg), void *arg);   /* frees itself */
