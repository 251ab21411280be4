#include "core/flow.h"

#include <stddef.h>

#include "core/must.h"

enum { FLOW_MAGIC = 0x464c4f57 };

static void finish(struct flow *f)
{
    f->state = FLOW_DONE;
    f->done(f->arg, f->err);   /* may free the flow */
}

static void run(struct flow *f)
{
    while (f->step->run) {
        f->state = FLOW_RUNNING;
        switch (f->step->run(f->arg)) {
        case FLOW_NEXT: f->step++; break;
        case FLOW_WAIT: f->state = FLOW_WAITING; return;
        case FLOW_END: finish(f); return;
        case FLOW_FAIL:
            flow_set_error(f, ERR_INTERNAL);
            finish(f);
            return;
        }
    }
    finish(f);
}

void flow_start(struct flow *f, const struct flow_step *steps, void (*done)(void *arg, enum err err), void *arg)
{
    *f = (struct flow){ .magic = FLOW_MAGIC, .step = steps, .done = done, .arg = arg };
    run(f);
}

void flow_resume(struct flow *f)
{
    must(f->magic == FLOW_MAGIC && f->state == FLOW_WAITING);
    f->step++;
    run(f);
}

void flow_fail(struct flow *f, enum err err)
{
    must(f->magic == FLOW_MAGIC && f->state == FLOW_WAITING && err != OK);
    flow_set_error(f, err);
    finish(f);
}

void flow_set_error(struct flow *f, enum err err)
{
    if (f->err == OK) f->err = err;
}
