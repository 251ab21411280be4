/* Several processes of the same server: a parent that only watches, and its workers, each with a loop of its
 * own. A worker that dies is started again (after a second when it died young); SIGTERM and SIGINT go to all,
 * and the parent ends when all have. */
#pragma once

/* Forks `count` workers that return run(index) as their exit status; returns the parent's own: 0 when all ended
 * as they were told. Call it before there is a loop, a thread or a connection. Workers end when their parent
 * does, however it ends. */
int workers_run(int count, int (*run)(void *arg, int index), void *arg);
