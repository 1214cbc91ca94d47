/*
 * runtimes.h - the runtimes of the process, for debuggers
 *
 * Purpose     A debugger finds here where to begin (docs/gdb/weft-gdb.py). The library never looks.
 * Threads     Any.
 * Invariants  A place is NULL or has a runtime between its start and its stop.
 * Ordering    None: a debugger stops the process.
 * Failure     A runtime for which no place is left is not listed. No lock guards the places, since
 *             a fork would copy it as it is.
 */
#ifndef WF_RUNTIMES_H
#define WF_RUNTIMES_H

#include "rt.h"

void wf_runtimes_add(weft_runtime *rt);
void wf_runtimes_remove(const weft_runtime *rt);

#endif
