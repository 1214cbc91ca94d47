/*
 * group.h - what a report asks of a group of futures
 *
 * Purpose     A dump names the branches that a select or a join waits for.
 * Threads     The thread that keeps the group's task from being polled.
 * Invariants  None.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_GROUP_H
#define WF_GROUP_H

#include <weft/combine.h>

/* The names of the branches that have not ended, `most` of them at most: how many there are in all.
 * 0 if the future is no group. */
uint32_t wf_group_waits_for(const weft_future *future, const char **ret_names, uint32_t most);

#endif
