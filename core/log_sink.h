/* Where log lines gather and how they leave. Only core/log*.c include this. */
#pragma once

#include "core/buf.h"

enum { LOG_BUFFER_BYTES = 256 * 1024 };

/* Lines go to this descriptor from now on; it is neither closed nor made non-blocking, because
 * others share it. */
void log_sink_setup(int fd);

/* Between begin and end a line is appended to the returned buffer. When it does not fit, end
 * takes it back and counts it. */
struct buf *log_sink_begin(void);
void log_sink_end(void);

/* Writes what the reader takes without making us wait; the rest stays for the next time. */
void log_sink_flush(void);
/* The same, waiting for the reader up to so long: for the end of the process. */
void log_sink_drain(int timeout_ms);

/* Lines dropped since the last call of this. */
unsigned log_sink_take_dropped(void);
/* Counts them again, because telling of them did not fit either. */
void log_sink_keep_dropped(unsigned dropped);
