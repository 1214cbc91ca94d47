/*
 * report.h - what `weft doctor` has found
 *
 * Purpose     Collects findings and prints them, for people or as JSON.
 * Threads     The program's one thread.
 * Invariants  The report's level is the worst of its findings'.
 * Ordering    None.
 * Failure     A text that is too long is cut. The program ends if there are too many findings.
 */
#ifndef WF_REPORT_H
#define WF_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <weft/runtime.h>

/* Also the program's exit status. */
typedef enum wf_level {
    WF_LEVEL_OK,
    WF_LEVEL_NOTE,    /* weft works, and something limits it */
    WF_LEVEL_PROBLEM, /* weft does not start */
} wf_level;

typedef struct wf_finding {
    wf_level    level;
    const char *name;
    char        value[256];
    char        follows[512]; /* what follows from it; "" if it is ok */
    const char *remedy;       /* NULL if there is none */
} wf_finding;

#define WF_REPORT_MOST 32

typedef struct wf_report {
    wf_level           level;
    size_t             n;
    wf_finding         finding[WF_REPORT_MOST];
    const weft_config *config; /* in effect; NULL if weft does not start */
} wf_report;

/* Adds a finding that is ok, with its value as printf makes it. The caller may make it worse. */
__attribute__((format(printf, 3, 4))) wf_finding *wf_report_add(wf_report *r, const char *name,
                                                                const char *value, ...);
/* Says what follows from the finding. */
__attribute__((format(printf, 5, 6))) void wf_report_worse(wf_report *r, wf_finding *f,
                                                           wf_level level, const char *remedy,
                                                           const char *follows, ...);
void                                       wf_report_print(const wf_report *r, bool json);

#endif
