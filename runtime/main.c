/*
 * main.c - weft_main: a runtime around one task
 *
 * Purpose     What a program's main() needs and nothing else.
 * Threads     The main thread.
 * Invariants  The runtime's environment knobs apply. Blocking jobs that were given up, and threads
 *             in weft_block_on, do not keep the process alive. They end with it.
 * Ordering    None.
 * Failure     One line on standard error, through the runtime's log, and exit status 1.
 */
#include "stop.h"

#include <string.h>
#include <weft/fiber.h>

static int fail(const weft_config *config, const char *what, const char *name, int64_t error)
{
    wf_log(config, WEFT_LOG_ERROR, "%s %s: %s", name, what, strerror((int)-error));
    return 1;
}

static int stop(weft_runtime *rt, const char *name)
{
    weft_config config = rt->config;
    int         r = wf_runtime_stop(rt, WEFT_MS(config.stop_ms), true);

    if (r != -ETIMEDOUT)
        return r < 0 ? fail(&config, "could not stop", name, r) : 0;
    wf_log(&config, WEFT_LOG_ERROR,
           "%s could not stop within %lld ms (WEFT_STOP_MS); the lines before name what still runs",
           name, (long long)config.stop_ms);
    return 1;
}

/* `spawned` is what the spawn of the main task has returned. */
static int run(weft_runtime *rt, weft_handle *handle, int spawned, const char *name)
{
    int64_t result = spawned < 0 ? spawned : weft_block_on(rt, weft_join(handle));
    int     status = result < 0 ? fail(&rt->config, "failed", name, result) : 0;

    return stop(rt, name) | status;
}

WEFT_API int weft_main_(const weft_config *config, const weft_future_ops *ops, uint32_t at,
                        const void *args, size_t size, const char *name)
{
    weft_runtime *rt;
    weft_handle   handle;

    if (weft_runtime_start(config, &rt) < 0)
        return 1; /* logged */
    return run(rt, &handle, weft_spawn_(rt, &handle, WEFT_ANYWHERE_, ops, at, args, size, name),
               name);
}

WEFT_API int weft_main_fiber_(const weft_config *config, weft_fiber_function *function,
                              void *argument, const char *site)
{
    weft_runtime *rt;
    weft_handle   handle;

    if (weft_runtime_start(config, &rt) < 0)
        return 1; /* logged */
    return run(rt, &handle, weft_fiber_spawn_(rt, &handle, NULL, function, argument, site), site);
}
