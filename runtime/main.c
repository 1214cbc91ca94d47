/*
 * main.c - weft_main: a runtime around one async function
 *
 * Purpose     What a program's main() needs and nothing else.
 * Threads     The main thread.
 * Invariants  The runtime's environment knobs apply. Blocking jobs that were given up do not keep
 *             the process alive. They end with it.
 * Ordering    None.
 * Failure     One line on standard error, through the runtime's log, and exit status 1.
 */
#include "stop.h"

#include <string.h>
#include <weft/task.h>

static int fail(const weft_config *config, const char *what, const char *name, int64_t error)
{
    wf_log(config, WEFT_LOG_ERROR, "%s %s: %s", name, what, strerror((int)-error));
    return 1;
}

static int stop(weft_runtime *rt, const char *name)
{
    weft_config config = rt->config;
    int         r = wf_runtime_stop(rt, WEFT_MS(config.stop_ms), true);

    return r < 0 ? fail(&config, "could not stop", name, r) : 0;
}

WEFT_API int weft_main_(const weft_config *config, const weft_future_ops *ops, uint32_t at,
                        const void *args, size_t size, const char *name)
{
    weft_runtime *rt;
    weft_handle   handle;
    int64_t       result;
    int           status = 0;

    if (weft_runtime_start(config, &rt) < 0)
        return 1; /* logged */
    result = weft_spawn_(rt, &handle, WEFT_ANYWHERE_, ops, at, args, size, name);
    if (result == 0)
        result = weft_block_on(rt, weft_join(&handle));
    if (result < 0)
        status = fail(&rt->config, "failed", name, result);
    return stop(rt, name) | status;
}
