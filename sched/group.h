/*
 * group.h - what a dump asks of a group of futures
 *
 * Purpose     A dump names the branches that a select or a join waits for.
 * Threads     The thread that keeps the group's task from being polled meanwhile.
 * Invariants  None.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_GROUP_H
#define WF_GROUP_H

#include <weft/combine.h>

/* Stores the names of the branches that have not ended, at most `most` of them. Returns how many
 * such branches there are in all, and 0 if the future is no group. */
uint32_t wf_group_waits_for(const weft_future *future, const char **ret_names, uint32_t most);

#endif
