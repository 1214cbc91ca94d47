/*
 * tracker.h - waits until all of many tasks have ended, for a graceful end
 *
 * A tracker counts tasks that come and go. When it has been closed, weft_tracker_wait ends once no
 * task is left. It keeps neither handles nor results: for results take a weft_task_set.
 *
 * A tracker is a struct in memory of yours. All bytes zero is an open tracker without tasks.
 * Nothing is allocated, and no runtime is needed. It must stay in place until the last task has
 * left and the last wait has ended. If more than 64 plain threads and tasks of other executors
 * wait, the call that ends their waits must have returned, too. Any thread may call any of these
 * functions.
 *
 *     weft_tracker_enter(&server->sessions);                 before the spawn, or a wait may end
 *     if (weft_spawn(NULL, session, .conn = conn) < 0)
 *         weft_tracker_leave(&server->sessions);
 */
#ifndef WEFT_TRACKER_H
#define WEFT_TRACKER_H

#include <weft/sync.h>

WEFT_BEGIN_DECLS

/* A tracker. Zero: open, without tasks. */
typedef struct weft_tracker {
    weft_waits_ waits_;
    uint64_t    count_;
    uint32_t    round_;
    bool        closed_;
} weft_tracker;

/*
 * Counts one more task. Call it before the task is spawned. A closed tracker counts, too: closing
 * only allows the waits to end.
 *
 * Thread:  any.
 */
WEFT_API void weft_tracker_enter(weft_tracker *tracker);

/*
 * Counts one task less. If the tracker is closed and this was the last one, the waits end. A task
 * calls it as the last thing it does with the tracker, and by weft_defer, so that a panic does not
 * leave it out. Aborts if no task is counted.
 *
 * Thread:  any.
 */
WEFT_API void weft_tracker_leave(weft_tracker *tracker);

/*
 * Closes a tracker: its waits end as soon as no task is left. Closing it again changes nothing.
 *
 * Thread:  any.
 */
WEFT_API void weft_tracker_close(weft_tracker *tracker);

/*
 * Opens a closed tracker again: later waits do not end before it is closed.
 *
 * Thread:  any.
 */
WEFT_API void weft_tracker_reopen(weft_tracker *tracker);

/*
 * Returns whether a tracker is closed.
 *
 * Thread:  any.
 */
WEFT_API bool weft_tracker_is_closed(weft_tracker *tracker);

/*
 * Returns how many tasks are counted.
 *
 * Thread:  any.
 */
WEFT_API uint64_t weft_tracker_count(weft_tracker *tracker);

/*
 * Waits until a tracker is closed and has no tasks. A wait that waits at such a moment ends, also
 * if a task enters or the tracker is reopened at once.
 *
 * Thread:  any.
 * Returns: 0. What the tasks wrote before they left is seen.
 * Errors:  none but -ECANCELED.
 * Cancel:  WITHDRAWS.
 */
WEFT_API weft_future *weft_tracker_wait(weft_wait *wait, weft_tracker *tracker);

WEFT_END_DECLS

#endif
