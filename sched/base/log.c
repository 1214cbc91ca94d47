/*
 * log.c - the log
 *
 * Purpose     Formats one line and passes it to the host's callback.
 * Threads     Any.
 * Invariants  The library writes to no descriptor, except in weft_misuse_ and in the default
 *             callback, both by stderr.h. A line has no control characters, so text from the
 *             environment or from the host's names can't begin a line of its own.
 * Ordering    None.
 * Failure     A line that is too long is cut.
 */
#include "lock.h"
#include "rt.h"
#include "stderr.h"

#include <stdarg.h>
#include <stdio.h>

_Thread_local wf_current wf_current_thread WF_TLS_MODEL;

#ifdef WF_LOCKS_ARE_COUNTED
_Thread_local uint32_t wf_locks_held;

void wf_lock_none_held(const char *what)
{
    if (wf_locks_held > 0)
        weft_misuse_("weft", "a lock of weft is held while foreign code is called", what);
}
#endif

static void replace_controls(char *line)
{
    for (unsigned char *c = (unsigned char *)line; *c; c++)
        if (*c < ' ' || *c == 0x7f)
            *c = '?';
}

void wf_log(const weft_config *config, weft_log_level level, const char *format, ...)
{
    char    line[1024];
    va_list args;

    wf_lock_none_held("the log");
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    replace_controls(line);
    config->log(config->log_arg, level, line);
}

WEFT_API void weft_log_none(void *arg, weft_log_level level, const char *line)
{
    (void)arg, (void)level, (void)line;
}

WEFT_API weft_runtime *weft_runtime_current(void)
{
    return wf_current_thread.rt;
}
