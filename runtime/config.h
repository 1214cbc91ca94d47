/*
 * config.h - the one table of knobs
 *
 * Purpose     Completes a weft_config from the environment and the defaults. Logs the values if
 *             asked to.
 * Threads     The thread that starts a runtime.
 * Invariants  A value in the code wins over the environment, and the environment over the default.
 *             Only this file reads knobs from the environment, and it does not in a set-user-id
 *             program.
 * Ordering    None.
 * Failure     A malformed value: -EINVAL, and one log line with the value and the permitted range.
 */
#ifndef WF_CONFIG_H
#define WF_CONFIG_H

#include <weft/runtime.h>

typedef struct wf_knob {
    const char        *name; /* the environment variable */
    const char        *field;
    size_t             at; /* offset of the int64_t in weft_config, or SIZE_MAX */
    int64_t            least, most, fallback;
    const char        *help;
    const char *const *names; /* of the values from `least` on; NULL: values are numbers */
} wf_knob;

extern const wf_knob wf_knobs[];
extern const size_t  wf_n_knobs;

/* Fills every field of *ret from `given` (may be NULL). 0 or -EINVAL, logged. */
int wf_config_complete(weft_config *ret, const weft_config *given);

/* The CPUs of the affinity mask, at most the cgroup's quota, at least 1. */
int64_t wf_config_cpus(void);

#endif
