/*
 * machine.h - the limits that a machine and its containers set
 *
 * Purpose     Looks at the kernel, CPUs, memory, descriptors and threads.
 * Threads     The program's one thread.
 * Invariants  It changes nothing.
 * Ordering    None.
 * Failure     What can't be read is said to be unknown.
 */
#ifndef WF_MACHINE_H
#define WF_MACHINE_H

#include "report.h"

void wf_machine_look(wf_report *r);

#endif
