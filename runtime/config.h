/*
 * config.h - the one table of knobs
 *
 * Purpose     Completes a weft_config from the environment and the defaults; shows the values.
 * Threads     Whoever starts a runtime.
 * Invariants  Code beats environment beats default. The environment is read here only, and not at
 *             all in a set-user-id program.
 * Ordering    None.
 * Failure     A malformed value: -EINVAL and one line naming value, expectation and range.
 */
#ifndef WF_CONFIG_H
#define WF_CONFIG_H

#include <weft/runtime.h>

typedef struct wf_knob {
    const char        *name; /* of the environment variable */
    const char        *field;
    size_t             at; /* of the int64_t in weft_config; SIZE_MAX: none */
    int64_t            least, most, fallback;
    const char        *help;
    const char *const *names; /* of the values from `least` on; NULL: numbers */
} wf_knob;

extern const wf_knob wf_knobs[];
extern const size_t  wf_n_knobs;

/* Fills every field of *ret from `given` (may be NULL). 0 or -EINVAL, logged. */
int wf_config_complete(weft_config *ret, const weft_config *given);

/* min(CPUs we may run on, the cgroup's quota), at least 1. */
int64_t wf_config_cpus(void);

#endif
